"""`histogram_quantile`: a quantile of what histograms counted, such as the 99th percentile of a latency reported by
OpenTelemetry.

Unit: the histogram's. Reads the `buckets` of metric events (`{bounds: [...], counts: [...]}`), whatever their bounds,
and adds the buckets up. Of cumulative histograms (OpenTelemetry's default) it takes what each series counted between
its first and its last point in the window, and all of a series that began in it, so the window should span several
exports. None when nothing was counted. `min_samples` counts points, not what they counted.

Between the bounds of a bucket values are taken to be spread evenly, and none beyond the least minimum and the greatest
maximum that points told of. The lowest bucket begins at zero where it ends above it and no minimum is known; in other
buckets without an end values are taken to be at the one bound.

Error: a histogram knows no more than its buckets. The signal says between which bounds the true quantile of all that
was counted surely lies, unless they are within 10 % of it. With OpenTelemetry's default bounds (0, 5, 10, 25, 50, 75,
100, 250, ... 10000) anything between 250 and 500 looks alike, and a service that measures in seconds has nearly all of
it in one bucket: use exponential histograms. Beyond 1,000 different buckets they are joined to coarser ones, and beyond
64 cumulative series an entity those are sampled; the signal says so too. Not counted are buckets with bounds beyond
1e150, and cumulative points of which more than 200 buckets hold something.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.bucket_counts import (
    Counts,
    Interval,
    add,
    bounded,
    clipped,
    counts_of,
    ends_of,
    gained,
    interpolated,
    joined,
    within,
)
from fireline.measures.bucket_counts import put as put_counts
from fireline.measures.columns import option
from fireline.measures.cumulative import Kept, is_cumulative, kept_of, key_of, put, sampled, spans, union

EXAMPLE = """
measures:
  p95: {agg: histogram_quantile, q: 0.95, where: {name: http.server.request.duration}}
"""

_NEAR = 0.1
_FEW = 2
_WIDEST = 200  # buckets of one cumulative point: two points of 64 series have to fit into a record


class Options(BaseModel):
    """`q` is between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    q: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile; 0.5 is the median")


class HistogramQuantile:
    """Counts by bucket; the state is `{"d": {"low high": n}, "coarse", "ends": [low, high], "c": series, "level"}`."""

    name = "histogram_quantile"
    streams: tuple[Kind, ...] = ()
    needs = ""
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(series or "", counts by bucket, ends)` of every event with buckets."""
        return [_given(row) for row in rows]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Add deltas up by bucket, and keep first and last points."""
        deltas: Counts = {}
        kept: Kept = {}
        ends: list[list[float]] = []
        for value, at in zip(values, times, strict=True):
            if isinstance(value, tuple):
                key, counts, own = value
                ends.append(own)
                if key:
                    put(kept, key, [at, sorted(map(list, counts.items()))])
                else:
                    put_counts(deltas, counts)
        return _state(0, deltas, 0, kept, ends)

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts, and keep the outer points."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return _state(
            max(left["coarse"], right["coarse"]),
            add(left["d"], right["d"]),
            max(left["level"], right["level"]),
            union(kept_of(left), kept_of(right)),
            [ends for ends in (left["ends"], right["ends"]) if ends],
        )

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number below which q of all lies."""
        return interpolated(counted_in(state, window), option(options, "q", 0.5))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Between which bounds the quantile lies, when they are far apart or few buckets hold anything."""
        assert isinstance(state, dict)
        counted, q = counted_in(state, window), option(options, "q", 0.5)
        value = interpolated(counted, q)
        if value is None:
            return None
        low, high = within(counted, q)
        said = []
        if len(counted) <= _FEW or high - low > _NEAR * abs(value):
            said.append(f"{_between(low, high)}: it rests on {_buckets(len(counted))}")
        if state["coarse"]:
            said.append("its buckets were too many and are joined")
        if state["level"]:
            said.append(f"it is an estimate from 1 in {2 ** state['level']} of its series")
        return "; ".join(said) or None


def _buckets(number: int) -> str:
    return f"{number} bucket{'' if number == 1 else 's'}"


def _between(low: float, high: float) -> str:
    if math.isinf(low):
        return f"is at most {high:g}" if not math.isinf(high) else "cannot be told"
    if math.isinf(high):
        return f"is at least {low:g}"
    return f"lies between {low:g} and {high:g}" if low < high else f"is {low:g}"


def _given(row: Fields) -> tuple[str, Counts, list[float]] | None:
    counts = counts_of(row.get("buckets"))
    key = key_of(row) if is_cumulative(row, unsaid=False) else ""
    if not counts or (key and len(counts) > _WIDEST):
        return None
    return key, counts, _ends(row, counts)


def _ends(row: Fields, counts: Counts) -> list[float]:
    """The least and the greatest that can have been counted; the largest doubles stand for no end."""
    ends = ends_of(counts)
    told = [row.get("min"), row.get("max")]
    chosen = [
        float(said) if isinstance(said, int | float) and not isinstance(said, bool) else end
        for said, end in zip(told, ends, strict=True)
    ]
    return [bounded(end) + 0.0 for end in chosen]


def _state(coarse: int, deltas: Counts, level: int, kept: Kept, ends: Iterable[Sequence[float]]) -> MeasureState:
    coarse, deltas = joined(coarse, deltas)
    level, kept = sampled(level, kept)
    known = list(ends)
    outer = [min(low for low, _ in known), max(high for _, high in known)] if known else []
    return {"coarse": coarse, "d": deltas, "level": level, "c": kept, "ends": outer}


def counted_in(state: MeasureState, window: float) -> list[Interval]:
    """All that was counted in the window, by bucket, within the ends."""
    assert isinstance(state, dict)
    counts: Counts = dict(state["d"])
    for began, points in spans(kept_of(state), window):
        counts = add(counts, gained(None if began else points[0], points[-1]))
    return clipped(counts, state["ends"])
