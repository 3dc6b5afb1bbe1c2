"""`max`: the largest number of a field.

Unit: the field's. None when no event of the window has a number in the field. Error: none.
"""

from fireline.measures.extremes import Extreme

EXAMPLE = """
measures:
  slowest: {agg: max, of: latency_ms}
"""


class Max(Extreme):
    """The largest number."""

    name = "max"

    def _pick(self, clean: list[float]) -> float:
        return max(clean)
