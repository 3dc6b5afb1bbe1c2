"""Steps that have others do their work: laying these out, how far they may go on, what came of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fireline.domain.outcomes import Done, Failed
from fireline.domain.run_places import (
    UNDOING,
    Group,
    below,
    by_id,
    failed,
    groups_of,
    settled,
)
from fireline.domain.run_plans import NOT_NEEDED, interrupted, put
from fireline.domain.runbooks import Run, Step, StepRun, StepStatus


def opened(run: Run, entry: Step, step: StepRun) -> Run:
    """The run with `step`, which begins, and all that it has others do laid out behind it, none of them begun."""
    known = by_id(run)
    names = [name for group in groups_of(entry, step) for name, _ in group]
    fresh = tuple(StepRun(id=name, round=step.round) for name in names if name not in known)
    place = next(index for index, old in enumerate(run.steps) if old.id == step.id) + 1
    return put(replace(run, steps=(*run.steps[:place], *fresh, *run.steps[place:])), step)


def to_go_on(entry: Step, groups: Sequence[Group], steps: Mapping[str, StepRun]) -> list[Group] | None:
    """The groups that may begin something new; None when only what is under way is to be seen to its end."""
    lost = sum(failed(group, steps) is not None for group in groups)
    if entry.foreach is not None:
        return None if lost else _items(entry, groups, steps)
    going = [group for group in groups if not settled(group, steps) and failed(group, steps) is None]
    done = sum(settled(group, steps) and failed(group, steps) is None for group in groups)
    needed = entry.join or len(groups)
    return None if done >= needed or len(groups) - lost < needed else going


def _items(entry: Step, groups: Sequence[Group], steps: Mapping[str, StepRun]) -> list[Group]:
    """As many items as may be under way at a time, those that have begun first."""
    assert entry.foreach is not None
    left = [group for group in groups if not settled(group, steps)]
    begun = [group for group in left if _begun(group, steps)]
    fresh = [group for group in left if not _begun(group, steps)]
    return [*begun, *fresh][: max(entry.foreach.concurrency, len(begun))]


def _begun(group: Group, steps: Mapping[str, StepRun]) -> bool:
    return any(steps[name].started_at is not None for name, _ in group)


def outcome_of(entry: Step, step: StepRun, steps: Mapping[str, StepRun]) -> Done | Failed:
    """What came of a step within which nothing is left to do."""
    groups = groups_of(entry, step)
    if entry.foreach is not None:
        return _of_items(groups, steps)
    if entry.sub is not None:
        return _of_sub(groups[0], step, steps)
    return _of_branches(entry, groups, steps)


def _of_items(groups: Sequence[Group], steps: Mapping[str, StepRun]) -> Done | Failed:
    items = [steps[group[0][0]] for group in groups]
    wrong = [item for item in items if item.status is StepStatus.FAILED]
    output: dict[str, object] = {
        "count": len(items),
        "failed": len(wrong),
        "items": [{**item.output, "outcome": item.status.value} for item in items],
        "summary": f"{len(items) - len(wrong)} of {len(items)} done",
    }
    if not wrong:
        return Done(output)
    first = f"{wrong[0].id}: {wrong[0].error}"
    return Failed(f"{len(wrong)} of {len(items)} failed; {first}", output=output)


def _of_sub(group: Group, step: StepRun, steps: Mapping[str, StepRun]) -> Done | Failed:
    if UNDOING in step.memory:
        wrong = [found for found, _ in below([group], steps) if found.status is StepStatus.UNDO_FAILED]
        told = "".join(f"; undoing {found.id} failed: {found.error}" for found in wrong)
        return Failed(f"{step.memory[UNDOING]}; " + ("was undone" if not wrong else "was not all undone") + told)
    place = failed(group, steps)
    return Done() if place is None else Failed(f"{place[0]}: {steps[place[0]].error}")


def _of_branches(entry: Step, groups: Sequence[Group], steps: Mapping[str, StepRun]) -> Done | Failed:
    lost = {branch.name: failed(group, steps) for branch, group in zip(entry.branches, groups, strict=True)}
    done = [
        branch.name
        for branch, group in zip(entry.branches, groups, strict=True)
        if lost[branch.name] is None and settled(group, steps)
    ]
    output: dict[str, object] = {"done": done, "summary": f"{', '.join(done) or 'no branch'} done"}
    needed = entry.join or len(groups)
    if len(done) >= needed:
        return Done(output)
    why = [f"{name}: {steps[place[0]].error}" for name, place in lost.items() if place is not None]
    return Failed(f"{len(done)} of {needed} branches done; " + "; ".join(why), output=output)


def closed(run: Run, entry: Step, step: StepRun, now: float) -> Run:
    """The run with all that is still open within `step` closed: nothing of it is begun any more.

    What was under way, or waited, may have acted: it is undone when the run is.
    """
    inside = [found for found, _ in below(groups_of(entry, step), by_id(run))]
    for found in inside:
        run = put(run, interrupted(run, found, NOT_NEEDED, now))
    return run
