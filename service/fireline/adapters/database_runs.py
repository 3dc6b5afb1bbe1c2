"""Runs, their journal, their leases and the locks they hold, inside one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from fireline.adapters.codec import decode, encode
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import journal, locks, runs
from fireline.domain.runbooks import Run
from fireline.engine.ports import StaleVersion


class RunRows(Rows):
    """The part of a transaction about runs."""

    def run(self, number: int) -> Run | None:
        """The run, locked until the end of the transaction."""
        data = self._row_of(runs, number)
        return None if data is None else _decoded(data)

    def runs(
        self, *, incident: int | None = None, active_only: bool = False, limit: int = 100, since: float | None = None
    ) -> Sequence[Run]:
        """Newest first; with `since`, those that started then or later."""
        statement = select(runs.c.data).order_by(runs.c.number.desc()).limit(limit)
        if incident is not None:
            statement = statement.where(runs.c.incident == incident)
        if active_only:
            statement = statement.where(runs.c.active.is_(True))
        if since is not None:
            statement = statement.where(runs.c.started_at >= since)
        return [_decoded(data) for data in self._all(statement)]

    def save_run(self, run: Run, journal: str) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise), and append what changed to the journal."""
        row: dict[str, object] = {
            "number": run.id,
            "incident": run.incident,
            "runbook": run.runbook,
            "lock": run.lock,
            "active": not run.over,
            "started_at": run.started_at,
            "version": run.version,
            "data": encode(run),
        }
        self._save(runs, row, run.version)
        self._write_down(run, journal)

    def journal(self, run: int) -> Sequence[tuple[int, str, Run]]:
        """All journaled states of a run: (version, what changed, state)."""
        text = self._connection.execute(select(runs.c.data).where(runs.c.number == run)).scalar()
        if text is None:
            return []
        whole = decode(Run, text).text
        rows = self._connection.execute(select(journal).where(journal.c.run == run).order_by(journal.c.version))
        return [(row.version, row.what, replace(decode(Run, row.data), text=whole)) for row in rows]

    def lock_holder(self, lock: str) -> int | None:
        """The run that holds a lock, None when free."""
        holder: int | None = self._row_of(locks, lock, column="run")
        return holder

    def take_lock(self, lock: str, run: int) -> bool:
        """Take a lock for a run; False while another run holds it."""
        return self._put_new(locks, {"lock": lock, "run": run}) or self.lock_holder(lock) == run

    def release_lock(self, lock: str, run: int) -> None:
        """Give a lock back; another run's is left alone."""
        self._connection.execute(delete(locks).where(and_(locks.c.lock == lock, locks.c.run == run)))

    def claim_run(self, run: int, owner: str, now: float, lease: float) -> bool:
        """Lease a run, or renew one's own lease."""
        return claim_run(self._connection, run, owner, now, lease)

    def run_leased_to(self, run: int) -> str | None:
        """Who has the lease of a run; its row is locked until the end of the transaction."""
        holder: str | None = self._row_of(runs, run, column="leased_by")
        return holder

    def count_runs(self, runbook: str, lock: str, since: float) -> int:
        """Runs of the runbook on this lock that started at or after `since`."""
        started = and_(runs.c.runbook == runbook, runs.c.lock == lock, runs.c.started_at >= since)
        return int(self._connection.execute(select(func.count()).select_from(runs).where(started)).scalar_one())

    def _write_down(self, run: Run, what: str) -> None:
        """The runbook's text is the same in every state of a run, so the journal leaves it out."""
        row = {"run": run.id, "version": run.version, "what": what, "data": encode(replace(run, text=""))}
        if not self._put_new(journal, row):
            raise StaleVersion(f"run {run.id}: version {run.version} is journaled already")


@lru_cache(512)
def _decoded(data: bytes) -> Run:
    """The run, which nobody may change. Each start looks three times at the last two hundred, most of them over."""
    return decode(Run, data)


def claim_run(connection: Connection, run: int, owner: str, now: float, lease: float) -> bool:
    """Lease a run, or renew one's own lease; False while another owner's lasts, or when there is no such run."""
    free = or_(runs.c.leased_by.is_(None), runs.c.leased_by == owner, runs.c.leased_until <= now)
    change = update(runs).where(and_(runs.c.number == run, free))
    return connection.execute(change.values(leased_by=owner, leased_until=now + lease)).rowcount == 1


def release_run(connection: Connection, run: int, owner: str) -> None:
    """Give a run back; another owner's lease is left alone."""
    mine = and_(runs.c.number == run, runs.c.leased_by == owner)
    connection.execute(update(runs).where(mine).values(leased_by=None, leased_until=None))
