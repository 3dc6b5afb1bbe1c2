"""Migrations: packaged with the program, run at start under a lock so that processes may start together."""

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from fireline.adapters.database_engines import PATIENCE, in_memory

FOLDER = Path(__file__).parent / "migrations"

_PAUSE = 0.05
"""Seconds until a file is asked again that another process has just then."""


def newest() -> str:
    """The newest revision: files are named `NNNN_what.py` by theirs, and each follows the one before."""
    return max(path.name.partition("_")[0] for path in FOLDER.glob("versions/[0-9]*.py"))


def migrate_engine(engine: Engine) -> None:
    """Upgrade to the newest revision; a look is enough when it is there already, and Alembic stays unloaded."""
    if engine.dialect.name == "sqlite" and not in_memory(engine.url):
        use_wal(engine)
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


def use_wal(engine: Engine) -> None:
    """The mode is kept in the file. Asked for outside a transaction, since SQLite cannot change it inside one.

    Of those that ask for it at once one is told that the file is locked, without a wait: that one asks again.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return _ask_for_wal(engine)
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() >= until:
                raise
        time.sleep(_PAUSE)


def _ask_for_wal(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        raw.close()
