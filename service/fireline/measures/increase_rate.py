"""`increase_rate`: how fast counters grow: what they gained in the window, a second; a counter that began anew
counts from zero.

Unit: the field's, a second of the window. It reads what `increase` reads, in the same way, and divides by the
window: use it for requests, tokens or errors a second from counters, and `rate` for events that are counted one by
one. None when no event of the window has a number in the field, nor while there is but one point of each series.

Error: that of `increase`: of cumulative points, what a series gained before its first one in the window is missing,
so it reads low by at most the share of one export interval in the window. With more than 64 series an entity it is
an estimate from a sample of them, and the signal says so. The state is that of `increase`.
"""

from collections.abc import Mapping

from fireline.domain.windows import MeasureState
from fireline.measures.increase import Increase

EXAMPLE = """
measures:
  tokens_a_second: {agg: increase_rate, of: value, where: {name: gen_ai.client.token.usage}}
"""


class IncreaseRate(Increase):
    """Divides the increase by the window."""

    name = "increase_rate"

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The increase a second."""
        gained = super().read(state, window, options)
        return None if gained is None else gained / window
