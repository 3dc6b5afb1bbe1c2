"""Fairness: how the load of schedules falls on people: hours, nights, weekends, holidays. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from fireline.domain.oncall import Schedule
from fireline.domain.roster import unbroken
from fireline.domain.rota_times import instant_of, zone_of

NIGHT = (time(22), time(6))
"""Hours that count as night, wall time of the person's own zone."""
SATURDAY = 5

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Load:
    """What a person carries: shifts, and hours in all and of nights, weekends and holidays (an hour may be several)."""

    person: str
    shifts: int = 0
    hours: float = 0.0
    nights: float = 0.0
    weekends: float = 0.0
    holidays: float = 0.0

    def plus(self, other: "Load") -> "Load":
        """Both together, of the same person."""
        return Load(
            self.person,
            self.shifts + other.shifts,
            self.hours + other.hours,
            self.nights + other.nights,
            self.weekends + other.weekends,
            self.holidays + other.holidays,
        )


def loads(schedules: Iterable[Schedule], zones: Mapping[str, str], start: datetime, end: datetime) -> dict[str, Load]:
    """The load of each person between two instants; `zones` are people's time zones, else it is the schedule's.

    Nights and weekends are those of the person's zone, holidays those of the schedule.
    """
    found: dict[str, Load] = {}
    for schedule in schedules:
        for stretch in unbroken(schedule, start, end):
            if stretch.person is not None:
                zone = zones.get(stretch.person, schedule.time_zone)
                load = _load(stretch.person, (stretch.start, stretch.end), zone, schedule)
                known = found.get(stretch.person)
                found[stretch.person] = load if known is None else known.plus(load)
    return found


def _load(person: str, span: tuple[datetime, datetime], zone: str, schedule: Schedule) -> Load:
    hours = (span[1] - span[0]) / timedelta(hours=1)
    nights = weekends = 0.0
    for day in _days(span, zone):
        nights += _overlap(span, (instant_of(day, NIGHT[0], zone), instant_of(day + _DAY, NIGHT[1], zone)))
        weekends += _overlap(span, _whole(day, zone)) if day.weekday() >= SATURDAY else 0.0
    days = _days(span, schedule.time_zone)
    holidays = sum(_overlap(span, _whole(day, schedule.time_zone)) for day in days if day in schedule.holidays)
    return Load(person, 1, hours, nights, weekends, holidays)


def _days(span: tuple[datetime, datetime], zone: str) -> list[date]:
    """The dates of a zone that a span touches, and the one before, whose night may reach into it."""
    first = span[0].astimezone(zone_of(zone)).date() - _DAY
    last = span[1].astimezone(zone_of(zone)).date()
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _whole(day: date, zone: str) -> tuple[datetime, datetime]:
    return instant_of(day, time(), zone), instant_of(day + _DAY, time(), zone)


def _overlap(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> float:
    """The hours that two spans have in common."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, common / timedelta(hours=1))


def share(load: Load, all_: Iterable[Load]) -> float:
    """The part of all hours that is this person's, 0.0 when there are none."""
    total = sum(each.hours for each in all_)
    return load.hours / total if total else 0.0
