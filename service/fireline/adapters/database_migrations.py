"""Migrations: Alembic, packaged with the program, run at start under a lock so that processes may start together."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from fireline.adapters.database_engines import in_memory
from fireline.engine.ports import Unavailable

FOLDER = Path(__file__).parent / "migrations"


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's settings: the packaged folder, and the connection to work on."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate_engine(engine: Engine) -> None:
    """Upgrade to the newest revision; a look is enough when it is there already."""
    if engine.dialect.name == "sqlite" and not in_memory(engine.url):
        _use_wal(engine)
    newest = ScriptDirectory.from_config(configuration()).get_current_head()
    with engine.connect().execution_options(fireline_reading=True) as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fireline migration', 0))"))
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as fault:
            raise Unavailable(f"the database's layout is of another Fireline version: {fault}") from fault


def _use_wal(engine: Engine) -> None:
    """The mode is kept in the file. Asked for outside a transaction, since SQLite cannot change it inside one."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        raw.close()
