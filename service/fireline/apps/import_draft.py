"""What comes of an export of another on-call tool: people, schedules and policies as they are written in files.

Nothing is left out in silence: whatever has no counterpart is a note, which is printed and written into the files.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from fireline.domain.oncall import NOBODY

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LAST_WAIT = "10m"
"""How long the last level has where the export does not say it."""
_DAY, _WEEK = 86_400, 604_800


class Shape(BaseModel):
    """A part of an export. Fields that are not named here are of no use to a schedule: links, colours, dates."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


Kind = TypeVar("Kind", bound=Shape)


@dataclass(slots=True)
class Draft:
    """Collects entries under the ids of the export, and gives each a name of its own."""

    people: dict[str, dict[str, object]] = field(default_factory=dict)
    teams: dict[str, dict[str, object]] = field(default_factory=dict)
    schedules: dict[str, dict[str, object]] = field(default_factory=dict)
    policies: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Something that could not be taken over as it was, once."""
        if text not in self.notes:
            self.notes.append(text)

    def name(self, kind: str, identity: str, words: str) -> str:
        """The name under which something is written: of its words, the same for the same identity, no two alike."""
        known = self._names.get((kind, identity))
        if known is not None:
            return known
        base = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "unnamed"
        taken = {name for (other, _), name in self._names.items() if other == kind} | {NOBODY}
        found = next(n for n in [base, *(f"{base}-{i}" for i in range(2, 10_000))] if n not in taken)
        self._names[kind, identity] = found
        return found

    def known(self, kind: str, identity: str) -> str | None:
        """The name of what was seen before under this id."""
        return self._names.get((kind, identity))

    def person(self, identity: str, full_name: str) -> str:
        """The name of a person; one who is only referred to is kept too, without a way to be reached."""
        known = self.known("person", identity)
        if known is not None:
            return known
        made = self.name("person", identity, full_name.partition("@")[0])
        address = {"contacts": {"email": full_name}} if "@" in full_name else {}
        self.people[made] = {"name": full_name, **address}
        lacks = "no time zone" if address else "no contact and no time zone"
        self.note(f"{full_name} is referred to and not among the users of the export: {lacks}")
        return made

    def add_person(self, identity: str, full_name: str, email: str, zone: str | None) -> str:
        """A person of the export, with the e-mail address as the contact."""
        made = self.name("person", identity, full_name.partition("@")[0])
        entry: dict[str, object] = {"name": full_name}
        if zone and is_zone(zone):
            entry["time_zone"] = zone
        elif zone:
            self.note(f"{full_name}: the time zone {zone!r} is unknown; UTC is assumed")
        if email:
            entry["contacts"] = {"email": email}
        self.people[made] = entry
        return made


Signs = Sequence[tuple[frozenset[str], type[Shape]]]
"""Which fields tell what an entry is; the first that has all of them."""


@dataclass(slots=True)
class Sorted:
    """The entries of an export by what they are."""

    found: list[Shape] = field(default_factory=list)

    @classmethod
    def of_documents(cls, documents: Iterable[object], under: str, signs: Signs, draft: Draft) -> "Sorted":
        """Entries are lists, below the key `under` or not, or single; what is of no known kind is told.

        Raises pydantic's ValidationError for an entry of another shape.
        """
        made = cls()
        for document in documents:
            data = document.get(under, document) if isinstance(document, Mapping) else document
            for entry in data if isinstance(data, list) else [data]:
                given = entry if isinstance(entry, Mapping) else {}
                kind = next((shape for fields, shape in signs if fields <= given.keys()), None)
                if kind is None:
                    draft.note(f"an entry {given.get('name') or given.get('id') or '?'} is of no known kind")
                else:
                    made.found.append(kind.model_validate(entry))
        return made

    def all(self, kind: type[Kind]) -> list[Kind]:
        """The entries of this kind, in order."""
        return [each for each in self.found if isinstance(each, kind)]


def is_zone(name: str) -> bool:
    """Whether it is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def moment(text: str, zone: str) -> datetime:
    """An instant of an export, in the schedule's zone; without an offset it is wall time there. Raises ValueError."""
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    tz = ZoneInfo(zone)
    return parsed.replace(tzinfo=tz) if parsed.tzinfo is None else parsed.astimezone(tz)


def turn(seconds: int) -> str | None:
    """A turn as `every:` has it; None for one that is no whole number of hours."""
    for size, unit in ((_WEEK, "w"), (_DAY, "d"), (3600, "h")):
        if seconds > 0 and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return None


def started(entry: dict[str, object], begins: datetime) -> dict[str, object]:
    """The entry of a layer with its first hand-off."""
    return {**entry, "starts": begins.date().isoformat(), "at": f"{begins:%H:%M}"}


def wall(text: datetime) -> str:
    """An instant to the nearest minute as files have it: with its offset, so that it is the same in any zone."""
    return (text.astimezone(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M+00:00")


def minutes(seconds: int) -> int:
    """Seconds cut to whole minutes; one second short of a minute is how tools write hours that end with the day."""
    return (seconds + 1) // 60 * 60


def hours(days: list[str], start: time, seconds: int) -> dict[str, object] | None:
    """A restriction from a time of day for so long; None when that is everything. Raises ValueError beyond a week."""
    if seconds >= _WEEK or (seconds == _DAY and len(days) == len(DAYS)):
        return None
    begin = datetime.combine(datetime(2024, 1, 1, tzinfo=UTC), start)
    end = begin + timedelta(seconds=seconds)
    entry: dict[str, object] = {"days": days, "start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
    if seconds > _DAY:
        if len(days) != 1:
            raise ValueError("hours of more than a day begin on several days")
        entry["end_day"] = DAYS[(DAYS.index(days[0]) + (end.date() - begin.date()).days) % 7]
    return entry


def with_restrictions(entry: Mapping[str, object], found: list[dict[str, object] | None]) -> dict[str, object]:
    """The layer limited to these hours; one of them that is everything lifts the limit."""
    limits = [each for each in found if each is not None]
    return {**entry, "restrictions": limits} if limits and len(limits) == len(found) else dict(entry)
