"""`stddev`: how widely the numbers of a field are spread around their mean.

Unit: the field's; its square with `variance: true`. By itself of the window's numbers as they are (divided by their
number); with `sample: true` it estimates the spread of what they were drawn from (divided by one less, so that a
single number has none). None when no event of the window has a number in the field.

Error: that of one rounding, however far the mean is from zero, and the same in any order of events: numbers and
their squares are summed exactly (see `exact`; squares are taken without a rest after Dekker, Numerische Mathematik
18, 1971). Numbers beyond 1e140 are left out, and those nearer to zero than 1e-140 count as zero. The state is below
4 kB.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.ranges import AMOUNT
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import field_column, numbers
from fireline.measures.exact import Expansion, expand

EXAMPLE = """
measures:
  jitter: {agg: stddev, of: latency_ms}
"""

_LARGEST = 1e140  # squares, and the rest of each, are then exact and can be summed
_SMALLEST = 1e-140
_SPLIT = 2.0**27 + 1.0


class Options(BaseModel):
    """Which of the four spreads."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    variance: bool = Field(default=False, description="the square of it: the mean squared distance from the mean")
    sample: bool = Field(default=False, description="divide by one less than there are numbers")


class Stddev:
    """Exact sums of numbers and of squares; the state is `[how many, expansion, expansion of squares]`."""

    name = "stddev"
    range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Sum the numbers, and what their squares are made of."""
        clean = list(_fit(numbers(values)))
        return [len(clean), expand(clean), expand(_squares(clean))]

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add all three."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        return [left[0] + right[0], expand(left[1] + right[1]), expand(left[2] + right[2])]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The spread."""
        assert isinstance(state, list)
        many = state[0] - (1 if options.get("sample") else 0)
        if many < 1:
            return None
        variance = float(_squared_distances(state[0], state[1], state[2]) / many)
        return variance if options.get("variance") else math.sqrt(variance)


def _fit(clean: Iterable[float]) -> Iterator[float]:
    for value in clean:
        size = abs(value)
        if size <= _LARGEST:
            yield float(value) if size >= _SMALLEST else 0.0


def _squares(clean: Iterable[float]) -> Iterator[float]:
    """The rounded square of each number, and what the rounding took from it."""
    for value in clean:
        square = value * value
        high = value * _SPLIT
        high -= high - value
        low = value - high
        yield square
        yield low * low - ((square - high * high) - 2.0 * high * low)


def _squared_distances(many: int, total: Expansion, squares: Expansion) -> Fraction:
    mean_part = sum(map(Fraction, total), Fraction(0))
    return sum(map(Fraction, squares), Fraction(0)) - mean_part * mean_part / many
