"""What silences do to an incident: they hold its pages back, never the incident.

It is silenced while every signal that fires is; one that is not pages as ever. A severity of safety is held back by
silences that say so alone. Whoever asks for the next level by hand breaks the silences for this incident.
"""

from collections.abc import Mapping
from dataclasses import replace

from fireline.domain.deciding_draft import Draft
from fireline.domain.deciding_words import firing, wall
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident
from fireline.domain.rules import Signal
from fireline.domain.silences import (
    SAFETY,
    Resolves,
    Silence,
    Silenced,
    Silences,
    Span,
    held_until,
    matching,
    next_change,
)

Held = tuple[Silence, Span]


def labels_of(signal: Signal, owner: str) -> Mapping[str, str]:
    """What matchers are held against: the labels of the entity, and service, rule, severity and owner."""
    own = {"service": signal.service, "rule": signal.rule, "severity": signal.severity or "", "owner": owner}
    return {**dict(signal.entity), **own}


def cover(incident: Incident, world: World, now: float) -> Silenced | None:
    """What holds the incident back at `now`; None when something that fires is not silenced, or nothing fires."""
    silences = _unbroken(incident, world)
    if not silences.items or not incident.firing:
        return None
    until, by = float("inf"), dict[str, Silence]()
    for attached in incident.firing:
        labels = _labels(incident, attached.signal)
        held = matching(silences, labels, now)
        end = held_until(silences, labels, now)
        if end is None:
            return None
        until = min(until, end)
        by[held[0][0].id] = held[0][0]
    first = next(iter(by.values()))
    holds = any(each.resolves is Resolves.HOLD for each in by.values())
    return Silenced(tuple(by), first.author, until, first.reason, holds)


def silenced(draft: Draft) -> bool:
    """Whether silences hold its pages back now; what changed of that is told, and the next change is waited for."""
    incident = draft.incident
    _await_change(draft)
    if not incident.firing:
        return False
    before, found = incident.silenced, cover(incident, draft.world, draft.now)
    if found is None:
        if before is not None:
            draft.change(silenced=None)
            draft.note("unsilenced", _over(draft, before), data={"silence": list(before.by)})
        return False
    if found != before:
        draft.change(silenced=found)
        draft.note("silenced", _told(draft, found, before), data=_data(found))
    return True


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


def _await_change(draft: Draft) -> None:
    silences = _unbroken(draft.incident, draft.world)
    if not silences.items:
        return
    all_labels = [_labels(draft.incident, attached.signal) for attached in draft.incident.firing]
    found = [at for labels in all_labels if (at := next_change(silences, labels, draft.now)) is not None]
    if found:
        draft.arm("silence", min(found))


def _names(held: Silenced) -> str:
    return ", ".join(held.by)


def _told(draft: Draft, found: Silenced, before: Silenced | None) -> str:
    incident, world = draft.incident, draft.world
    author = world.person(found.author)
    until = wall(found.until, author.time_zone, draft.now)
    if before is not None and before.by == found.by:
        return f"Silenced by {_names(found)} until {until} now: nobody is paged before"
    taken = "" if incident.acknowledged_by is None else f"; {world.name(incident.acknowledged_by)} is on it"
    held = "No further page" if incident.pages else "Not paged"
    return f"{held}: silenced {silenced_by(found, world, draft.now)}{taken}"


def _data(found: Silenced) -> dict[str, object]:
    return {"silence": list(found.by), "author": found.author, "until": found.until, "reason": found.reason}


def _over(draft: Draft, before: Silenced) -> str:
    known = {each.id for each in draft.world.silences.items}
    held = {
        silence.id
        for attached in draft.incident.firing
        for silence, _ in matching(draft.world.silences, _labels(draft.incident, attached.signal), draft.now)
    }
    if draft.incident.severity == SAFETY and before.until > draft.now and known.intersection(before.by):
        why = f"{_names(before)} does not silence {SAFETY}"
    elif held.intersection(before.by):
        why = f"{_names(before)} does not silence all that fires"
    elif before.until > draft.now and known.intersection(before.by):
        why = f"{_names(before)} no longer matches"
    else:
        why = f"{_names(before)} of {draft.world.name(before.author)} is over"
    return f"Silenced no more: {why}, and it still fires: {firing(draft.incident)}"
