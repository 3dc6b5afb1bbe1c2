"""The database: `open_store(url)` gives the Store port on SQLite (a file, the default) or PostgreSQL.

SQLite runs in WAL mode, so readers and the one writer do not wait for each other, with `synchronous=FULL`: a commit
is on the disk before it counts. NORMAL would survive a killed process as well, but a power cut could take back the
last commits, and a page that was decided, or a click that was acknowledged, must not be forgotten. Writing
transactions begin IMMEDIATE: they wait for their turn at the start, where nothing is lost by waiting, and never fail
half-way for having read what somebody else changed.

PostgreSQL runs READ COMMITTED with row locks (`FOR UPDATE`), and advisory locks for names that have no row yet.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fireline.adapters import database_outbox, database_runs
from fireline.adapters.database_changes import Changes, watch_changes
from fireline.adapters.database_checkpoints import CheckpointRows
from fireline.adapters.database_engines import PATIENCE, build_engine, driver, in_memory, is_away, is_conflict
from fireline.adapters.database_incidents import IncidentRows
from fireline.adapters.database_migrations import migrate_engine
from fireline.adapters.database_outbox import OutboxRows
from fireline.adapters.database_roster import RosterRows
from fireline.adapters.database_routes import RouteRows
from fireline.adapters.database_runs import RunRows
from fireline.adapters.database_silences import SilenceRows
from fireline.adapters.database_stops import StopRows
from fireline.domain.audit import Blots, Keys
from fireline.domain.effects import Timer
from fireline.engine.ports import Queued, StaleVersion, Store, Unavailable


class DatabaseTransaction(
    IncidentRows, OutboxRows, RunRows, RouteRows, SilenceRows, StopRows, RosterRows, CheckpointRows
):
    """One transaction: all parts of the Transaction port on one connection."""


class Turn(Protocol):
    """A lock that gives up: threads of one process take turns without SQLite's polling."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """True when it is ours."""
        ...

    def release(self) -> None:
        """Let the next one in."""
        ...


class DatabaseStore:
    """The Store port. Thread-safe; every method raises `Unavailable` when the database is away."""

    def __init__(self, engine: Engine, changes: Changes, keys: Keys, blots: Blots) -> None:
        self._engine = engine
        self._changes = changes
        self._keys, self._blots = keys, blots
        self._turn: Turn | None = threading.Lock() if engine.dialect.name == "sqlite" else None

    @contextmanager
    def transaction(self) -> Iterator[DatabaseTransaction]:
        """Begin a writing transaction; the block's end commits it, an exception rolls it back.

        Raises StaleVersion when the database found a conflict: decide again on what is there now.
        """
        with self._writing() as connection:
            yield (transaction := DatabaseTransaction(connection))
            transaction.queue_effects()
            transaction.seal_acts(self._keys, self._blots)

    @contextmanager
    def reading(self) -> Iterator[DatabaseTransaction]:
        """A consistent view to read from, which waits for no writer and locks nothing. It cannot write."""
        with _faults_translated(), self._in_turn_of_memory(), self._engine.connect() as connection:
            options = {"fireline_reading": True}
            with connection.execution_options(**options).begin() as transaction:
                _refuse_writes(connection, refuse=True)
                try:
                    yield DatabaseTransaction(connection, locking=False)
                finally:
                    _refuse_writes(connection, refuse=False)
                    transaction.rollback()

    def claim_effects(
        self, owner: str, now: float, lease: float, limit: int, without: frozenset[str] = frozenset()
    ) -> Sequence[Queued]:
        """Due effects, the oldest of each lane only, leased to `owner` for `lease` seconds.

        One whose earlier lease ran out unfinished comes back with `maybe_sent`. Lanes of channels in `without` stay.
        """
        if not self._look(lambda connection, at: database_outbox.any_claimable(connection, at, without), now):
            return []
        with self._writing() as connection:
            return database_outbox.claim_effects(connection, owner, now, lease, limit, without=without)

    def finish_effect(self, key: str, owner: str, outcome: str, now: float) -> None:
        """It is done (or failed for good): `outcome` says what came of it. A lost lease changes nothing."""
        with self._writing() as connection:
            database_outbox.finish_effect(connection, key, owner, outcome, now)

    def postpone_effect(self, key: str, owner: str, until: float, reason: str, *, maybe_sent: bool = False) -> None:
        """Try again at `until`; the lane waits. `maybe_sent`: this attempt may have arrived all the same."""
        with self._writing() as connection:
            database_outbox.postpone_effect(connection, key, owner, until, reason, maybe_sent=maybe_sent)

    def claim_timers(self, owner: str, now: float, lease: float, limit: int) -> Sequence[Timer]:
        """Timers due at `now`, leased; the decision that handles one disarms or re-arms it."""
        if not self._look(database_outbox.any_timer_due, now):
            return []
        with self._writing() as connection:
            return database_outbox.claim_timers(connection, owner, now, lease, limit)

    def next_timer(self) -> float | None:
        """When the next timer may be claimed, None of none."""
        with _faults_translated(), self._in_turn_of_memory(), self._connect_to_read() as connection:
            return database_outbox.next_timer(connection)

    def next_due(self, without: frozenset[str] = frozenset()) -> float | None:
        """When the next timer, or the next effect that may be claimed, is due (in the past: now); None of none.

        Effects of channels in `without` do not count.
        """
        with _faults_translated(), self._in_turn_of_memory(), self._connect_to_read() as connection:
            return database_outbox.next_due(connection, without)

    def claim_run(self, run: int, owner: str, now: float, lease: float) -> bool:
        """Lease a run, or renew one's own lease, so that two responders never execute it at once."""
        with self._writing() as connection:
            return database_runs.claim_run(connection, run, owner, now, lease)

    def release_run(self, run: int, owner: str) -> None:
        """Give a run back."""
        with self._writing() as connection:
            database_runs.release_run(connection, run, owner)

    def changed(self) -> object:
        """A value that differs when anything was committed since, by any process; some microseconds on SQLite."""
        with _faults_translated():
            return self._changes.value()

    @property
    def changed_at_once(self) -> bool:
        """Whether `changed` answers in microseconds, so that an event loop may ask it."""
        return self._changes.at_once

    @property
    def writes_at_once(self) -> bool:
        """Whether several transactions can write at the same time, as long as they do not write the same."""
        return self._turn is None

    def ping(self) -> None:
        """Raise Unavailable unless the database answers now: for readiness probes."""
        with _faults_translated(), self._in_turn_of_memory(), self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Let go of all connections. A store that is used again opens new ones."""
        self._changes.close()
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _faults_translated(), self._in_turn(), self._engine.begin() as connection:
            yield connection
        self._changes.committed()

    def _look(self, question: "Question", now: float) -> bool:
        """Ask without a write lock, since most of the time there is nothing to do."""
        with _faults_translated(), self._in_turn_of_memory(), self._connect_to_read() as connection:
            return question(connection, now)

    def _connect_to_read(self) -> Connection:
        return self._engine.connect().execution_options(fireline_reading=True)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=PATIENCE):
            raise Unavailable(f"another transaction of this process held the database for {PATIENCE:g} s")
        try:
            yield
        finally:
            self._turn.release()

    def _in_turn_of_memory(self) -> AbstractContextManager[None]:
        """A database in memory is one connection, so its readers take turns too."""
        return self._in_turn() if in_memory(self._engine.url) else nullcontext()


class Question(Protocol):
    """Something to ask of the database as of `now`."""

    def __call__(self, connection: Connection, now: float) -> bool:
        """Yes or no."""
        ...


def open_store(url: str, *, keys: Keys | None = None, secrets: Sequence[str] = ()) -> DatabaseStore:
    """Open the database at an SQLAlchemy URL, made and migrated as needed; raises Unavailable.

    `keys` seal the audit chain, so that nobody without them can forge it; `secrets` never get into it.
    """
    engine = build_engine(url)
    try:
        with _faults_translated():
            migrate_engine(engine)
    except BaseException:
        engine.dispose()
        raise
    return DatabaseStore(engine, watch_changes(engine), keys or Keys.of(()), Blots(secrets))


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest layout; does nothing when it is there. Raises Unavailable."""
    engine = build_engine(url)
    try:
        with _faults_translated():
            migrate_engine(engine)
    finally:
        engine.dispose()


def _refuse_writes(connection: Connection, *, refuse: bool) -> None:
    if connection.dialect.name == "sqlite":
        driver(connection).execute(f"PRAGMA query_only = {int(refuse)}")
    elif refuse:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


if TYPE_CHECKING:

    def _is_the_port(store: DatabaseStore) -> Store:
        return store


@contextmanager
def _faults_translated() -> Iterator[None]:
    """Say in the words of the port what the database said; faults of ours stay as they are."""
    try:
        yield
    except IntegrityError as fault:
        raise StaleVersion(str(fault.orig)) from fault
    except DBAPIError as fault:
        if is_conflict(fault):
            raise StaleVersion(str(fault.orig)) from fault
        if is_away(fault):
            raise Unavailable(" ".join(str(fault.orig).split())) from fault
        raise
    except PoolTimeout as fault:
        raise Unavailable("all database connections are in use") from fault
    except sqlite3.Error as fault:  # while connecting, before SQLAlchemy puts it in its own words
        raise Unavailable(str(fault)) from fault
