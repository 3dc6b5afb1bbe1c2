"""`spend_rate`: how many times as fast as it may a budget of money (or of tokens, of anything) is spent.

`amount` may be spent in every `per`; the field `of` says what an event cost. A rate of 1 spends exactly the budget.
A window that is not filled yet counts as one in which nothing was spent before.

Unit: the sum of the field over the part of the budget that is the window's. None when no event of the window has a
number in the field. Error: the sum is correctly rounded (see `sum`), and so is the quotient.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.windows import MeasureState
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration
from fireline.measures.sum import Sum

EXAMPLE = """
measures:
  spending: {agg: spend_rate, of: cost_usd, amount: 500, per: 30d}
"""


class Options(BaseModel):
    """The settings of `spend_rate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    amount: float = Field(gt=0, description="how much may be spent, in the field's unit")
    per: PositiveDuration = Field(description="in how long, such as 30d")


class SpendRate(Sum):
    """The exact sum of a field, read as a share of what may be spent."""

    name = "spend_rate"
    settings: type = Options

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The sum over the window's part of the budget."""
        spent = super().read(state, window, options)
        allowed = option(options, "amount", 1.0) * window / option(options, "per", 1.0)
        return None if spent is None else spent / allowed
