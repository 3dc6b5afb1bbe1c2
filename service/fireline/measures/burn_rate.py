"""`burn_rate`: how many times as fast as it may the error budget of an objective is spent.

`condition` says what a good event is, `objective` how many of 100 events are to be good. A burn rate of 1 spends the
budget exactly in the objective's period, one of 14.4 spends 2 % of the budget of 30 days in an hour (The Site
Reliability Workbook, chapter 5). `slos:` writes rules of it; it may be used in any rule.

Unit: bad events among those that could be told, over the share that may be bad: 0 to 100 / (100 - objective). None when
no event of the window could be told: a field of its condition is missing or of another type, and alerts say how many
those are. Error: none; it is the correctly rounded quotient.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.ranges import AMOUNT, Range
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import option
from fireline.measures.ratio import Ratio

EXAMPLE = """
measures:
  burn: {agg: burn_rate, condition: "error == ''", objective: 99.9}
"""

_COLUMN = Ratio().column
_MANY = 64
_remembered: dict[str, tuple[Sequence[Fields], Sequence[object]]] = {}


def _column(kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
    """The column of a condition on a batch; the windows and alerts of an objective ask for the same one in turn."""
    source = measure.condition.source if measure.condition is not None else ""
    known = _remembered.get(source)
    if known is not None and known[0] is rows:
        return known[1]
    if len(_remembered) >= _MANY:
        _remembered.clear()
    found = _COLUMN(kind, rows, measure)
    _remembered[source] = rows, found
    return found


class Options(BaseModel):
    """The settings of `burn_rate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    objective: float = Field(gt=0, lt=100, description="how many of 100 events are to be good, such as 99.9")


@cache
def _allowed(objective: float) -> tuple[int, int]:
    """The share that may be bad, as a fraction of the decimal number that was written."""
    share = 1 - Fraction(str(objective)) / 100
    return share.numerator, share.denominator


class BurnRate:
    """Counts bad events, those that could be told, and the others; the state is `[bad, told, untold]`."""

    name = "burn_rate"
    range: Range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = "condition"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """Whether each event is good, None where it cannot be told."""
        return _column(kind, rows, measure)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the bad, the told and the untold."""
        bad = sum(1 for value in values if value is False)
        told = bad + sum(1 for value in values if value is True)
        return [bad, told, len(values) - told]

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        return [left[0] + right[0], left[1] + right[1], left[2] + right[2]]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The bad share over the share that may be bad."""
        assert isinstance(state, list)
        bad, told, _ = state
        over, under = _allowed(option(options, "objective", 99.9))
        return bad * under / (told * over) if told else None

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Which share of the events could not be told, when it is 1 % or more."""
        assert isinstance(state, list)
        _, told, untold = state
        share = 100 * untold / (told + untold) if untold else 0.0
        return f"leaves out {share:.0f} % of the events: whether they are good cannot be told" if share >= 1 else None
