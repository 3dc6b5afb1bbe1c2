"""Why a person, or anybody, was not paged: what the lines of the timeline and the facts of pages say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.catalog import Person
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Entry, Incident, Page, PageStatus

_HELD = ("silenced", "partly", "impacted", "unpaged", "skipped", "nobody", "folded", "deferred", "undelivered")
"""Kinds of lines that say why somebody was not paged, or not at once."""
_FOR_ALL = ("silenced", "impacted", "unpaged")
"""Those that hold for everybody."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a short word for it, since when it holds (None: always), and the sentence."""

    word: str
    at: float | None
    text: str


def why_nobody(timeline: Sequence[Entry]) -> list[Reason]:
    """Why pages did not go out, whoever they would have gone to."""
    return [Reason(entry.kind, entry.at, entry.text) for entry in timeline if entry.kind in _HELD]


def why_not(person: str, incident: Incident, timeline: Sequence[Entry], world: World) -> list[Reason]:
    """Why this person was not paged, or how they were."""
    pages = [page for page in incident.pages if page.person == person]
    found = [_paged(page) for page in pages] or _never(person, incident, timeline, world)
    return sorted(found, key=lambda reason: (reason.at is not None, reason.at or 0.0))


def _paged(page: Page) -> Reason:
    tries = "; ".join(f"{a.channel}: {a.state}{f' ({a.detail})' if a.detail else ''}" for a in page.attempts)
    withdrawn = page.status is PageStatus.WITHDRAWN and not page.attempts
    how = "taken back before it went out" if withdrawn else f"{page.status.value}; {tries or 'not tried yet'}"
    return Reason("paged", page.at, f"page {page.number}, level {page.level + 1}: {how}")


def _never(person: str, incident: Incident, timeline: Sequence[Entry], world: World) -> list[Reason]:
    found = _unknown(person, world)
    name = world.name(person)
    found += [_reason(e) for e in timeline if e.kind in _FOR_ALL]
    found += [_reason(e) for e in timeline if e.kind in _HELD and e.kind not in _FOR_ALL and name in e.text]
    found += _off_duty(person, timeline)
    found += _too_late(incident, timeline)
    if not found:
        asked = ", ".join(dict.fromkeys(page.person for page in incident.pages)) or "nobody"
        found.append(Reason("not asked", None, f"no level that was asked names {person}; asked: {asked}"))
    return found


def _reason(entry: Entry) -> Reason:
    return Reason(entry.kind, entry.at, entry.text)


def _unknown(person: str, world: World) -> list[Reason]:
    known: Mapping[str, Person] = world.catalog.people
    if person not in known:
        return [Reason("unknown", None, f"{person} is not in the catalog as it is now")]
    contacts = known[person].contacts
    usable = [channel for channel in contacts if world.channels is None or channel in world.channels]
    if usable:
        return []
    have = ", ".join(contacts) or "none"
    return [Reason("channel", None, f"{person} has no contact on a channel that is switched on now (has: {have})")]


def _off_duty(person: str, timeline: Sequence[Entry]) -> list[Reason]:
    """The schedules that this person is on, and who was on call when they were asked."""
    found: dict[str, Reason] = {}
    for entry in timeline:
        facts, why = entry.data.get("facts"), entry.data.get("why")
        schedule = facts.get("schedule") if isinstance(facts, Mapping) else None
        if not isinstance(schedule, Mapping) or not isinstance(why, Mapping) or person not in _people(schedule):
            continue
        other = f"{entry.data.get('person') or 'somebody else'} was ({why.get('source')})"
        text = f"{person} was not on call on schedule {schedule.get('id')} then: {other}"
        found.setdefault(str(schedule.get("id")), Reason("not on call", entry.at, text))
    return list(found.values())


def _people(schedule: Mapping[str, object]) -> set[object]:
    held: set[object] = set()
    for name in ("layers", "overrides"):
        parts = schedule.get(name)
        for part in parts if isinstance(parts, list | tuple) else ():
            held |= {part.get("person"), *part.get("people", ()), *(s.get("person") for s in part.get("stints", ()))}
    return held


def _too_late(incident: Incident, timeline: Sequence[Entry]) -> list[Reason]:
    """Levels that were never asked, since somebody took it or it was over before."""
    kinds = ("acknowledged", "resolved")
    ended = next((entry for entry in timeline if entry.kind in kinds and incident.pages), None)
    if ended is None:
        return []
    last = max(page.level for page in incident.pages) + 1
    return [Reason("taken", ended.at, f"no level beyond {last} was asked: {ended.text}")]
