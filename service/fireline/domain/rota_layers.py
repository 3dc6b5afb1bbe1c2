"""One layer of a schedule: whose turn it is, whether the layer covers an instant, and when either may change.

Turns are counted in wall time: one of 12 hours from 09:00 hands off at 09:00 and 21:00 also on the day on which clocks
change, when one of its turns is an hour longer or shorter. A turn that a clock change skips whole (02:00 to 03:00 on a
spring night) has no time at all, and the next person begins. A monthly hand-off on a day that a month does not have
is on its last day. Turns of days may be counted on some days of the week alone, and a turn may be nobody's.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from fireline.domain.oncall import NOBODY, Layer, OnHolidays, Restriction, Schedule, Stint, Unit
from fireline.domain.rota_times import instant_of, zone_of

_DAY = timedelta(days=1)
_MIDNIGHT = time()


def on_layer(layer: Layer, schedule: Schedule, at: datetime) -> str | None:
    """The person whom the layer puts on call at an instant in UTC; None when it does not cover it."""
    if not _within(layer, at) or not _open(layer, schedule, at):
        return None
    if layer.stints:
        found = [stint for stint in layer.stints if stint.start <= at < stint.end]
        return found[-1].person if found else None
    turn = turn_at(layer, at, schedule.time_zone) if layer.people else -1
    person = NOBODY if turn < 0 else layer.people[turn % len(layer.people)]
    return None if person == NOBODY else person


def layer_edges(layer: Layer, schedule: Schedule, at: datetime) -> Iterator[datetime]:
    """Instants near and after `at` at which the layer's answer may change; the earliest after `at` is among them."""
    yield from (edge for edge in (layer.begins, layer.ends) if edge is not None)
    zone = schedule.time_zone
    if layer.stints:
        yield from _next_of(_stint_edges(layer.stints), at)
    elif layer.people:
        turn = turn_at(layer, at, zone)
        if turn < 0:
            yield hand_off(layer, 0, zone)
        elif len(layer.people) > 1:
            yield hand_off(layer, turn + 1, zone)
    for start, end in _hours(layer.restrictions, at, zone):
        yield start
        yield end
    if layer.on_holidays is not OnHolidays.ALSO:
        yield from _next_of(_holiday_edges(schedule.holidays, zone), at)


def turn_at(layer: Layer, at: datetime, zone: str) -> int:
    """Which turn is running: 0 from the first hand-off on, negative before it."""
    turn = _about(layer, at.astimezone(zone_of(zone)).replace(tzinfo=None))
    while hand_off(layer, turn, zone) > at:
        turn -= 1
    while hand_off(layer, turn + 1, zone) <= at:
        turn += 1
    return turn


def hand_off(layer: Layer, turn: int, zone: str) -> datetime:
    """The instant (UTC) at which a turn begins."""
    first, count = first_day(layer), turn * max(1, layer.every)
    match layer.unit:
        case Unit.HOUR:
            wall = datetime.combine(first, layer.at) + timedelta(hours=count)
            return instant_of(wall.date(), wall.time(), zone)
        case Unit.DAY:
            return instant_of(_counted_on(layer, first, count), layer.at, zone)
        case Unit.WEEK:
            return instant_of(first + count * 7 * _DAY, layer.at, zone)
        case Unit.MONTH:
            months = first.year * 12 + first.month - 1 + count
            return instant_of(_of_month(months, _month_day(layer)), layer.at, zone)


def first_day(layer: Layer) -> date:
    """The date of the first hand-off: `starts`, or the first day from then on that `hand_off` or `turn_days` name."""
    match layer.unit:
        case Unit.MONTH:
            return _first_named(layer)
        case Unit.WEEK:
            return layer.starts if layer.hand_off is None else _first_named(layer)
        case Unit.DAY:
            return _first_named(layer) if layer.turn_days else layer.starts
        case Unit.HOUR:
            return layer.starts


@lru_cache(maxsize=1024)
def _first_named(layer: Layer) -> date:
    if layer.unit is Unit.MONTH:
        months = layer.starts.year * 12 + layer.starts.month - 1
        here = _of_month(months, _month_day(layer))
        return here if here >= layer.starts else _of_month(months + 1, _month_day(layer))
    wanted = layer.turn_days or {layer.hand_off or 0}
    later = min((day - layer.starts.weekday()) % 7 for day in wanted)
    return layer.starts + min(later * _DAY, date.max - layer.starts)


def _counted_on(layer: Layer, first: date, count: int) -> date:
    """The day so many days after the first one, of those of the week that count."""
    if not layer.turn_days:
        return first + count * _DAY
    days = sorted(layer.turn_days)
    weeks, place = divmod(days.index(first.weekday()) + count, len(days))
    return first + (7 * weeks + days[place] - first.weekday()) * _DAY


def _counted(layer: Layer, first: date, day: date) -> int:
    """How many days that count lie between the first one and the last one up to `day`."""
    if not layer.turn_days:
        return (day - first).days
    days = sorted(layer.turn_days)
    weeks, place = divmod((day - first).days + first.weekday(), 7)
    return weeks * len(days) + bisect_right(days, place) - 1 - days.index(first.weekday())


def _within(layer: Layer, at: datetime) -> bool:
    return (layer.begins is None or layer.begins <= at) and (layer.ends is None or at < layer.ends)


def _open(layer: Layer, schedule: Schedule, at: datetime) -> bool:
    """Whether restrictions and holidays let the layer cover the instant."""
    if layer.on_holidays is not OnHolidays.ALSO:
        holiday = at.astimezone(zone_of(schedule.time_zone)).date() in schedule.holidays
        if holiday is (layer.on_holidays is OnHolidays.NEVER):
            return False
    if not layer.restrictions:
        return True
    return any(start <= at < end for start, end in _hours(layer.restrictions, at, schedule.time_zone))


def _about(layer: Layer, wall: datetime) -> int:
    """The turn at a wall time by the calendar alone; clocks that change may make it one or two off."""
    first, every = first_day(layer), max(1, layer.every)
    match layer.unit:
        case Unit.HOUR:
            return (wall - datetime.combine(first, layer.at)) // timedelta(hours=every)
        case Unit.DAY:
            return _counted(layer, first, wall.date()) // every
        case Unit.WEEK:
            return (wall.date() - first).days // (7 * every)
        case Unit.MONTH:
            return ((wall.year - first.year) * 12 + wall.month - first.month) // every


def _month_day(layer: Layer) -> int:
    return layer.starts.day if layer.hand_off is None else layer.hand_off


def _of_month(months: int, day: int) -> date:
    """The day of a month that is counted from the year 0, or its last day where it is shorter."""
    year, month = min(max(months // 12, date.min.year), date.max.year), months % 12 + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


def _hours(restrictions: tuple[Restriction, ...], at: datetime, zone: str) -> tuple[tuple[datetime, datetime], ...]:
    """The restricted hours as instants, from those that reach into the day of `at` until a week after it."""
    return _hours_near(restrictions, at.astimezone(zone_of(zone)).date(), zone) if restrictions else ()


@lru_cache(maxsize=1024)  # whoever looks ahead asks for the same day again at each of its edges
def _hours_near(restrictions: tuple[Restriction, ...], today: date, zone: str) -> tuple[tuple[datetime, datetime], ...]:
    return tuple(
        (instant_of(day, restriction.start, zone), instant_of(_last_day(restriction, day), restriction.end, zone))
        for restriction in restrictions
        for offset in range(-2 if restriction.end_day is None else -8, 9)
        if (day := today + offset * _DAY).weekday() in restriction.days
    )


def _last_day(restriction: Restriction, day: date) -> date:
    """The date on which hours that begin on `day` end."""
    later = 0 if restriction.end_day is None else (restriction.end_day - day.weekday()) % 7
    if later == 0 and restriction.end <= restriction.start:
        later = 1 if restriction.end_day is None else 7
    return day + later * _DAY


def _next_of(edges: tuple[datetime, ...], at: datetime) -> tuple[datetime, ...]:
    place = bisect_right(edges, at)
    return edges[place : place + 1]


@lru_cache(maxsize=256)
def _stint_edges(stints: tuple[Stint, ...]) -> tuple[datetime, ...]:
    return tuple(sorted({edge for stint in stints for edge in (stint.start, stint.end)}))


@lru_cache(maxsize=256)
def _holiday_edges(holidays: frozenset[date], zone: str) -> tuple[datetime, ...]:
    """Where a holiday begins or ends, ascending: midnights of the schedule's zone."""
    days = {day for holiday in holidays for day in (holiday, holiday + min(_DAY, date.max - holiday))}
    return tuple(sorted(instant_of(day, _MIDNIGHT, zone) for day in days))
