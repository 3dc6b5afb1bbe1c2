"""Driving one run: plan, journal, do, journal, until it ends or has to wait.

Each step is journaled before it is done and after; the doing is outside any transaction. What ends a run is told to
its incident before it is stored: a crash between the two tells it twice rather than never.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, assert_never

from fireline.domain import running
from fireline.domain.incidents import EscalateNow, Input
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.runbooks import IfUnknown, OnFailure, Run, Runbook, RunStatus, StepStatus
from fireline.domain.running import Do, End, GiveUp, Rendered, Sleep, entry_of, step_of
from fireline.engine import approvals, starting
from fireline.engine.approvals import Question
from fireline.engine.ports import Clock, Settings, Store, Transaction
from fireline.engine.stepping import Steps

Change = Callable[[Transaction, Run], Run]


class Hears(Protocol):
    """Who is told what became of runs: the responder."""

    def handle(self, given: Input, /) -> object:
        """Decide on an input, in a transaction of its own."""
        ...


class Driver:
    """Takes runs as far as they go. The caller holds the run's lease meanwhile."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        clock: Clock,
        steps: Steps,
        read_runbook: Callable[[str], Runbook],
        responder: Hears,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._steps = steps
        self._read_runbook = read_runbook
        self._responder = responder
        self._books: dict[str, Runbook] = {}

    def book(self, run: Run) -> Runbook:
        """The runbook as it was when the run started, whatever the files say now."""
        known = self._settings.current.runbooks.get(run.runbook)
        if known is not None and known.hash == run.hash:
            return known
        if run.hash not in self._books:
            self._books[run.hash] = self._read_runbook(run.text)
        return self._books[run.hash]

    def tell(self, run: Run, detail: str) -> None:
        """Tell the run's incident where it stands."""
        if run.incident is not None:
            self._responder.handle(starting.report(run, detail))

    async def advance(self, number: int) -> tuple[int, float] | None:
        """The run's version and when to look at it again; None when it is over."""
        told = False
        while True:
            run = await asyncio.to_thread(self._load, number)
            if run is None:
                return None
            if run.over:
                if told:  # somebody ended it while we were telling of a step
                    await asyncio.to_thread(self.tell, run, run.reason)
                return None
            until, said = await self._next(run)
            told = told or said
            if until is not None:
                return run.version, until

    async def _next(self, run: Run) -> tuple[float | None, bool]:
        """One turn: when to look again (None: at once), and whether the incident was told something."""
        now = self._clock.now()
        book = self._readable(run)
        if isinstance(book, Failed):
            return None, await self._end(run, End(RunStatus.FAILED, book.reason))
        if run.status is RunStatus.WAITING and now < run.deadline:
            return await self._admitted(run, book), False
        planned = running.plan(run, book, now)
        match planned:
            case Sleep(until=until):
                return until, False
            case End():
                return None, await self._end(run, planned)
            case GiveUp():
                return None, await self._gave_up(run, book, planned)
            case Do():
                return await self._do(run, book, planned)
            case _:
                assert_never(planned)

    def _readable(self, run: Run) -> Runbook | Failed:
        try:
            book = self.book(run)
        except Exception as error:  # whatever reading an old text raises, the run has to end
            return Failed(f"its runbook cannot be read any more: {error}")
        if [step.id for step in book.steps] != [step.id for step in run.steps]:
            return Failed("its runbook has other steps than the run was started with")
        return book

    def _load(self, number: int) -> Run | None:
        with self._store.reading() as tx:
            return tx.run(number)

    # changing the stored run
    def change(self, number: int, how: Change, what: str = "") -> tuple[Run, Run]:
        """Change the run in one transaction: as it was, and as it is stored now. An ended run gives back its lock."""
        with self._store.transaction() as tx:
            before = tx.run(number)
            assert before is not None, f"run {number} vanished"
            after = before if before.over else how(tx, before)
            return before, self.save(tx, before, after, what)

    def save(self, tx: Transaction, before: Run, after: Run, what: str = "") -> Run:
        """Store a changed run, journaled as `what`; one that is over gives back its lock."""
        if after == before:
            return before
        saved = replace(after, version=before.version + 1)
        if saved.over and saved.lock:
            tx.release_lock(saved.lock, saved.id)
        tx.save_run(saved, what or f"{saved.status.value}: {saved.reason}")
        return saved

    async def _admitted(self, run: Run, book: Runbook) -> float | None:
        def admit(tx: Transaction, fresh: Run) -> Run:
            if fresh.status is not RunStatus.WAITING:
                return fresh
            admitted = starting.admit(tx, fresh, book, self._clock.now())
            # a lock that is still held is no news: nothing is journaled at each look
            return fresh if _same_wait(fresh, admitted) else admitted

        before, after = await asyncio.to_thread(self.change, run.id, admit)
        if after != before and after.status is not RunStatus.WAITING:
            await asyncio.to_thread(self.tell, after, after.reason or f"allowed by policy: {after.allowed_by}")
        if after.status is not RunStatus.WAITING:
            return None
        waits_for_lock = after.next_at is None or after.next_at <= self._clock.now()
        return self._clock.now() + starting.LOCK_RETRY if waits_for_lock else after.next_at

    async def _end(self, run: Run, ending: End) -> bool:
        await asyncio.to_thread(self.tell, replace(run, status=ending.status), ending.reason)
        await asyncio.to_thread(self.change, run.id, lambda _, fresh: running.end(fresh, ending, self._clock.now()))
        return True

    async def _gave_up(self, run: Run, book: Runbook, late: GiveUp) -> bool:
        def how(_: Transaction, fresh: Run) -> Run:
            same = step_of(fresh, late.todo.step) == step_of(run, late.todo.step)
            return running.give_up(fresh, book, late, self._clock.now()) if same else fresh

        return await self._recorded(run, book, late.todo, how, running.give_up(run, book, late, self._clock.now()))

    # doing a step
    async def _do(self, run: Run, book: Runbook, todo: Do) -> tuple[float | None, bool]:
        entry, step = entry_of(book, todo.step), step_of(run, todo.step)
        if todo.kind == "do" and step.started_at is None:
            settled = await self._settled(run, book, todo)
            if settled is not None:
                return None, settled
        if todo.kind == "do" and (todo.again or running.DOUBT in step.memory) and entry.if_unknown != IfUnknown.RETRY:
            settled = await self._doubted(run, book, todo)
            if settled is not None:
                return None, settled
        rendered = self._steps.rendered(run, entry) if step.started_at is None else Rendered()
        if isinstance(rendered, Failed):
            return None, await self._record(run, book, todo, rendered)
        begun = await self._begun(run, book, todo, rendered)
        if begun is None:
            return None, False
        outcome = await self._steps.perform(begun, book, todo, self._clock.now())
        later = _still_waits(begun, todo, outcome, self._clock.now())
        if later is not None:  # nothing new: not journaled, so that long waits stay cheap
            return later, False
        return None, await self._record(begun, book, todo, outcome)

    async def _settled(self, run: Run, book: Runbook, todo: Do) -> bool | None:
        """Before a step is first begun: guards and its `if`. None when it is to be done."""
        entry, now = entry_of(book, todo.step), self._clock.now()
        stop = await asyncio.to_thread(self._stopped, run, book)
        if stop is not None:
            return await self._end(run, End(RunStatus.FAILED, f"stopped before {todo.step}: {stop}"))
        holds = self._steps.holds(run, entry)
        if isinstance(holds, Failed):
            return await self._record(run, book, todo, holds)
        if holds:
            return None
        reason = f"if: {entry.if_.source if entry.if_ else ''} does not hold"
        what = f"{todo.step} skipped: {reason}"
        await asyncio.to_thread(self.change, run.id, lambda _, r: running.skip(r, todo.step, reason, now), what)
        return False

    def _stopped(self, run: Run, book: Runbook) -> str | None:
        if book.stop_if is None:
            return None
        with self._store.reading() as tx:
            return starting.stopped(tx, run, book)

    async def _doubted(self, run: Run, book: Runbook, todo: Do) -> bool | None:
        """A step that may have been done already, and may not just be repeated. None when it is to be repeated."""
        step, entry = step_of(run, todo.step), entry_of(book, todo.step)
        answer = approvals.answered(step.memory)
        if running.DOUBT in step.memory and answer is not None:
            if answer.get("approved"):
                return None
            return await self._record(run, book, todo, Failed(f"not repeated: {answer.get('by')} said no"))
        if entry.if_unknown is IfUnknown.VERIFY:
            seen = await self._steps.look(run, book, todo, self._clock.now())
            if isinstance(seen, Done):
                return await self._record(run, book, todo, seen)
            if isinstance(seen, Failed) and not seen.unknown:
                return None
        await asyncio.to_thread(self.change, run.id, lambda tx, r: self._ask_doubt(tx, r, book, todo))
        return False

    def _ask_doubt(self, tx: Transaction, run: Run, book: Runbook, todo: Do) -> Run:
        entry, now = entry_of(book, todo.step), self._clock.now()
        text = (
            f"Step {todo.step} ({entry.uses}) of run {run.id} may have been done already: its outcome is unknown. "
            "Approve to do it again with the same key, reject to take it as failed."
        )
        team = approvals.owner_of(run, book.owner)
        incident = None if run.incident is None else tx.incident(run.incident)
        to = approvals.addresses(self._settings.current.catalog, team, incident)
        approvals.ask(tx, to, Question(run.id, run.incident, todo.step, text, round=todo.attempt), now)
        return running.doubt(run, todo.step, now)

    async def _begun(self, run: Run, book: Runbook, todo: Do, rendered: Rendered) -> Run | None:
        """The run with the step journaled as begun, None when it changed under us. A mere look begins nothing anew."""
        before = step_of(run, todo.step)
        if before.status is StepStatus.WAITING and running.DOUBT not in before.memory:
            return run
        if before.status is StepStatus.UNDO_STARTED and before.next_at is not None:
            return run

        def begin(_: Transaction, fresh: Run) -> Run:
            same = fresh.status is run.status and step_of(fresh, todo.step) == before
            return running.begin(fresh, book, todo, rendered, self._clock.now()) if same else fresh

        what = f"{todo.kind} {todo.step}: begun, attempt {todo.attempt}"
        old, new = await asyncio.to_thread(self.change, run.id, begin, what)
        return None if old == new else new

    async def _record(self, run: Run, book: Runbook, todo: Do, outcome: Outcome) -> bool:
        def how(_: Transaction, fresh: Run) -> Run:
            return self._recording(fresh, book, todo, outcome)

        return await self._recorded(run, book, todo, how, self._recording(run, book, todo, outcome))

    def _recording(self, run: Run, book: Runbook, todo: Do, outcome: Outcome) -> Run:
        entry, step = entry_of(book, todo.step), step_of(run, todo.step)
        undo: Mapping[str, object] | None = None
        if isinstance(outcome, Done) and todo.kind == "do" and entry.undo is not None and not step.undo_rendered:
            given = running.put(run, replace(step, output=outcome.output))
            undo = self._steps.undo(given, entry)
        answered = approvals.answered(step.memory)
        if answered is not None and not isinstance(outcome, Done | Failed):
            return run  # an answer came while it was looking: look again, with the answer
        return running.record(run, book, todo, outcome, self._clock.now(), undo=undo)

    async def _recorded(self, run: Run, book: Runbook, todo: Do, how: Change, expected: Run) -> bool:
        """Store what came of a step, and tell it where people want to know."""
        step = step_of(expected, todo.step)
        what = f"{todo.kind} {todo.step}: {step.status.value}" + (f", {step.error}" if step.error else "")
        if expected.over:
            await asyncio.to_thread(self._tell_end, expected, book, todo)
        _, after = await asyncio.to_thread(self.change, run.id, how, what)
        said = _worth_telling(run, expected, todo)
        if said and not expected.over and not after.over:
            await asyncio.to_thread(self.tell, after, said)
        return expected.over or bool(said)

    def _tell_end(self, run: Run, book: Runbook, todo: Do) -> None:
        self.tell(run, run.reason)
        if entry_of(book, todo.step).on_failure is OnFailure.ESCALATE and run.incident is not None:
            self._responder.handle(EscalateNow(run.incident, f"run:{run.id}", "runbook"))


def _same_wait(before: Run, after: Run) -> bool:
    return after.status is RunStatus.WAITING and after.reason == before.reason


def _still_waits(run: Run, todo: Do, outcome: Outcome, now: float) -> float | None:
    """When to look again at a step that waited before and waits on, as it is journaled already."""
    step = step_of(run, todo.step)
    waited = step.status is StepStatus.WAITING or (todo.kind == "undo" and step.next_at is not None)
    if not isinstance(outcome, Waiting) or not waited or outcome.memory != step.memory:
        return None
    return min(now + outcome.delay, run.deadline if step.due_at is None else step.due_at)


def _worth_telling(before: Run, after: Run, todo: Do) -> str:
    """A line for people about what a step came to, empty when it is no news."""
    if before.status is RunStatus.RUNNING and after.status is RunStatus.UNDOING:
        return f"{after.reason}; undoing what was done"
    old, new = step_of(before, todo.step), step_of(after, todo.step)
    if old.status is new.status:
        return ""
    if new.status in (StepStatus.FAILED, StepStatus.UNDO_FAILED):
        return f"{new.id}: {new.status.value.replace('_', ' ')}, {new.error}"
    if new.status is StepStatus.UNDONE:
        return f"{new.id}: undone"
    summary = new.output.get("summary")
    return f"{new.id}: {summary}" if new.status is StepStatus.DONE and summary else ""
