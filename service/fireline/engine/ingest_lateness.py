"""Lateness: which events of a batch are too late or too early to count, by their records or by what is around them."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter, itemgetter

from fireline.domain.events import Row
from fireline.engine.ingest_records import Arrived

STRETCH = 4096
"""Events of a recording are late by the newest of their stretch of so many offsets, however long its chunks are."""

Aged = list[tuple[int, float]]
"""Places of events that do not count, and by how many seconds they are late; negative: early."""

_offset, _timestamp, _at = attrgetter("offset"), attrgetter("timestamp"), itemgetter(1)


@dataclass(slots=True)
class Mark:
    """The highest event time in the stretch of offsets that was read last, in seconds since the epoch."""

    stretch: int = -1
    high: float = 0.0


def aged_live(records: Sequence[Arrived], rows: Sequence[Row], unit: float, late: float, early: float) -> Aged:
    """The events that are late or early by their own records, whose timestamps are in `unit` seconds.

    Most batches have none, which the earliest and the latest of all show; and whoever is not by the records of the
    whole batch is not by its own: only the others are looked at.
    """
    stamps, times = list(map(_timestamp, records)), list(map(_at, rows))
    oldest, newest = min(stamps) * unit, max(stamps) * unit
    if max(times) - oldest <= early and newest - min(times) <= late:
        return []
    low, high = newest - late, oldest + early
    doubtful = [place for place, at in enumerate(times) if not low <= at <= high]
    ages = [(place, stamps[place] * unit - times[place]) for place in doubtful]
    return [(place, age) for place, age in ages if not -early <= age <= late]


def aged_recorded(mark: Mark, records: Sequence[Arrived], rows: Sequence[Row], late: float, size: int) -> Aged:
    """The events of a recording that are late by the newest of their stretch so far; `mark` goes along.

    Stretches are of `size` offsets. There are as many records as rows.
    """
    found: Aged = []
    start = 0
    while start < len(rows):
        stretch = records[start].offset // size
        end = bisect_left(records, (stretch + 1) * size, start, key=_offset)
        if stretch != mark.stretch:
            mark.stretch, mark.high = stretch, 0.0
        some, before = rows[start:end], mark.high
        mark.high = max(before, *map(_at, some))
        if mark.high - min(map(_at, some)) > late:
            highs = list(accumulate(map(_at, some), max, initial=before))[1:]
            ages = [high - row[1] for high, row in zip(highs, some, strict=True)]
            found += [(start + at, age) for at, age in enumerate(ages) if age > late]
        start = end
    return found
