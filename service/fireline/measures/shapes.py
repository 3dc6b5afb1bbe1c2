"""Shapes of events: which fields they have, and of which types."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fireline.domain.windows import Fields

Type = Literal["number", "text", "truth", "list", "object"]
DEPTH = 4
"""How many levels of objects in objects are looked at."""

_TYPES: Mapping[type, Type] = {bool: "truth", int: "number", float: "number", str: "text", list: "list"}


@dataclass(frozen=True, slots=True, eq=False)  # told apart as objects: to hash all fields of every event takes longer
class Shape:
    """Dotted names and types of fields, in the order of the names."""

    fields: tuple[tuple[str, Type], ...]


def shapes_of(parts: Sequence[object], ignore: frozenset[str]) -> list[Shape]:
    """The shape of each part of an event; one that is no object has no fields. Equal ones may be several objects.

    Fields that hold null, and those to `ignore` (dotted names, with all that is inside), are not there.
    """
    known: dict[object, Shape] = {}
    shapes = []
    for part in parts:
        signature = _signature(part) if isinstance(part, Mapping) else None
        shape = known.get(signature)
        if shape is None:
            found = sorted(_walk(part, ignore)) if isinstance(part, Mapping) else []
            shape = known[signature] = Shape(tuple(found))
        shapes.append(shape)
    return shapes


def _signature(part: Fields, depth: int = 1) -> object:
    """What the shape follows from, and nothing that is slow to find."""
    types = tuple(map(type, part.values()))
    if dict not in types or depth >= DEPTH:
        return tuple(part), types
    inner = tuple(_signature(value, depth + 1) for value in part.values() if isinstance(value, dict))
    return tuple(part), types, inner


def _walk(part: Fields, ignore: frozenset[str], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Type]]:
    for name, value in part.items():
        dotted = f"{prefix}{name}"
        if value is None or dotted in ignore:
            continue
        yield dotted, _TYPES.get(type(value), "object")
        if isinstance(value, dict) and depth < DEPTH:
            yield from _walk(value, ignore, f"{dotted}.", depth + 1)
