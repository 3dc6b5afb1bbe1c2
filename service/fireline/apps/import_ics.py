"""iCalendar files (RFC 5545) of others: shifts of a schedule, or holidays of a calendar. Recurrences are unrolled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from fireline.apps.import_draft import Draft, wall

MOST = 5000
"""Events that are taken over at most."""


class Unreadable(ValueError):  # noqa: N818 - a state of the file
    """The file is no iCalendar file; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when events are taken over, and the zone in which days and floating times are read."""

    start: datetime
    end: datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that happens once: what it is called, when, and the address of who attends."""

    summary: str
    start: datetime
    end: datetime
    whole_days: bool
    attendee: str


def happenings(text: bytes, period: Period, draft: Draft) -> list[Happening]:
    """The events of a file in a period, recurrences unrolled, in order; raises Unreadable."""
    try:
        events = _unrolled(icalendar.Calendar.from_ical(text), period, draft)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as fault:
        raise Unreadable(f"it cannot be read as an iCalendar file: {fault}") from fault
    if len(events) > MOST:
        draft.note(f"of {len(events)} events the first {MOST} are taken over")
    held = (event for event in events if str(event.get("status", "")).upper() != "CANCELLED")
    found = sorted((_happening(event, period.time_zone) for event in held), key=lambda each: (each.start, each.summary))
    return found[:MOST]


def _unrolled(read: icalendar.Component, period: Period, draft: Draft) -> list[icalendar.Event]:
    found: list[icalendar.Event]
    try:
        found = recurring_ical_events.of(read).between(period.start, period.end)
    except ValueError as fault:
        draft.note(f"an event whose recurrence cannot be read is left out: {fault}")
        found = recurring_ical_events.of(read, skip_bad_series=True).between(period.start, period.end)
    return found


def _happening(event: icalendar.Event, zone: str) -> Happening:
    start, end = event.start, event.end
    attendee = event.get("attendee")
    first = attendee[0] if isinstance(attendee, list) and attendee else attendee
    return Happening(
        summary=str(event.get("summary", "")),
        start=_instant(start, zone),
        end=_instant(end, zone),
        whole_days=not isinstance(start, datetime),
        attendee=str(first or "").removeprefix("mailto:").removeprefix("MAILTO:"),
    )


def _instant(value: date | datetime, zone: str) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value.replace(tzinfo=ZoneInfo(zone)) if value.tzinfo is None else value.astimezone(UTC)


def person_of(event: Happening, people: Mapping[str, tuple[str, str]]) -> str | None:
    """Whose shift it is: by the attendee's address, else by an id, full name or address in the title.

    `people` are full name and address by id. None when nobody, or more than one, is meant.
    """
    by_address = [p for p, (_, address) in people.items() if address and address.lower() == event.attendee.lower()]
    if len(by_address) == 1:
        return by_address[0]
    title = " ".join(event.summary.lower().split())
    named = [p for p, (name, address) in people.items() if any(_stands_in(title, each) for each in (p, name, address))]
    return named[0] if len(named) == 1 else None


def _stands_in(title: str, word: str) -> bool:
    """Whether it is there by itself, with an at sign before it or not, and not a part of another name or address."""
    pattern = rf"(?<![\w.@-])@?{re.escape(word.lower())}(?![\w@-]|\.\w)"
    return bool(word) and re.search(pattern, title) is not None


def take_shifts(text: bytes, period: Period, people: Mapping[str, tuple[str, str]], name: str, draft: Draft) -> None:
    """Put a schedule of single shifts into the draft; events of nobody that is known are told. Raises Unreadable."""
    shifts = []
    for event in happenings(text, period, draft):
        person = person_of(event, people)
        if person is None:
            draft.note(
                f"event {event.summary!r} at {wall(event.start)}: nobody of the catalog is meant, it is left out"
            )
        elif event.end <= event.start:
            draft.note(f"event {event.summary!r} at {wall(event.start)} takes no time, it is left out")
        else:
            shifts.append({"person": person, "start": wall(event.start), "end": wall(event.end)})
    if not shifts:
        draft.note(f"no shift is left of the file between {wall(period.start)} and {wall(period.end)}")
        return
    layer = {"name": "calendar", "shifts": shifts}
    draft.schedules[draft.name("schedule", name, name)] = {"time_zone": period.time_zone, "layers": [layer]}


def holidays(text: bytes, period: Period, draft: Draft) -> list[str]:
    """The dates of the events that last whole days; others are told. Raises Unreadable."""
    found: set[date] = set()
    zone = ZoneInfo(period.time_zone)
    for event in happenings(text, period, draft):
        if not event.whole_days:
            draft.note(f"event {event.summary!r} at {wall(event.start)} is no whole day, it is left out")
            continue
        day = event.start.astimezone(zone).date()
        while day < event.end.astimezone(zone).date():
            found.add(day)
            day += timedelta(days=1)
    return sorted(day.isoformat() for day in found)
