"""Driving one run: plan, journal, do, journal, until it ends or has to wait.

Each step is journaled before it is done and after; the doing is outside any transaction. What became of a run is told
to its incident in the transaction that stores it, so that the two never disagree.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar, assert_never

from fireline.domain import running
from fireline.domain.audit_acts import of_run
from fireline.domain.incidents import EscalateNow, Input
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.runbooks import IfUnknown, OnFailure, Run, Runbook, RunStatus, StepStatus
from fireline.domain.running import Do, End, GiveUp, Rendered, Sleep, entry_of, step_of
from fireline.domain.stops import Stop
from fireline.engine import approvals, starting, stops
from fireline.engine.approvals import Question
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction
from fireline.engine.run_news import news, told
from fireline.engine.stepping import Steps

T = TypeVar("T")
Change = Callable[[Transaction, Run], Run]


ATTEMPTS = 8
"""How often a change is made anew when somebody else changed the same rows meanwhile."""


class Hears(Protocol):
    """Who is told what became of runs and routes, and knows which channels there are: the responder."""

    def handle_in(self, tx: Transaction, what: Input, /) -> object:
        """Decide on an input inside the caller's transaction."""
        ...

    def configured(self, channel: str, /) -> bool:
        """Whether messages can go out on this channel at all."""
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

    async def advance(self, number: int) -> tuple[int, float] | None:
        """The run's version and when to look at it again; None when it is over."""
        while True:
            run = await asyncio.to_thread(self._load, number)
            if run is None or run.over:
                return None
            until = await self._next(run)
            if until is not None:
                return run.version, until

    async def _next(self, run: Run) -> float | None:
        """One turn: when to look again, None for at once."""
        now = self._clock.now()
        book = self._readable(run)
        if isinstance(book, Failed):
            await self._end(run, End(RunStatus.FAILED, book.reason))
            return None
        if run.status is RunStatus.WAITING and now < run.deadline:
            return await self._admitted(run, book)
        planned = running.plan(run, book, now)
        match planned:
            case Sleep(until=until):
                return until
            case End():
                await self._end(run, planned)
            case GiveUp():
                await self._gave_up(run, book, planned)
            case Do():
                return await self._do(run, book, planned)
            case _:
                assert_never(planned)
        return None

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
        """Do something in one transaction, anew when others changed the same rows; raises StaleVersion in the end."""
        for attempt in range(ATTEMPTS):
            try:
                with self._store.transaction() as tx:
                    return work(tx)
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def save(self, tx: Transaction, before: Run, after: Run, what: str = "", by: str = "") -> Run:
        """Store a changed run, journaled as `what`, and tell its incident; one that is over gives back its lock.

        `by` is the person who changed it, empty when it went on by itself.
        """
        if after == before:
            return before
        saved = replace(after, version=before.version + 1)
        if saved.over and saved.lock:
            tx.release_lock(saved.lock, saved.id)
        line = news(before, saved)
        journal = what or line or f"{saved.status.value}: {saved.reason}"
        tx.save_run(saved, journal)
        if (act := of_run(before, saved, journal, by, self._clock.now())) is not None:
            tx.record(act)
        if line and saved.incident is not None:
            self._responder.handle_in(tx, starting.report(saved, line))
            if saved.over and self._escalates(saved):
                self._responder.handle_in(tx, EscalateNow(saved.incident, f"run:{saved.id}", "runbook"))
        return saved

    def _escalates(self, run: Run) -> bool:
        book = self._readable(run)
        if isinstance(book, Failed) or run.status is not RunStatus.FAILED:
            return False
        pairs = zip(book.steps, run.steps, strict=True)
        return any(e.on_failure is OnFailure.ESCALATE and s.status is StepStatus.FAILED for e, s in pairs)

    async def _admitted(self, run: Run, book: Runbook) -> float | None:
        def admit(tx: Transaction, fresh: Run) -> Run:
            if fresh.status is not RunStatus.WAITING:
                return fresh
            admitted = starting.admit(tx, fresh, book, self._clock.now(), self._settings.current.catalog)
            # a lock that is still held is no news: nothing is journaled at each look
            return fresh if _same_wait(fresh, admitted) else admitted

        _, after = await self.change(run.id, admit)
        if after.status is not RunStatus.WAITING:
            return None
        waits_for_lock = after.next_at is None or after.next_at <= self._clock.now()
        return self._clock.now() + starting.LOCK_RETRY if waits_for_lock else after.next_at

    async def _end(self, run: Run, ending: End) -> None:
        await self.change(run.id, lambda _, fresh: running.end(fresh, ending, self._clock.now()))

    async def _gave_up(self, run: Run, book: Runbook, late: GiveUp) -> None:
        def how(_: Transaction, fresh: Run) -> Run:
            same = step_of(fresh, late.todo.step) == step_of(run, late.todo.step)
            return running.give_up(fresh, book, late, self._clock.now()) if same else fresh

        await self.change(run.id, how, f"{late.todo.kind} {late.todo.step}: {late.reason}")

    # doing a step
    async def _do(self, run: Run, book: Runbook, todo: Do) -> float | None:
        entry, step = entry_of(book, todo.step), step_of(run, todo.step)
        if todo.kind == "do" and step.started_at is None and await self._settled(run, book, todo):
            return None
        doubtful = todo.kind == "do" and (todo.again or running.DOUBT in step.memory)
        if doubtful and entry.if_unknown is not IfUnknown.RETRY and await self._doubted(run, book, todo):
            return None
        rendered = self._steps.rendered(run, entry) if step.started_at is None else Rendered()
        if isinstance(rendered, Failed):
            await self._record(run, book, todo, rendered)
            return None
        if todo.kind == "do" and step.status is StepStatus.PENDING and self._steps.at_once(entry.uses):
            return await self._carry_on(running.begin(run, book, todo, rendered, self._clock.now()), book, todo)
        begun = await self._begun(run, book, todo, rendered)
        if begun is not None and begun.held:
            return self._clock.now() + stops.LOOK
        return None if begun is None else await self._carry_on(begun, book, todo)

    async def _carry_on(self, begun: Run, book: Runbook, todo: Do) -> float | None:
        """Do a step that has begun, and those after it that begin as it ends; when to look again, None for at once."""
        following: tuple[Run, Do] | None = begun, todo
        while following is not None:
            begun, todo = following
            outcome = await self._steps.perform(begun, book, todo, self._clock.now())
            later = _still_waits(begun, todo, outcome, self._clock.now())
            if later is not None:  # nothing new: not journaled, so that long waits stay cheap
                return later
            following = await self._record(begun, book, todo, outcome)
        return None

    async def _settled(self, run: Run, book: Runbook, todo: Do) -> bool:
        """Before a step is first begun: guards and its `if`. False when it is to be done."""
        entry, now = entry_of(book, todo.step), self._clock.now()
        stop = await asyncio.to_thread(self._stopped, run, book)
        if stop is not None:
            await self._end(run, End(RunStatus.FAILED, f"stopped before {todo.step}: {stop}"))
            return True
        holds = self._steps.holds(run, entry)
        if isinstance(holds, Failed):
            await self._record(run, book, todo, holds)
        elif not holds:
            reason = f"if: {entry.if_.source if entry.if_ else ''} does not hold"
            what = f"{todo.step} skipped: {reason}"
            await self.change(run.id, lambda _, fresh: running.skip(fresh, todo.step, reason, now), what)
        return holds is not True

    def _stopped(self, run: Run, book: Runbook) -> str | None:
        if book.stop_if is None:
            return None
        with self._store.reading() as tx:
            return starting.stopped(tx, run, book)

    async def _doubted(self, run: Run, book: Runbook, todo: Do) -> bool:
        """A step that may have been done already, and may not just be repeated. False when it is to be repeated."""
        step, entry = step_of(run, todo.step), entry_of(book, todo.step)
        answer = approvals.answered(step.memory)
        if running.DOUBT in step.memory and answer is not None:
            if not answer.get("approved"):
                await self._record(run, book, todo, Failed(f"not repeated: {answer.get('by')} said no"))
            return not answer.get("approved")
        if entry.if_unknown is IfUnknown.VERIFY:
            seen = await self._steps.look(run, book, todo, self._clock.now())
            if isinstance(seen, Done):
                await self._record(run, book, todo, seen)
                return True
            if isinstance(seen, Failed) and not seen.unknown:
                return False
        await self.change(run.id, lambda tx, fresh: self._ask_doubt(tx, fresh, book, todo))
        return True

    def _ask_doubt(self, tx: Transaction, run: Run, book: Runbook, todo: Do) -> Run:
        entry, now = entry_of(book, todo.step), self._clock.now()
        text = (
            f"Step {todo.step} ({entry.uses}) of run {run.id} may have been done already: its outcome is unknown. "
            "Approve to do it again with the same key, reject to take it as failed."
        )
        team = approvals.owner_of(run, book.owner)
        incident = None if run.incident is None else tx.incident(run.incident)
        to = approvals.addresses(self._settings.current.catalog, team, incident, self._responder.configured)
        approvals.ask(tx, to, Question(run.id, run.incident, todo.step, text, round=todo.attempt), now)
        return running.doubt(run, todo.step, now)

    async def _begun(self, run: Run, book: Runbook, todo: Do, rendered: Rendered) -> Run | None:
        """The run with the step journaled as begun, None when it changed under us. A mere look begins nothing anew.

        One that a stop switch holds is `held`, and nothing was begun.
        """
        before = step_of(run, todo.step)
        looks = before.status is StepStatus.WAITING and running.DOUBT not in before.memory
        looks = looks or (before.status is StepStatus.UNDO_STARTED and before.next_at is not None)
        if looks and not self._acts(book, todo):
            return run

        def begin(tx: Transaction) -> Run | None:
            fresh = tx.run(run.id)
            if fresh is None or fresh.status is not run.status or step_of(fresh, todo.step) != before:
                return None
            stop = self._stop(tx, fresh, book, todo, rendered)
            if stop is not None:
                held = f"held before {todo.kind} {todo.step}: {stop}"
                return self.save(tx, fresh, replace(fresh, held=held), held)
            free = replace(fresh, held="")
            begun = free if looks else running.begin(free, book, todo, rendered, self._clock.now())
            what = "" if looks else f"{todo.kind} {todo.step}: begun, attempt {todo.attempt}"
            return self.save(tx, fresh, begun, what)

        return await asyncio.to_thread(self.transact, begin)

    def _acts(self, book: Runbook, todo: Do) -> bool:
        """Whether doing it changes anything outside."""
        entry = entry_of(book, todo.step)
        return self._steps.mutates(entry.undo.uses if todo.kind == "undo" and entry.undo else entry.uses)

    def _stop(self, tx: Transaction, run: Run, book: Runbook, todo: Do, rendered: Rendered) -> Stop | None:
        """The stop switch that keeps the run from what it is about to do."""
        if not self._acts(book, todo):
            return None
        step, undo = step_of(run, todo.step), todo.kind == "undo"
        options = step.undo_rendered if undo else step.rendered or rendered.options
        return stops.against(tx, run, self._settings.current.catalog, options, undo=undo)

    async def _record(self, run: Run, book: Runbook, todo: Do, outcome: Outcome) -> tuple[Run, Do] | None:
        """Journal an outcome and, in the same write, that the next step begins; that step, None when none did."""

        def work(tx: Transaction) -> tuple[Run, Do] | None:
            before = tx.run(run.id)
            assert before is not None, f"run {run.id} vanished"
            if before.over:
                return None
            fresh = run if before.version == run.version else before  # one that is read at once begins in this write
            recorded = self._recording(fresh, book, todo, outcome)
            what = f"{todo.kind} {todo.step}: {told(outcome)}"
            following = self._following(tx, recorded, book) if recorded != fresh else None
            if following is None:
                self.save(tx, before, recorded, what)
                return None
            begun, following_todo = following
            what += f"; do {following_todo.step}: begun, attempt {following_todo.attempt}"
            return self.save(tx, before, begun, what), following_todo

        return await asyncio.to_thread(self.transact, work)

    def _following(self, tx: Transaction, run: Run, book: Runbook) -> tuple[Run, Do] | None:
        """The run with its next step begun, where nothing stands against it; it takes another look to say what does."""
        now = self._clock.now()
        todo = running.plan(run, book, now)
        if not isinstance(todo, Do) or todo.kind != "do" or step_of(run, todo.step).started_at is not None:
            return None
        entry = entry_of(book, todo.step)
        if self._steps.holds(run, entry) is not True or starting.stopped(tx, run, book) is not None:
            return None
        rendered = self._steps.rendered(run, entry)
        if isinstance(rendered, Failed) or self._stop(tx, run, book, todo, rendered) is not None:
            return None
        return running.begin(run, book, todo, rendered, now), todo

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


def _same_wait(before: Run, after: Run) -> bool:
    return after.status is RunStatus.WAITING and after.reason == before.reason


def _still_waits(run: Run, todo: Do, outcome: Outcome, now: float) -> float | None:
    """When to look again at a step that waited before and waits on, as it is journaled already."""
    step = step_of(run, todo.step)
    waited = step.status is StepStatus.WAITING or (todo.kind == "undo" and step.next_at is not None)
    if not isinstance(outcome, Waiting) or not waited or outcome.memory != step.memory:
        return None
    return min(now + outcome.delay, run.deadline if step.due_at is None else step.due_at)
