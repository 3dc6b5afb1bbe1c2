"""What measures find in the stretches that they read apart from the rule's window."""

from dataclasses import dataclass, field
from functools import cache

from fireline.domain.windows import Ages, Compares, Family, MeasureState, TellsChange
from fireline.engine.partials import Cell
from fireline.engine.windows import Series
from fireline.engine.windows_stretches import Look, Stretch

Pair = tuple[Cell | None, Cell | None]
"""The cell of an entity and that of the pool of no entity."""


def merged(family: Family, own: MeasureState | None, shared: MeasureState | None) -> MeasureState:
    """The state of a measure from the entity's own half and that of no entity."""
    if shared is None or not family.streams:
        return family.fold([], [], {}) if own is None else own
    return shared if own is None else family.merge(own, shared)


@cache
def _tells(family: type[Family]) -> bool:
    return issubclass(family, TellsChange)


@dataclass(slots=True)
class Past:
    """The stretches of one entity at one newest pane.

    `whole` is what measures without a stretch of their own read, over `lasted` seconds where that is not the rule's
    window; `floor` is the first pane that stretches without an offset may reach (a watch looks at what came after).
    """

    series: Series
    pool: Series | None
    newest: int
    since: int | None
    whole: Pair
    floor: int | None = None
    lasted: float | None = None
    longest: float | None = None
    _pairs: dict[Stretch, Pair] = field(default_factory=dict)

    def state(self, place: int, stretch: Stretch | None) -> MeasureState | None:
        """A measure's state over a stretch; None where nothing is known of it."""
        family = self.series.families[place]
        past = stretch is not None and stretch.back > 0
        if stretch is not None and not stretch.known(self.newest, self.since):
            return None
        cell, shared = self.whole if stretch is None else self._pair(stretch)
        own = None if cell is None else cell.states[place]
        other = None if shared is None else shared.states[place]
        return None if past and own is None and other is None else merged(family, own, other)

    def _pair(self, stretch: Stretch) -> Pair:
        if stretch not in self._pairs:
            shared = self._cell(self.pool, stretch) if self.pool is not None else None
            self._pairs[stretch] = self._cell(self.series, stretch), shared
        return self._pairs[stretch]

    def _cell(self, series: Series, stretch: Stretch) -> Cell | None:
        if self.floor is None or stretch.back > 0:
            return series.stretch(stretch, self.newest)
        return series.total(max(self.floor, stretch.first(self.newest)), self.newest)

    def seconds(self, look: Look) -> float:
        """How long the stretch is that the measure reads."""
        if look.own is None:
            return look.window if self.lasted is None else self.lasted
        return look.window if self.longest is None or look.own.back > 0 else min(look.window, self.longest)

    def value(self, place: int, look: Look, state: MeasureState) -> float | None:
        """What a measure reads, or finds when it compares."""
        family, options = self.series.families[place], self.series.rule.measures[place].options
        if look.compares and isinstance(family, Compares):
            others = [self.state(place, stretch) for stretch in look.others]
            return family.compare(state, others, self.seconds(look), options)
        if look.ages and isinstance(family, Ages):
            last = self.newest if look.own is None else look.own.last(self.newest)
            return family.age(state, last * self.series.rule.pane, options)
        return family.read(state, self.seconds(look), options)

    def change(self, place: int, look: Look, state: MeasureState) -> str | None:
        """What a measure says is different from what it compares with."""
        family, options = self.series.families[place], self.series.rule.measures[place].options
        if not _tells(type(family)) or not isinstance(family, TellsChange):
            return None
        others = [self.state(place, stretch) for stretch in look.others]
        return family.change(state, others, self.seconds(look), options)

    def lacks(self, look: Look) -> bool:
        """Whether the rule has not been read for as long as the measure looks back."""
        stretches = look.others if look.own is None else (look.own, *look.others)
        return not all(stretch.known(self.newest, self.since) for stretch in stretches)
