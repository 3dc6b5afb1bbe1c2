"""Driving one run: plan, journal, do, journal, until it ends or has to wait.

Each step is journaled before it is done and after; the doing is outside any transaction. What became of a run is told
to its incident in the transaction that stores it, so that the two never disagree.
"""

import asyncio
import math
from collections.abc import Callable, Container, Mapping
from copy import copy
from dataclasses import replace
from typing import assert_never

from fireline.domain import running
from fireline.domain.audit_acts import of_overrule
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.run_places import composite
from fireline.domain.runbooks import IfUnknown, Run, Runbook, RunStatus, Step, StepRun, StepStatus
from fireline.domain.running import Do, End, GiveUp, Plan, Rendered, Settle, Sleep, entry_of, step_of
from fireline.domain.stops import Stop
from fireline.engine import approvals, inner_guards, starting, stops
from fireline.engine.approvals import Question
from fireline.engine.approvers import owner_of
from fireline.engine.hands import GLANCE, Hands
from fireline.engine.journal import Hears, Journal, Lease
from fireline.engine.laying import conditional, stopped_at
from fireline.engine.ports import Clock, Settings, Store, Transaction
from fireline.engine.run_news import told
from fireline.engine.stepping import Steps


class Driver:
    """Takes runs as far as they go, each under its lease: what is not ours any more is not written to."""

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
        self._responder = responder
        self.journal = Journal(
            store=store, settings=settings, clock=clock, read_runbook=read_runbook, responder=responder
        )

    async def advance(self, lease: Lease, begun: Run | None = None) -> tuple[int, float] | None:
        """The run's version and when to look at it again; None when it is over. Raises LeaseLost: it is elsewhere.

        `begun` is the run as it was stored with this lease just now, which need not be read again.
        """
        ours = copy(self)
        ours.journal = self.journal.under(lease)
        return await ours._advance(lease.run, begun)

    async def _advance(self, number: int, run: Run | None) -> tuple[int, float] | None:
        hands = Hands()
        try:
            while True:
                async with hands.turn:
                    run = run or await asyncio.to_thread(self.journal.load, number)
                    if run is None or run.over:
                        return None
                    until = await self._turn(run, hands)
                if until is not None and hands.at_work:
                    await hands.wait(min(GLANCE, max(0.01, until - self._clock.now())))
                elif until is not None:
                    return run.version, until
                run = None
        finally:
            await hands.let_go()

    async def _turn(self, run: Run, hands: Hands) -> float | None:
        """One turn: when to look again, None for at once."""
        now = self._clock.now()
        book = self.journal.readable(run)
        if isinstance(book, Failed):
            await self._end(run, End(RunStatus.FAILED, book.reason))
            return None
        if run.status is RunStatus.WAITING and now < run.deadline:
            return await self._admitted(run, book)
        await hands.let_go(run)
        until = math.inf
        for planned in running.next_steps(run, book, now):
            again = await self._planned(run, book, planned, hands)
            if again is None:
                return None
            until = min(until, again)
        return until

    async def _planned(self, run: Run, book: Runbook, planned: Plan, hands: Hands) -> float | None:
        """Deal with one plan, a step by taking it in hand; when to look again, None when the run has changed."""
        match planned:
            case Sleep(until=until):
                return until
            case End():
                await self._end(run, planned)
            case GiveUp():
                await self._gave_up(run, book, planned)
            case Settle(todo=todo, outcome=outcome):
                await self._record(run, book, todo, self._given(run, book, todo, outcome))
            case Do():
                step = step_of(run, planned.step)
                if planned.step in hands.at_work:
                    return math.inf
                later = hands.later(step)
                if later is not None and later > self._clock.now():
                    return later
                hands.take(planned, step, self._do(run, book, planned, hands))
                return math.inf
            case _:
                assert_never(planned)
        return None

    async def _admitted(self, run: Run, book: Runbook) -> float | None:
        def admit(tx: Transaction, fresh: Run) -> Run:
            if fresh.status is not RunStatus.WAITING:
                return fresh
            now, current = self._clock.now(), self._settings.current
            admitted = starting.admit(tx, fresh, book, now, current, configured=self._responder.configured)
            starting.hand_over(tx, admitted, book, current, self._responder.configured, now=now)
            if (overrule := of_overrule(admitted, now)) is not None:
                tx.record(overrule)
            # a lock that is still held is no news: nothing is journaled at each look
            return fresh if _same_wait(fresh, admitted) else admitted

        _, after = await self.journal.change(run.id, admit)
        if after.status is not RunStatus.WAITING:
            return None
        waits_for_lock = after.next_at is None or after.next_at <= self._clock.now()
        return self._clock.now() + starting.LOCK_RETRY if waits_for_lock else after.next_at

    async def _end(self, run: Run, ending: End) -> None:
        await self.journal.change(run.id, lambda _, fresh: running.end(fresh, ending, self._clock.now()))

    async def _gave_up(self, run: Run, book: Runbook, late: GiveUp) -> None:
        def how(_: Transaction, fresh: Run) -> Run:
            same = step_of(fresh, late.todo.step) == step_of(run, late.todo.step)
            return running.give_up(fresh, book, late, self._clock.now()) if same else fresh

        await self.journal.change(run.id, how, f"{late.todo.kind} {late.todo.step}: {late.reason}")

    # doing a step
    async def _do(self, run: Run, book: Runbook, todo: Do, hands: Hands) -> float | None:
        entry, step = entry_of(book, todo.step), step_of(run, todo.step)
        if todo.kind == "do" and step.started_at is None and await self._settled(run, book, todo):
            return None
        doubtful = todo.kind == "do" and (todo.again or running.DOUBT in step.memory)
        if doubtful and entry.if_unknown is not IfUnknown.RETRY and await self._doubted(run, book, todo):
            return None
        rendered = self._steps.rendered(run, entry, todo.step) if step.started_at is None else Rendered()
        if isinstance(rendered, Failed):
            await self._record(run, book, todo, rendered)
            return None
        if todo.kind == "do" and step.status is StepStatus.PENDING and self._looks(entry):
            begun: Run | None = running.begin(run, book, todo, rendered, self._clock.now())
        else:
            begun = await self._begun(run, book, todo, rendered)
        if begun is not None and (begun.held or step_of(begun, todo.step).status is StepStatus.PENDING):
            return self._clock.now() + stops.LOOK
        return None if begun is None or composite(entry) else await self._carry_on(begun, book, todo, hands)

    def _looks(self, entry: Step) -> bool:
        return not composite(entry) and self._steps.at_once(entry.uses)

    async def _carry_on(self, begun: Run, book: Runbook, todo: Do, hands: Hands) -> float | None:
        """Do a step that has begun, and those after it that begin as it ends; when to look again, None for at once."""
        following: tuple[Run, Do] | None = begun, todo
        while following is not None:
            begun, todo = following
            with hands.acting(todo.step):
                outcome = await self._steps.perform(begun, book, todo, self._clock.now())
            later = _still_waits(begun, todo, outcome, self._clock.now())
            if later is not None:  # nothing new: not journaled, so that long waits stay cheap
                return later
            async with hands.turn:
                following = await self._record(begun, book, todo, outcome, hands.at_work)
                if following is not None:
                    hands.hand_over(todo, following[1], step_of(following[0], following[1].step))
        return None

    async def _settled(self, run: Run, book: Runbook, todo: Do) -> bool:
        """Before a step is first begun: guards and its `if`. False when it is to be done."""
        entry, now = entry_of(book, todo.step), self._clock.now()
        looks = conditional(book, todo.step)
        stop = await asyncio.to_thread(self._stopped, run, book, todo.step) if looks else None
        if stop is not None:
            await self._end(run, End(RunStatus.FAILED, f"stopped before {todo.step}: {stop}"))
            return True
        holds = self._steps.holds(run, entry, todo.step)
        if isinstance(holds, Failed):
            await self._record(run, book, todo, holds)
        elif not holds:
            reason = f"if: {entry.if_.source if entry.if_ else ''} does not hold"
            what = f"{todo.step} skipped: {reason}"
            await self.journal.change(run.id, lambda _, fresh: running.skip(fresh, todo.step, reason, now), what)
        return holds is not True

    def _stopped(self, run: Run, book: Runbook, step: str) -> str | None:
        with self._store.reading() as tx:
            return stopped_at(tx, run, book, step, configuration=self._settings.current, now=self._clock.now())

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
        await self.journal.change(run.id, lambda tx, fresh: self._ask_doubt(tx, fresh, book, todo))
        return True

    def _ask_doubt(self, tx: Transaction, run: Run, book: Runbook, todo: Do) -> Run:
        entry, now = entry_of(book, todo.step), self._clock.now()
        text = (
            f"Step {todo.step} ({entry.uses}) of run {run.id} may have been done already: its outcome is unknown. "
            "Approve to do it again with the same key, reject to take it as failed."
        )
        team = owner_of(run, book.owner)
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
                return self.journal.save(tx, fresh, replace(fresh, held=held), held)
            free = running.put(replace(fresh, held=""), inner_guards.free(before))
            entry = entry_of(book, todo.step)
            options, now = rendered.options, self._clock.now()
            inner = None if entry.foreach is not None else entry.sub
            waits = inner_guards.entered(tx, fresh, inner, options, now) if composite(entry) else None
            if waits is not None and not waits.never:
                waiting = running.put(free, inner_guards.awaiting(before, str(options["lock"]), waits.why))
                return self.journal.save(tx, fresh, waiting, f"{todo.step} {waits.why}")
            if waits is not None:
                failed = self._recording(free, book, todo, Failed(waits.never))
                return self.journal.save(tx, fresh, failed, f"{todo.kind} {todo.step}: failed: {waits.never}")
            begun = free if looks else running.begin(free, book, todo, rendered, self._clock.now())
            what = "" if looks else f"{todo.kind} {todo.step}: begun, attempt {todo.attempt}"
            return self.journal.save(tx, fresh, begun, what)

        return await asyncio.to_thread(self.journal.transact, begin)

    def _acts(self, book: Runbook, todo: Do) -> bool:
        """Whether doing it changes anything outside."""
        entry = entry_of(book, todo.step)
        if composite(entry):
            return False
        return self._steps.mutates(entry.undo.uses if todo.kind == "undo" and entry.undo else entry.uses)

    def _stop(self, tx: Transaction, run: Run, book: Runbook, todo: Do, rendered: Rendered) -> Stop | None:
        """The stop switch that keeps the run from what it is about to do."""
        if not self._acts(book, todo):
            return None
        step, undo = step_of(run, todo.step), todo.kind == "undo"
        options = step.undo_rendered if undo else step.rendered or rendered.options
        return stops.against(tx, run, self._settings.current.catalog, options, undo=undo)

    def _given(self, run: Run, book: Runbook, todo: Do, outcome: Done | Failed) -> Done | Failed:
        """What a step gives that had others do its work."""
        return outcome if isinstance(outcome, Failed) else self._steps.given(run, book, todo.step, outcome)

    async def _record(
        self, run: Run, book: Runbook, todo: Do, outcome: Outcome, at_work: Container[str] | None = None
    ) -> tuple[Run, Do] | None:
        """Journal an outcome and, in the same write, that the next step begins; that step, None when none did.

        None begins where it is not known what is `at_work`.
        """

        def work(tx: Transaction) -> tuple[Run, Do] | None:
            before = tx.run(run.id)
            assert before is not None, f"run {run.id} vanished"
            if before.over:
                return None
            fresh = _begun_unseen(before, run, todo)
            recorded = self._recording(fresh, book, todo, outcome, seen=step_of(run, todo.step))
            what = f"{todo.kind} {todo.step}: {told(outcome)}"
            quiet = at_work is None or recorded == fresh
            following = None if quiet else self._following(tx, recorded, book, at_work or ())
            if following is None:
                self.journal.save(tx, before, recorded, what)
                return None
            begun, following_todo = following
            what += f"; do {following_todo.step}: begun, attempt {following_todo.attempt}"
            return self.journal.save(tx, before, begun, what), following_todo

        return await asyncio.to_thread(self.journal.transact, work)

    def _following(self, tx: Transaction, run: Run, book: Runbook, at_work: Container[str]) -> tuple[Run, Do] | None:
        """The run with its next step begun, where nothing stands against it; it takes another look to say what does."""
        now = self._clock.now()
        plans = [each for each in running.next_steps(run, book, now) if _of(each) not in at_work]
        todo = plans[0] if len(plans) == 1 else None
        if not isinstance(todo, Do) or todo.kind != "do" or step_of(run, todo.step).started_at is not None:
            return None
        entry = entry_of(book, todo.step)
        if composite(entry) or self._steps.holds(run, entry, todo.step) is not True:
            return None
        if stopped_at(tx, run, book, todo.step, configuration=self._settings.current, now=now) is not None:
            return None
        rendered = self._steps.rendered(run, entry, todo.step)
        if isinstance(rendered, Failed) or self._stop(tx, run, book, todo, rendered) is not None:
            return None
        return running.begin(run, book, todo, rendered, now), todo

    def _recording(self, run: Run, book: Runbook, todo: Do, outcome: Outcome, *, seen: StepRun | None = None) -> Run:
        entry, step = entry_of(book, todo.step), step_of(run, todo.step)
        undo: Mapping[str, object] | None = None
        if isinstance(outcome, Done) and todo.kind == "do" and entry.undo is not None and not step.undo_rendered:
            given = running.put(run, replace(step, output=outcome.output))
            undo = self._steps.undo(given, entry, todo.step)
        if seen is not None and running.ASKED in step.memory and step.memory != seen.memory:
            return run  # somebody answered while it was looking: look again, with the answer
        return running.record(run, book, todo, outcome, self._clock.now(), undo=undo)


def _of(planned: Plan) -> str:
    """The step that a plan is about, empty when it is about the run."""
    match planned:
        case Do(step=step) | GiveUp(todo=Do(step=step)) | Settle(todo=Do(step=step)):
            return step
        case _:
            return ""


def _begun_unseen(stored: Run, run: Run, todo: Do) -> Run:
    """The stored run, with the step begun where that was not journaled: what is read at once begins as it ends."""
    step, old = step_of(run, todo.step), step_of(stored, todo.step)
    unseen = old.status is StepStatus.PENDING and step.status is StepStatus.STARTED and todo.kind == "do"
    return running.put(stored, step) if unseen and stored.status is run.status else stored


def _same_wait(before: Run, after: Run) -> bool:
    return after.status is RunStatus.WAITING and after.reason == before.reason


def _still_waits(run: Run, todo: Do, outcome: Outcome, now: float) -> float | None:
    """When to look again at a step that waited before and waits on, as it is journaled already."""
    step = step_of(run, todo.step)
    waited = step.status is StepStatus.WAITING or (todo.kind == "undo" and step.next_at is not None)
    if not isinstance(outcome, Waiting) or not waited or outcome.memory != step.memory:
        return None
    return min(now + outcome.delay, run.deadline if step.due_at is None else step.due_at)
