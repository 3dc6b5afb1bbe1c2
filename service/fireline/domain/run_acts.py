"""What people do to a run: hold it, let it go on, have a step tried again or passed over. Pure.

Each gives the run as it is afterwards, or a text that says why not. Aborting is in `running`: nothing refuses it.
"""

from dataclasses import replace

from fireline.domain.run_places import OPEN, UNDOING, by_id, composite, entry_of, groups_of
from fireline.domain.run_plans import NOT_NEEDED, next_ordinal, put, step_of
from fireline.domain.runbooks import Pause, Run, Runbook, RunStatus, Step, StepRun, StepStatus

AGAIN = frozenset({RunStatus.FAILED, RunStatus.ABORTED, RunStatus.UNDO_FAILED})
"""How a run has ended that may be gone on with."""


def pause(run: Run, by: str, reason: str, now: float) -> Run | str:
    """Begin nothing new from here on. What is under way is finished; the run's deadline goes on."""
    if run.over:
        return _over(run)
    if run.paused is not None:
        return f"Run {run.id} is paused already, by {run.paused.by}."
    if run.status is RunStatus.WAITING:
        return f"Run {run.id} has not started yet; reject or abort it."
    if run.ending is not None:
        return f"Run {run.id} is at what comes last whatever happens; an abort ends that too."
    return replace(run, paused=Pause(by, now, reason))


def resume(run: Run, now: float) -> Run | str:
    """Go on. The time that a step may take, and waits, are longer by the pause."""
    if run.over:
        return _over(run)
    if run.paused is None:
        return f"Run {run.id} is not paused."
    held = max(0.0, now - run.paused.at)
    return replace(run, paused=None, steps=tuple(_later(step, held) for step in run.steps))


def _later(step: StepRun, held: float) -> StepRun:
    due = None if step.due_at is None else step.due_at + held
    after = None if step.next_at is None else step.next_at + held
    return replace(step, due_at=due, next_at=after)


def pass_over(run: Run, step: str, by: str, reason: str, now: float) -> Run | str:
    """Do not do a step, or wait for it any longer. One that has begun may have acted: it is undone when the run is."""
    if run.over:
        return f"{_over(run)} Have it tried again from a later step."
    found = by_id(run).get(step)
    if found is None:
        return f"Run {run.id} has no step {step}."
    if found.status not in OPEN:
        return f"Step {step} of run {run.id} is over already: {found.status.value}."
    if run.status is RunStatus.WAITING or (run.ending is None) is found.last:
        return f"Step {step} of run {run.id} cannot be passed over now: the run is {run.status.value}."
    begun = found.status is not StepStatus.PENDING
    why = f"passed over by {by}: {reason}" if reason else f"passed over by {by}"
    ended = replace(found, status=StepStatus.SKIPPED, uncertain=begun, error=why, ended_at=now, memory={})
    return put(run, replace(ended, next_at=None, due_at=None, ordinal=next_ordinal(run)))


def again(run: Run, runbook: Runbook, step: str, by: str, now: float) -> Run | str:
    """Go on with a run that has ended badly, from `step`: it and what follows are done, apart from what was done.

    A step that surely did not act is done anew under a new key; one that may have acted is repeated with the same.
    A run whose undoing failed goes on undoing. Whoever calls this takes the run's lock again.
    """
    if run.status not in AGAIN:
        ending = f"{run.status.value}: start a new one" if run.over else run.status.value
        return f"Run {run.id} is {ending}; only one that failed or was aborted is tried again."
    opened = replace(run, ended_at=None, ending=None, paused=None, deadline=now + runbook.deadline)
    if run.status is RunStatus.UNDO_FAILED:
        steps = tuple(_undone_again(each) for each in run.steps)
        return replace(opened, status=RunStatus.UNDOING, reason=f"undone again by {by}", steps=steps)
    names = [each.id for each in runbook.steps]
    if step not in names:
        return f"Run {run.id} has no step {step} to begin with; there are {', '.join(names)}."
    if step_of(run, step).status is StepStatus.DONE:
        return f"Step {step} of run {run.id} is done; name one that failed, or was not begun."
    for name in [*names[names.index(step) :], *(each.id for each in runbook.finally_)]:
        opened = _reset(opened, runbook, name, now)
    return replace(opened, status=RunStatus.RUNNING, reason=f"tried again from {step} by {by}")


def _undone_again(step: StepRun) -> StepRun:
    if step.status is not StepStatus.UNDO_FAILED:
        return step
    return replace(step, status=StepStatus.DONE, undo_attempt=0, error="", memory={})


def _reset(run: Run, runbook: Runbook, name: str, now: float) -> Run:
    """The run with a step, and all within it, to be done; what was done of it stays."""
    step, entry = by_id(run).get(name), entry_of(runbook, name)
    if step is None or (step.status is StepStatus.DONE and not step.last):
        return run
    if composite(entry) and step.started_at is not None and not step.last:
        for group in groups_of(entry, step):
            for inner, _ in group:
                run = _reset(run, runbook, inner, now)
        memory = {key: value for key, value in step.memory.items() if key != UNDOING}
        going = replace(step, status=StepStatus.STARTED, memory=memory, error="", due_at=now + entry.timeout)
        return put(run, replace(going, ended_at=None, ordinal=0, uncertain=False))
    return put(run, _fresh(step, entry, now))


def _fresh(step: StepRun, entry: Step, now: float) -> StepRun:
    """The step to be done: with the same key where it may have acted, under a new one where it surely did not.

    What nobody needed any more is asked for or waited for anew, unless it is an act that had begun.
    """
    acts = entry.undo is not None or entry.irreversible
    if step.uncertain and (acts or step.error != NOT_NEEDED):
        same = replace(step, status=StepStatus.STARTED, attempt=0, memory={}, error="", due_at=now + entry.timeout)
        return replace(same, next_at=None, ended_at=None, ordinal=0, uncertain=False)
    begun = step.started_at is not None
    return StepRun(id=step.id, round=step.round + begun, last=step.last)


def _over(run: Run) -> str:
    return f"Run {run.id} is over already: {run.status.value} ({run.reason})."
