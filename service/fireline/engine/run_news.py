"""What is told of a run: a line for the journal about an outcome, and for people about what changed."""

from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.runbooks import Run, RunStatus, StepRun, StepStatus

_MEANWHILE = {
    RunStatus.UNDOING: "; undoing what was done",
    RunStatus.FINISHING: "; what is done whatever happened comes last",
}


def told(outcome: Outcome) -> str:
    """What came of a step, for the journal."""
    match outcome:
        case Done():
            return "done"
        case Waiting(reason=reason):
            return f"waits, {reason}"
        case RetryLater(reason=reason):
            return f"to be tried again, {reason}"
        case Failed(reason=reason, unknown=unknown):
            return ("outcome unknown, " if unknown else "failed, ") + reason


def news(before: Run, after: Run) -> str:
    """A line for people about what changed in a run, empty when it is nothing to them."""
    if after.status is not before.status:
        if before.over:
            return after.reason
        if after.status is RunStatus.RUNNING:
            return f"allowed by policy: {after.allowed_by}{overruled(after)}"
        return after.reason + _MEANWHILE.get(after.status, "")
    if after.paused != before.paused:
        return "goes on" if after.paused is None else f"paused by {after.paused.by}" + _because(after.paused.reason)
    if after.held != before.held:
        return after.held or "goes on: nothing holds it any more"
    known = {step.id: step.status for step in before.steps}
    return "; ".join(line for new in after.steps if known.get(new.id) is not new.status and (line := _news_of(new)))


def overruled(run: Run) -> str:
    """What a person overruled so that the run began, and why; empty when nothing."""
    told = "; ".join(f"{guard} ({why})" for guard, why in run.overruled.items())
    return f"; {run.requested_by} overrules {told}: {run.overrule_reason}" if told else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _news_of(step: StepRun) -> str:
    match step.status:
        case StepStatus.FAILED | StepStatus.UNDO_FAILED:
            return f"{step.id} {step.status.value.replace('_', ' ')}: {step.error}"
        case StepStatus.UNDONE:
            return f"{step.id} undone"
        case StepStatus.DONE if step.output.get("summary"):
            return f"{step.id}: {step.output['summary']}"
        case _:
            return ""
