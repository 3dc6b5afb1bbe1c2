"""`age`: how long ago the newest event of the measure happened: of labels, of a batch job, of one stream among several.

The events are those of the measure, by its own `on` and `where` if it has any; `window` is how far back it looks, so
make that longer than the age that matters. Silence of the whole entity is better told by the rule's `no_data`, which
knows a dead sender and our own lag; and a rule is *unknown* with fewer than `min_samples` events of its own.

Unit: seconds, as of when the newest pane of the window began; 0 for what came since. It changes once a pane, events or
none. None when no event lies in the window: older than that, it has no age. Error: low by up to one pane, never high.
"""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.ranges import AMOUNT
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions

EXAMPLE = """
measures:
  newest_label: {agg: age, where: {source: chargebacks}, window: 2d}
"""


class Age:
    """The state is `[event time]` of the newest event, empty before the first."""

    name = "age"
    range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = ""
    settings: type = NoOptions

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """Nothing of them: when they came is what counts."""
        return [True] * len(rows)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """The latest of their times."""
        return [max(times)] if len(times) else []

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The later of both."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        return max(left, right)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """Nothing: how old something is depends on when that is asked."""
        return None

    def age(self, state: MeasureState, end: float, options: Mapping[str, object]) -> float | None:
        """Seconds from the newest event to `end`."""
        assert isinstance(state, list)
        return max(0.0, end - state[0]) if state else None
