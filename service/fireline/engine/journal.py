"""The journal: runs as they are stored, each change with what it was, told to its incident in the same transaction.

A run is pinned to the text of its runbook, which is read from there when the files say something else by now.
"""

import asyncio
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from fireline.domain.audit_acts import of_run
from fireline.domain.incidents import EscalateNow, Input
from fireline.domain.outcomes import Failed
from fireline.domain.run_places import entry_of, fits
from fireline.domain.runbooks import OnFailure, Run, Runbook, RunStatus, StepStatus
from fireline.engine import approvals, starting
from fireline.engine.laying import locks_of
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction
from fireline.engine.run_news import news

T = TypeVar("T")
Change = Callable[[Transaction, Run], Run]


ATTEMPTS = 8
"""How often a change is made anew when somebody else changed the same rows meanwhile."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run that is driven here under a name that no other driving of it ever had."""

    run: int
    name: str


class LeaseLost(StaleVersion):
    """The run went to somebody else, who may be doing already what is not known here to be done."""


class Hears(Protocol):
    """Who is told what became of runs and routes, and knows which channels there are: the responder."""

    def handle_in(self, tx: Transaction, what: Input, /) -> object:
        """Decide on an input inside the caller's transaction."""
        ...

    def configured(self, channel: str, /) -> bool:
        """Whether messages can go out on this channel at all."""
        ...


class Journal:
    """Reads and changes runs."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        clock: Clock,
        read_runbook: Callable[[str], Runbook],
        responder: Hears,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._read_runbook = read_runbook
        self._responder = responder
        self._books: dict[str, Runbook] = {}
        self._lease: Lease | None = None

    def under(self, lease: Lease) -> "Journal":
        """The same, for who drives a run: it reads and writes nothing of it once the lease is somebody else's.

        A clock that jumped, or a process that was stopped for a while, may make two of us think that they drive a run.
        """
        fenced = copy(self)
        fenced._lease = lease
        return fenced

    def book(self, run: Run) -> Runbook:
        """The runbook as it was when the run started, whatever the files say now."""
        known = self._settings.current.runbooks.get(run.runbook)
        if known is not None and known.hash == run.hash:
            return known
        if run.hash not in self._books:
            self._books[run.hash] = self._read_runbook(run.text)
        return self._books[run.hash]

    def readable(self, run: Run) -> Runbook | Failed:
        """The runbook that the run is pinned to; Failed when it cannot be read, or has other steps than the run."""
        try:
            book = self.book(run)
        except Exception as error:  # whatever reading an old text raises, the run has to end
            return Failed(f"its runbook cannot be read any more: {error}")
        if not fits(run, book):
            return Failed("its runbook has other steps than the run was started with")
        return book

    def load(self, number: int) -> Run | None:
        """The run as it is now."""
        with self._store.reading() as tx:
            return tx.run(number)

    # changing the stored run
    async def change(self, number: int, how: Change, what: str = "") -> tuple[Run, Run]:
        """Change the run in one transaction: as it was, and as it is stored now. An ended run stays as it is."""
        return await asyncio.to_thread(self._change, number, how, what)

    def _change(self, number: int, how: Change, what: str) -> tuple[Run, Run]:
        def changed(tx: Transaction) -> tuple[Run, Run]:
            before = tx.run(number)
            assert before is not None, f"run {number} vanished"
            after = before if before.over else how(tx, before)
            return before, self.save(tx, before, after, what)

        return self.transact(changed)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Do something in one transaction, anew when others changed the same rows; raises StaleVersion in the end.

        Raises LeaseLost, having done nothing, where it is done under a lease that somebody else has by now.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._store.transaction() as tx:
                    self._hold(tx)
                    return work(tx)
            except LeaseLost:
                raise
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def _hold(self, tx: Transaction) -> None:
        lease = self._lease
        if lease is not None and (holder := tx.run_leased_to(lease.run)) != lease.name:
            raise LeaseLost(f"run {lease.run} is driven by {holder or 'nobody'} now, and not by {lease.name}")

    def save(self, tx: Transaction, before: Run, after: Run, what: str = "", by: str = "") -> Run:
        """Store a changed run, journaled as `what`, and tell its incident; one that is over gives back its lock.

        `by` is the person who changed it, empty when it went on by itself.
        """
        if after == before:
            return before
        saved = replace(after, version=before.version + 1)
        for lock in locks_of(saved) if saved.over else ():
            tx.release_lock(lock, saved.id)
        line = news(before, saved)
        journal = what or line or f"{saved.status.value}: {saved.reason}"
        tx.save_run(saved, journal)
        approvals.tell(tx, before, saved, self._clock.now())
        if (act := of_run(before, saved, journal, by, self._clock.now())) is not None:
            tx.record(act)
        if saved.incident is not None and approvals.widened(before, saved):
            self._responder.handle_in(tx, EscalateNow(saved.incident, f"run:{saved.id}", "runbook"))
        if line and saved.incident is not None:
            self._responder.handle_in(tx, starting.report(saved, line))
            if saved.over and self._escalates(saved):
                self._responder.handle_in(tx, EscalateNow(saved.incident, f"run:{saved.id}", "runbook"))
        return saved

    def _escalates(self, run: Run) -> bool:
        book = self.readable(run)
        if isinstance(book, Failed) or run.status is not RunStatus.FAILED:
            return False
        wrong = [entry_of(book, step.id) for step in run.steps if step.status is StepStatus.FAILED]
        return any(entry.on_failure is OnFailure.ESCALATE for entry in wrong)
