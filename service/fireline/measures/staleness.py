"""`staleness`: how old a timestamp in the event is at the time of the event: of a feature, a cached answer, an
index, the training data.

Unit: seconds, event time less the field. The `q` of it, by itself 0.95: 19 of 20 events are fresher; `q: 1` is the
oldest. The field holds seconds since the epoch, or milli-, micro- or nanoseconds (told apart by their size), or an
RFC 3339 text; a text without an offset is taken as UTC. Texts of digits, times before 1970 and other values are
left out. A time after the event gives a negative age: its producer's clock is ahead. None when no event of the
window has a time in it.

Error: at most 1 % of the age, as with `quantile`; `q: 0` and `q: 1` are exact. The state is that of `quantile`: it
grows with how far the ages are apart, below 20 kB for ages from a millisecond to a hundred years.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.windows import MeasureState
from fireline.measures.columns import option
from fireline.measures.quantile import Quantile

EXAMPLE = """
measures:
  feature_age: {agg: staleness, of: features.computed_at, q: 0.95}
"""

_Q = 0.95
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?")
_LONGEST = 40
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))  # below the first, divided by the second: seconds


class Options(BaseModel):
    """`q` is between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    q: float = Field(default=_Q, ge=0.0, le=1.0, description="which quantile of the ages; 1 is the oldest")


class Staleness(Quantile):
    """A sketch of ages, as `quantile` has it of numbers."""

    name = "staleness"
    settings: type = Options

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Put the ages in."""
        known = [(at, _instant(value)) for at, value in zip(times, values, strict=True)]
        return super().fold([at - then for at, then in known if then is not None], (), options)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The age."""
        return super().read(state, window, {"q": option(options, "q", _Q)})


def _instant(value: object) -> float | None:
    """Seconds since the epoch; None of what is no time."""
    match value:
        case bool():
            return None
        case int() | float():
            return next((value / per for below, per in _UNITS if 0 < value < below), None)
        case str() if len(value) <= _LONGEST and _RFC3339.fullmatch(value):
            return _parsed(value.upper())
        case _:
            return None


def _parsed(text: str) -> float | None:
    try:
        then = datetime.fromisoformat(text)
        seconds = (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None  # the year 1 is how some languages write that there is no time
