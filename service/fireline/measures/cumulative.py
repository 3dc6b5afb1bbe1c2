"""Cumulative series: counters that only tell what they have counted since their start, and what they gained meanwhile.

A state keeps the first and the last point of every series and start, so merging is picking a minimum and a maximum. A
counter that began anew has another start. Beyond 64 series an entity they are sampled by a hash of their name, the same
on every worker.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from fireline.domain.windows import Fields

SERIES = 64
"""How many series of one entity are kept."""

Point = list[Any]
"""`[event time, what was counted]`, as JSON has it; points are compared as lists are."""

Kept = dict[str, list[Point]]
"""`"series start"` -> its first and its last point."""


def key_of(fields: Fields) -> str | None:
    """Which series and start a point belongs to; None of a point that is not cumulative or does not say."""
    series, start = fields.get("series"), fields.get("start")
    if fields.get("temporality") != "cumulative" or not isinstance(series, str) or not isinstance(start, int | float):
        return None
    return f"{blake2b(series.encode(errors='surrogatepass'), digest_size=8).hexdigest()} {float(start)!r}"


def put(kept: Kept, key: str, point: Point) -> None:
    """Take a point into `kept`, which is changed."""
    held = kept.get(key)
    kept[key] = [point, point] if held is None else [min(held[0], point), max(held[1], point)]


def union(left: Kept, right: Kept) -> Kept:
    """What both saw."""
    both = dict(left)
    for key, (first, last) in right.items():
        held = both.get(key)
        both[key] = [first, last] if held is None else [min(held[0], first), max(held[1], last)]
    return both


def _zeros(series: str) -> int:
    return 64 - int(series, 16).bit_length()


def sampled(level: int, kept: Kept) -> tuple[int, Kept]:
    """The lowest level, from `level` on, at which at most `SERIES` series are left, and what is left at it.

    A series is part of every level up to the number of leading zero bits of its name: half of them reach the next.
    """
    names = {key.split(" ", 1)[0] for key in kept}
    if len(names) > SERIES:
        level = max(level, sorted(map(_zeros, names), reverse=True)[SERIES] + 1)
    if level:
        kept = {key: points for key, points in kept.items() if _zeros(key.split(" ", 1)[0]) >= level}
    return level, kept


def spans(kept: Kept, window: float) -> Iterator[tuple[Point | None, Point]]:
    """`(first, last)` by series and start; first is None where it began in the window, so that all of it is new.

    It began there when its start is at most `window` seconds before the newest point of all, or when the same series
    was seen with an earlier start. Of a series that began before, what it gained before its first point is not known.
    """
    newest: float = max((last[0] for _, last in kept.values()), default=0.0)
    earliest: dict[str, float] = {}
    parted = [(key.split(" ", 1), points) for key, points in sorted(kept.items())]
    for (series, start), _ in parted:
        earliest[series] = min(float(start), earliest.get(series, float(start)))
    for (series, start), (first, last) in parted:
        began = float(start) >= newest - window or float(start) > earliest[series]
        yield (None if began else first), last


def kept_of(state: Mapping[str, object]) -> Kept:
    """The series of a state that holds them under `c`."""
    kept = state["c"]
    assert isinstance(kept, dict)
    return kept
