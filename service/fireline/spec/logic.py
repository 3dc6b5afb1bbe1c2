"""Logic: whether conditions can hold, together and alone, for any values that their names may have.

A condition is taken apart into the ways in which it can come true; a way is what it says of each name. A way in which a
name is left without any value cannot come true. Whatever is not understood (a function, a product of two names) is
taken to be able to hold and not to hold, and a condition with too many ways to be able to: what is said to be
impossible is impossible, and of the rest nothing is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from fireline.spec.arithmetic import ANY, Interval, interval, linear, possible
from fireline.spec.extents import ANYTHING, Extent, Numbers
from fireline.spec.trees import (
    COMPARISONS,
    Binary,
    Choice,
    Listed,
    Literal,
    Name,
    Opaque,
    Tree,
    Unary,
    joined,
    plain,
    walk,
)

Known = Mapping[str, Extent]
"""What is known of names before any condition is looked at; of others nothing is."""

MOST_WAYS = 64
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_NONE: Mapping[str, Any] = MappingProxyType({})
_ROUNDING = 1e-9  # a bound that was calculated is taken to be this much further out


class _TooMany(Exception):  # noqa: N818 - never leaves this module
    """More ways than are followed."""


class Said(NamedTuple):
    """A condition that is said to hold, or not to."""

    tree: Tree
    holds: bool = True


class Way(NamedTuple):
    """One way for conditions to come true: what values names have then, where more is said than was `known`, and what
    else holds or does not."""

    known: Known
    extents: Known = _NONE
    claims: Mapping[str, bool] = _NONE
    relations: tuple[tuple[Tree, str, Tree], ...] = ()

    def of(self, name: str) -> Extent:
        """What the name may be."""
        return self.extents.get(name) or self.known.get(name, ANYTHING)

    def numbers(self, name: str) -> Interval:
        """Between which numbers the name lies."""
        found = self.of(name).numbers
        return ANY if found is None else (found.low, found.high)

    def narrowed(self, name: str, extent: Extent) -> "list[Way]":
        """This way with a name of these values; none when there are none."""
        return [] if extent.empty else [Way(self.known, {**self.extents, name: extent}, self.claims, self.relations)]

    def claimed(self, tree: Tree, holds: bool) -> "list[Way]":
        """This way with something that is not understood: it may hold or not, but not both."""
        if any(isinstance(part, Opaque) for part in walk(tree)):
            return [self]
        said = plain(tree)
        if self.claims.get(said, holds) is not holds:
            return []
        return [Way(self.known, self.extents, {**self.claims, said: holds}, self.relations)]

    @property
    def consistent(self) -> bool:
        """Whether the relations between names can be, within the bounds of each."""
        return all(
            possible(op, interval(left, self.numbers), interval(right, self.numbers))
            for left, op, right in self.relations
        )


def ways(said: Sequence[Said], known: Known) -> list[Way] | None:
    """The ways in which all that is said can be true at once, empty when it cannot; None when there are too many."""
    found = [Way(known)]
    try:
        for each in said:
            found = _ways(each.tree, each.holds, found)
        return [way for way in found if not way.relations or way.consistent]
    except (_TooMany, RecursionError):
        return None


def impossible(known: Known, *said: Said) -> bool:
    """Whether all that is said can surely not be true at once."""
    if len(said) == 1 and (extent := _plain(*said[0], known)) is not None:
        return extent.empty
    return ways(said, known) == []


def _plain(tree: Tree, holds: bool, known: Known) -> Extent | None:
    """What a name may be when it is compared with a number, the plainest and most frequent of all."""
    if isinstance(tree, Binary) and isinstance(tree.left, Name) and isinstance(tree.right, Literal):
        op = tree.op if holds else _OPPOSITE.get(tree.op)
        if op in COMPARISONS and type(tree.right.value) is float:
            return known.get(tree.left.name, ANYTHING).compared(op, tree.right.value)
    return None


def _ways(tree: Tree, holds: bool, before: list[Way]) -> list[Way]:
    match tree:
        case Literal(value=bool()):
            return before if tree.value is holds else []
        case Unary(op="!"):
            return _ways(tree.of, not holds, before)
        case Binary(op="&&" | "||"):
            return _joined(tree, holds, before)
        case Choice():
            then = _ways(tree.then, holds, _ways(tree.condition, True, before))
            return _together([then, _ways(tree.otherwise, holds, _ways(tree.condition, False, before))])
        case _:
            if len(before) == 1:
                return _narrowed(tree, holds, before[0])
            return _together(_narrowed(tree, holds, way) for way in before)


def _joined(tree: Binary, holds: bool, before: list[Way]) -> list[Way]:
    parts = joined(tree, tree.op)
    if (tree.op == "&&") is not holds:  # any of them is enough
        return _together(_ways(part, holds, before) for part in parts)
    for part in parts:
        before = _ways(part, holds, before)
    return before


def _together(found: Iterable[list[Way]]) -> list[Way]:
    together = [way for each in found for way in each]
    if len(together) > MOST_WAYS:
        raise _TooMany
    return together


def _narrowed(tree: Tree, holds: bool, way: Way) -> list[Way]:
    match tree:
        case Name():
            return way.narrowed(tree.name, way.of(tree.name).only_truths(holds))
        case Binary(op="in", left=Name() as left, right=Listed() as right):
            return _among(tree, left.name, right.parts, holds, way)
        case Binary() if tree.op in COMPARISONS:
            return _compared(tree, holds, way)
        case _:
            return way.claimed(tree, holds)


def _among(tree: Tree, name: str, listed: Sequence[Tree], holds: bool, way: Way) -> list[Way]:
    values = [part.value for part in listed if isinstance(part, Literal) and part.value is not None]
    if len(values) < len(listed):
        return way.claimed(tree, holds)
    extent = way.of(name)
    if not holds:
        for value in values:
            extent = _without(extent, value)
        return way.narrowed(name, extent)
    numbers = [v for v in values if type(v) is float and extent.numbers is not None and extent.numbers.holds(v)]
    found = Extent(
        numbers=Numbers(min(numbers), max(numbers)) if numbers else None,
        texts=frozenset(v for v in values if isinstance(v, str) and not extent.text(v).empty),
        but=False,
        truths=extent.truths & {v for v in values if isinstance(v, bool)},
        rest=False,
    )
    return way.narrowed(name, found)


def _without(extent: Extent, value: float | str | bool) -> Extent:
    match value:
        case bool():
            return extent._replace(truths=extent.truths - {value})
        case str():
            return extent.without_text(value)
        case float():
            return extent.compared("!=", value)


def _compared(tree: Binary, holds: bool, way: Way) -> list[Way]:
    left, right, op = tree.left, tree.right, tree.op if holds else _OPPOSITE[tree.op]
    if isinstance(left, Literal) and isinstance(right, Name):
        left, right, op = right, left, _MIRRORED[op]
    if isinstance(left, Name) and isinstance(right, Literal) and right.value is not None:
        return _compared_with(tree, left.name, op, right.value, holds, way=way)
    form = linear(Binary("-", tree.left, tree.right, tree.start, tree.end, tree.at))
    if form is not None and len(form[0]) == 1:
        ((name, factor),) = form[0].items()
        return _solved(tree, name, op, (factor, form[1]), holds, way=way)
    op = tree.op if holds else _OPPOSITE[tree.op]
    return [
        each._replace(relations=(*each.relations, (tree.left, op, tree.right))) for each in way.claimed(tree, holds)
    ]


def _compared_with(tree: Tree, name: str, op: str, value: float | str | bool, holds: bool, *, way: Way) -> list[Way]:
    extent = way.of(name)
    if isinstance(value, float):
        return way.narrowed(name, extent.compared(op, value))
    if op == "!=":
        return way.narrowed(name, _without(extent, value))
    if op == "==":
        return way.narrowed(name, extent.text(value) if isinstance(value, str) else extent.only_truths(value))
    return way.claimed(tree, holds)


def _solved(tree: Tree, name: str, op: str, form: tuple[float, float], holds: bool, *, way: Way) -> list[Way]:
    """`factor * name + added`, compared with zero; equality and what is not finite are not solved."""
    factor, added = form
    bound = -added / factor if factor else 0.0
    if not factor or op in {"==", "!="} or abs(bound) > 1e300:
        return way.claimed(tree, holds)
    op = op if factor > 0 else _MIRRORED[op]
    further = abs(bound) * _ROUNDING
    bound += -further if op in {">", ">="} else further
    return way.narrowed(name, way.of(name).compared(f"{op[0]}=", bound))
