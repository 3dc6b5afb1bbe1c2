"""How Alembic runs here: on the connection that it is given, inside the transaction that is open on it."""

from alembic import context

from fireline.adapters.database_tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, transaction_per_migration=False)
context.run_migrations()
