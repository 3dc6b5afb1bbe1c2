"""Periods of a back-test report: a recording cut into hours, days, weeks or months of UTC, and hours of the day."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def buckets(first: str, last: str) -> tuple[list[str], list[datetime], str]:
    """The labels of the periods between two instants, their beginnings, and what they are called."""
    begin, end = _read(first), _read(last)
    unit = _unit(end - begin)
    edge = _floor(begin, unit)
    edges = [edge]
    while (edge := _next(edge, unit)) <= end:
        edges.append(edge)
    return [_label(each, unit) for each in edges], edges, unit


def counted(edges: Sequence[datetime], times: Sequence[str]) -> list[float]:
    """How many of the instants lie in each period."""
    counts = [0.0] * len(edges)
    for text in times:
        counts[max(0, bisect_right(edges, _read(text)) - 1)] += 1
    return counts


def hours_of_day(pages: Sequence[Mapping[str, Any]]) -> list[float]:
    """How many pages come in each hour of the day, on the clock of the person."""
    counts = [0.0] * 24
    for page in pages:
        counts[int(page["local"].split()[1][:2])] += 1
    return counts


def shares_of(ends: tuple[str, str], start: str, end: str | None) -> tuple[float, float]:
    """Where a stretch lies between two ends, as shares of the whole; without an end it goes on."""
    first, last = _read(ends[0]), _read(ends[1])
    whole = (last - first).total_seconds() or 1.0
    places = [_read(start), last if end is None else _read(end)]
    low, high = (min(1.0, max(0.0, (at - first).total_seconds() / whole)) for at in places)
    return low, high


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _unit(length: timedelta) -> str:
    for unit, most in (("hour", 3), ("day", 100), ("week", 750)):
        if length <= most * _DAY:
            return unit
    return "month"


def _floor(at: datetime, unit: str) -> datetime:
    if unit == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - day.weekday() * _DAY
    return day.replace(day=1) if unit == "month" else day


def _next(at: datetime, unit: str) -> datetime:
    if unit == "month":
        return (at + 32 * _DAY).replace(day=1)
    return at + {"hour": _HOUR, "day": _DAY, "week": 7 * _DAY}[unit]


def _label(at: datetime, unit: str) -> str:
    return f"{at:%m-%d %H:00}" if unit == "hour" else f"{at:%Y-%m}" if unit == "month" else f"{at:%Y-%m-%d}"
