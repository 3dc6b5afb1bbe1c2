"""`rate`: how many events matched, a second.

Unit: events per second over the whole window. The newest pane is still filling, so it may read low by up to one pane's
share. Value when the window holds none: 0 (see `count`). Error: none.
"""

from collections.abc import Mapping

from fireline.domain.ranges import AMOUNT
from fireline.domain.windows import MeasureState
from fireline.measures.count import Count

EXAMPLE = """
measures:
  per_second: {agg: rate}
"""


class Rate(Count):
    """Counts events and divides by the window."""

    name = "rate"
    range = AMOUNT

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """Events a second."""
        assert isinstance(state, int)
        return state / window
