"""Autonomy: how far a run may go alone. The lower of what the runbook asks and what policy allows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from fireline.domain.runbooks import Autonomy, Run, Runbook, RunStatus

RECORD = 3
"""A runbook whose last so many runs all went wrong may not go on alone."""

_ORDER = (Autonomy.SHADOW, Autonomy.SUGGEST, Autonomy.APPROVE, Autonomy.AUTO)
_WENT_WRONG = frozenset({RunStatus.FAILED, RunStatus.UNDO_FAILED})
_SAYS_NOTHING = frozenset({RunStatus.REFUSED, RunStatus.ABORTED})


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far, and the line of policy that said so."""

    mode: Autonomy
    line: str


def allowed(runbook: Runbook, asked: Autonomy, history: Sequence[Run], *, timeline: str = "live") -> Allowed:
    """How far a run may go. `history` are earlier runs of the runbook, newest first."""
    limits = [Allowed(asked, f"start.mode is {asked.value}")]
    if timeline != "live":
        limits.append(Allowed(Autonomy.SHADOW, "a recording is replayed: nothing real is done"))
    unasked = unapproved(runbook)
    if unasked:
        limits.append(Allowed(Autonomy.APPROVE, f"{unasked} is irreversible and no step before it asks"))
    ended = [run for run in history if run.over and run.status not in _SAYS_NOTHING][:RECORD]
    if len(ended) == RECORD and all(run.status in _WENT_WRONG for run in ended):
        limits.append(Allowed(Autonomy.APPROVE, f"its last {RECORD} runs went wrong"))
    return min(limits, key=lambda limit: _ORDER.index(limit.mode))


def unapproved(runbook: Runbook) -> str:
    """The first irreversible step that no approval precedes, empty when there is none."""
    for step in runbook.steps:
        if step.uses == "approval":
            return ""
        if step.irreversible:
            return step.id
    return ""
