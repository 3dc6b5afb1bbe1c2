"""Stats: what families that compare one number of a stretch with another may tell of a field."""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Family, Fields, MeasureState
from fireline.measures.avg import Avg
from fireline.measures.columns import field_column
from fireline.measures.count import Count
from fireline.measures.last import Last
from fireline.measures.max import Max
from fireline.measures.min import Min
from fireline.measures.quantile import Quantile
from fireline.measures.sum import Sum

STATS: Mapping[str, Family] = {
    family.name: family for family in (Avg(), Sum(), Count(), Min(), Max(), Last(), Quantile())
}


class Stat:
    """Aggregates a field by the `stat` of its settings; the state is `[stat, its state]`, empty before the first event
    that has the field.
    """

    streams: tuple[Kind, ...] = ()
    needs = "of"

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Aggregate as the stat does."""
        given = [(value, at) for value, at in zip(values, times, strict=True) if value is not None]
        stat = STATS[str(options.get("stat", "avg"))]
        state = stat.fold([value for value, _ in given], [at for _, at in given], options)
        return [stat.name, state] if given else []

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Merge as the stat does."""
        assert isinstance(left, list)
        assert isinstance(right, list)
        if not left or not right:
            return left or right
        return [left[0], STATS[left[0]].merge(left[1], right[1])]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """Nothing: without a past there is nothing to compare with."""
        return None


def value_of(state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
    """The stat of a stretch of `window` seconds; a count of nothing is 0, and nothing else of nothing has a value."""
    assert isinstance(state, list)
    if state:
        return STATS[state[0]].read(state[1], window, options)
    return 0.0 if options.get("stat") == "count" else None
