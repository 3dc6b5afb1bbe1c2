"""Coverage of a runbook: its steps and branches, and which of them a run went through. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fireline.domain.runbook_steps import entries, plain_id
from fireline.domain.runbooks import OnFailure, Run, Runbook, Step, StepRun, StepStatus

_BEGUN = frozenset(StepStatus) - {StepStatus.PENDING, StepStatus.SKIPPED}
_FAILED = frozenset({StepStatus.FAILED})
_UNDONE = frozenset({StepStatus.UNDO_STARTED, StepStatus.UNDONE, StepStatus.UNDO_FAILED})


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """What a test may go through: `done`, `if holds`, `if does not hold`, `on_failure: X`, `undo` of a step."""

    step: str
    what: str


DONE, HOLDS, HOLDS_NOT, UNDO = "is done", "if holds", "if does not hold", "undo"


def parts(book: Runbook) -> tuple[Part, ...]:
    """Everything that there is to go through, in the order of the file; other runbooks have tests of their own."""
    return tuple(part for name, step in entries(book) if "/" not in name for part in _parts(name, step))


def _parts(name: str, step: Step) -> Iterator[Part]:
    yield Part(name, DONE)
    if step.if_ is not None:
        yield Part(name, HOLDS)
        yield Part(name, HOLDS_NOT)
    if step.on_failure is not OnFailure.STOP:
        yield Part(name, _failing(step))
    if step.undo is not None:
        yield Part(name, UNDO)


def _failing(step: Step) -> str:
    return f"on_failure: {step.on_failure.value}"


def visited(book: Runbook, runs: Iterable[Run]) -> frozenset[Part]:
    """What these runs went through."""
    steps = dict(entries(book))
    return frozenset(
        part
        for run in runs
        for found in run.steps
        if (entry := steps.get(plain_id(found.id))) is not None
        for part in _visited(plain_id(found.id), entry, found)
    )


def _visited(name: str, entry: Step, found: StepRun) -> Iterator[Part]:
    if found.status is StepStatus.SKIPPED:
        if entry.if_ is not None:
            yield Part(name, HOLDS_NOT)
        return
    if found.status in _BEGUN:
        if entry.if_ is not None:
            yield Part(name, HOLDS)
        if found.status is StepStatus.DONE or (found.status in _UNDONE and not found.uncertain):
            yield Part(name, DONE)
    if found.status in _FAILED or found.uncertain:
        yield Part(name, _failing(entry))
    if found.status in _UNDONE:
        yield Part(name, UNDO)
