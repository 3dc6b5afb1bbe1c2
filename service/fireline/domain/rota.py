"""Rota: who is on call at an instant, exactly, also where clocks change.

Hand-offs and restrictions are wall times of the schedule's zone. Two wall times need a rule, and this is it:

- one that a clock change skips (02:30 on a spring night) means the first instant after the gap;
- one that comes twice (02:30 on an autumn night) means the first of the two.

The rule keeps order (a later wall time is never an earlier instant), so that two layers that share an edge leave no gap
and never overlap there.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from fireline.domain.oncall import Layer, Override, Restriction, Schedule, Shift

HORIZON = timedelta(days=400)
"""How far ahead `until` is looked for; beyond it a shift counts as endless."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def who(schedule: Schedule, instant: datetime | float) -> Shift | None:
    """The person on call at `instant` (aware, or seconds since the epoch), why, until when, and who takes over.

    Overrides win, the last written first; then the first layer that covers the instant. `until` is when the person
    is relieved or nobody is on call any more, None when that is not within `HORIZON`; `next_person` is who takes over
    at `until`. None when nobody is on call.
    """
    at = _utc(instant)
    found = _answer(schedule, at)
    if found is None:
        return None
    person, source = found
    until = next((edge for edge in _edges(schedule, at, at + HORIZON) if not _same(schedule, edge, person)), None)
    after = None if until is None else _answer(schedule, until)
    return Shift(person, schedule.id, source, until, None if after is None else after[0])


def gaps(schedule: Schedule, start: datetime | float, end: datetime | float) -> list[tuple[datetime, datetime]]:
    """The stretches of `[start, end)` in which nobody is on call, in UTC, in order, none touching the next."""
    first, last = _utc(start), _utc(end)
    found: list[tuple[datetime, datetime]] = []
    opened: datetime | None = None
    for edge in [first, *_edges(schedule, first, last)]:
        covered = _answer(schedule, edge) is not None
        if not covered and opened is None:
            opened = edge
        elif covered and opened is not None:
            found.append((opened, edge))
            opened = None
    if opened is not None and opened < last:
        found.append((opened, last))
    return found


@lru_cache(maxsize=8192)  # looking far ahead asks for the same few wall times again and again, while a page waits
def instant_of(day: date, wall: time, zone: str) -> datetime:
    """The instant (UTC) at which the clocks of `zone` show `wall` on `day`, by the rule of this module."""
    tz = _zone(zone)
    local = datetime.combine(day, wall.replace(tzinfo=None, fold=0), tzinfo=tz)
    found = local.astimezone(UTC)
    if found.astimezone(tz).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    return _end_of_gap(local, tz)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    # `spec` refuses unknown zones; should one get here all the same, a page at a shifted hour beats no page
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _utc(instant: datetime | float) -> datetime:
    if isinstance(instant, datetime):
        return instant.astimezone(UTC)
    return datetime.fromtimestamp(instant, UTC)


def _end_of_gap(local: datetime, tz: ZoneInfo) -> datetime:
    """The instant at which the gap around the nonexistent `local` ends: bisected, transitions fall on whole seconds."""
    before = local.replace(fold=1).astimezone(UTC)  # read with the offset after the gap: lies before the change
    after = local.replace(fold=0).astimezone(UTC)
    offset = after.astimezone(tz).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(tz).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return (before + high * _SECOND).replace(microsecond=0)


def _answer(schedule: Schedule, at: datetime) -> tuple[str, str] | None:
    """Person and source (`override: sick leave`, `layer weekly`) at an instant in UTC."""
    override = _override(schedule.overrides, at)
    if override is not None:
        return override.person, f"override: {override.reason}" if override.reason else "override"
    for layer in schedule.layers:
        if _covers(layer, at, schedule.time_zone):
            turn = _turn(layer, at, schedule.time_zone)
            return layer.people[turn % len(layer.people)], f"layer {layer.name}"
    return None


def _same(schedule: Schedule, at: datetime, person: str) -> bool:
    found = _answer(schedule, at)
    return found is not None and found[0] == person


def _override(overrides: Iterable[Override], at: datetime) -> Override | None:
    active = [o for o in overrides if o.start <= at < o.end]
    return active[-1] if active else None


def _covers(layer: Layer, at: datetime, zone: str) -> bool:
    if not layer.people or _turn(layer, at, zone) < 0:
        return False
    if not layer.restrictions:
        return True
    return any(start <= at < end for start, end in _hours(layer.restrictions, at, zone))


def _turn(layer: Layer, at: datetime, zone: str) -> int:
    """Which turn is running: 0 from the first hand-off on, negative before it."""
    every = max(1, layer.every_days)
    turn = (at.astimezone(_zone(zone)).date() - layer.starts).days // every
    while _hand_off(layer, turn, zone) > at:
        turn -= 1
    while _hand_off(layer, turn + 1, zone) <= at:
        turn += 1
    return turn


def _hand_off(layer: Layer, turn: int, zone: str) -> datetime:
    return instant_of(layer.starts + turn * max(1, layer.every_days) * _DAY, layer.at, zone)


def _hours(restrictions: Iterable[Restriction], at: datetime, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """The restricted hours as instants, from the day before `at` until a week after it."""
    today = at.astimezone(_zone(zone)).date()
    for restriction in restrictions:
        for offset in range(-2, 9):
            day = today + offset * _DAY
            if day.weekday() in restriction.days:
                last = day if restriction.end > restriction.start else day + _DAY
                yield instant_of(day, restriction.start, zone), instant_of(last, restriction.end, zone)


def _edges(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant in `(start, end)` at which the answer may change, ascending."""
    at = start
    while True:
        later = [edge for edge in _next_edges(schedule, at) if edge > at]
        if not later or min(later) >= end:
            return
        at = min(later)
        yield at


def _next_edges(schedule: Schedule, at: datetime) -> Iterator[datetime]:
    for override in schedule.overrides:
        yield override.start.astimezone(UTC)
        yield override.end.astimezone(UTC)
    for layer in schedule.layers:
        yield from _layer_edges(layer, at, schedule.time_zone)


def _layer_edges(layer: Layer, at: datetime, zone: str) -> Iterator[datetime]:
    if not layer.people:
        return
    turn = _turn(layer, at, zone)
    if turn < 0:
        yield _hand_off(layer, 0, zone)
        return
    if len(layer.people) > 1:
        yield _hand_off(layer, turn + 1, zone)
    for start, end in _hours(layer.restrictions, at, zone):
        yield start
        yield end
