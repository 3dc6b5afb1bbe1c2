"""Has anything been committed? A question that every process asks many times a second, so it must cost nothing.

SQLite: `PRAGMA data_version` on a connection of its own changes when any other connection, of any process, commits.
PostgreSQL: the text of `pg_current_snapshot()` changes when any transaction that wrote ends; it needs no row to update
(which would make writers wait for each other) and no listener (which poolers break). Other databases of the same
server change it too; then somebody looks once in vain.
"""

import threading
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from fireline.adapters.database_engines import in_memory


class Changes(Protocol):
    """A value that moves with every commit. `at_once`: it is there in microseconds and never waited for."""

    @property
    def at_once(self) -> bool:
        """See above."""
        ...

    def value(self) -> object:
        """Differs when anything was committed since."""
        ...

    def committed(self) -> None:
        """This process committed something."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def watch_changes(engine: Engine) -> Changes:
    """The cheapest way that the database offers."""
    if in_memory(engine.url):
        return CountedChanges()
    if engine.dialect.name == "sqlite":
        # a reader never waits for a writer here; should anything else be in the way, that is told and not waited for
        return AskedChanges(engine, "PRAGMA data_version", "PRAGMA busy_timeout = 0", at_once=True)
    return AskedChanges(engine, "SELECT pg_current_snapshot()::text")


class CountedChanges:
    """For a database in memory: nobody else can commit."""

    at_once = True

    def __init__(self) -> None:
        self._count = 0

    def value(self) -> object:
        """Commits so far."""
        return self._count

    def committed(self) -> None:
        """One more."""
        self._count += 1

    def close(self) -> None:
        """Nothing to let go."""


class AskedChanges:
    """One statement on a connection of its own, straight on the driver. Reconnects count as a change."""

    def __init__(self, engine: Engine, question: str, prepare: str = "", *, at_once: bool = False) -> None:
        self.at_once = at_once
        self._engine = engine
        self._question, self._prepare = question, prepare
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._cursor: Any = None
        self._connects = 0

    def value(self) -> object:
        """The database's word, and how often we had to connect to get it."""
        with self._lock:
            try:
                cursor = self._open()
                cursor.execute(self._question)
                return (self._connects, cursor.fetchone()[0])
            except DBAPIError:
                self._drop()
                raise
            except self._engine.dialect.loaded_dbapi.Error as fault:
                self._drop()
                raise OperationalError(self._question, None, fault) from fault

    def committed(self) -> None:
        """The database knows."""

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop()

    def _open(self) -> Any:
        if self._cursor is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._cursor = self._connection.connection.cursor()
            if self._prepare:
                self._cursor.execute(self._prepare)
            self._connects += 1
        return self._cursor

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = self._cursor = None
