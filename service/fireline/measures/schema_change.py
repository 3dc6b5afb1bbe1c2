"""`schema_change`: the share of events whose set of fields, or whose types, are not as they were: what a producer's
new release does to the events it sends, before the model that reads them notices.

Unit: 0 to 1, of all events; with `unit: events` their number, with `unit: kinds` the number of different shapes among
them. The shape of an event is the names of its fields with their types (number, text, truth, list, object); fields of
objects count under dotted names (`features.price`), four levels deep; one that holds null counts as not there. With
`inside` only the fields of that object count (`inside: features`), and an event without it has the empty shape.

Say what is right: list it (`expected: {price: number, currency: text}`: each must be there with its type, and with
`exact` no other), or name a stretch of the past (`trailing: 1d`), which ends where the window begins. Against the
past, an event counts when its shape was not there (`against: seen`), or when it is not the most frequent one
(`against: common`, for events that all have one shape). What changed is no change any more once it has left the
window and is part of the past. None when the window has no events, and while the past has fewer than `min_past`.

Error: none against a list, nor against the past with fewer than 128 shapes in it and in the window. Of more, `seen`
is an estimate from a sample of shapes, and `common` has no value. The signal says which fields are not as listed, or
in which share of events fields are and were. The state is below 11 kB.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from fireline.domain.events import Kind, field_of
from fireline.domain.ranges import AMOUNT
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, Lookback, MeasureState
from fireline.measures.categories import Counts, add, counts_in, key_of, name_of, named_key, smallest
from fireline.measures.novelty import (
    MOST,
    Past,
    enough,
    full,
    lookbacks,
    merged,
    named,
    new_in,
    state_of,
    told,
    unlisted,
    unseen,
)
from fireline.measures.shapes import Shape, Type, shapes_of

EXAMPLE = """
measures:
  reshaped: {agg: schema_change, inside: features, expected: {price: number, currency: text}}
"""

_LONGEST = 32  # bytes of a field's name and type that are kept
_LONGEST_FAULTS = 56
_SMALL = 0.01
_TOLD = 3


class Options(Past):
    """A list of fields with their types, or a stretch of the past."""

    inside: str | None = Field(default=None, min_length=1, description="the object whose fields count; all by itself")
    ignore: list[str] = Field(default_factory=list, max_length=200, description="fields that do not count")
    expected: dict[str, Type] | None = Field(
        default=None, min_length=1, max_length=200, description="fields that must be there, and their types"
    )
    exact: bool = Field(default=False, description="with `expected`: no other field may be there")
    against: Literal["seen", "common"] = Field(
        default="seen", description="with `trailing`: all shapes that were seen, or the most frequent one"
    )

    @model_validator(mode="after")
    def _one_past(self) -> "Options":
        self.one_of(["expected"], "expected: {price: number}")
        self.refuse_without("trailing", {"min_past", "against"})
        self.refuse_without("expected", {"exact"})
        return self


class SchemaChange:
    """Counts of shapes that are not as listed; the state is `{"n": events, "m": counted, "c": {key: count}, "f": ...}`.

    `f` counts events by field and type, as many fields as shapes, so that people are told which of them changed.
    """

    name = "schema_change"
    range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = ""
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The shape of every event, or in which words it is not as listed (none when it is)."""
        inside, ignore = measure.options.get("inside"), _names(measure.options.get("ignore"))
        parts = [field_of(row, inside) if isinstance(inside, str) else row for row in rows]
        shapes = shapes_of(parts, ignore)
        expected = measure.options.get("expected")
        if not isinstance(expected, Mapping):
            return shapes
        exact = bool(measure.options.get("exact"))
        faults = {shape: tuple(_faults(dict(shape.fields), expected, exact=exact)) for shape in set(shapes)}
        return [faults[shape] for shape in shapes]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the events of each shape that is not as listed, and of each field."""
        if options.get("expected"):
            found = Counter(value for value in values if isinstance(value, tuple))
            counts = {named_key("; ".join(faults), _LONGEST_FAULTS): many for faults, many in found.items() if faults}
            return {**state_of(found.total(), counts), "f": {}}
        return _of_shapes(Counter(value for value in values if isinstance(value, Shape)))

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {**merged(left, right), "f": add(left["f"], right["f"], MOST)}

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """What is not as listed; nothing can be said without a list or a past."""
        return unlisted(state, options) if options.get("expected") else None

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The stretch before the window; none with a list."""
        return lookbacks(window, options)

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """What is not as the past was."""
        if not others:
            return self.read(state, window, options)
        if options.get("against") == "common":
            return _uncommon(state, others[0], options)
        return unseen(state, others[0], options)

    def change(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> str | None:
        """What is not as listed, or which fields come in another share of events than they did."""
        if not others:
            return named(new_in(state, others, options))
        return _moved(state, others[0]) if enough(others[0], options) else None

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether it is told from a sample."""
        return f"is told from a sample of {MOST} shapes" if full(state) and not options.get("expected") else None


def _names(given: object) -> frozenset[str]:
    return frozenset(given) if isinstance(given, list) else frozenset()


@lru_cache(maxsize=10_000)  # fields are the same from event to event
def _field(name: str, kind: Type) -> str:
    return named_key(f"{name} ({kind})", _LONGEST)


def _of_shapes(found: Mapping[Shape, int]) -> MeasureState:
    shapes: Counts = {}
    fields: Counts = {}
    for shape, many in found.items():
        key = key_of(repr(shape.fields))
        shapes[key] = shapes.get(key, 0) + many
        for name, kind in shape.fields:
            field = _field(name, kind)
            fields[field] = fields.get(field, 0) + many
    return {**state_of(sum(found.values()), shapes), "f": smallest(fields, MOST)}


def _faults(shape: Mapping[str, str], expected: Mapping[str, str], *, exact: bool) -> Iterator[str]:
    for name, kind in sorted(expected.items()):
        if shape.get(name) != kind:
            yield f"{name} is {shape.get(name, 'missing')}"
    yield from (f"{name} is not expected" for name in sorted(shape) if exact and name not in expected)


def _moved(state: MeasureState, past: MeasureState | None) -> str | None:
    """The fields whose share of events moved most, those that moved at least a hundredth."""
    assert isinstance(state, dict)
    assert isinstance(past, dict)
    if not state["n"]:
        return None
    shares = {
        key: (state["f"].get(key, 0) / state["n"], past["f"].get(key, 0) / past["n"])
        for key in smallest({**past["f"], **state["f"]}, MOST)
    }
    moved = sorted((-abs(now - before), key) for key, (now, before) in shares.items() if abs(now - before) >= _SMALL)
    words = [
        f"{name_of(key)} in {_percent(shares[key][0])} of events, {_percent(shares[key][1])} before" for _, key in moved
    ]
    return f"has {'; '.join(words[:_TOLD])}" if words else None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _uncommon(state: MeasureState, past: MeasureState | None, options: Mapping[str, object]) -> float | None:
    """What is told of events that do not have the most frequent shape of the past; of equals, the one hashed first."""
    assert isinstance(state, dict)
    if past is None or not enough(past, options) or not state["n"] or full(past) or full(state):
        return None
    before, now = counts_in(past), counts_in(state)
    common = min(before, key=lambda key: (-before[key], key))
    kinds = len(now) - (1 if common in now else 0)
    return told(state["n"] - now.get(common, 0), kinds, state["n"], options)
