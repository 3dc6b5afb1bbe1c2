"""`increase`: what counters gained in the window, for sums of OpenTelemetry, counts and sums of its histograms, and
counters of Prometheus' kind.

Unit: the field's. Of cumulative points (the default of OpenTelemetry, and Prometheus' kind) it is the last of each
series less the first; where a series fell or has a new start it began anew, and counts from zero. Points that say
`temporality: delta` are added up. What says neither is taken for cumulative, and for a delta where the measure says
`temporality: delta`. A series is told by its `series` and `start` (those of OpenTelemetry have them), else by all texts
of the event. None when no event of the window has a number in the field, and of cumulative series while there is but
one point of each: the window should span several exports. Of a histogram, write `of: count` or `of: sum`: its `value`
is a mean and has no increase. Nor has a cumulative sum that may fall (`monotonic: false`); use `last`.

Error: for delta points that of one rounded sum. For cumulative points what a series gained between the start of the
window and its first point in it is missing, up to one export interval: nothing is extrapolated. Of more than 16 points
of a series, those that are outermost in a slot of time are kept (8 to 16 slots in the window): of a series that began
anew without saying so, and within a slot came to more than it had been, or did so twice, something is missing. With
more than 64 series an entity it is an estimate from a sample of them, and the signal says so.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind, field_of
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import numbers
from fireline.measures.cumulative import Kept, Point, is_cumulative, joined, kept_of, key_of, sampled, spans, thinned
from fireline.measures.exact import expand, total

EXAMPLE = """
measures:
  requests: {agg: increase, of: value, where: {name: http_requests_total}}
"""


class Options(BaseModel):
    """The settings of `increase` and `increase_rate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    temporality: Literal["cumulative", "delta"] = Field(
        default="cumulative", description="what events are that do not say: all since a start, or what is new"
    )


class Increase:
    """Exact sums of deltas, and points by series; the state is `{"d": [n, parts...], "c": points, "level", "slots"}`.

    `level` says how series were sampled, `slots` how the points of a series were, of which some were left out.
    """

    name = "increase"
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(series or "", number)` of every event that has one."""
        unsaid = measure.options.get("temporality") != "delta"
        return [_given(row, measure.of or "value", unsaid) for row in rows]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Add deltas, and keep points."""
        deltas: list[float] = []
        kept: Kept = {}
        for value, at in zip(values, times, strict=True):
            if isinstance(value, tuple):
                key, number = value
                if key:
                    kept.setdefault(key, []).append([at, number + 0.0])
                else:
                    deltas.append(number)
        kept = {key: joined(points, []) for key, points in kept.items()}
        return _state([len(deltas), *expand(deltas)], 0, kept, {})

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both sums, and keep the points of both."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        mine, other = left["d"], right["d"]
        deltas = [mine[0] + other[0], *expand(mine[1:] + other[1:])]
        kept, more = kept_of(left), kept_of(right)
        both = {**kept, **more, **{key: joined(kept[key], more[key]) for key in kept.keys() & more.keys()}}
        slots, others = _slots(left), _slots(right)
        coarse = {key: max(slots.get(key, 0), others.get(key, 0)) for key in slots.keys() | others.keys()}
        return _state(deltas, max(left["level"], right["level"]), both, coarse)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The sum of what all gained."""
        assert isinstance(state, dict)
        series = list(spans(kept_of(state), window))
        known = [(began, points) for began, points in series if began or points[0] != points[-1]]
        if not state["d"][0] and not known:
            return None
        gains = [part * 2.0 ** state["level"] for began, points in known for part in _gain(began, points)]
        return total(expand([*state["d"][1:], *gains]))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether it is estimated from a sample."""
        assert isinstance(state, dict)
        return f"is an estimate from 1 in {2 ** state['level']} of its series" if state["level"] else None


def _given(row: Fields, name: str, unsaid: bool) -> tuple[str, float] | None:
    """Nothing of a histogram's mean, and nothing of a cumulative sum that may fall: neither of them is a counter."""
    number = numbers([field_of(row, name)])
    cumulative = is_cumulative(row, unsaid)
    if not number or (cumulative and row.get("monotonic") is False) or (name == "value" and "count" in row):
        return None
    return key_of(row) if cumulative else "", number[0]


def _slots(state: Mapping[str, object]) -> Mapping[str, int]:
    slots = state.get("slots", {})  # states of earlier versions have none: they kept two points
    assert isinstance(slots, dict)
    return slots


def _state(deltas: list[float], level: int, kept: Kept, slots: Mapping[str, int]) -> MeasureState:
    level, kept = sampled(level, kept)
    thin = {key: thinned(slots.get(key, 0), points) for key, points in kept.items()}
    coarse = {key: slot for key, (slot, _) in thin.items() if slot}
    return {"d": deltas, "level": level, "c": {key: points for key, (_, points) in thin.items()}, "slots": coarse}


def _gain(began: bool, points: Sequence[Point]) -> list[float]:
    """The parts of what a series gained; where it fell, it began anew at zero."""
    counted = [float(point[1]) for point in points]
    fallen = [before for before, after in pairwise(counted) if after < before]
    return [counted[-1], *([] if began else [-counted[0]]), *fallen]
