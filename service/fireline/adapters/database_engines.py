"""Engines: how a connection to SQLite and to PostgreSQL is made, and what their errors mean."""

from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from fireline.engine.ports import Unavailable

PATIENCE = 10.0
"""Seconds to wait for a lock or a connection before the database counts as away."""

ANSWER_WITHIN = 35.0
"""Seconds a server has to answer anything; its own time-outs end a statement sooner, unless the server hangs."""

T = TypeVar("T")
_CONFLICTS = frozenset({"40001", "40P01"})
"""SQLSTATEs of PostgreSQL: serialization failure, deadlock."""

_POSTGRES_OPTIONS = " ".join(
    (
        "-c statement_timeout=30s",
        f"-c lock_timeout={PATIENCE:g}s",
        "-c idle_in_transaction_session_timeout=60s",  # a process that hangs in a transaction lets go of its locks
    )
)

_POSTGRES_LIVENESS = {
    "connect_timeout": 5,
    "tcp_user_timeout": int(PATIENCE * 1000),
    "keepalives_idle": 10,  # the system's default would notice a vanished server after two hours
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


def build_engine(url: str) -> Engine:
    """An engine that has not connected yet. The directory of a SQLite file is made."""
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):  # neither is repeated: its text may hold the password
        raise ValueError("the database is not given as sqlite:///path/file.db or postgresql://user@host/name") from None
    target = _with_driver(given)
    return _sqlite(target) if target.get_backend_name() == "sqlite" else _postgres(target)


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
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> Engine:
    options: dict[str, object] = {"application_name": "fireline", "options": _POSTGRES_OPTIONS, **_POSTGRES_LIVENESS}
    chosen = {name: value for name, value in options.items() if name not in url.query}
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=8,
        max_overflow=24,
        pool_timeout=PATIENCE,
        pool_use_lifo=True,
        connect_args=chosen,
    )
    event.listen(engine, "do_connect", _connect_impatiently)
    return engine


def _connect_impatiently(_dialect: object, _record: object, args: tuple[Any, ...], options: dict[str, Any]) -> object:
    return Impatient.connect(*args, **options)


class Impatient(psycopg.Connection[Any]):
    """A connection that gives up on a server which keeps it open and says nothing: stopped, or hanging on its disk."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """All that goes over the connection passes here."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_WITHIN)
        except _WaitTimeout:
            self.pgconn.finish()  # what comes after an answer that was given up would be taken for another's
            raise psycopg.OperationalError(f"the server did not answer within {ANSWER_WITHIN:g} s") from None
