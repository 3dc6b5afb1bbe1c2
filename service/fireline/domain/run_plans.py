"""Plans: what may be next in a run, and how its steps are found and replaced. Pure; deciding is in `running`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from fireline.domain.outcomes import Done, Failed
from fireline.domain.runbooks import Ending, Run, RunStatus, Step, StepRun, StepStatus

FINALLY_TIME = 900.0
"""Seconds that what is to be done whatever happened may take, all of it; also after the run's deadline."""

LONGEST_PAUSE = 3600.0
"""Seconds between two attempts at most, jitter apart."""


NOT_NEEDED = "not needed any more"
"""Why a step is skipped when others have made it needless."""


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
class Settle:
    """All that a step had others do is over: record `outcome` for it without doing anything."""

    todo: Do
    outcome: Done | Failed


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


Plan = Do | GiveUp | Settle | Sleep | End


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a step is done with: its options, those of its undo, and the seconds it may rightly wait by itself."""

    options: Mapping[str, object] = field(default_factory=dict)
    undo: Mapping[str, object] = field(default_factory=dict)
    patience: float = 0.0


def step_of(run: Run, step: str) -> StepRun:
    """The step called `step`; raises KeyError."""
    for found in run.steps:
        if found.id == step:
            return found
    raise KeyError(f"run {run.id} has no step {step!r}")


def put(run: Run, step: StepRun) -> Run:
    """The run with one step replaced."""
    return replace(run, steps=tuple(step if old.id == step.id else old for old in run.steps))


def key_of(run: Run, step: str, kind: str) -> str:
    """The idempotency key of a step: the same for all its attempts, on any machine; another when done anew."""
    number = next((found.round for found in run.steps if found.id == step), 0)
    again = f".r{number}" if number else ""
    return f"run-{run.id}.{step}{again}" + (".undo" if kind == "undo" else "")


def pause(entry: Step, key: str, attempt: int) -> float:
    """Seconds before the attempt after `attempt`. The jitter follows from key and attempt: it is the same anywhere."""
    plain = min(entry.retry.backoff * 2.0 ** max(0, min(attempt - 1, 60)), LONGEST_PAUSE)
    if not entry.retry.jitter:
        return plain
    digest = hashlib.sha256(f"{key}#{attempt}".encode()).digest()
    return plain * (1.0 + entry.retry.jitter * int.from_bytes(digest[:8]) / 2.0**64)


def next_ordinal(run: Run) -> int:
    """The place in the order of ending that the next step gets."""
    return 1 + max((step.ordinal for step in run.steps), default=0)


def first(*times: float | None) -> float:
    """The earliest."""
    return min(t for t in times if t is not None)


def interrupted(run: Run, step: StepRun, why: str, now: float) -> StepRun:
    """An open step that nobody goes on with; any other step as it is."""
    match step.status:
        case StepStatus.PENDING if why == NOT_NEEDED:
            return replace(step, status=StepStatus.SKIPPED, error=why, ended_at=now, next_at=None, due_at=None)
        case StepStatus.STARTED | StepStatus.WAITING:
            status = StepStatus.SKIPPED if why == NOT_NEEDED else StepStatus.FAILED
            ordinal = next_ordinal(run)
            ended = replace(step, status=status, uncertain=True, error=why, ended_at=now, next_at=None)
            return replace(ended, due_at=None, ordinal=ordinal)
        case _:
            return step


def stopped_short(run: Run, why: str, now: float) -> Run:
    """The run with every step that is under way marked as interrupted."""
    for step in run.steps:
        run = put(run, interrupted(run, step, why, now))
    return run


def end(run: Run, ending: End, now: float) -> Run:
    """The run in its terminal state, or on its last steps before; steps that were not begun stay pending."""
    begun = run.status in (RunStatus.RUNNING, RunStatus.UNDOING)
    if ending.status is not RunStatus.SUCCEEDED:
        run = stopped_short(run, f"interrupted: {ending.reason}", now)
    if begun and any(step.last and step.status is StepStatus.PENDING for step in run.steps):
        last = Ending(ending.status, ending.reason, now + FINALLY_TIME)
        run = replace(run, paused=None)  # nobody holds back what is to be done whatever happens
        return replace(run, status=RunStatus.FINISHING, reason=ending.reason, ending=last, next_at=None)
    return replace(run, status=ending.status, reason=ending.reason, ended_at=now, next_at=None, paused=None)
