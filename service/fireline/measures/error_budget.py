"""`error_budget`: which share of an objective's error budget is left, over the window as the objective's period.

`condition` says what a good event is, `objective` how many of 100 events are to be good. The budget is the events of
the window that may be bad. 1 is a budget that nothing was taken of, 0 one that is spent, and below 0 the objective is
missed.

Unit: a share, 1 - burn rate over the window. None when no event of the window could be told (see `burn_rate`).
Error: that of one rounding.
"""

from collections.abc import Mapping

from fireline.domain.ranges import Range
from fireline.domain.windows import MeasureState
from fireline.measures.burn_rate import BurnRate

EXAMPLE = """
measures:
  budget_left: {agg: error_budget, condition: "error == ''", objective: 99.9}
"""


class ErrorBudget(BurnRate):
    """The same counts as those of a burn rate, read as what they leave."""

    name = "error_budget"
    range = Range(most=1.0)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The share that is left."""
        burnt = super().read(state, window, options)
        return None if burnt is None else 1.0 - burnt
