"""What silences do to an incident: they hold its pages back, never the incident.

It is silenced while every signal that fires is; one that is not pages as ever. A severity of safety is held back by
silences that say so alone. Whoever asks for the next level by hand breaks the silences for this incident.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fireline.domain.deciding_draft import Draft
from fireline.domain.deciding_words import firing, wall
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident
from fireline.domain.rules import Matcher, Signal
from fireline.domain.silence_matchers import fits
from fireline.domain.silences import SAFETY, Outlook, Resolves, Silence, Silenced, Silences, outlook

_PAGING = frozenset({"stale", "escalated", "reopened"})
"""Entries that say that somebody is paged next: where a silence is in the way, that is said as well."""


def labels_of(signal: Signal, owner: str) -> Mapping[str, str]:
    """What matchers are held against: the labels of the entity, and service, rule, severity and owner."""
    own = {"service": signal.service, "rule": signal.rule, "severity": signal.severity or "", "owner": owner}
    return {**dict(signal.entity), **own}


def silenced(draft: Draft) -> bool:
    """Whether silences hold its pages back now; what changed of that is told, and the next change is waited for."""
    incident = draft.incident
    looks = _looks(incident, draft.world, draft.now)
    changes = [at for look in looks if (at := look.next_change()) is not None]
    if changes:
        draft.arm("silence", min(changes))
    if not incident.firing:
        return False
    before, found = incident.silenced, _cover(looks)
    if found is None:
        if before is not None:
            draft.change(silenced=None)
            draft.note("unsilenced", _over(draft, before, looks), data={"silence": list(before.by)})
        return False
    kinds = {entry.kind for entry in draft.entries}
    said_to_page = bool(kinds & _PAGING) and "silenced" not in kinds
    if found != before or said_to_page:
        draft.change(silenced=found)
        draft.note("silenced", _told(draft, found, before), data=_data(found))
    return True


def _looks(incident: Incident, world: World, now: float) -> list[Outlook]:
    """For each signal that fires the silences that match it; none at all when there is none to match anything."""
    silences = _unbroken(incident, world)
    if not silences.items:
        return []
    # most silences are of another service or owner, and need not be tried on each signal
    owned = [{"service": service, "owner": incident.owner} for service in {a.signal.service for a in incident.firing}]
    near = tuple(each for each in silences.items if any(fits(_shared(each), known) for known in owned))
    whole = outlook(replace(silences, items=near), now)
    return [whole.of(_labels(incident, attached.signal)) for attached in incident.firing]


def _shared(silence: Silence) -> list[Matcher]:
    return [each for each in silence.matchers if each.label in {"service", "owner"}]


def _cover(looks: Sequence[Outlook]) -> Silenced | None:
    """What holds the incident back; None when something that fires is not silenced, or nothing fires."""
    until, by = float("inf"), dict[str, Silence]()
    for look in looks:
        end = look.held_until()
        if end is None:
            return None
        until = min(until, end)
        first = look.held_by()[0][0]
        by[first.id] = first
    if not by:
        return None
    named = next(iter(by.values()))
    holds = any(each.resolves is Resolves.HOLD for each in by.values())
    return Silenced(tuple(by), named.author, until, named.reason, holds)


def silenced_by(held: Silenced, world: World, now: float) -> str:
    """`by S-3 of Ann Berg until Mon 09:00: moving the database`, in the author's time zone."""
    author = world.person(held.author)
    until = wall(held.until, author.time_zone, now)
    return f"by {_names(held)} of {author.name or author.id} until {until}: {held.reason}"


def break_silence(draft: Draft, person: str) -> None:
    """A person asks for the next level: what holds this incident back does so no more."""
    held = draft.incident.silenced
    if held is None:
        return
    draft.change(silenced=None, silences_broken=(*draft.incident.silences_broken, *held.by))
    who = draft.world.name(person)
    text = f"{who} asked for the next level: {_names(held)} no longer holds {draft.incident.id} back"
    draft.note("unsilenced", text, actor=person, data={"silence": list(held.by)})


def _unbroken(incident: Incident, world: World) -> Silences:
    broken = incident.silences_broken
    if not broken:
        return world.silences
    return replace(world.silences, items=tuple(each for each in world.silences.items if each.id not in broken))


def _labels(incident: Incident, signal: Signal) -> Mapping[str, str]:
    """The severity is safety when a person made the incident one."""
    labels = labels_of(signal, incident.owner)
    return {**labels, "severity": SAFETY} if incident.severity == SAFETY else labels


def _names(held: Silenced) -> str:
    return ", ".join(held.by)


def _told(draft: Draft, found: Silenced, before: Silenced | None) -> str:
    incident, world = draft.incident, draft.world
    author = world.person(found.author)
    until = wall(found.until, author.time_zone, draft.now)
    if found == before:
        return f"Not paged: still silenced {silenced_by(found, world, draft.now)}"
    if before is not None and before.by == found.by:
        return f"Silenced by {_names(found)} until {until} now: nobody is paged before"
    taken = "" if incident.acknowledged_by is None else f"; {world.name(incident.acknowledged_by)} is on it"
    held = "No further page" if incident.pages else "Not paged"
    return f"{held}: silenced {silenced_by(found, world, draft.now)}{taken}"


def _data(found: Silenced) -> dict[str, object]:
    return {"silence": list(found.by), "author": found.author, "until": found.until, "reason": found.reason}


def _over(draft: Draft, before: Silenced, looks: Sequence[Outlook]) -> str:
    known = {each.id for each in draft.world.silences.items}
    held = {silence.id for look in looks for silence, _ in look.held_by()}
    if draft.incident.severity == SAFETY and before.until > draft.now and known.intersection(before.by):
        why = f"{_names(before)} does not silence {SAFETY}"
    elif held.intersection(before.by):
        why = f"{_names(before)} does not silence all that fires"
    elif before.until > draft.now and known.intersection(before.by):
        why = f"{_names(before)} no longer matches"
    else:
        why = f"{_names(before)} of {draft.world.name(before.author)} is over"
    return f"Silenced no more: {why}, and it still fires: {firing(draft.incident)}"
