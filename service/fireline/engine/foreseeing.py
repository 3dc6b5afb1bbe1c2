"""Foreseeing: what the steps of a run will be done with, as far as it can be rendered before it begins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fireline.domain.expressions import EvaluationFault, Template
from fireline.domain.runbooks import Runbook, Step
from fireline.engine import values
from fireline.engine.run_inputs import Unfit, resolve


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A step that does something itself. `options` is None where that hangs on what comes before it.

    `times` is how often it is done at most with these options, or with others that nobody knows yet.
    """

    id: str
    step: Step
    options: Mapping[str, object] | None
    times: int = 1

    @property
    def acts(self) -> bool:
        """Whether it changes anything: it can be undone, or says that it cannot."""
        return self.step.undo is not None or self.step.irreversible

    @property
    def written(self) -> Mapping[object, object]:
        """Its options as their author wrote them."""
        source = self.step.with_.source
        return source if isinstance(source, Mapping) else {}


def foreseen(book: Runbook, known: Mapping[str, object], within: str = "") -> Iterator[Foreseen]:
    """Every step that may be done, those of items, branches and other runbooks with them, in the written order."""
    for step in (*book.steps, *book.finally_):
        yield from _step(step, known, within)


def _step(step: Step, known: Mapping[str, object], within: str) -> Iterator[Foreseen]:
    each = step.foreach
    if each is None:
        yield from _one(step, known, within + step.id)
        return
    one = replace(step, foreach=None)
    items = _rendered(each.items, known)
    if isinstance(items, (list, tuple)):
        for index, item in enumerate(items[: each.most]):
            yield from _one(one, {**known, "item": item, "index": index}, f"{within}{step.id}[{index}]")
        return
    for found in _one(one, known, within + step.id):
        yield replace(found, times=found.times * each.most)


def _one(step: Step, known: Mapping[str, object], name: str) -> Iterator[Foreseen]:
    scope = name.rpartition("/")[0]
    for branch in step.branches:
        for inner in branch.steps:
            yield from _step(inner, known, f"{scope}/" if scope else "")
    if step.sub is not None:
        yield from foreseen(step.sub, {**known, "inputs": _inputs(step, step.sub, known)}, f"{name}/")
    elif not step.branches:
        options = _rendered(step.with_, known)
        yield Foreseen(name, step, options if isinstance(options, Mapping) else None)


def _rendered(template: Template, known: Mapping[str, object]) -> object:
    try:
        return template.render(known)
    except EvaluationFault:
        return None


def _inputs(step: Step, book: Runbook, known: Mapping[str, object]) -> Mapping[str, object]:
    """The inputs of a runbook within; none where they cannot be told, so that nothing of it is."""
    options = _rendered(step.with_, known)
    given = options.get("inputs") if isinstance(options, Mapping) else None
    incident, catalog = known.get("incident"), known.get("catalog")
    start = values.of_start(_mapping(incident), _mapping(catalog))
    try:
        return resolve(book, _mapping(given), start, trusted=True) if options is not None else {}
    except Unfit:
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
