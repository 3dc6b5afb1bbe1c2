"""Migrations: packaged with the program, run at start under a lock so that processes may start together."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from fireline.adapters.database_engines import in_memory

FOLDER = Path(__file__).parent / "migrations"


def newest() -> str:
    """The newest revision: files are named `NNNN_what.py` by theirs, and each follows the one before."""
    return max(path.name.partition("_")[0] for path in FOLDER.glob("versions/[0-9]*.py"))


def migrate_engine(engine: Engine) -> None:
    """Upgrade to the newest revision; a look is enough when it is there already, and Alembic stays unloaded."""
    if engine.dialect.name == "sqlite" and not in_memory(engine.url):
        _use_wal(engine)
    with engine.connect().execution_options(fireline_reading=True) as connection:
        if _revision(connection) == newest():
            return
    from fireline.adapters.database_upgrades import upgrade

    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fireline migration', 0))"))
        upgrade(connection, FOLDER)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _use_wal(engine: Engine) -> None:
    """The mode is kept in the file. Asked for outside a transaction, since SQLite cannot change it inside one."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        raw.close()
