"""Calendars: hours of the week in a time zone, without holidays; and whether an instant lies in them. Pure.

Hours are wall times, with the rule of `rota_times`: one that a clock change skips means the first instant after the
gap, one that comes twice means the first of the two. Hours that begin on a day that is a holiday are not open, also
where they reach into the next day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from fireline.domain.rota_times import instant_of

HORIZON = 8
"""Days that a change is looked for in; longer holidays end in a look at nothing, which changes nothing."""

_DAY = timedelta(days=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of one day of the week (0 is Monday); an end at or before the start is on the next day."""

    day: int
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """Open hours of a week in a time zone (IANA name); nothing opens on `holidays`."""

    name: str
    time_zone: str
    spans: tuple[Span, ...]
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Hours:
    """When something counts: while a calendar is open (`inside`), or while it is not."""

    calendar: Calendar
    inside: bool = True

    def __str__(self) -> str:
        """`during business` or `outside business`, for people."""
        return f"{'during' if self.inside else 'outside'} {self.calendar.name}"


def open_at(calendar: Calendar, instant: float) -> bool:
    """Whether the calendar is open at `instant` (seconds since the epoch)."""
    today = _local(calendar, instant).date()
    return any(start <= instant < end for day in (today - _DAY, today) for start, end in _opened(calendar, day))


def in_force(hours: Hours, instant: float) -> bool:
    """Whether what is limited to these hours counts at `instant`."""
    return open_at(hours.calendar, instant) is hours.inside


def next_change(calendar: Calendar, instant: float) -> float:
    """The next instant after `instant` at which the calendar opens or closes; `HORIZON` days on when there is none."""
    now = open_at(calendar, instant)
    for edge in _edges(calendar, instant):
        if open_at(calendar, edge) is not now:
            return edge
    return instant + HORIZON * _DAY.total_seconds()


def wall(calendar: Calendar, instant: float) -> str:
    """What the clocks of the calendar show at `instant`, for people: `Mon 09:00`."""
    local = _local(calendar, instant)
    return f"{_DAYS[local.weekday()]} {local:%H:%M}"


def _local(calendar: Calendar, instant: float) -> datetime:
    return datetime.fromtimestamp(instant, _zone(calendar.time_zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # `spec` refuses unknown zones; hours that are shifted beat no judging
        return ZoneInfo("UTC")


@lru_cache(maxsize=4096)  # the same few days are asked for whenever an entity is judged
def _opened(calendar: Calendar, day: date) -> tuple[tuple[float, float], ...]:
    """The stretches that open on a day, as seconds since the epoch."""
    if day in calendar.holidays:
        return ()
    own = [span for span in calendar.spans if span.day == day.weekday()]
    return tuple((_at(calendar, day, span.start), _at(calendar, _last(day, span), span.end)) for span in own)


def _last(day: date, span: Span) -> date:
    return day if span.end > span.start else day + _DAY


def _at(calendar: Calendar, day: date, at: time) -> float:
    return instant_of(day, at, calendar.time_zone).astimezone(UTC).timestamp()


def _edges(calendar: Calendar, instant: float) -> Iterator[float]:
    """The instants after `instant` at which a stretch begins or ends, ascending, each day's together."""
    today = _local(calendar, instant).date()
    ahead: set[float] = set()
    for offset in range(-1, HORIZON + 1):
        for stretch in _opened(calendar, today + offset * _DAY):
            ahead.update(edge for edge in stretch if edge > instant)
    yield from sorted(ahead)
