"""Buckets of histograms as exact counts by interval, and what can be told of a quantile of what they counted.

An interval is written `"low high"`, both as shortest decimal numbers, and holds values above low up to high; where both
are equal it holds exactly that number. Counts of histograms with other bounds are added interval by interval, so adding
is exact, in any order; intervals may overlap.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from fireline.measures.columns import numbers

Counts = dict[str, int]
Interval = tuple[float, float, int]
"""`(low, high, count)`."""

MOST = 1000
"""So many intervals are kept apart; see `joined`."""

_LARGEST = sys.float_info.max
_MANY = 2**53  # of one bucket of one event
_ALL = 2**63 - 1  # what JSON can write; more than that are as many


def counts_of(buckets: object) -> Counts | None:
    """The buckets of an event that hold something; None of what is no `{"bounds": [...], "counts": [...]}`."""
    if not isinstance(buckets, Mapping):
        return None
    bounds, counts = buckets.get("bounds"), buckets.get("counts")
    if not isinstance(bounds, list) or not isinstance(counts, list) or len(counts) != len(bounds) + 1:
        return None
    if not all(type(n) is int and 0 <= n <= _MANY for n in counts) or len(numbers(bounds)) < len(bounds):
        return None
    names = _names(tuple(map(float, bounds)))
    found: Counts = {}
    for name, n in zip(names, counts, strict=False):
        if n:
            found[name] = found.get(name, 0) + n
    return found if names else None


@lru_cache(maxsize=512)
def _names(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """The intervals between bounds; none when the bounds do not rise."""
    edges = [-math.inf, *(bound + 0.0 for bound in bounds), math.inf]
    if any(not low <= high for low, high in pairwise(edges)):
        return ()
    return tuple(f"{low!r} {high!r}" for low, high in pairwise(edges))


def add(left: Mapping[str, int], right: Mapping[str, int]) -> Counts:
    """The counts of both."""
    both = dict(left)
    put(both, right)
    return both


def put(counts: Counts, more: Mapping[str, int]) -> None:
    """Add to `counts`, which are changed."""
    for name, n in more.items():
        counts[name] = min(counts.get(name, 0) + n, _ALL)


def intervals_of(counts: Iterable[tuple[str, int]]) -> list[Interval]:
    """Counts as numbers, from the lowest interval on."""
    return sorted([(*_ends(name), n) for name, n in counts])


@lru_cache(maxsize=8192)
def _ends(name: str) -> tuple[float, float]:
    low, high = name.split(" ")
    return float(low), float(high)


def ends_of(counts: Iterable[str]) -> tuple[float, float]:
    """The lowest and the highest end of some intervals."""
    ends = [_ends(name) for name in counts]
    return min(low for low, _ in ends), max(high for _, high in ends)


def gained(first: Sequence[object] | None, last: Sequence[object]) -> Counts:
    """What a cumulative series counted between two points `[time, [[interval, count], ...]]`.

    An exponential histogram may have joined its buckets meanwhile: what it had counted is taken from the bucket that
    holds the earlier one. Counts that fell mean that it began anew, unseen: then all of the last point is new.
    """
    counts = _pairs(last)
    left = dict(counts)
    for name, n in _pairs(first).items() if first is not None else ():
        holder = name if name in left else _holder(name, left)
        if holder is None or left[holder] < n:
            return counts
        left[holder] -= n
    return {name: n for name, n in left.items() if n}


def _pairs(point: Sequence[object]) -> Counts:
    pairs = point[1]
    assert isinstance(pairs, list)
    return dict(pairs)


def _holder(name: str, counts: Mapping[str, int]) -> str | None:
    low, high = _ends(name)
    return next((other for other in counts if _ends(other)[0] <= low and high <= _ends(other)[1]), None)


def bounded(end: float) -> float:
    """An end that JSON can write: the largest double stands for infinity."""
    return max(-_LARGEST, min(_LARGEST, end))


def joined(level: int, counts: Counts) -> tuple[int, Counts]:
    """At most `MOST` intervals: from level 1 on their ends are moved outwards to powers of 2 ** 2 ** (level - 1).

    The lowest level, from `level` on, that is enough. Ends of one level are ends of the levels below, so the order of
    adding and joining does not matter.
    """
    made = _coarse(level, counts)
    while len(made) > MOST:
        level += 1
        made = _coarse(level, made)
    return level, made


def _coarse(level: int, counts: Counts) -> Counts:
    if not level:
        return counts
    step = 2 ** (level - 1)
    found: Counts = {}
    for low, high, n in intervals_of(counts.items()):
        name = f"{-_up(-low, step)!r} {_up(high, step)!r}"
        found[name] = min(found.get(name, 0) + n, _ALL)
    return found


def _up(end: float, step: int) -> float:
    """The lowest power of 2 ** step that is not below `end`; for negative ends minus such a power; zero is kept."""
    if end == 0 or math.isinf(end):
        return end + 0.0
    mantissa, exponent = math.frexp(abs(end))
    power = exponent - 1
    if mantissa == 0.5 and power % step == 0:
        return end
    places = power // step * step
    try:
        return math.ldexp(1.0, places + step) if end > 0 else -math.ldexp(1.0, places) + 0.0
    except OverflowError:
        return math.inf


def clipped(counts: Mapping[str, int], ends: Sequence[float]) -> list[Interval]:
    """The intervals as far as they lie between `ends` (the least and the greatest value known, none when empty)."""
    if not ends:
        return intervals_of(counts.items())
    least = ends[0] if ends[0] > -_LARGEST else -math.inf
    most = ends[1] if ends[1] < _LARGEST else math.inf
    found = []
    for low, high, n in intervals_of(counts.items()):
        lower = min(max(low, least), high)
        found.append((lower, max(min(high, most), lower), n))
    return sorted(found)


def within(intervals: Sequence[Interval], q: float) -> tuple[float, float]:
    """Between which numbers the q-quantile (the value at rank ceil(q * n), at least 1) of what was counted lies.

    Sound for any values in the intervals: it is least when all are at their low ends, and greatest at their high ends.
    """
    rank = max(1, math.ceil(q * sum(n for _, _, n in intervals)))
    lows = sorted((low, n) for low, _, n in intervals)
    highs = sorted((high, n) for _, high, n in intervals)
    return _ranked(lows, rank), _ranked(highs, rank)


def _ranked(ends: Sequence[tuple[float, int]], rank: int) -> float:
    for end, n in ends:
        rank -= n
        if rank <= 0:
            return end
    return ends[-1][0]


def interpolated(intervals: Sequence[Interval], q: float) -> float | None:
    """The q-quantile when values are spread evenly in each interval, kept within what is sure (`within`).

    What is in an interval with one end is taken to be at that end; where the upper end is the one, and above zero, to
    be spread from zero on, as most of what is counted in buckets is never negative. None when nothing was counted, or
    when it falls into an interval without any end.
    """
    even = [_finite(interval) for interval in intervals]
    placed = [interval for interval in even if interval is not None]
    if not intervals or len(placed) < len(even):
        return None
    low, high = within(intervals, q)
    value = _crossing(placed, q * sum(n for _, _, n in placed))
    return min(max(value, low), high)


def _finite(interval: Interval) -> Interval | None:
    low, high, n = interval
    if math.isinf(low) and math.isinf(high):
        return None
    return (min(high, 0.0) if math.isinf(low) else low, low if math.isinf(high) else high, n)


def _crossing(intervals: Sequence[Interval], wanted: float) -> float:
    """Where the number of values up to there reaches `wanted`: linear between ends, a step where a value is exact."""
    ends = sorted({end for low, high, _ in intervals for end in (low, high)})
    place = _first(ends, intervals, wanted)
    if place == 0:
        return ends[0]
    before, here = ends[place - 1], ends[place]
    below, above = _up_to(before, intervals), _up_to(here, intervals)
    above -= sum(n for low, high, n in intervals if low == high == here)
    if above <= below or wanted > above:
        return here
    return before + (here - before) * ((wanted - below) / (above - below))


def _first(ends: Sequence[float], intervals: Sequence[Interval], wanted: float) -> int:
    """The place of the first end up to which at least `wanted` values lie."""
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _up_to(ends[middle], intervals) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def _up_to(end: float, intervals: Sequence[Interval]) -> float:
    return math.fsum(n if high <= end else n * ((end - low) / (high - low)) for low, high, n in intervals if low <= end)
