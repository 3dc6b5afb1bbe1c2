"""`min`: the smallest number of a field.

Unit: the field's. None when no event of the window has a number in the field. Error: none.
"""

from fireline.measures.extremes import Extreme

EXAMPLE = """
measures:
  least_confident: {agg: min, of: confidence}
"""


class Min(Extreme):
    """The smallest number."""

    name = "min"

    def _pick(self, clean: list[float]) -> float:
        return min(clean)
