"""The steps of a runbook in the order in which they are written, those of branches and of other runbooks with them."""

from collections.abc import Iterator

from fireline.domain.runbooks import Runbook, Step


def entries(book: Runbook) -> Iterator[tuple[str, Step]]:
    """Every step with its id as runs have it: `sub/step` for one of a runbook that the step `sub` runs."""
    yield from _entries((*book.steps, *book.finally_), "")


def _entries(steps: tuple[Step, ...], before: str) -> Iterator[tuple[str, Step]]:
    for step in steps:
        yield before + step.id, step
        for branch in step.branches:
            yield from _entries(branch.steps, before)
        if step.sub is not None:
            yield from _entries((*step.sub.steps, *step.sub.finally_), f"{before}{step.id}/")


def plain_id(step: str) -> str:
    """The step that an item of it belongs to: `each` of `each[2]`, `sub/each` of `sub/each[2]`."""
    return "/".join(part.partition("[")[0] for part in step.split("/"))
