"""`sum`: the sum of a field.

Unit: the field's. None when no event of the window has a number in the field. Error: correctly rounded; sums are exact
inside (see `exact`), so the same events give the same sum however they were batched. Numbers beyond 1e150 are left out.
"""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.ranges import CALCULATED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions, field_column, numbers
from fireline.measures.exact import expand, total

EXAMPLE = """
measures:
  spend: {agg: sum, of: cost_usd}
"""


class Sum:
    """Sums a field exactly; the state is `[how many, *expansion]`."""

    name = "sum"
    range = CALCULATED
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """How many numbers there are, and their exact sum."""
        clean = numbers(values)
        return [len(clean), *expand(clean)]

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both."""
        return self.merge_all((left, right))

    def merge_all(self, states: Sequence[MeasureState]) -> MeasureState:
        """Add all."""
        number, parts = 0, list[float]()
        for state in states:
            assert isinstance(state, list)
            number += state[0]
            parts += state[1:]
        return [number, *expand(parts)]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The sum."""
        assert isinstance(state, list)
        return total(state[1:]) if state[0] else None
