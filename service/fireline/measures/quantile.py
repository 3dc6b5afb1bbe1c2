"""`quantile`: the q-quantile of a field, such as the 99th percentile of a latency.

Unit: the field's. None when no event of the window has a number in the field. Error: at most 1 % of the value, at any
q and for any distribution; q = 0 and q = 1 are exact. Numbers beyond 1e150 are left out.

A sketch of logarithmic buckets after DDSketch (Masson, Rim, Lee, PVLDB 12, 2019): bucket borders grow by the factor
2^(1/35) = 1.0200, so the middle of a bucket is within 1 % of all that it holds. Buckets are found by comparing the
mantissa with a table, in the same way for one number and for a NumPy array, so a batch gives exactly the buckets that
its events give one by one: merging is adding counts, and no verdict depends on how events were batched.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import field_column, numbers, option

EXAMPLE = """
measures:
  p99: {agg: quantile, q: 0.99, of: value}
"""

_PER_OCTAVE = 35
_BORDERS = [0.5 * 2.0 ** (k / _PER_OCTAVE) for k in range(_PER_OCTAVE)]
_BORDER_ARRAY = np.array(_BORDERS)
_FACTOR = 2.0 ** (1 / _PER_OCTAVE)
_SHIFT = 1100  # above the lowest exponent of a double, so that every bucket of a positive number is above zero
_BATCH = 48  # from about this many numbers on, NumPy is faster


class Options(BaseModel):
    """`q` is between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    q: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile; 0.5 is the median")


def _bucket(value: float) -> int:
    """0 for zero; else the place of its bucket, with the sign of the number."""
    if value == 0:
        return 0
    mantissa, exponent = math.frexp(abs(value))
    place = (exponent + _SHIFT) * _PER_OCTAVE + bisect_right(_BORDERS, mantissa)
    return place if value > 0 else -place


def _buckets(clean: list[float]) -> dict[str, int]:
    if len(clean) < _BATCH:
        found: dict[str, int] = {}
        for value in clean:
            place = str(_bucket(value))
            found[place] = found.get(place, 0) + 1
        return found
    array = np.array(clean, dtype=np.float64)
    mantissa, exponent = np.frexp(np.abs(array))
    places = (exponent.astype(np.int64) + _SHIFT) * _PER_OCTAVE + np.searchsorted(_BORDER_ARRAY, mantissa, side="right")
    signed, counts = np.unique(places * np.sign(array).astype(np.int64), return_counts=True)
    return {str(p): n for p, n in zip(signed.tolist(), counts.tolist(), strict=True)}


def _middle(place: int) -> float:
    """The number whose relative distance to both borders of a bucket is the same."""
    if place == 0:
        return 0.0
    exponent, step = divmod(abs(place) - 1, _PER_OCTAVE)
    low = math.ldexp(_BORDERS[step], exponent - _SHIFT)
    return math.copysign(low * 2.0 * _FACTOR / (1.0 + _FACTOR), place)


class Quantile:
    """Counts by bucket, and extremes; the state is `{"b": {bucket: count}, "min": x, "max": y}`, `{}` when empty."""

    name = "quantile"
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the numbers by bucket."""
        clean = numbers(values)
        if not clean:
            return {}
        return {"b": _buckets(clean), "min": min(clean) + 0.0, "max": max(clean) + 0.0}

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        if not left or not right:
            return left or right
        small, large = sorted((left["b"], right["b"]), key=len)
        buckets = dict(large)
        for place, n in small.items():
            buckets[place] = buckets.get(place, 0) + n
        return {"b": buckets, "min": min(left["min"], right["min"]), "max": max(left["max"], right["max"])}

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number at rank q * (n - 1), rounded down."""
        assert isinstance(state, dict)
        if not state:
            return None
        q, low, high = option(options, "q", 0.5), float(state["min"]), float(state["max"])
        if q <= 0.0 or q >= 1.0:
            return low if q <= 0.0 else high
        places = sorted((int(place), n) for place, n in state["b"].items())
        rank = math.floor(q * (sum(n for _, n in places) - 1))
        for place, n in places:
            rank -= n
            if rank < 0:
                return min(high, max(low, _middle(place)))
        return high
