"""Columns: what the waiting events of one label set give its measures, and the aggregates that come of it by pane.

Events are decoded and drawn in runs: what stays of an event until the end of its batch is its time and one value for
each measure, and the memory of its dictionary is used again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from fireline.domain.events import Kind, Row
from fireline.domain.rules import Measure, Rule
from fireline.domain.windows import Family, MeasureState, pane_of

RUN = 2048
"""Records that are decoded and drawn at once."""

SEVERAL = 16
"""Waiting events from which on they are drawn at the end of a run; fewer wait for the end, and for others like them."""

_at, _fields = itemgetter(1), itemgetter(2)


@dataclass(frozen=True, slots=True, eq=False)  # told apart as objects: measures that say the same have one
class Shape:
    """What a column and its fold depend on: rules whose measures differ in name alone share both."""

    family: Family
    measure: Measure


def shapes_of(rules: Iterable[Rule], families: Mapping[str, Family]) -> dict[str, tuple[Shape, ...]]:
    """The shapes of each rule's measures, in their order."""
    known: dict[object, list[Shape]] = {}

    def shape(measure: Measure) -> Shape:
        bare = replace(measure, name="")
        plain = tuple((k, v) for k, v in sorted(measure.options.items()) if isinstance(v, int | float | str))
        alike = known.setdefault((measure.agg, measure.of, plain), [])
        for other in alike:
            if other.measure == bare:
                return other
        alike.append(Shape(families[measure.agg], bare))
        return alike[-1]

    return {rule.name: tuple(map(shape, rule.measures)) for rule in rules}


class Drawn:
    """What is left of events that wait to be folded: `times`, and a column a shape, None when its family failed."""

    __slots__ = ("columns", "shapes", "times")

    def __init__(
        self, shapes: Sequence[Shape], times: list[float], columns: list[list[object] | None] | None = None
    ) -> None:
        self.shapes, self.times = shapes, times
        self.columns: list[list[object] | None] = [[] for _ in shapes] if columns is None else columns

    def add(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Take the times and the columns of more events of one kind."""
        fields = list(map(_fields, rows))
        self.times += map(_at, rows)
        for place, (shape, column) in enumerate(zip(self.shapes, self.columns, strict=True)):
            if column is not None:
                try:
                    column.extend(shape.family.column(kind, fields, shape.measure))
                except Exception:  # a family is a plugin: its fault must cost its own value, not the stream
                    self.columns[place] = None

    def part(self, begin: int, end: int) -> "Drawn":
        """Some of the events."""
        columns = [None if column is None else column[begin:end] for column in self.columns]
        return Drawn(self.shapes, self.times[begin:end], columns)

    def extend(self, more: "Drawn") -> None:
        """Take what was drawn of more events."""
        self.times += more.times
        for place, (column, values) in enumerate(zip(self.columns, more.columns, strict=True)):
            self.columns[place] = None if column is None or values is None else column + values


class Pane(NamedTuple):
    """Events of pane `number`: the `places` of its events, None of all; their `times`, and the newest of these.

    `size` is the pane's in seconds, 0 where all events lie in one, so that panes of any size are folded once.
    """

    number: int
    size: float
    places: Sequence[int] | None
    times: Sequence[float]
    newest: float


class Folding:
    """Aggregates of what was drawn: each shape once a pane, however many rules ask for it.

    `faults` counts exceptions of measure families.
    """

    def __init__(self, drawn: Drawn, faults: Counter[str]) -> None:
        self._drawn = drawn
        self._faults = faults
        self._first, self._last = min(drawn.times), max(drawn.times)
        self._panes: dict[float, list[Pane]] = {}
        self._states: dict[tuple[int, float, int], MeasureState | None] = {}

    def panes(self, size: float) -> Sequence[Pane]:
        """The panes of so many seconds with events in them, in the order of their first events."""
        if size not in self._panes:
            self._panes[size] = self._cut(size)
        return self._panes[size]

    def _cut(self, size: float) -> list[Pane]:
        times, index = self._drawn.times, pane_of(self._first, size)
        if self._first == self._last or index == pane_of(self._last, size):
            return [Pane(index, 0.0, None, times, self._last)]
        places: dict[int, list[int]] = {}
        for place, at in enumerate(times):
            places.setdefault(pane_of(at, size), []).append(place)
        by_pane = [(index, own, [times[place] for place in own]) for index, own in places.items()]
        return [Pane(index, size, own, some, max(some)) for index, own, some in by_pane]

    def state(self, place: int, pane: Pane) -> MeasureState | None:
        """The aggregate of a pane's events by the shape at this place; None when the family failed."""
        key = (place, pane.size, pane.number if pane.size else 0)
        if key not in self._states:
            self._states[key] = self._fold(self._drawn.shapes[place], self._drawn.columns[place], pane)
        return self._states[key]

    def _fold(self, shape: Shape, column: list[object] | None, pane: Pane) -> MeasureState | None:
        if column is None:
            self._faults[shape.measure.agg] += 1
            return None
        try:
            values = column if pane.places is None else [column[place] for place in pane.places]
            return shape.family.fold(values, pane.times, shape.measure.options)
        except Exception:  # as above
            self._faults[shape.measure.agg] += 1
            return None
