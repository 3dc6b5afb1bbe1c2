"""Engines: how a connection to SQLite is made, where PostgreSQL's is, and what the errors of both mean."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from fireline.engine.ports import Unavailable

PATIENCE = 10.0
"""Seconds to wait for a lock or a connection before the database counts as away."""

_CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATEs of PostgreSQL: serialization failure, deadlock."""


def build_engine(url: str) -> Engine:
    """An engine that has not connected yet. The directory of a SQLite file is made."""
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):  # neither is repeated: its text may hold the password
        raise ValueError("the database is not given as sqlite:///path/file.db or postgresql://user@host/name") from None
    target = _with_driver(given)
    if target.get_backend_name() == "sqlite":
        return _sqlite(target)
    from fireline.adapters.database_postgres import build

    return build(target, PATIENCE)


def in_memory(url: URL) -> bool:
    """Whether it is a SQLite database that lives and ends with its engine."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def is_conflict(fault: DBAPIError) -> bool:
    """Whether another transaction was in the way, so that doing it again helps."""
    return getattr(fault.orig, "sqlstate", None) in _CONFLICTS


def is_away(fault: DBAPIError) -> bool:
    """Whether the database is away, locked, full or broken, rather than asked for nonsense.

    SQLite reports a broken file as a plain DatabaseError.
    """
    return (
        fault.connection_invalidated
        or isinstance(fault, OperationalError | InterfaceError)
        or type(fault.orig).__name__ == "DatabaseError"
    )


def driver(connection: Connection) -> Any:
    """The driver's own connection, whose faults nobody puts in SQLAlchemy's words."""
    return connection.connection.dbapi_connection


def _with_driver(url: URL) -> URL:
    """`postgres://` and `postgresql://` mean psycopg 3 here; other databases are refused with the choice there is."""
    name = url.drivername.split("+")[0]
    if name in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if name == "sqlite":
        return url.set(drivername="sqlite+pysqlite")
    raise ValueError(f"database {name!r} is not supported: use sqlite:///path/file.db or postgresql://user@host/name")


def _sqlite(url: URL) -> Engine:
    if in_memory(url):
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        _make_directory(Path(str(url.database)).parent)
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=24,
            pool_timeout=PATIENCE,
            connect_args={"timeout": PATIENCE, "check_same_thread": False},
        )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_directory(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise Unavailable(f"the directory of the database cannot be made: {fault}") from fault


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Transactions are begun by us, not by the driver, which would begin them too late."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("fireline_reading", False)
    # straight on the driver: SQLAlchemy's way takes ten times as long as the statement
    driver(connection).execute("BEGIN" if reading else "BEGIN IMMEDIATE")
