"""Places: how the steps of a run stand within each other. Items of a `foreach`, branches, steps of another runbook.

A step within others has a path as its id: `each[2]` is the third item of `each`, `sub/step` a step of the runbook that
`sub` runs. Steps of branches have the id that their author gave them. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fireline.domain.runbooks import OnFailure, Run, Runbook, Step, StepRun, StepStatus

Place = tuple[str, Step]
"""The id of a step of a run, and what its runbook says of it."""

Group = tuple[Place, ...]
"""Places one after another, as far as `needs` does not say otherwise."""

OPEN = frozenset({StepStatus.PENDING, StepStatus.STARTED, StepStatus.WAITING})
"""Where a step stands that is not over."""

UNDOING = "undoing"
"""Where a step that runs another runbook keeps why that one is being undone."""

ITEMS = "items"
"""Where a `foreach` keeps the list it goes through."""


def scope_of(step: str) -> str:
    """The beginning that the ids of all steps of the same runbook have: `sub/` of `sub/step`, empty at the top."""
    head, slash, _ = step.rpartition("/")
    return head + slash


def item_of(step: str) -> int | None:
    """Which item of a `foreach` it is, from 0; None when it is none."""
    name = step.rpartition("/")[2]
    return int(name[name.index("[") + 1 : -1]) if name.endswith("]") else None


def parent_item(step: str) -> str:
    """The `foreach` that the item belongs to."""
    return step[: step.rindex("[")]


def within(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, and those of their branches."""
    for step in steps:
        yield step
        for branch in step.branches:
            yield from within(branch.steps)


def every_step(runbook: Runbook) -> Iterator[Step]:
    """All steps that a run may do, those of branches, of other runbooks and the last ones too."""
    for step in within((*runbook.steps, *runbook.finally_)):
        yield step
        if step.sub is not None:
            yield from every_step(step.sub)


def entry_of(runbook: Runbook, step: str) -> Step:
    """What the runbook says of the step; raises KeyError."""
    book: Runbook | None = runbook
    found: Step | None = None
    for segment in step.split("/"):
        name, bracket, _ = segment.partition("[")
        steps = () if book is None else within((*book.steps, *book.finally_))
        found = next((each for each in steps if each.id == name), None)
        if found is None:
            raise KeyError(f"runbook {runbook.name} has no step {step!r}")
        found = one_item(found) if bracket else found
        book = found.sub
    assert found is not None
    return found


def one_item(entry: Step) -> Step:
    """A `foreach` as it is for one of its items."""
    return replace(entry, foreach=None, if_=None, needs=())


def composite(entry: Step) -> bool:
    """Whether the step does nothing itself: it has others do it."""
    return bool(entry.foreach is not None or entry.branches or entry.sub is not None)


def groups_of(entry: Step, step: StepRun) -> list[Group]:
    """The places within a step that has begun, by what goes on side by side."""
    if entry.foreach is not None:
        items = step.rendered.get(ITEMS)
        count = len(items) if isinstance(items, (list, tuple)) else 0
        return [((f"{step.id}[{index}]", one_item(entry)),) for index in range(count)]
    if entry.sub is not None:
        return [tuple((f"{step.id}/{each.id}", each) for each in entry.sub.steps)]
    scope = scope_of(step.id)
    return [tuple((scope + each.id, each) for each in branch.steps) for branch in entry.branches]


def by_id(run: Run) -> Mapping[str, StepRun]:
    """The run's steps by id."""
    return {step.id: step for step in run.steps}


def leaves(groups: Iterable[Group], steps: Mapping[str, StepRun]) -> Iterator[tuple[StepRun, Step]]:
    """The steps at and below these places that do something themselves, as far as they were laid out."""
    for step, entry in below(groups, steps):
        if not composite(entry):
            yield step, entry


def below(groups: Iterable[Group], steps: Mapping[str, StepRun]) -> Iterator[tuple[StepRun, Step]]:
    """All steps at and below these places, as far as they were laid out."""
    for group in groups:
        for name, entry in group:
            step = steps.get(name)
            if step is None:
                continue
            yield step, entry
            if composite(entry):
                yield from below(groups_of(entry, step), steps)


def failed(group: Group, steps: Mapping[str, StepRun]) -> Place | None:
    """The place that made the group fail, None when none did."""
    for name, entry in group:
        step = steps.get(name)
        if step is not None and step.status is StepStatus.FAILED and entry.on_failure is not OnFailure.CONTINUE:
            return name, entry
    return None


def settled(group: Group, steps: Mapping[str, StepRun]) -> bool:
    """Whether all of the group is over."""
    return all(name in steps and steps[name].status not in OPEN for name, _ in group)


def fits(run: Run, runbook: Runbook) -> bool:
    """Whether the run's steps are those of the runbook."""
    top = [each.id for each in (*runbook.steps, *runbook.finally_)]
    known = {each.id for each in within((*runbook.steps, *runbook.finally_))}
    plain = [step.id for step in run.steps if step.id in known]
    return [name for name in plain if name in top] == top and all(_known(runbook, step.id) for step in run.steps)


def _known(runbook: Runbook, step: str) -> bool:
    try:
        entry_of(runbook, step)
    except KeyError:
        return False
    return True
