"""Runs: starting, answering, aborting them, and driving all that are active, a lease each.

A run is leased to one responder while it is driven; any other takes over when the lease runs out. Starting is in
`engine/starting`, driving one run in `engine/driving`, what is next in `domain/running`.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from pydantic import BaseModel

from fireline.domain import run_acts, running
from fireline.domain.approving import People
from fireline.domain.effects import StartRun
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.domain.runbooks import Run, Runbook, RunStatus, StepStatus
from fireline.engine import approvals, starting
from fireline.engine.approvals import Answer, Reply
from fireline.engine.approvers import approvers, owner_of
from fireline.engine.driving import Driver
from fireline.engine.journal import Hears, Lease, LeaseLost
from fireline.engine.outward import Action
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction, Unavailable
from fireline.engine.starting import Started, Wanted
from fireline.engine.stepping import Steps

LOG = logging.getLogger(__name__)

LEASE = 15.0
"""Seconds a run stays with the responder that drives it, unless renewed."""

AGAIN = 1.0
"""Seconds until a run that another responder has, or that the database did not let us drive, is tried again."""

AFTER_FAULT = 10.0
"""Seconds until a run that a fault of ours stopped is tried again."""

POLL = 0.1
"""Seconds between two looks whether another process changed a run."""


class Runs:
    """Starts, drives and ends runs. What people ask for (`request` to `retry`) is synchronous, from any thread."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        clock: Clock,
        actions: Mapping[str, Action],
        options: Mapping[str, type[BaseModel]],
        read_runbook: Callable[[str], Runbook],
        responder: Hears,
        owner: str,
        lease: float = LEASE,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._responder = responder
        self._owner = owner
        self._lease = lease
        self._driver = Driver(
            store=store,
            settings=settings,
            clock=clock,
            steps=Steps(settings, actions, options),
            read_runbook=read_runbook,
            responder=responder,
        )
        self._due: dict[int, tuple[int | None, float]] = {}
        self._driving: dict[int, asyncio.Task[None]] = {}
        self._leases: dict[int, str] = {}  # those that may be ours while nobody here drives the run
        self._count = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    # starting, approving, aborting
    def start(self, effect: StartRun) -> Outcome:
        """Start the run an incident asked for, once per key; Done even when guards refuse it, with the reason."""
        try:
            started = self.request(Wanted(effect.key, effect.runbook, effect.incident, effect.inputs), done=effect.key)
        except (Unavailable, StaleVersion) as fault:
            return RetryLater(0.2, str(fault))
        return Done({"run": None if started.run is None else started.run.id, "reason": started.reason})

    def request(self, wanted: Wanted, *, done: str = "") -> Started:
        """Start a run that a rule or a person wants. Raises Unavailable or StaleVersion: ask again with the key.

        `done` is the effect that it was, and is done with it.
        """

        def work(tx: Transaction) -> tuple[Started, bool]:
            current, now = self._settings.current, self._clock.now()
            started = starting.start(tx, current, wanted, now, self._responder.configured)
            for told in started.tell:
                self._responder.handle_in(tx, told)
            if done:
                tx.finish_effect(done, self._owner, "done", now)
            run = started.run
            ours = self._loop is not None and run is not None and run.status is RunStatus.RUNNING
            return started, ours and run is not None and self._begin_here(tx, run.id, now)

        started, ours = self._driver.journal.transact(work)
        self.wake(begun=started.run if ours else None)
        return started

    def _begin_here(self, tx: Transaction, run: int, now: float) -> bool:
        self._leases[run] = self._name()
        return tx.claim_run(run, self._leases[run], now, self._lease)

    def _name(self) -> str:
        """A name of a lease that no driving of a run had before: what is left of an earlier one is told apart."""
        return f"{self._owner}/{next(self._count)}"

    def approve(
        self,
        run: int,
        step: str | None,
        person: str,
        approved: bool,
        reason: str = "",
        *,
        values: Mapping[str, object] | None = None,
    ) -> Reply:
        """Answer for a step that asks (or for the start: `start`); None is whatever the run waits for.

        `values` are those of a form.
        """

        def work(tx: Transaction) -> Reply:
            found = tx.run(run)
            if found is None:
                return Reply(f"There is no run {run}.")
            # what counts is when it is decided, and not when the click set out: the time may be over by now
            given = Answer(person, approved, reason, self._clock.now(), values)
            changed, reply = self._answered(tx, found, step or _asking(found), given)
            self._driver.journal.save(tx, found, changed, str(reply), by=person)
            return reply

        reply = self._driver.journal.transact(work)
        self.wake()
        return reply

    def _answered(self, tx: Transaction, run: Run, step: str, given: Answer) -> tuple[Run, Reply]:
        current = self._settings.current
        owner = owner_of(run, self._driver.journal.book(run).owner)
        asking = approvals.question(run, step, owner)
        may = approvers(tx, current, run, asking.of, owner, now=given.at)
        names = {person.id: person.name for person in current.catalog.people.values()}
        return approvals.answer(run, step, given, asking, People(may, run.requested_by, names))

    def may_answer(self, run: int, step: str) -> frozenset[str]:
        """Who may answer for a step of the run (or `start`) now."""
        current = self._settings.current
        with self._store.reading() as tx:
            found = tx.run(run)
            if found is None:
                return frozenset()
            owner = owner_of(found, self._driver.journal.book(found).owner)
            of = approvals.question(found, step, owner).of
            return approvers(tx, current, found, of, owner, now=self._clock.now())

    # what people do to a run. `version` is the one they saw: when it has changed since, nothing is done
    def abort(self, run: int, person: str, reason: str = "", *, undo: bool = False) -> Reply:
        """End a run where it stands, or undo first what it did. It always wins; a second one ends the last steps."""

        def how(_: Transaction, found: Run) -> Run | str:
            if found.over:
                return f"Run {run} is over already: {found.status.value} ({found.reason})."
            return running.abort(found, person, reason, self._clock.now(), undo=undo)

        return self._act(run, person, how, "")

    def pause(self, run: int, person: str, reason: str = "", *, version: int | None = None) -> Reply:
        """Hold a run: nothing new is begun until somebody resumes it, or its deadline comes."""
        what = f"paused by {person}" + (f": {reason}" if reason else "")
        return self._act(
            run, person, lambda _, found: run_acts.pause(found, person, reason, self._clock.now()), what, version
        )

    def resume(self, run: int, person: str, *, version: int | None = None) -> Reply:
        """Let a paused run go on."""
        what = f"resumed by {person}"
        return self._act(run, person, lambda _, found: run_acts.resume(found, self._clock.now()), what, version)

    def skip(self, run: int, step: str, person: str, reason: str, *, version: int | None = None) -> Reply:
        """Pass over a step that has not begun, or that waits or hangs; the reason is kept."""

        def how(_: Transaction, found: Run) -> Run | str:
            if not reason.strip():
                return "Say why it is passed over."
            return run_acts.pass_over(found, step, person, reason, self._clock.now())

        return self._act(run, person, how, f"{step} passed over by {person}: {reason}", version)

    def retry(self, run: int, step: str, person: str, reason: str = "", *, version: int | None = None) -> Reply:
        """Go on with a run that failed or was aborted, from a step; one whose undoing failed goes on undoing."""

        def how(tx: Transaction, found: Run) -> Run | str:
            book = self._driver.journal.readable(found)
            if isinstance(book, Failed):
                return f"Run {run} cannot go on: {book.reason}."
            opened = run_acts.again(found, book, step, person, self._clock.now())
            if isinstance(opened, Run) and opened.lock and not tx.take_lock(opened.lock, run):
                return f"Run {tx.lock_holder(opened.lock)} holds {opened.lock} now; wait until it is over."
            return opened

        what = f"tried again from {step} by {person}" + (f": {reason}" if reason else "")
        return self._act(run, person, how, what, version)

    def _act(
        self,
        run: int,
        person: str,
        how: Callable[[Transaction, Run], Run | str],
        what: str,
        version: int | None = None,
    ) -> Reply:
        def work(tx: Transaction) -> Reply:
            found = tx.run(run)
            if found is None:
                return Reply(f"There is no run {run}.")
            if version is not None and version != found.version:
                return Reply(f"Run {run} has changed since you looked ({found.status.value} now); look again.")
            changed = how(tx, found)
            if isinstance(changed, str):
                return Reply(changed)
            saved = self._driver.journal.save(tx, found, changed, what or changed.reason, by=person)
            told = "paused" if saved.paused is not None else saved.status.value
            return Reply(f"Run {run} of {found.runbook} {told}.", done=True)

        reply = self._driver.journal.transact(work)
        self.wake()
        return reply

    def wake(self, begun: Run | None = None) -> None:
        """Have `run` look at once, from any thread; or drive a run that was begun and leased here just now."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):
                if begun is None:
                    self._loop.call_soon_threadsafe(self._wake.set)
                else:
                    self._loop.call_soon_threadsafe(self._take_on, begun.id, begun)

    def _take_on(self, number: int, begun: Run | None = None) -> None:
        if number not in self._driving:
            self._driving[number] = asyncio.create_task(self._driven(number, begun), name=f"run-{number}")

    # driving
    async def run(self, stop: asyncio.Event) -> None:
        """Drive all runs until `stop`; what is under way then is left to whoever comes next."""
        self._loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                self._wake.clear()
                with suppress(Unavailable):
                    await self._dispatch()
                await self._pause(stop)
        finally:
            self._loop = None
            for task in list(self._driving.values()):
                task.cancel()
            await asyncio.gather(*self._driving.values(), return_exceptions=True)

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait until something changed, something is due, or it is time to go; a while where the database is away."""
        try:
            await self._news(stop)
        except Unavailable:  # what is being done needs no database now, and goes on
            await asyncio.sleep(POLL)

    async def _news(self, stop: asyncio.Event) -> None:
        seen = await asyncio.to_thread(self._store.changed)
        while not (stop.is_set() or self._wake.is_set()):
            waits = [at - self._clock.now() for _, at in self._due.values()]
            if min(waits, default=POLL) <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), min([POLL, *waits]))
            if await asyncio.to_thread(self._store.changed) != seen:
                return

    async def run_once(self) -> float | None:
        """Drive every run as far as it goes now; when the next one is due, None when none is active."""
        await self._dispatch()
        while self._driving:
            await asyncio.gather(*self._driving.values())
        return min((at for _, at in self._due.values()), default=None)

    async def _dispatch(self) -> None:
        active = await asyncio.to_thread(self._active)
        self._due = {number: due for number, due in self._due.items() if number in active}
        for number, version in active.items():
            seen, at = self._due.get(number, (None, 0.0))
            if at <= self._clock.now() or seen not in (None, version):
                self._take_on(number)

    def _active(self) -> dict[int, int]:
        with self._store.reading() as tx:
            return {run.id: run.version for run in tx.runs(active_only=True, limit=1000)}

    async def _driven(self, number: int, begun: Run | None) -> None:
        try:
            await self.drive(number, begun)
        except (Unavailable, StaleVersion):
            self._due[number] = (None, self._clock.now() + AGAIN)
        except Exception:
            LOG.exception("run %d cannot be driven; trying again in %g s", number, AFTER_FAULT)
            self._due[number] = (None, self._clock.now() + AFTER_FAULT)
        finally:
            self._driving.pop(number, None)
            self._wake.set()

    async def drive(self, number: int, begun: Run | None = None) -> float | None:
        """Take the run as far as it goes now. When to look again; None when it is over or somebody else drives it.

        `begun` is the run as it was begun and leased here just now.
        """
        now, known = self._clock.now(), self._leases.pop(number, None)
        lease = Lease(number, known or self._name())
        sure = begun is not None and known is not None
        if not sure and not await asyncio.to_thread(self._store.claim_run, number, lease.name, now, self._lease):
            self._due[number] = (None, now + AGAIN)
            return None
        try:
            async with self._kept(lease):
                later = await self._driver.advance(lease, begun if sure else None)
        finally:
            self._leases[number] = lease.name  # should the database be away now, it is ours still when it is back
            await asyncio.to_thread(self._store.release_run, number, lease.name)
            self._leases.pop(number, None)
        if later is None:
            self._due.pop(number, None)
            return None
        self._due[number] = later
        return later[1]

    @asynccontextmanager
    async def _kept(self, lease: Lease) -> AsyncIterator[None]:
        """Renew the lease while the block lasts; raises LeaseLost when it went to somebody else."""
        over = asyncio.Event()
        keeper = asyncio.create_task(self._keep(lease, asyncio.current_task(), over))
        try:
            yield
        except asyncio.CancelledError:
            if keeper.done() and not keeper.cancelled():
                raise LeaseLost(f"run {lease.run} went to another responder") from None
            raise
        finally:
            over.set()  # a renewal that is under way ends before the lease is given back, and does not take it again
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, lease: Lease, driver: "asyncio.Task[object] | None", over: asyncio.Event) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), self._lease / 3)
            with suppress(Unavailable):
                if over.is_set():
                    return
                now = self._clock.now()
                if not await asyncio.to_thread(self._store.claim_run, lease.run, lease.name, now, self._lease):
                    if driver is not None:
                        driver.cancel()
                    return


def _asking(run: Run) -> str:
    """What the run waits for a person's word on: its start, or a step; when nothing, what was answered last."""
    if run.status is RunStatus.WAITING:
        return approvals.START
    asking = (s.id for s in run.steps if s.status is StepStatus.WAITING and running.ASKED in s.memory)
    before = [s for s in run.steps if s.output.get("by") and ("values" in s.output or "approved" in s.output)]
    last = max(before, key=lambda s: s.ordinal).id if before else approvals.START
    return next(asking, last)
