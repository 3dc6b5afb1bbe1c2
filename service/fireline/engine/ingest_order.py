"""The order of a recording: where it must be cut, so that no verdict on it depends on where a batch ends."""

from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

from fireline.domain.events import Row
from fireline.domain.windows import pane_of

Span = tuple[float, float] | None
"""The lowest and the highest event time of one record; None of a record without events."""


_at = itemgetter(1)


def in_order(rows: Sequence[Row | None], newest: float) -> bool:
    """Whether no event is older than one before it, so that nothing need be cut; most recordings are so.

    False also where that cannot be told at a glance. `newest` is the highest event time before them.
    """
    if None in rows:
        return False
    times = list(map(_at, rows))  # type: ignore[arg-type]  # none of it is None
    return not times or (times[0] >= newest and times == sorted(times))


def in_turn(spans: Sequence[Span], newest: float, panes: Collection[float]) -> Iterator[slice]:
    """The runs of records to hand on one by one; `newest` is the highest event time before them.

    Where time passes by the events, a pane is judged once an event lies beyond it. An event that then still comes for
    it must not be seen by that judgement, in whatever batch it comes: a run ends before it. Events in order, to within
    a pane, are one run. `panes` are the sizes of the rules' panes, in seconds.
    """
    start = 0
    for place, span in enumerate(spans):
        if span is None:
            continue
        first, last = span
        if first < newest and place > start and any(pane_of(first, size) < pane_of(newest, size) for size in panes):
            yield slice(start, place)
            start = place
        newest = max(newest, last)
    yield slice(start, len(spans))
