"""The form of `calendars.yaml`."""

import re
from datetime import time
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from fireline.spec.oncall_forms import DAYS
from fireline.spec.reading import Name, Part
from fireline.spec.runbook_forms import Day
from fireline.spec.wall_times import TimeZone

_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
_HINT = "write one such as 09:00-17:30"


def span(text: object) -> tuple[time, time]:
    """Start and end of `09:00-17:30`; 24:00 is midnight. Raises ValueError."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"`{str(text)[:40]}` says no hours; {_HINT}")
    end = found[3] if found[3] != "24:00" else "00:00"
    start = time(int(found[1]), int(found[2]))
    if f"{start:%H:%M}" == found[3]:
        raise ValueError(f"`{text}` is nothing; write 00:00-24:00 for a whole day")
    return start, time.fromisoformat(end)


def days(text: str) -> tuple[int, ...]:
    """The days of the week of `mon` or `mon-fri`, 0 is Monday. Raises ValueError."""
    first, dash, last = text.partition("-")
    known: list[str] = list(DAYS)
    if first not in known or (dash and last not in known):
        raise ValueError(f"`{text[:40]}` is no day of the week; write one such as mon, or mon-fri")
    start, end = known.index(first), known.index(last) if dash else known.index(first)
    if end < start:
        end += len(known)
    return tuple(day % len(known) for day in range(start, end + 1))


def _hours(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not value:
        raise ValueError('hours by days of the week were expected; such as `mon-fri: "09:00-17:30"`')
    found = {str(name): spans if isinstance(spans, list) else [spans] for name, spans in value.items()}
    for name, spans in found.items():
        days(name)
        for each in spans:
            span(each)
    return found


_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
        "propertyNames": {"pattern": "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"},
        "examples": [{"mon-fri": "09:00-17:30", "sat": ["09:00-12:00", "13:00-15:00"]}],
    }
)
Hours = Annotated[dict[str, list[str]], BeforeValidator(_hours), _SCHEMA]


class CalendarForm(Part):
    """Hours of a week."""

    time_zone: TimeZone = Field(description="an IANA name, such as Europe/Berlin")
    hours: Hours = Field(
        description="open hours by day: `mon-fri: 09:00-17:30`; an end before the start is the next day"
    )
    holidays: list[Day] = Field(default_factory=list, description="dates on which it does not open")


class CalendarsFile(Part):
    """A file of calendars."""

    calendars: dict[Name, CalendarForm] = Field(description="calendars by name", min_length=1)
