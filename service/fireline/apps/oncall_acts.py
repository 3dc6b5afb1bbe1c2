"""The work behind `fireline oncall override`, `swap`, `withdraw` and `overrides`."""

from dataclasses import dataclass

from fireline.apps.faults import Refused
from fireline.apps.oncall import Desk, instant_of
from fireline.apps.output import instant, print_json, say, table
from fireline.domain.durations import positive_seconds
from fireline.domain.roster import Change, Wish
from fireline.engine.roster import Told


@dataclass(frozen=True, slots=True)
class Override:
    """What `override` is asked for; instants are RFC 3339, wall time of the schedule's zone without an offset."""

    schedule: str
    person: str
    start: str | None
    end: str
    reason: str
    author: str | None
    as_json: bool = False


def override(asked: Override) -> int:
    """Put a person on call for a time."""
    desk = Desk.open()
    zone = _zone(desk, asked.schedule)
    start = desk.parts.clock.now() if asked.start is None else instant_of(asked.start, zone)
    end = _end(asked.end, start, zone)
    author = desk.parts.person(asked.author).id
    wish = Wish(asked.schedule, asked.person, start, end, asked.reason, author)
    return _told(desk.roster.override(wish), asked.as_json)


def _end(text: str, start: float, zone: str) -> float:
    """An instant, or a length of time from the start."""
    try:
        return start + positive_seconds(text)
    except ValueError:
        return instant_of(text, zone)


@dataclass(frozen=True, slots=True)
class Swap:
    """What `swap` is asked for: `shift` is an instant in or before the first person's shift, `back` in the other's."""

    schedule: str
    one: str
    other: str
    shift: str
    back: str | None
    reason: str
    author: str | None
    as_json: bool = False


def swap(asked: Swap) -> int:
    """Let two people trade a shift each."""
    desk = Desk.open()
    zone = _zone(desk, asked.schedule)
    at = (instant_of(asked.shift, zone), None if asked.back is None else instant_of(asked.back, zone))
    author = desk.parts.person(asked.author).id
    return _told(desk.roster.swap(asked.schedule, (asked.one, asked.other), at, (asked.reason, author)), asked.as_json)


def withdraw(number: int, author: str | None, as_json: bool) -> int:
    """Take an override back."""
    desk = Desk.open()
    return _told(desk.roster.withdraw(number, desk.parts.person(author).id), as_json)


def overrides(schedule: str | None, everything: bool, as_json: bool) -> int:
    """Those that count from now on, or all."""
    desk = Desk.open()
    desk.schedules(schedule, desk.configuration.oncall)
    made = desk.roster.changes(float("-inf") if everything else desk.parts.clock.now())
    wanted = [change for change in made if schedule is None or change.schedule == schedule]
    found = [change for change in wanted if everything or change.withdrawn_at is None]
    rows = [change_json(change) for change in found]
    if as_json:
        print_json(rows)
        return 0
    headers = ("number", "schedule", "person", "from", "until", "reason", "by", "state")
    lines = [
        (r["number"], r["schedule"], r["person"], instant(c.start), instant(c.end), r["reason"], r["author"], _state(c))
        for r, c in zip(rows, found, strict=True)
    ]
    table(headers, lines, "No override was made at run time; those of oncall.yaml are in the calendar.")
    return 0


def _state(change: Change) -> str:
    if change.withdrawn_at is not None:
        return f"taken back by {change.withdrawn_by}"
    return "stands" if change.partner is None else f"swap with {change.partner}"


def _zone(desk: Desk, schedule: str) -> str:
    return desk.schedules(schedule, desk.configuration.oncall)[0].time_zone


def _told(told: Told, as_json: bool) -> int:
    if not told.done:
        raise Refused(told.reason)
    if as_json:
        print_json(told_json(told))
        return 0
    for line in told.reason.split("; "):
        say(line)
    say(f"told: {', '.join(told.told) or 'nobody, none of them has a contact on a configured channel'}")
    return 0


def told_json(told: Told) -> dict[str, object]:
    """What came of it, for programs."""
    changes = [change_json(change) for change in told.changes]
    return {"reason": told.reason, "overrides": changes, "told": list(told.told)}


def change_json(change: Change) -> dict[str, object]:
    """An override, for programs; instants in seconds since the epoch."""
    return {
        "number": change.number,
        "schedule": change.schedule,
        "person": change.person,
        "from": change.start,
        "until": change.end,
        "reason": change.reason,
        "author": change.author,
        "made_at": change.made_at,
        "swap_with": change.partner,
        "withdrawn_at": change.withdrawn_at,
        "withdrawn_by": change.withdrawn_by,
    }
