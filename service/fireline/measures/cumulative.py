"""Cumulative series: counters that only tell what they have counted since their start, and what they gained meanwhile.

A state keeps points of every series and start (the first and the last, or more of them: `thinned`), so merging is
picking among them. A counter that began anew has another start, or fell. Beyond 64 series an entity they are sampled by
a hash of their name, the same on every worker.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from fireline.domain.windows import Fields

SERIES = 64
"""How many series of one entity are kept."""

SLOTS = 16
"""From how many slots of time points of one series and start are kept, by those who look at what lies in between."""

Point = list[Any]
"""`[event time, what was counted]`, as JSON has it; points are compared as lists are."""

Kept = dict[str, list[Point]]
"""`"series start"` -> its points, by time: the first and the last, and what is kept in between."""

UNKNOWN_START = 0.0
_PASSING = frozenset({"id", "request_id", "trace_id", "span_id", "time", "ts", "type", "temporality"})
"""Texts that are of one event, not of its series."""


def is_cumulative(fields: Fields, unsaid: bool) -> bool:
    """Whether an event tells of all since a start; `unsaid` is what those are that do not say."""
    said = fields.get("temporality")
    return said == "cumulative" or (unsaid and said is None)


def key_of(fields: Fields) -> str:
    """Which series and start a point belongs to: as it says, else its labels (all texts), and a start long ago."""
    series, start = fields.get("series"), fields.get("start")
    if not isinstance(series, str):
        series = repr(sorted((name, text) for name, text in fields.items() if _is_label(name, text)))
    known = isinstance(start, int | float) and not isinstance(start, bool)
    began = float(start) if known else UNKNOWN_START  # type: ignore[arg-type]  # it is a number
    return f"{blake2b(series.encode(errors='surrogatepass'), digest_size=8).hexdigest()} {began!r}"


def _is_label(name: str, value: object) -> bool:
    return isinstance(value, str) and name not in _PASSING


def put(kept: Kept, key: str, point: Point) -> None:
    """Take a point into `kept`, which is changed, as the first or the last one."""
    held = kept.get(key)
    kept[key] = [point, point] if held is None else [min(held[0], point), max(held[-1], point)]


def union(left: Kept, right: Kept) -> Kept:
    """The first and the last points that both saw."""
    both = dict(left)
    for key, points in right.items():
        held = both.get(key)
        both[key] = points if held is None else [min(held[0], points[0]), max(held[-1], points[-1])]
    return both


def joined(left: list[Point], right: list[Point]) -> list[Point]:
    """All points of both, by time, each once."""
    found: list[Point] = []
    for point in sorted([*left, *right]):
        if not found or found[-1] != point:
            found.append(point)
    return found


def thinned(level: int, points: list[Point]) -> tuple[int, list[Point]]:
    """Those of `points` (by time) that are kept: the first, the least, the most and the last of each slot of time.

    A slot is 2 ** level milliseconds, with the lowest level, from `level` on, at which at most `SLOTS` of them hold
    anything. Slots of a level are made of whole slots of the levels below, so the order of joining and thinning does
    not matter.
    """
    slots = _slots(level, points)
    while len(slots) > SLOTS:
        level += 1
        slots = _slots(level, points)
    return level, [point for held in slots.values() for point in _outer(held)]


def _slots(level: int, points: list[Point]) -> dict[int, list[Point]]:
    slots: dict[int, list[Point]] = {}
    for point in points:
        slots.setdefault(int(point[0] * 1000.0) >> level, []).append(point)
    return slots


def _outer(points: list[Point]) -> list[Point]:
    """The first, the least, the most and the last of them, by time, each once."""
    if len(points) == 1:
        return points
    counted = [(point[1], point) for point in points]
    return joined([points[0], min(counted)[1]], [max(counted)[1], points[-1]])


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


def spans(kept: Kept, window: float) -> Iterator[tuple[bool, list[Point]]]:
    """`(began, points)` by series and start; what `began` in the window is all new.

    It began there when its start is at most `window` seconds before the newest point of all, or when the same series
    was seen with an earlier start. Of a series that began before, what it gained before its first point is not known.
    """
    newest: float = max((points[-1][0] for points in kept.values()), default=0.0)
    earliest: dict[str, float] = {}
    parted = [(key.split(" ", 1), points) for key, points in sorted(kept.items())]
    for (series, start), _ in parted:
        earliest[series] = min(float(start), earliest.get(series, float(start)))
    for (series, start), points in parted:
        yield float(start) >= newest - window or float(start) > earliest[series], points


def kept_of(state: Mapping[str, object]) -> Kept:
    """The series of a state that holds them under `c`."""
    kept = state["c"]
    assert isinstance(kept, dict)
    return kept
