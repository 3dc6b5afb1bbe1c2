"""`change`: by how much a number changed since the stretch just before, or since an earlier one: its rate of change.

The number is a `stat` of the field over the measure's window; `count` counts the events that have the field, whatever
it holds. It is compared with the same stat over the stretch of the same length that ended one window earlier, or
`earlier` seconds earlier: with `earlier: 1d` at the same time of yesterday. With `per: 1m` it is the change a minute,
by the time that lies between both stretches (of `stat: last` between both events); with `relative: true` the share
of what it was before, -0.3 for a fall by 30 %.

Unit: that of the stat; with `per` by that duration, with `relative` none. None when either stretch has no value, while
the rule has not been read for long enough, and with `relative` when the number was 0.

Error: that of its stat (a quantile is within 1 %). The newest pane is still filling, so count and sum read low by up
to its share of the window.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fireline.domain.ranges import CALCULATED
from fireline.domain.windows import Lookback, MeasureState
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration
from fireline.measures.stat import Stat, value_of

EXAMPLE = """
measures:
  queue_growth: {agg: change, stat: last, of: value, per: 1m}
"""


class Options(BaseModel):
    """What is compared, with when, and how it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stat: Literal["avg", "sum", "count", "min", "max", "last", "quantile"] = Field(
        default="avg", description="what is told of the field over a window"
    )
    q: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile, with `stat: quantile`")
    earlier: PositiveDuration | None = Field(
        default=None, description="how much earlier the other stretch ended; by itself one window"
    )
    per: PositiveDuration | None = Field(default=None, description="tell the change in this time, such as `1m`")
    relative: bool = Field(default=False, description="tell it as a share of what the number was")

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if self.relative and self.per is not None:
            raise ValueError("`relative` and `per` do not go together; leave one of them out")
        return self


class Change(Stat):
    """The stat of the window less that of an earlier stretch."""

    name = "change"
    range = CALCULATED
    settings: type = Options

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The earlier stretch."""
        return (Lookback(window, option(options, "earlier", window)),)

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """The change, in the unit that was asked for."""
        other = others[0]
        if other is None:
            return None
        now, before = value_of(state, window, options), value_of(other, window, options)
        if now is None or before is None:
            return None
        change = now - before
        if options.get("relative"):
            change = change / abs(before) if before else math.nan
        elif (per := option(options, "per", 0.0)) > 0.0:
            change = change * per / _apart(state, other, window, options)
        return change if math.isfinite(change) else None


def _apart(state: MeasureState, other: MeasureState, window: float, options: Mapping[str, object]) -> float:
    """Seconds between what is compared: between two events of `last`, else between the stretches."""
    if options.get("stat") == "last" and isinstance(state, list) and isinstance(other, list):
        return float(state[1][0] - other[1][0]) or math.nan
    return option(options, "earlier", window)
