"""What a rehearsal cannot know: outputs that only a real run has. They are placeholders, and nothing fails for them.

The engine gets the runbook with its templates and conditions made lenient: a place of a template that needs a
placeholder becomes one, a condition that needs one is taken to hold, and options that hold one are not judged there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from pydantic import BaseModel, ValidationError

from fireline.domain.expressions import Condition, Template
from fireline.domain.runbooks import Branch, Runbook, Step
from fireline.spec.templates import compile_template

OPEN, CLOSE = "‹", "›"
_PLACE = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")  # the dotted names of a condition, down to the last part


def placeholder(what: str) -> str:
    """What stands for a value that is not known."""
    return f"{OPEN}{what}{CLOSE}"


def unknown(value: object) -> bool:
    """Whether a placeholder is somewhere in the value."""
    match value:
        case str():
            return OPEN in value and CLOSE in value
        case Mapping():
            return any(unknown(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return any(map(unknown, value))
        case _:
            return False


def _needs_unknown(names: frozenset[str], values: Mapping[str, object]) -> bool:
    return any(_leads_to_unknown(name, values) for name in names)


def _leads_to_unknown(name: str, values: Mapping[str, object]) -> bool:
    value: object = values
    for part in name.split("."):
        if isinstance(value, str):
            return unknown(value)
        if part == "*":
            return False
        if isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return False
    return isinstance(value, str) and unknown(value)


@dataclass(frozen=True, slots=True)
class Lenient:
    """A template whose places are filled where that is possible."""

    real: Template

    @property
    def source(self) -> object:
        """The value as written."""
        return self.real.source

    def render(self, values: Mapping[str, object]) -> object:
        """The value with its places filled, with placeholders where they need what is not known."""
        return _rendered(self.real.source, values)


@dataclass(frozen=True, slots=True)
class Listed:
    """A template of a list; one that is not known has one item, which is not known either."""

    real: Template

    @property
    def source(self) -> object:
        """The value as written."""
        return self.real.source

    def render(self, values: Mapping[str, object]) -> object:
        """The list."""
        found = _rendered(self.real.source, values)
        return [found] if isinstance(found, str) and unknown(found) else found


def _rendered(source: object, values: Mapping[str, object]) -> object:
    match source:
        case str():
            return _text(source, values)
        case Mapping():
            return {_rendered(key, values): _rendered(part, values) for key, part in source.items()}
        case list() | tuple():
            return [_rendered(part, values) for part in source]
        case _:
            return source


def _text(source: str, values: Mapping[str, object]) -> object:
    whole = compile_template(source)
    if not _needs_unknown(whole.variables, values):
        return whole.render(values)
    return "".join(_part(part, values) for part in _PLACE.split(source))


def _part(text: str, values: Mapping[str, object]) -> str:
    if not text.startswith("{{"):
        return text
    place = compile_template(text)
    if _needs_unknown(place.variables, values):
        return placeholder(text.strip("{} "))
    return str(place.render(values))


@dataclass(frozen=True, slots=True)
class Assumed:
    """A condition that is taken to hold where it cannot be told; `assumed` gets the text of it then."""

    real: Condition
    assumed: Callable[[str], None]

    @property
    def source(self) -> str:
        """The text as written."""
        return self.real.source

    @property
    def variables(self) -> frozenset[str]:
        """The names that it refers to."""
        return self.real.variables

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it holds, as far as that can be told."""
        if _needs_unknown(frozenset(_NAME.findall(self.real.source)), values):
            self.assumed(self.real.source)
            return True
        return self.real.holds(values)


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Options that hold a placeholder where the action expects something else: they cannot be judged."""

    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Options:
    real: type[BaseModel]

    def model_validate(self, options: Mapping[str, object]) -> object:
        try:
            return self.real.model_validate(options)
        except ValidationError as fault:
            if all(unknown(error["input"]) for error in fault.errors()):
                return Unfilled(options)
            raise


def lenient_options(model: type[BaseModel]) -> type[BaseModel]:
    """The model of an action's options, which lets placeholders pass; what it gives for them is `Unfilled`."""
    return cast("type[BaseModel]", _Options(model))


@dataclass(slots=True)
class Assumptions:
    """Which conditions were taken to hold."""

    conditions: set[str] = field(default_factory=set)


def lenient(book: Runbook, assumptions: Assumptions) -> Runbook:
    """The runbook with placeholders allowed, and without the guards that are judged apart from its steps."""
    return replace(
        book,
        steps=tuple(_steps(book.steps, assumptions)),
        finally_=tuple(_steps(book.finally_, assumptions)),
        outputs=None if book.outputs is None else Lenient(book.outputs),
        start_when=None,
        lock=None,
        budget=None,
        stop_if=None,
        blast_radius=None,
    )


def _steps(steps: tuple[Step, ...], assumptions: Assumptions) -> Iterator[Step]:
    for step in steps:
        yield replace(
            step,
            with_=Lenient(step.with_),
            if_=None if step.if_ is None else Assumed(step.if_, assumptions.conditions.add),
            undo=None if step.undo is None else replace(step.undo, with_=Lenient(step.undo.with_)),
            foreach=None if step.foreach is None else replace(step.foreach, items=Listed(step.foreach.items)),
            branches=tuple(Branch(b.name, tuple(_steps(b.steps, assumptions))) for b in step.branches),
            sub=None if step.sub is None else lenient(step.sub, assumptions),
            outputs={},  # types are of what a real run gives
        )
