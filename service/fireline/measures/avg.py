"""`avg`: the arithmetic mean of a field.

Unit: the field's. None when no event of the window has a number in the field. Error: that of one rounded sum and one
division, whatever the order of the events.
"""

from collections.abc import Mapping

from fireline.domain.ranges import CALCULATED
from fireline.domain.windows import MeasureState
from fireline.measures.exact import total
from fireline.measures.sum import Sum

EXAMPLE = """
measures:
  mean_latency: {agg: avg, of: latency_ms}
"""


class Avg(Sum):
    """An exact sum and a count."""

    name = "avg"
    range = CALCULATED

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The mean."""
        assert isinstance(state, list)
        return total(state[1:]) / state[0] if state[0] else None
