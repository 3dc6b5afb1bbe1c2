"""Intervals: stretches of time as sorted lists of pairs that neither touch nor overlap; each without its end. Pure."""

from collections.abc import Iterable, Sequence

Interval = tuple[float, float]
"""From, included, and until, excluded; seconds since the epoch."""
Intervals = Sequence[Interval]


def union(*each: Iterable[Interval]) -> list[Interval]:
    """What lies in any of them, whatever their order; what touches becomes one."""
    found: list[Interval] = []
    for start, end in sorted(interval for part in each for interval in part):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def minus(of: Intervals, without: Intervals) -> list[Interval]:
    """What lies in the first and not in the second."""
    found: list[Interval] = []
    for start, end in of:
        at = start
        for other_start, other_end in without:
            if other_end <= at or other_start >= end:
                continue
            if other_start > at:
                found.append((at, other_start))
            at = max(at, other_end)
        if at < end:
            found.append((at, end))
    return found


def both(one: Intervals, other: Intervals) -> list[Interval]:
    """What lies in the one and in the other."""
    found: list[Interval] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found
