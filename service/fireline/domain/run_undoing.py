"""Undoing: what was done is taken back, the last first, one after another; also after a crash. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.run_places import by_id, entry_of, leaves
from fireline.domain.run_plans import Do, End, GiveUp, Plan, Sleep, first, key_of, pause, put
from fireline.domain.runbooks import Run, Runbook, RunStatus, Step, StepRun, StepStatus

UNDO_ATTEMPTS = 3
"""An undo is tried this often at least: half a compensation helps nobody."""


def backward(run: Run, runbook: Runbook, now: float) -> Plan:
    """What is next in a run that is being undone."""
    pairs = leaves([tuple((step.id, step) for step in runbook.steps)], by_id(run))
    step = next_undo(run, pairs, now)
    if step is not None:
        return step
    if any(step.status is StepStatus.UNDO_FAILED for step in run.steps):
        return End(RunStatus.UNDO_FAILED, run.reason)
    undone = any(step.status is StepStatus.UNDONE for step in run.steps)
    return End(RunStatus.UNDONE if undone else RunStatus.FAILED, run.reason)


def next_undo(run: Run, pairs: Iterable[tuple[StepRun, Step]], now: float) -> Plan | None:
    """The undo that is next among these steps, None when nothing is left to undo."""
    left = [(step.ordinal, place, step, entry) for place, (step, entry) in enumerate(pairs) if _to_undo(step, entry)]
    if not left:
        return None
    _, _, step, entry = max(left, key=lambda each: (each[2].status is StepStatus.UNDO_STARTED, *each[:2]))
    return _undo_step(run, entry, step, now)


def _to_undo(step: StepRun, entry: Step) -> bool:
    if entry.undo is None or step.last:
        return False
    if step.status in (StepStatus.FAILED, StepStatus.SKIPPED):
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
        return Sleep(first(step.next_at, step.due_at, run.deadline), step.error or "waits")
    return todo


def begin_undo(step: StepRun, todo: Do, due: float) -> StepRun:
    """The step with its undo journaled as begun."""
    fresh = step.status is not StepStatus.UNDO_STARTED
    return replace(
        step,
        status=StepStatus.UNDO_STARTED,
        undo_attempt=todo.attempt,
        memory={} if fresh else step.memory,
        due_at=due if fresh else step.due_at,
        next_at=None,
        error="" if fresh else step.error,
    )


def record_undo(run: Run, runbook: Runbook, todo: Do, outcome: Outcome, now: float) -> Run:
    """The run after the outcome of an undo."""
    step, entry = by_id(run)[todo.step], entry_of(runbook, todo.step)
    match outcome:
        case Done():
            return put(run, replace(step, status=StepStatus.UNDONE, next_at=None, due_at=None, ended_at=now, error=""))
        case Waiting(delay=delay, reason=reason, memory=memory):
            return put(run, replace(step, memory=memory, next_at=now + delay, error=reason))
        case RetryLater(reason=reason) | Failed(reason=reason, unknown=True):
            if step.undo_attempt < max(entry.retry.attempts, UNDO_ATTEMPTS):
                wait = pause(entry, todo.key, step.undo_attempt)
                # the next look is a new attempt: it counts, so that the undo ends
                counted = replace(step, undo_attempt=step.undo_attempt + 1, next_at=now + wait, error=reason)
                return put(run, counted)
            return undo_failed(run, step, reason, now)
        case Failed(reason=reason):
            return undo_failed(run, step, reason, now)
        case _:
            assert_never(outcome)


def undo_failed(run: Run, step: StepRun, reason: str, now: float) -> Run:
    """The run after an undo that is given up; the others go on."""
    failed = replace(step, status=StepStatus.UNDO_FAILED, error=reason, next_at=None, due_at=None, ended_at=now)
    after = put(run, failed)
    return replace(after, reason=f"{run.reason}; undoing {step.id} failed: {reason}".removeprefix("; "))
