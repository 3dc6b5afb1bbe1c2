"""`last`: the number with the latest event time, for gauges such as a queue length.

Unit: the field's. None when no event of the window has a number in the field. Of several at the same instant it is the
largest, so that the answer does not depend on the order of arrival. Error: none.
"""

from collections.abc import Iterable, Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.ranges import REPORTED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions, field_column, numbers

EXAMPLE = """
measures:
  queued: {agg: last, of: value}
"""


class Last:
    """The latest number; the state is `[event time, number]`, empty before the first."""

    name = "last"
    range = REPORTED
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """The pair with the latest time that has a number."""
        clean = numbers(values)
        if len(clean) == len(values):
            return _latest(zip(times, clean, strict=True))
        return _latest((at, kept[0]) for at, value in zip(times, values, strict=True) if (kept := numbers([value])))

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The later of both."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        return max(left, right)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number."""
        assert isinstance(state, list)
        return float(state[1]) if state else None


def _latest(pairs: Iterable[tuple[float, float]]) -> list[float]:
    """As floats: JSON writes no whole number beyond 64 bits."""
    return [float(part) for part in max(pairs, default=())]
