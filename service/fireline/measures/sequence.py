"""`sequence`: how many events followed another one closely enough: `first`, and then `then` within `within`.

Both are conditions over the fields of one event. An event that fulfils `then` counts once when one that fulfils `first`
came before it, at most `within` earlier, whatever came in between; also when that one lies before the window. Events at
the same millisecond follow one another in no order, and an event does not follow itself.

Unit: events. 0 when there is none. Error: none up to 512 different milliseconds of either kind in the window; beyond
that times are kept in slots of 2, 4, 8 ... milliseconds, as long as it takes: what lies nearer to `within`, or to one
another, than a slot may count either way, and alerts say how long a slot is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.expressions import Condition, EvaluationFault
from fireline.domain.ranges import COUNTED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, Lookback, MeasureState
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration

EXAMPLE = """
measures:
  retried: {agg: sequence, first: "error != ''", then: "error == '' && attempt > 1", within: 30s}
"""

MOST = 512


class Options(BaseModel):
    """The settings of `sequence`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    first: str = Field(description="a CEL condition over the fields of one event: what comes first")
    then: str = Field(description="a CEL condition over the fields of one event: what is counted when it follows")
    within: PositiveDuration = Field(description="how soon after it")


class _State(NamedTuple):
    """Slots of 2^level milliseconds: those with a first event, and how many events that may follow each has."""

    level: int
    firsts: frozenset[int]
    thens: Mapping[int, int]


def _coarse(level: int, state: _State) -> _State:
    """The same in slots of a higher level."""
    by = level - state.level
    thens: dict[int, int] = {}
    for slot, count in state.thens.items():
        thens[slot >> by] = thens.get(slot >> by, 0) + count
    return _State(level, frozenset(slot >> by for slot in state.firsts), thens)


def _bounded(state: _State) -> _State:
    """In the finest slots of which there are not too many; so it depends on the events alone, not on how they came."""
    while len(state.firsts) > MOST or len(state.thens) > MOST:
        state = _coarse(state.level + 1, state)
    return state


def _written(state: _State) -> MeasureState:
    return [state.level, sorted(state.firsts), [list(pair) for pair in sorted(state.thens.items())]]


def _read(state: MeasureState) -> _State:
    assert isinstance(state, list)
    level, firsts, thens = state
    return _State(level, frozenset(firsts), dict(thens))


def _joined(left: _State, right: _State) -> _State:
    level = max(left.level, right.level)
    left, right = _coarse(level, left), _coarse(level, right)
    thens = dict(left.thens)
    for slot, count in right.thens.items():
        thens[slot] = thens.get(slot, 0) + count
    return _bounded(_State(level, left.firsts | right.firsts, thens))


def _followed(level: int, firsts: Iterable[int], thens: Mapping[int, int], within: float) -> float:
    """How many of `thens` come after one of `firsts` and within so many seconds; within one slot in any order."""
    ordered, width = sorted(firsts), 2**level
    reach, nearest = int(within * 1_000 + 0.5) // width, 1 if level == 0 else 0
    count = 0
    for slot, events in thens.items():
        oldest = bisect_left(ordered, slot - reach)
        count += events if oldest < bisect_right(ordered, slot - nearest) else 0
    return float(count)


def _holds(condition: Condition | None, row: Fields) -> bool:
    if condition is None:
        return False
    try:
        return condition.holds({name: row[name] for name in condition.variables if name in row})
    except EvaluationFault:
        return False


class Sequential:
    """Times of both kinds of events; the state is `[level, [slot of a first], [[slot of a then, how many]]]`."""

    name = "sequence"
    range = COUNTED
    streams: tuple[Kind, ...] = ()
    needs = ""
    conditions = ("first", "then")
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(whether it may come first, whether it may follow)` of each event, None of one that does neither."""
        first, then = (measure.conditions.get(name) for name in self.conditions)
        told = ((_holds(first, row), _holds(then, row)) for row in rows)
        return [each if any(each) else None for each in told]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Keep the milliseconds of both."""
        firsts: set[int] = set()
        thens: dict[int, int] = {}
        for value, at in zip(values, times, strict=False):
            if isinstance(value, tuple):
                slot = round(at * 1_000)
                if value[0]:
                    firsts.add(slot)
                if value[1]:
                    thens[slot] = thens.get(slot, 0) + 1
        return _written(_bounded(_State(0, frozenset(firsts), thens)))

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Both, in slots that are as coarse as it takes for both."""
        return _written(_joined(_read(left), _read(right)))

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """How many followed."""
        return self.compare(state, [None], window, options)

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """What came before the window, as far back as something may follow it."""
        return [Lookback(option(options, "within", 0.0), window)]

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """How many of the window followed, also what came before it."""
        own = _read(state)
        before = _read(others[0]) if others and others[0] is not None else _State(own.level, frozenset(), {})
        level = max(own.level, before.level)
        own, before = _coarse(level, own), _coarse(level, before)
        return _followed(level, own.firsts | before.firsts, own.thens, option(options, "within", 0.0))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """How long a slot is, when it is longer than a millisecond."""
        level = _read(state).level
        return f"knows times to {2**level / 1_000:g} s only: there are too many events" if level else None
