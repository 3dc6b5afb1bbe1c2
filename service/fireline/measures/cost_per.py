"""`cost_per`: what one outcome costs: the sum of a field over all events, by the number of those that fulfil a
condition.

Unit: the field's, an outcome. With `condition` an outcome is an event that fulfils it (`error == ''`), so failed
and repeated requests make what succeeded dearer; an event for which the condition cannot be told is no outcome.
Without one, every event is an outcome: the cost of a request, with those that report no cost among the requests.
None when no event of the window has a number in the field, and when there is no outcome to divide by: put a
`ratio` beside it in the condition for that.

Error: that of one rounded sum and one division, whatever the order of the events. What events do not report is
missing from the sum; the signal says how many did not. Numbers beyond 1e150 are left out. The state is below 2 kB.
"""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.expressions import Condition
from fireline.domain.ranges import CALCULATED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions, field_column, numbers
from fireline.measures.exact import expand, total
from fireline.measures.ratio import told

EXAMPLE = """
measures:
  per_answer: {agg: cost_per, of: cost_usd, condition: "error == ''"}
"""


class CostPer:
    """An exact sum and three counts; the state is `[events, with a cost, outcomes, *expansion]`."""

    name = "cost_per"
    range = CALCULATED
    streams: tuple[Kind, ...] = ()
    needs = "of condition"
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(cost, whether it is an outcome)` of every event."""
        costs = field_column(rows, measure.of)
        return list(zip(costs, _outcomes(measure.condition, rows), strict=True))

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Sum the costs, and count."""
        pairs = [value for value in values if isinstance(value, tuple)]
        costs = numbers([cost for cost, _ in pairs])
        return [len(pairs), len(costs), sum(1 for _, outcome in pairs if outcome), *expand(costs)]

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add all."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        counts = [mine + other for mine, other in zip(left[:3], right[:3], strict=True)]
        return [*counts, *expand(left[3:] + right[3:])]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The cost of one outcome."""
        assert isinstance(state, list)
        return total(state[3:]) / state[2] if state[1] and state[2] else None

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """How many events report no cost."""
        assert isinstance(state, list)
        without = state[0] - state[1]
        return f"leaves out what {without} of {state[0]} events cost, which do not say it" if without else None


def _outcomes(condition: Condition | None, rows: Sequence[Fields]) -> list[bool]:
    if condition is None:
        return [True] * len(rows)
    names = condition.variables
    return [told(condition, names, row) is True for row in rows]
