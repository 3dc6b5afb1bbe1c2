"""`count`: how many events matched.

Unit: events. Value when the window holds none: 0, because nothing was counted; `min_samples` is what keeps an empty
window from being judged. Error: none.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from fireline.domain.events import Kind
from fireline.domain.ranges import COUNTED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions

EXAMPLE = """
measures:
  n: {agg: count}
"""


class Count:
    """Counts events."""

    name = "count"
    range = COUNTED
    streams: tuple[Kind, ...] = ()
    needs = ""
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """Nothing of them: that they came is what counts."""
        return [True] * len(rows)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Their number."""
        return len(values)

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The sum."""
        assert isinstance(left, int)
        assert isinstance(right, int)
        return left + right

    def merge_all(self, states: Sequence[MeasureState]) -> MeasureState:
        """The sum."""
        return sum(cast("Sequence[int]", states))

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number as a float."""
        assert isinstance(state, int)
        return float(state)
