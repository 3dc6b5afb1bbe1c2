"""What `min` and `max` share: the state is the number itself, None before the first."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.ranges import REPORTED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import NoOptions, field_column, numbers


class Extreme(ABC):
    """One end of a field's range; `_pick` chooses the end."""

    name = ""
    range = REPORTED
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = NoOptions

    @abstractmethod
    def _pick(self, clean: list[float]) -> float: ...

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """The extreme of the numbers."""
        clean = numbers(values)
        return self._pick(clean) + 0.0 if clean else None  # + 0.0: of two zeros, the one without a sign

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The extreme of both."""
        return self.merge_all((left, right))

    def merge_all(self, states: Sequence[MeasureState]) -> MeasureState:
        """The extreme of all."""
        known = [s for s in states if isinstance(s, int | float)]
        return self._pick(known) if known else None

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The number."""
        return float(state) if isinstance(state, int | float) else None
