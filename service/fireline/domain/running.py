"""Running a runbook: what is next, and what an outcome means. Pure; `engine/runs` journals and does.

A step is journaled as STARTED before it is done, so one that is found STARTED has an unknown outcome: the process that
did it died, or the answer never came. The key of a step is the same for all its attempts, so whatever accepts an
idempotency key does it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.runbooks import OnFailure, Run, Runbook, RunStatus, Step, StepRun, StepStatus

UNKNOWN_ATTEMPTS = 3
"""A step of unknown outcome is tried this often at least (with the same key) before it counts as failed."""

UNDO_ATTEMPTS = 3
"""An undo is tried this often at least: half a compensation helps nobody."""

ASKED = "asked"
"""Where a step's memory keeps when it asked a person; a step without it waits for nobody."""

DOUBT = "doubt"
"""Marks in a step's memory that the question is whether to repeat a step of unknown outcome."""

_OPEN = frozenset({StepStatus.PENDING, StepStatus.STARTED, StepStatus.WAITING})


@dataclass(frozen=True, slots=True)
class Do:
    """Do (or undo) a step now. `again` says that its outcome is unknown: it may have been done already."""

    step: str
    kind: Literal["do", "undo"]
    attempt: int
    key: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The step's time is over: record `Failed(reason)` for it without doing anything."""

    todo: Do
    reason: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do before `until` (seconds since the epoch)."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The run is over: `status` is terminal."""

    status: RunStatus
    reason: str


Plan = Do | GiveUp | Sleep | End


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a step is done with: its options, those of its undo, and the seconds it may rightly wait by itself."""

    options: Mapping[str, object] = field(default_factory=dict)
    undo: Mapping[str, object] = field(default_factory=dict)
    patience: float = 0.0


def new_steps(runbook: Runbook) -> tuple[StepRun, ...]:
    """The steps of a run that has not begun."""
    return tuple(StepRun(id=step.id) for step in runbook.steps)


def step_of(run: Run, step: str) -> StepRun:
    """The step called `step`; raises KeyError."""
    for found in run.steps:
        if found.id == step:
            return found
    raise KeyError(f"run {run.id} has no step {step!r}")


def entry_of(runbook: Runbook, step: str) -> Step:
    """The runbook's entry called `step`; raises KeyError."""
    for found in runbook.steps:
        if found.id == step:
            return found
    raise KeyError(f"runbook {runbook.name} has no step {step!r}")


def key_of(run: Run, step: str, kind: str) -> str:
    """The idempotency key of a step: the same for all its attempts, on any machine."""
    return f"run-{run.id}.{step}" + (".undo" if kind == "undo" else "")


def plan(run: Run, runbook: Runbook, now: float) -> Plan:
    """What is next for the run at `now`."""
    if run.over:
        return End(run.status, run.reason)
    if now >= run.deadline:
        return _late(run)
    match run.status:
        case RunStatus.WAITING:
            return Sleep(run.next_at if run.next_at is not None else run.deadline, run.reason)
        case RunStatus.UNDOING:
            return _backward(run, runbook, now)
        case _:
            return _forward(run, runbook, now)


def _late(run: Run) -> End:
    match run.status:
        case RunStatus.WAITING:
            return End(RunStatus.REFUSED, f"did not start before its deadline: {run.reason}")
        case RunStatus.UNDOING:
            return End(RunStatus.UNDO_FAILED, "the deadline came before everything was undone")
        case _:
            return End(RunStatus.FAILED, "the deadline came first; what was done stays as it is")


def _forward(run: Run, runbook: Runbook, now: float) -> Plan:
    for entry, step in zip(runbook.steps, run.steps, strict=True):
        if step.status in _OPEN:
            return _step(run, entry, step, now)
    failed = [step.id for step in run.steps if step.status is StepStatus.FAILED]
    return End(RunStatus.SUCCEEDED, f"passed over failed steps: {', '.join(failed)}" if failed else "all steps done")


def _step(run: Run, entry: Step, step: StepRun, now: float) -> Plan:
    todo = Do(
        step.id,
        "do",
        step.attempt + (step.status is not StepStatus.WAITING),
        key_of(run, step.id, "do"),
        again=step.status is StepStatus.STARTED,
    )
    if step.due_at is not None and now >= step.due_at:
        return GiveUp(todo, f"not finished within {entry.timeout:g} s" + (f": {step.error}" if step.error else ""))
    if todo.again and step.attempt >= max(entry.retry.attempts, UNKNOWN_ATTEMPTS):
        return GiveUp(todo, f"outcome unknown after {step.attempt} attempts: {step.error or 'interrupted'}")
    if step.next_at is not None and now < step.next_at:
        return Sleep(_first(step.next_at, step.due_at, run.deadline), step.error or "waits")
    return todo


def _backward(run: Run, runbook: Runbook, now: float) -> Plan:
    for entry, step in reversed(list(zip(runbook.steps, run.steps, strict=True))):
        if entry.undo is not None and _to_undo(step):
            return _undo_step(run, entry, step, now)
    if any(step.status is StepStatus.UNDO_FAILED for step in run.steps):
        return End(RunStatus.UNDO_FAILED, run.reason)
    undone = any(step.status is StepStatus.UNDONE for step in run.steps)
    return End(RunStatus.UNDONE if undone else RunStatus.FAILED, run.reason)


def _to_undo(step: StepRun) -> bool:
    if step.status is StepStatus.FAILED:
        return step.uncertain
    return step.status in (StepStatus.DONE, StepStatus.UNDO_STARTED)


def _undo_step(run: Run, entry: Step, step: StepRun, now: float) -> Plan:
    started = step.status is StepStatus.UNDO_STARTED
    waits = started and step.next_at is not None
    todo = Do(step.id, "undo", step.undo_attempt + (not waits), key_of(run, step.id, "undo"), started and not waits)
    if started and step.due_at is not None and now >= step.due_at:
        return GiveUp(todo, f"not undone within {entry.timeout:g} s" + (f": {step.error}" if step.error else ""))
    if todo.again and step.undo_attempt >= max(entry.retry.attempts, UNDO_ATTEMPTS):
        return GiveUp(todo, f"undo unknown after {step.undo_attempt} attempts: {step.error or 'interrupted'}")
    if waits and step.next_at is not None and now < step.next_at:
        return Sleep(_first(step.next_at, step.due_at, run.deadline), step.error or "waits")
    return todo


def _first(*times: float | None) -> float:
    return min(t for t in times if t is not None)


def begin(run: Run, runbook: Runbook, todo: Do, rendered: Rendered, now: float) -> Run:
    """The run with the step journaled as begun; to be stored before anything is done.

    What was rendered at the first attempt stays: a repetition does the same thing with the same key.
    """
    step, entry = step_of(run, todo.step), entry_of(runbook, todo.step)
    due = now + max(entry.timeout, rendered.patience)
    if todo.kind == "undo":
        fresh = step.status is not StepStatus.UNDO_STARTED
        changed = replace(
            step,
            status=StepStatus.UNDO_STARTED,
            undo_attempt=todo.attempt,
            memory={} if fresh else step.memory,
            due_at=due if fresh else step.due_at,
            next_at=None,
            error="" if fresh else step.error,
        )
        return put(run, changed)
    first = step.started_at is None
    changed = replace(
        step,
        status=StepStatus.STARTED,
        attempt=todo.attempt,
        rendered=rendered.options if first else step.rendered,
        undo_rendered=rendered.undo if first else step.undo_rendered,
        started_at=now if first else step.started_at,
        due_at=due if first else step.due_at,
        memory={} if DOUBT in step.memory else step.memory,
        next_at=None,
    )
    return put(run, changed)


def record(
    run: Run, runbook: Runbook, todo: Do, outcome: Outcome, now: float, *, undo: Mapping[str, object] | None = None
) -> Run:
    """The run after `outcome`. `undo` replaces the undo's options, where they depend on what the step gave.

    An outcome for a step that is not under way (recorded already, or the run is over) changes nothing.
    """
    step, entry = step_of(run, todo.step), entry_of(runbook, todo.step)
    if todo.kind == "undo":
        under_way = run.status is RunStatus.UNDOING and step.status is StepStatus.UNDO_STARTED
        return _record_undo(run, entry, step, outcome, now) if under_way else run
    if run.status is not RunStatus.RUNNING or step.status not in _OPEN:
        return run
    if undo is not None:
        step = replace(step, undo_rendered=undo)
    return _record_do(run, entry, step, outcome, now)


def give_up(run: Run, runbook: Runbook, late: GiveUp, now: float) -> Run:
    """The run after a step whose time is over; one that was under way may have acted."""
    step, entry = step_of(run, late.todo.step), entry_of(runbook, late.todo.step)
    if late.todo.kind == "undo":
        return _undo_failed(run, step, late.reason, now)
    under_way = step.status in (StepStatus.STARTED, StepStatus.WAITING)
    return _failed(run, entry, step, Failed(late.reason, unknown=under_way), now)


def _record_do(run: Run, entry: Step, step: StepRun, outcome: Outcome, now: float) -> Run:
    match outcome:
        case Done(output=output):
            done = replace(step, status=StepStatus.DONE, output=output, ended_at=now, next_at=None, due_at=None)
            return put(run, replace(done, error="", memory={}))
        case Waiting(delay=delay, reason=reason, memory=memory):
            later = replace(step, status=StepStatus.WAITING, memory=memory, next_at=now + delay, error=reason)
            return put(run, later)
        case RetryLater(delay=delay, reason=reason):
            if step.attempt >= entry.retry.attempts:
                return _failed(run, entry, step, Failed(reason), now)
            pause = max(delay, entry.retry.backoff * 2 ** max(0, step.attempt - 1))
            return put(run, replace(step, status=StepStatus.PENDING, next_at=now + pause, error=reason))
        case Failed(reason=reason, unknown=unknown):
            if unknown and step.attempt < max(entry.retry.attempts, UNKNOWN_ATTEMPTS):
                pause = entry.retry.backoff * 2 ** max(0, step.attempt - 1)
                return put(run, replace(step, status=StepStatus.STARTED, next_at=now + pause, error=reason))
            return _failed(run, entry, step, outcome, now)
        case _:
            assert_never(outcome)


def _failed(run: Run, entry: Step, step: StepRun, outcome: Failed, now: float) -> Run:
    ended = replace(
        step,
        status=StepStatus.FAILED,
        error=outcome.reason,
        output=outcome.output,
        uncertain=outcome.unknown or step.status is StepStatus.WAITING,
        ended_at=now,
        next_at=None,
        due_at=None,
    )
    after, reason = put(run, ended), f"{step.id}: {outcome.reason}"
    match entry.on_failure:
        case OnFailure.CONTINUE:
            return after
        case OnFailure.UNDO:
            return replace(after, status=RunStatus.UNDOING, reason=reason)
        case OnFailure.STOP | OnFailure.ESCALATE:
            return end(after, End(RunStatus.FAILED, reason), now)
        case _:
            assert_never(entry.on_failure)


def _record_undo(run: Run, entry: Step, step: StepRun, outcome: Outcome, now: float) -> Run:
    match outcome:
        case Done():
            return put(run, replace(step, status=StepStatus.UNDONE, next_at=None, due_at=None, ended_at=now, error=""))
        case Waiting(delay=delay, reason=reason, memory=memory):
            return put(run, replace(step, memory=memory, next_at=now + delay, error=reason))
        case RetryLater(reason=reason) | Failed(reason=reason, unknown=True):
            if step.undo_attempt < max(entry.retry.attempts, UNDO_ATTEMPTS):
                pause = entry.retry.backoff * 2 ** max(0, step.undo_attempt - 1)
                # the next look is a new attempt: it counts, so that the undo ends
                counted = replace(step, undo_attempt=step.undo_attempt + 1, next_at=now + pause, error=reason)
                return put(run, counted)
            return _undo_failed(run, step, reason, now)
        case Failed(reason=reason):
            return _undo_failed(run, step, reason, now)
        case _:
            assert_never(outcome)


def _undo_failed(run: Run, step: StepRun, reason: str, now: float) -> Run:
    failed = replace(step, status=StepStatus.UNDO_FAILED, error=reason, next_at=None, due_at=None, ended_at=now)
    after = put(run, failed)
    return replace(after, reason=f"{run.reason}; undoing {step.id} failed: {reason}")


def doubt(run: Run, step: str, now: float) -> Run:
    """The run with a step of unknown outcome waiting for a person's word whether to do it again."""
    found = step_of(run, step)
    memory = {**found.memory, ASKED: now, DOUBT: True}
    return put(run, replace(found, status=StepStatus.WAITING, memory=memory, next_at=found.due_at))


def skip(run: Run, step: str, reason: str, now: float) -> Run:
    """The run with a step that is not done, because its `if` does not hold."""
    return put(run, replace(step_of(run, step), status=StepStatus.SKIPPED, error=reason, ended_at=now, next_at=None))


def abort(run: Run, by: str, reason: str, now: float, *, undo: bool = False) -> Run:
    """The run stopped by a person: as it stands, or with what was done undone first. An ended run stays as it is."""
    if run.over:
        return run
    text = f"aborted by {by}: {reason}" if reason else f"aborted by {by}"
    steps = tuple(_aborted(step, text, now) for step in run.steps)
    if undo and run.status is not RunStatus.WAITING:
        return replace(run, status=RunStatus.UNDOING, reason=text, steps=steps)
    return end(replace(run, steps=steps), End(RunStatus.ABORTED, text), now)


def _aborted(step: StepRun, text: str, now: float) -> StepRun:
    if step.status not in (StepStatus.STARTED, StepStatus.WAITING):
        return step
    return replace(step, status=StepStatus.FAILED, uncertain=True, error=text, ended_at=now, next_at=None, due_at=None)


def end(run: Run, ending: End, now: float) -> Run:
    """The run in its terminal state; steps that were not begun stay pending."""
    return replace(run, status=ending.status, reason=ending.reason, ended_at=now, next_at=None)


def put(run: Run, step: StepRun) -> Run:
    """The run with one step replaced."""
    return replace(run, steps=tuple(step if old.id == step.id else old for old in run.steps))


def remember(run: Run, step: str, memory: Mapping[str, object]) -> Run:
    """The run with something more for a waiting step to find, to be looked at again at once."""
    found = step_of(run, step)
    return put(run, replace(found, memory={**found.memory, **memory}, next_at=None))
