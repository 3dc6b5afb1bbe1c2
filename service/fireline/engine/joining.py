"""Joining: several aggregates of the same measures into one.

A window of an entity is made of many small cells where there are many entities, so all of them are joined at once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, reduce

from fireline.domain.windows import Family, MeasureState, MergesMany
from fireline.engine.partials import Cell

Join = Callable[[Sequence[Cell]], Cell]
"""The aggregate of the events of all cells, of which there is at least one; none is changed."""

_Merge = Callable[[Sequence[MeasureState]], MeasureState]


@lru_cache(maxsize=4096)  # all entities of a rule share one
def joiner(families: tuple[Family, ...]) -> Join:
    """How cells of measures of these families are joined."""
    merges = tuple(map(_merge_of, families))

    def join(cells: Sequence[Cell]) -> Cell:
        if len(cells) == 1:
            return cells[0]
        samples, lates, times, columns = zip(*cells, strict=True)
        states = [_merged(merge, column) for merge, column in zip(merges, zip(*columns, strict=True), strict=False)]
        return Cell(sum(samples), sum(lates), max(times), tuple(states))

    return join


def _merge_of(family: Family) -> _Merge:
    if _merges_many(type(family)) and isinstance(family, MergesMany):
        return family.merge_all
    return lambda states: reduce(family.merge, states)


@cache
def _merges_many(family: type[Family]) -> bool:
    return issubclass(family, MergesMany)


def _merged(merge: _Merge, states: Sequence[MeasureState | None]) -> MeasureState | None:
    """Merge the states of one measure; None is nothing yet."""
    known = [state for state in states if state is not None]
    return merge(known) if len(known) > 1 else known[0] if known else None


def joined(join: Join, cells: Iterable[Cell | None]) -> Cell | None:
    """The aggregate of those that there are; None of none."""
    known = [cell for cell in cells if cell is not None]
    return join(known) if known else None
