"""Running a runbook: what is next, and what an outcome means. Pure; `engine/runs` journals and does.

A step is journaled as STARTED before it is done, so one that is found STARTED has an unknown outcome: the process that
did it died, or the answer never came. The key of a step is the same for all its attempts, so whatever accepts an
idempotency key does it once. A step that has others do its work (`foreach`, `parallel`, `runbook.run`) lays them out
when it begins; what is STARTED of it is only that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import assert_never

from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.run_composites import closed, opened, outcome_of, to_go_on
from fireline.domain.run_places import (
    OPEN,
    UNDOING,
    Group,
    below,
    by_id,
    composite,
    entry_of,
    groups_of,
    item_of,
    leaves,
    scope_of,
)
from fireline.domain.run_plans import (
    Do,
    End,
    GiveUp,
    Plan,
    Rendered,
    Settle,
    Sleep,
    end,
    first,
    interrupted,
    key_of,
    next_ordinal,
    pause,
    put,
    step_of,
    stopped_short,
)
from fireline.domain.run_questions import ASKED, DOUBT, doubt, remember
from fireline.domain.run_undoing import UNDO_ATTEMPTS, backward, begin_undo, next_undo, record_undo, undo_failed
from fireline.domain.runbooks import (
    Ending,
    IfUnknown,
    On,
    OnFailure,
    Run,
    Runbook,
    RunStatus,
    Step,
    StepRun,
    StepStatus,
)

__all__ = [
    "ASKED",
    "DOUBT",
    "UNDO_ATTEMPTS",
    "UNKNOWN_ATTEMPTS",
    "Do",
    "End",
    "GiveUp",
    "Plan",
    "Rendered",
    "Settle",
    "Sleep",
    "abort",
    "begin",
    "doubt",
    "end",
    "entry_of",
    "give_up",
    "key_of",
    "new_steps",
    "next_steps",
    "plan",
    "put",
    "record",
    "remember",
    "skip",
    "step_of",
]

UNKNOWN_ATTEMPTS = 3
"""A step of unknown outcome is tried this often at least (with the same key) before it counts as failed."""


def new_steps(runbook: Runbook) -> tuple[StepRun, ...]:
    """The steps of a run that has not begun; those within others come when these begin."""
    last = tuple(StepRun(id=step.id, last=True) for step in runbook.finally_)
    return tuple(StepRun(id=step.id) for step in runbook.steps) + last


def plan(run: Run, runbook: Runbook, now: float) -> Plan:
    """The first of what is next."""
    return next_steps(run, runbook, now)[0]


def next_steps(run: Run, runbook: Runbook, now: float) -> tuple[Plan, ...]:
    """What is next for the run at `now`, in order: what may go on side by side, or one Sleep or End."""
    if run.over:
        return (End(run.status, run.reason),)
    if run.ending is not None:
        return _last(run, run.ending, runbook, now)
    if now < run.deadline and run.paused is None and run.status is RunStatus.RUNNING:
        return _sorted(_group(run, _top(runbook.steps), now)) or (_succeeded(run, runbook),)
    return (_one(run, runbook, now),)


def _one(run: Run, runbook: Runbook, now: float) -> Plan:
    """What is next where there is never more than one thing."""
    if now >= run.deadline:
        return _late(run)
    if run.status is RunStatus.WAITING:
        return Sleep(run.next_at if run.next_at is not None else run.deadline, run.reason)
    if run.paused is not None:
        return Sleep(run.deadline, f"paused by {run.paused.by}")
    return backward(run, runbook, now)


def _top(steps: tuple[Step, ...]) -> Group:
    return tuple((step.id, step) for step in steps)


def _sorted(plans: Iterator[Plan]) -> tuple[Plan, ...]:
    """What is to be done first, then one Sleep, until the first of all."""
    found = list(plans)
    awake = [each for each in found if not isinstance(each, Sleep)]
    asleep = [each for each in found if isinstance(each, Sleep)]
    return (*awake, *([min(asleep, key=lambda each: each.until)] if asleep else []))


def _late(run: Run) -> End:
    match run.status:
        case RunStatus.WAITING:
            return End(RunStatus.REFUSED, f"did not start before its deadline: {run.reason}")
        case RunStatus.UNDOING:
            return End(RunStatus.UNDO_FAILED, "the deadline came before everything was undone")
        case _:
            return End(RunStatus.FAILED, "the deadline came first; what was done stays as it is")


def _succeeded(run: Run, runbook: Runbook) -> End:
    steps = by_id(run)
    passed = [each.id for each in runbook.steps if steps[each.id].status is StepStatus.FAILED]
    return End(RunStatus.SUCCEEDED, f"passed over failed steps: {', '.join(passed)}" if passed else "all steps done")


def _last(run: Run, ending: Ending, runbook: Runbook, now: float) -> tuple[Plan, ...]:
    """The steps that are done whatever happened; nobody holds them back, and they end in time."""
    if now >= ending.until:
        return (End(ending.status, f"{ending.reason}; the last steps were not finished in time"),)
    steps = by_id(run)
    failed = [steps[each.id] for each in runbook.finally_ if steps[each.id].status is StepStatus.FAILED]
    reason = "; ".join([ending.reason, *(f"finally {step.id} failed: {step.error}" for step in failed)])
    return _sorted(_group(run, _top(runbook.finally_), now)) or (End(ending.status, reason),)


def _group(run: Run, group: Group, now: float) -> Iterator[Plan]:
    """What is next among steps of which each waits for those it needs: all before it, if it does not say."""
    steps = by_id(run)
    for place, (name, entry) in enumerate(group):
        if name not in steps or steps[name].status not in OPEN:
            continue
        scope = scope_of(name)
        earlier = [each for each, _ in group[:place]]
        needed = earlier if entry.needs is None else [scope + each for each in entry.needs]
        if all(each not in steps or steps[each].status not in OPEN for each in needed):
            yield from _step(run, entry, steps[name], now)


def _step(run: Run, entry: Step, step: StepRun, now: float) -> Iterator[Plan]:
    if composite(entry) and step.status is StepStatus.STARTED:
        yield from _composite(run, entry, step, now)
    else:
        yield _simple(run, entry, step, now)


def _simple(run: Run, entry: Step, step: StepRun, now: float) -> Plan:
    todo = Do(
        step.id,
        "do",
        step.attempt + (step.status is not StepStatus.WAITING),
        key_of(run, step.id, "do"),
        again=step.status is StepStatus.STARTED,
    )
    if step.due_at is not None and now >= step.due_at:
        return GiveUp(todo, f"not finished within {entry.timeout:g} s" + (f": {step.error}" if step.error else ""))
    if todo.again and step.attempt >= _unknown_attempts(entry):
        times = f"{step.attempt} attempt" + ("s" if step.attempt > 1 else "")
        return GiveUp(todo, f"outcome unknown after {times}: {step.error or 'interrupted'}")
    if step.next_at is not None and now < step.next_at:
        until = run.deadline if run.ending is None else run.ending.until
        return Sleep(first(step.next_at, step.due_at, until), step.error or "waits")
    return todo


def _unknown_attempts(entry: Step) -> int:
    """How often a step of unknown outcome is begun in all; once only where `retry.on` says so and nobody is asked."""
    again = On.UNKNOWN in entry.retry.on or entry.if_unknown is not IfUnknown.RETRY
    return max(entry.retry.attempts, UNKNOWN_ATTEMPTS) if again else 1


def _composite(run: Run, entry: Step, step: StepRun, now: float) -> Iterator[Plan]:
    """What is next within a step that has others do its work; when nothing is, what came of it."""
    steps, groups = by_id(run), groups_of(entry, step)
    todo = Do(step.id, "do", step.attempt, key_of(run, step.id, "do"))
    if step.due_at is not None and now >= step.due_at:
        yield GiveUp(todo, f"not finished within {entry.timeout:g} s")
        return
    if UNDOING in step.memory:
        undo = next_undo(run, leaves(groups, steps), now)
        yield undo or Settle(todo, outcome_of(entry, step, steps))
        return
    going = to_go_on(entry, groups, steps)
    if going is None:
        plans = list(_under_way(run, groups, now))
    else:
        plans = [each for group in going for each in _group(run, group, now)]
    yield from (_within(each, step) for each in plans or [Settle(todo, outcome_of(entry, step, steps))])


def _within(plan: Plan, around: StepRun) -> Plan:
    """What waits wakes at the latest when the time of the step around it is over."""
    return replace(plan, until=first(plan.until, around.due_at)) if isinstance(plan, Sleep) else plan


def _under_way(run: Run, groups: list[Group], now: float) -> Iterator[Plan]:
    """What has to be seen to its end although nothing new begins: acts whose outcome is not known, and undoing."""
    for step, entry in below(groups, by_id(run)):
        if step.status is not StepStatus.STARTED:
            continue
        if not composite(entry):
            yield _simple(run, entry, step, now)
        elif UNDOING in step.memory:
            yield from _composite(run, entry, step, now)


def begin(run: Run, runbook: Runbook, todo: Do, rendered: Rendered, now: float) -> Run:
    """The run with the step journaled as begun; to be stored before anything is done.

    What was rendered at the first attempt stays: a repetition does the same thing with the same key.
    """
    step, entry = step_of(run, todo.step), entry_of(runbook, todo.step)
    due = now + max(entry.timeout, rendered.patience)
    if todo.kind == "undo":
        return put(run, begin_undo(step, todo, due))
    first_time = step.started_at is None
    changed = replace(
        step,
        status=StepStatus.STARTED,
        attempt=todo.attempt,
        rendered=rendered.options if first_time else step.rendered,
        undo_rendered=rendered.undo if first_time else step.undo_rendered,
        started_at=now if first_time else step.started_at,
        due_at=due if first_time else step.due_at,
        memory={} if DOUBT in step.memory else step.memory,
        next_at=None,
    )
    return opened(run, entry, changed) if composite(entry) else put(run, changed)


def record(
    run: Run, runbook: Runbook, todo: Do, outcome: Outcome, now: float, *, undo: Mapping[str, object] | None = None
) -> Run:
    """The run after `outcome`. `undo` replaces the undo's options, where they depend on what the step gave.

    An outcome for a step that is not under way (recorded already, or the run is over) changes nothing.
    """
    step = step_of(run, todo.step)
    if todo.kind == "undo":
        under_way = not run.over and step.status is StepStatus.UNDO_STARTED
        return record_undo(run, runbook, todo, outcome, now) if under_way else run
    wanted = RunStatus.RUNNING if run.ending is None else RunStatus.FINISHING
    if run.status is not wanted or step.status not in OPEN:
        return run
    if undo is not None:
        step = replace(step, undo_rendered=undo)
    return _record_do(run, runbook, step, outcome, now)


def give_up(run: Run, runbook: Runbook, late: GiveUp, now: float) -> Run:
    """The run after a step whose time is over; one that was under way may have acted."""
    step = step_of(run, late.todo.step)
    if late.todo.kind == "undo":
        return undo_failed(run, step, late.reason, now)
    under_way = step.status in (StepStatus.STARTED, StepStatus.WAITING)
    return _failed(run, runbook, step, Failed(late.reason, unknown=under_way), now)


def _record_do(run: Run, runbook: Runbook, step: StepRun, outcome: Outcome, now: float) -> Run:
    entry = entry_of(runbook, step.id)
    match outcome:
        case Done(output=output):
            done = replace(step, status=StepStatus.DONE, output=output, ended_at=now, next_at=None, due_at=None)
            done = replace(done, error="", memory={}, ordinal=next_ordinal(run))
            return put(closed(run, entry, step, now) if composite(entry) else run, done)
        case Waiting(delay=delay, reason=reason, memory=memory):
            later = replace(step, status=StepStatus.WAITING, memory=memory, next_at=now + delay, error=reason)
            return put(run, later)
        case RetryLater() | Failed():
            again = None if composite(entry) else _tried_again(run, entry, step, outcome, now)
            failed = outcome if isinstance(outcome, Failed) else Failed(outcome.reason)
            return again or _failed(run, runbook, step, failed, now)
        case _:
            assert_never(outcome)


def _tried_again(run: Run, entry: Step, step: StepRun, outcome: RetryLater | Failed, now: float) -> Run | None:
    """The run with the step to be tried once more, None when it is not: not for this cause, or not any more."""
    delay, unknown, cause, attempts = 0.0, False, On.FAILED, entry.retry.attempts
    match outcome:
        case Failed(acted=True):
            return None
        case RetryLater(delay=delay):
            cause = On.TEMPORARY
        case Failed(unknown=True):
            unknown, cause, attempts = True, On.UNKNOWN, _unknown_attempts(entry)
        case Failed():
            pass
    if step.attempt >= attempts or not (unknown or cause in entry.retry.on):
        return None
    wait = max(delay, pause(entry, key_of(run, step.id, "do"), step.attempt))
    status = StepStatus.STARTED if unknown else StepStatus.PENDING
    return put(run, replace(step, status=status, next_at=now + wait, error=outcome.reason))


def _failed(run: Run, runbook: Runbook, step: StepRun, outcome: Failed, now: float) -> Run:
    entry = entry_of(runbook, step.id)
    if composite(entry):
        run = closed(run, entry, step, now)
    ended = replace(
        step,
        status=StepStatus.FAILED,
        error=outcome.reason,
        output=outcome.output,
        uncertain=outcome.unknown or outcome.acted or step.status is StepStatus.WAITING,
        ended_at=now,
        next_at=None,
        due_at=None,
        ordinal=next_ordinal(run),
    )
    after = put(run, ended)
    if run.ending is not None or entry.on_failure is OnFailure.CONTINUE:
        return after
    if all(each.id != step.id for each in runbook.steps):
        return _failed_within(after, entry, step, outcome.reason, now)
    reason = f"{step.id}: {outcome.reason}"
    match entry.on_failure:
        case OnFailure.UNDO:
            after = stopped_short(after, f"interrupted: {reason}", now)
            return replace(after, status=RunStatus.UNDOING, reason=reason)
        case OnFailure.STOP | OnFailure.ESCALATE:
            return end(after, End(RunStatus.FAILED, reason), now)
        case _:
            assert_never(entry.on_failure)


def _failed_within(run: Run, entry: Step, step: StepRun, reason: str, now: float) -> Run:
    """A step within another has failed: what that means is for the other, unless its own runbook is to be undone."""
    sub = scope_of(step.id).rstrip("/")
    if entry.on_failure is not OnFailure.UNDO or not sub or item_of(step.id) is not None:
        return run
    outer, why = step_of(run, sub), f"{step.id}: {reason}"
    inside = [found.id for found in run.steps if found.id.startswith(f"{sub}/")]
    for name in inside:
        run = put(run, interrupted(run, step_of(run, name), f"interrupted: {why}", now))
    return put(run, replace(outer, memory={**outer.memory, UNDOING: why}))


def skip(run: Run, step: str, reason: str, now: float) -> Run:
    """The run with a step that is not done, because its `if` does not hold."""
    return put(run, replace(step_of(run, step), status=StepStatus.SKIPPED, error=reason, ended_at=now, next_at=None))


def abort(run: Run, by: str, reason: str, now: float, *, undo: bool = False) -> Run:
    """The run stopped by a person: as it stands, or with what was done undone first. An ended run stays as it is.

    What is to be done whatever happened is done all the same; one more abort stops that too.
    """
    if run.over:
        return run
    text = f"aborted by {by}: {reason}" if reason else f"aborted by {by}"
    stopped = replace(stopped_short(run, text, now), paused=None)
    if undo and run.status in (RunStatus.RUNNING, RunStatus.UNDOING):
        return replace(stopped, status=RunStatus.UNDOING, reason=text)
    return end(stopped, End(RunStatus.ABORTED, text), now)
