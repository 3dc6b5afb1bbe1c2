"""`ratio`: the share of events for which a condition holds, such as the share of failed or unsure predictions.

Unit: 0 to 1. Events for which the condition cannot be told (a field is missing or of another type) are left out of both
sides. None when no event of the window could be told. Error: none.
"""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.expressions import Condition, EvaluationFault
from fireline.domain.ranges import SHARE
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions

EXAMPLE = """
measures:
  unsure: {agg: ratio, condition: "confidence < 0.6"}
"""


def told(condition: Condition, names: frozenset[str], row: Fields) -> bool | None:
    """Whether an event with these fields fulfils the condition, whose `names` it is; None where it cannot be told."""
    try:
        return condition.holds({name: row[name] for name in names if name in row})
    except EvaluationFault:
        return None


class Ratio:
    """Hits among those that could be told; the state is `[hits, told]`."""

    name = "ratio"
    range = SHARE
    streams: tuple[Kind, ...] = ()
    needs = "condition"
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """Whether the condition holds for each event, None where it cannot be told."""
        condition = measure.condition
        if condition is None:
            return [None] * len(rows)
        names = condition.variables
        return [told(condition, names, row) for row in rows]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the hits and the told."""
        hits = sum(1 for value in values if value is True)
        return [hits, hits + sum(1 for value in values if value is False)]

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        return [left[0] + right[0], left[1] + right[1]]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The share."""
        assert isinstance(state, list)
        return state[0] / state[1] if state[1] else None
