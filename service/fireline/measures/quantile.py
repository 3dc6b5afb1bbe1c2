"""`quantile`: the q-quantile of a field, such as the 99th percentile of a latency.

Unit: the field's. None when no event of the window has a number in the field. Error: at most 1 % of the value, at any
q and for any distribution; q = 0 and q = 1 are exact. Numbers beyond 1e150 are left out.

A sketch of logarithmic buckets after DDSketch (Masson, Rim, Lee, PVLDB 12, 2019): bucket borders grow by the factor
2^(1/35) = 1.0200, so the middle of a bucket is within 1 % of all that it holds. Merging is adding counts, so no verdict
depends on how events were batched.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.ranges import CALCULATED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import field_column, numbers, option
from fireline.measures.log_buckets import State, counted, merged, middle

EXAMPLE = """
measures:
  p99: {agg: quantile, q: 0.99, of: value}
"""


class Options(BaseModel):
    """`q` is between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    q: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile; 0.5 is the median")


class Quantile:
    """Both extremes, and counts by bucket in order; the state is `[min, max, bucket, count, bucket, count, ...]`."""

    name = "quantile"
    range = CALCULATED
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the numbers by bucket."""
        return counted(numbers(values))

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        return merged([_state(left), _state(right)])

    def merge_all(self, states: Sequence[MeasureState]) -> MeasureState:
        """Add the counts."""
        return merged(list(map(_state, states)))

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number at rank q * (n - 1), rounded down."""
        assert isinstance(state, list)
        if not state:
            return None
        q, low, high = option(options, "q", 0.5), float(state[0]), float(state[1])
        if q <= 0.0 or q >= 1.0:
            return low if q <= 0.0 else high
        passed = list(accumulate(state[3::2]))
        found = bisect_right(passed, math.floor(q * (passed[-1] - 1)))
        return min(high, max(low, middle(state[2 + 2 * found])))


def _state(state: MeasureState) -> State:
    assert isinstance(state, list)
    return state
