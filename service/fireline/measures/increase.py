"""`increase`: what counters gained in the window, for sums of OpenTelemetry and counts and sums of its histograms.

Unit: the field's. Delta points are added up, and so are events that do not say a temporality. Of cumulative points
(OpenTelemetry's default) it is the last of each series less the first; a counter that began anew counts from zero. None
when no event of the window has a number in the field. The window should span several exports of a cumulative counter.
Of a histogram, write `of: count` or `of: sum`: its `value` is a mean and has no increase. Nor has a cumulative sum that
may fall (`monotonic: false`); use `last`.

Error: for delta points that of one rounded sum. For cumulative points what a series gained between the start of the
window and its first point in it is missing: up to one export interval. With more than 64 series an entity it is an
estimate from a sample of them, and the signal says so.
"""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind, field_of
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions, numbers
from fireline.measures.cumulative import Kept, kept_of, key_of, put, sampled, spans, union
from fireline.measures.exact import expand, total

EXAMPLE = """
measures:
  cost: {agg: increase, of: value, where: {name: app.gen_ai.cost}}
"""


class Increase:
    """Exact sums of deltas, and series; the state is `{"d": [n, parts...], "c": series, "level": sampled}`."""

    name = "increase"
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(series or "", number)` of every event that has one."""
        return [_given(row, measure.of or "value") for row in rows]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Add deltas, and keep first and last points."""
        deltas: list[float] = []
        kept: Kept = {}
        for value, at in zip(values, times, strict=True):
            if isinstance(value, tuple):
                key, number = value
                if key:
                    put(kept, key, [at, number + 0.0])
                else:
                    deltas.append(number)
        return _state([len(deltas), *expand(deltas)], 0, kept)

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both sums, and keep the outer points."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        mine, other = left["d"], right["d"]
        deltas = [mine[0] + other[0], *expand(mine[1:] + other[1:])]
        return _state(deltas, max(left["level"], right["level"]), union(kept_of(left), kept_of(right)))

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The sum of what all gained."""
        assert isinstance(state, dict)
        if not state["d"][0] and not state["c"]:
            return None
        gains = [_gain(first, last) * 2.0 ** state["level"] for first, last in spans(kept_of(state), window)]
        return total(expand([*state["d"][1:], *gains]))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether it is estimated from a sample."""
        assert isinstance(state, dict)
        return f"is an estimate from 1 in {2 ** state['level']} of its series" if state["level"] else None


def _given(row: Fields, name: str) -> tuple[str, float] | None:
    """Nothing of a histogram's mean, and nothing of a cumulative sum that may fall: neither of them is a counter."""
    number = numbers([field_of(row, name)])
    key = key_of(row) if row.get("temporality") == "cumulative" else ""
    if not number or key is None or (key and row.get("monotonic") is False):
        return None
    return None if name == "value" and "count" in row else (key, number[0])


def _state(deltas: list[float], level: int, kept: Kept) -> MeasureState:
    level, kept = sampled(level, kept)
    return {"d": deltas, "level": level, "c": kept}


def _gain(first: Sequence[object] | None, last: Sequence[object]) -> float:
    """What a series gained; one that fell without a new start began anew, unseen."""
    high = last[1]
    low = first[1] if first is not None else 0.0
    assert isinstance(high, int | float)
    assert isinstance(low, int | float)
    return high - low if high >= low else float(high)
