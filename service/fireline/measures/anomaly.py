"""`anomaly`: how unusual a value is beside the same hour of earlier days or weeks, or beside the stretches just
before.

The value is a `stat` of the field over the measure's window. It is compared with the same stat over `periods` earlier
stretches of the same length: with `period: 1d` those that ended one, two, three days ago and so on, with `period: 1w`
weeks ago; without a period those that lie just before the window, one after the other. With `beside: 1` the stretches
before and after each of them are taken too: three times as many, where the hour changes little from one to the next.
`count` counts the events that have the field, whatever it holds.

Unit: spreads. The score is (x - m) / s, with m the median of the earlier values. With `spread: mad` s is 1.4826 * b *
MAD, MAD being the median of |h - m| over the earlier values h, 1.4826 what makes it the standard deviation of
normally distributed ones, and b the correction for few of them (Croux and Rousseeuw, COMPSTAT 1992; 1.14 of seven);
incidents among the earlier values do not hide a new one. With `spread: deviation` s is the root of the sum of (h -
m)^2 by one less than there are: for values that are alike but for peaks, of which the MAD is next to nothing, so that
every peak is an anomaly. s is never less than `least_spread`, nor than `least_share` of |m|, so that what hardly ever
changes may change a little. 0 is as usual, above 0 higher, below 0 lower; scores beyond 1000 are told as 1000. None
when the window has no value, and until 3 of the earlier stretches have one: with `period: 1w` that takes three weeks.

Error: that of its stat (a quantile is within 1 %). The newest pane is still filling, so count and sum read low by up
to its share of the window. Few earlier values tell little of a spread: of plain normal noise the score is beyond 5 in
2 % of windows and beyond 10 in 0.3 % with seven of them, beyond 5 in 0.1 % with twenty. So set thresholds of 8 or
more, or a `for`, or take more stretches. Holidays and other days that are unlike the same hour of yesterday are
anomalies to it, and a trend is one all the time. Without a period, what lasts as long as half of the stretches is the
new normal; with one, what lasts for half of the periods is.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fireline.domain.ranges import Range
from fireline.domain.windows import Lookback, MeasureState
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration
from fireline.measures.stat import Stat, value_of

EXAMPLE = """
measures:
  unusual: {agg: anomaly, stat: sum, of: value, window: 1h, period: 1w, periods: 5}
"""

_PERIODS = 7
_LEAST = 3
_SHARE = 0.01
_MOST = 1000.0
_NORMAL = 1.4826
_FEW = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)


class Options(BaseModel):
    """What is compared, and with what."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stat: Literal["avg", "sum", "count", "min", "max", "last", "quantile"] = Field(
        default="avg", description="what is told of the field over a window"
    )
    q: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile, with `stat: quantile`")
    period: PositiveDuration | None = Field(
        default=None, description="how far apart the stretches are, such as `1d` or `1w`; by itself they adjoin"
    )
    periods: int = Field(default=_PERIODS, ge=_LEAST, le=60, description="how many earlier stretches")
    beside: int = Field(
        default=0, ge=0, le=5, description="how many stretches before and after each of them are taken too"
    )
    spread: Literal["mad", "deviation"] = Field(
        default="mad", description="by the median distance, or by the standard deviation"
    )
    least_spread: float = Field(
        default=0.0, ge=0.0, allow_inf_nan=False, description="the least spread, in the unit of the field"
    )
    least_share: float = Field(default=_SHARE, ge=0.0, le=1.0, description="the least spread, as a share of the median")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.beside and self.period is None:
            raise ValueError("`beside` needs a `period`: without one the stretches adjoin; such as `period: 1d`")
        return self


class Anomaly(Stat):
    """The stat of the window beside that of earlier stretches."""

    name = "anomaly"
    range = Range(-_MOST, _MOST)
    settings: type = Options

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The earlier stretches, the latest first."""
        apart, beside = option(options, "period", window), int(option(options, "beside", 0))
        backs = range(1, int(option(options, "periods", _PERIODS)) + 1)
        offsets = (apart * back + window * step for back in backs for step in range(-beside, beside + 1))
        return [Lookback(window, offset) for offset in offsets if offset >= window]  # none may share in the window

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """The score."""
        now = value_of(state, window, options)
        found = (value_of(other, window, options) for other in others if other is not None)
        earlier = [value for value in found if value is not None]
        if now is None or len(earlier) < _LEAST:
            return None
        least = option(options, "least_spread", 0.0), option(options, "least_share", _SHARE)
        return score(now, earlier, *least, robust=options.get("spread") != "deviation")


def score(
    now: float,
    earlier: Sequence[float],
    least_spread: float = 0.0,
    least_share: float = _SHARE,
    *,
    robust: bool = True,
) -> float:
    """By how many spreads `now` is above the median of at least two `earlier` values; see the formula above."""
    middle = median(earlier)
    spread = _robust(earlier, middle) if robust else _deviation(earlier, middle)
    spread = max(spread, least_spread, least_share * abs(middle))
    distance = now - middle
    if abs(distance) >= _MOST * spread:
        return math.copysign(_MOST, distance) if distance else 0.0
    return distance / spread


def _robust(earlier: Sequence[float], middle: float) -> float:
    few = _FEW[len(earlier)] if len(earlier) < len(_FEW) else len(earlier) / (len(earlier) - 0.8)
    return _NORMAL * few * median(abs(value - middle) for value in earlier)


def _deviation(earlier: Sequence[float], middle: float) -> float:
    return math.hypot(*(value - middle for value in earlier)) / math.sqrt(len(earlier) - 1)
