"""Schedules as calendars of others (RFC 5545), and the keys that let a calendar program read them over HTTP."""

import hashlib
import hmac
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from icalendar import Calendar, Event

from fireline import __version__
from fireline.apps.faults import Refused
from fireline.apps.oncall import Desk
from fireline.apps.output import say
from fireline.domain.catalog import Catalog
from fireline.domain.oncall import Schedule
from fireline.domain.roster import unbroken
from fireline.domain.rota import Stretch

BACK, AHEAD = timedelta(days=28), timedelta(days=180)
"""What a feed shows of the past and of the future."""
REFRESH = timedelta(hours=1)
"""How often programs are asked to read a feed again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What goes into a calendar: the stretch of time, and whose shifts (None: everybody's)."""

    start: datetime
    end: datetime
    person: str | None = None


def calendar(schedules: Iterable[Schedule], catalog: Catalog, wanted: Wanted, now: float) -> bytes:
    """The shifts as an iCalendar object: one event each, times in UTC, lines folded; the same shift keeps its UID."""
    named = list(schedules)
    made = Calendar()
    made.add("prodid", f"-//Fireline//{__version__}//EN")
    made.add("version", "2.0")
    made.add("calscale", "GREGORIAN")
    made.add("method", "PUBLISH")
    title = f"On call: {', '.join(schedule.id for schedule in named)}"
    made.add("name", title)
    made.add("x-wr-calname", title)
    made.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    stamp = datetime.fromtimestamp(int(now), UTC)
    for schedule in named:
        for stretch in unbroken(schedule, wanted.start, wanted.end):
            if stretch.person is not None and wanted.person in (None, stretch.person):
                made.add_component(_event(schedule, stretch, catalog, stamp))
    return bytes(made.to_ical())


def _event(schedule: Schedule, stretch: Stretch, catalog: Catalog, stamp: datetime) -> Event:
    person = stretch.person or ""
    known = catalog.people.get(person)
    name = known.name if known is not None else person
    event = Event()
    identity = f"{schedule.id}\n{person}\n{stretch.start.isoformat()}"
    event.add("uid", f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}@fireline")
    event.add("dtstamp", stamp)
    event.add("dtstart", stretch.start)
    event.add("dtend", stretch.end)
    event.add("summary", f"{name} on call: {schedule.id}")
    event.add("description", f"{person} by {stretch.source} of the schedule {schedule.id}")
    event.add("categories", ["on-call", schedule.id])
    event.add("transp", "TRANSPARENT")  # being on call does not make a person busy
    return event


def feed_token(secret: str, schedule: str) -> str:
    """What a calendar program shows to read this schedule: made of the API token, which it does not give away."""
    return hmac.new(secret.encode(), f"calendar of {schedule}".encode(), hashlib.sha256).hexdigest()[:32]


def may_read(secret: str | None, schedule: str, shown: str) -> bool:
    """Whether a token opens the feed of a schedule; without an API token the door lets this machine in only."""
    return secret is None or hmac.compare_digest(feed_token(secret, schedule), shown)


def window(now: float, days: timedelta = AHEAD) -> tuple[datetime, datetime]:
    """What a feed shows, in whole days, so that it changes with the schedule and not with the second."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - BACK, today + days


@dataclass(frozen=True, slots=True)
class Asked:
    """What `fireline oncall ical` is asked for."""

    schedule: str
    days: int
    person: str | None = None
    output: Path | None = None
    url: bool = False


def ical(asked: Asked) -> int:
    """Write the calendar of a schedule, or say where it can be read over HTTP."""
    desk = Desk.open()
    now = desk.parts.clock.now()
    begin, end = window(now, timedelta(days=asked.days))
    schedules = desk.schedules(asked.schedule, desk.roster.oncall(begin.timestamp()))
    people = desk.configuration.catalog.people
    if asked.person is not None and asked.person not in people:
        raise Refused(f"there is no person {asked.person!r}; there are {', '.join(sorted(people)) or 'none'}")
    if asked.url:
        say(_url(desk, asked.schedule))
        return 0
    text = calendar(schedules, desk.configuration.catalog, Wanted(begin, end, asked.person), now)
    if asked.output is None:
        sys.stdout.buffer.write(text)
        return 0
    try:
        asked.output.write_bytes(text)
    except OSError as fault:
        raise Refused(f"the calendar cannot be written to {asked.output}: {fault.strerror}") from None
    say(f"{asked.output} written")
    return 0


def _url(desk: Desk, schedule: str) -> str:
    settings = desk.parts.settings
    place = f"http://{settings.web_host}:{settings.web_port}/calendars/{schedule}.ics"
    secret = settings.api_token.get_secret_value() if settings.api_token else None
    return place if secret is None else f"{place}?token={feed_token(secret, schedule)}"
