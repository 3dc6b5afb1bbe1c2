"""`entropy`: how evenly a field's values spread over its categories; low when a model answers nearly always the
same.

Unit: bits: 0 when all events are of one category, 1 for two that are equally frequent, 3 for eight. With
`normalised: true` 0 to 1: the share of the highest entropy that as many categories can have (as were seen in the
window, or `classes` of them). Categories are texts, numbers and truth values, compared as labels are (1 and 1.0 are
one); events without one are left out. None when no event of the window has one.

Error: none up to 128 categories in the window (beyond rounding). Of more, 128 are told apart, chosen by a hash, and
all others count as one, so it reads low, and the signal says so; for identifiers use `distinct`. The state is below
5 kB.
"""

import math
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind
from fireline.domain.ranges import Range
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.categories import add, categories, counted, counts_in, smallest

EXAMPLE = """
measures:
  variety: {agg: entropy, of: prediction}
"""

_MOST = 128


class Options(BaseModel):
    """Bits, or a share of the highest possible."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    normalised: bool = Field(default=False, description="as a share of the highest that the categories allow")
    classes: int | None = Field(
        default=None, ge=2, description="how many categories there are, for `normalised`; by itself those of the window"
    )


class Entropy:
    """Counts by category, all events included; the state is `{"n": events, "c": {hash: count}}`."""

    name = "entropy"
    range = Range(0.0, 7.02)  # bits of one more than `_MOST` groups
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The category of every event."""
        return categories(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the events of each category."""
        counts = counted(values)
        return {"n": sum(counts.values()), "c": smallest(counts, _MOST)}

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {"n": left["n"] + right["n"], "c": add(left["c"], right["c"], _MOST)}

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The entropy."""
        groups = _groups(state)
        total = sum(groups)
        if not total:
            return None
        bits = math.fsum(many / total * math.log2(total / many) for many in groups)
        if not options.get("normalised"):
            return bits
        classes = options.get("classes")
        highest = math.log2(max(len(groups), classes if isinstance(classes, int) else 1))
        return bits / highest if highest else 0.0

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether categories were put together."""
        if len(_groups(state)) <= _MOST:
            return None
        return f"reads low: it tells {_MOST} categories apart, and takes all others for one"


def _groups(state: MeasureState) -> list[int]:
    """The number of events of each category, and of the others together."""
    assert isinstance(state, dict)
    known = list(counts_in(state).values())
    rest: int = state["n"] - sum(known)
    return [*known, rest] if rest else known
