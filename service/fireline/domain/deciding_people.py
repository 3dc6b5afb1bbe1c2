"""What people ask for: acknowledge, escalate, resolve, write down, set the severity.

A click carries the version it saw. On a resolved incident, or when the incident was reopened after what it saw, it
changes nothing and says so: a late click never reopens and never takes what its author has not seen.
"""

from typing import assert_never

from fireline.domain.deciding_closing import arm_ack_timeout, finish
from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import advance, close_pages, idle, start, stop
from fireline.domain.deciding_words import firing, span
from fireline.domain.deciding_world import World
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    ChangeSeverity,
    EscalateNow,
    Incident,
    PageStatus,
    Resolve,
    Status,
)

Request = Acknowledge | EscalateNow | Resolve | AddNote | ChangeSeverity


def decide_request(incident: Incident, asked: Request, world: World, now: float) -> Decision:
    """What a person's request leads to; `reply` is what the person is told."""
    match asked:
        case Acknowledge():
            return acknowledge(incident, asked, world, now)
        case EscalateNow():
            return escalate(incident, asked, world, now)
        case Resolve():
            return resolve(incident, asked, world, now)
        case AddNote():
            return add_note(incident, asked, world, now)
        case ChangeSeverity():
            return change_severity(incident, asked, world, now)
        case _:
            assert_never(asked)


def acknowledge(incident: Incident, asked: Acknowledge, world: World, now: float) -> Decision:
    """`person` takes it: escalation stops, every channel is told."""
    late = _late(incident, asked.version, world, now)
    if late:
        return Decision(incident, reply=late, reason=late)
    if incident.acknowledged_by is not None:
        reply = _already(incident, world, now)
        return Decision(incident, reply=reply, reason=reply)
    draft = Draft(incident, incident, world, now)
    stop(draft)
    close_pages(draft, PageStatus.ACKNOWLEDGED)
    draft.change(acknowledged_by=asked.person, acknowledged_at=now, acknowledged_severity=incident.severity)
    arm_ack_timeout(draft)
    after = span(now - incident.opened_at)
    draft.note(
        "acknowledged",
        f"{world.name(asked.person)} took it via {asked.via}, {after} after it opened",
        actor=asked.person,
    )
    draft.reply = f"{incident.id} is yours: no further level is paged"
    return draft.decide()


def escalate(incident: Incident, asked: EscalateNow, world: World, now: float) -> Decision:
    """`person` asks for the next level at once; an acknowledgement before it counts no more."""
    late = _late(incident, asked.version, world, now)
    if late:
        return Decision(incident, reply=late, reason=late)
    draft = Draft(incident, incident, world, now)
    draft.disarm("ack_timeout")
    draft.change(acknowledged_by=None, acknowledged_at=None, acknowledged_severity=None)
    draft.note("escalated", f"{world.name(asked.person)} asked for the next level via {asked.via}", actor=asked.person)
    known = {page.number for page in incident.pages}
    if incident.escalation is None or incident.escalation.exhausted:
        start(draft)
    else:
        advance(draft)
    people = [world.name(page.person) for page in draft.incident.pages if page.number not in known]
    draft.reply = (
        f"{incident.id}: paging {', '.join(people)}" if people else f"{incident.id}: nobody further can be paged"
    )
    return draft.decide()


def resolve(incident: Incident, asked: Resolve, world: World, now: float) -> Decision:
    """`person` says it is over. Refused while a fallback is in force; what still fires is told."""
    late = _late(incident, asked.version, world, now)
    if late:
        return Decision(incident, reply=late, reason=late)
    if incident.leases:
        held = ", ".join(incident.leases)
        reply = f"{incident.id} stays open: {held} is on its fallback. Hand it back first, then it resolves by itself"
        return Decision(incident, reply=reply, reason=reply)
    draft = Draft(incident, incident, world, now)
    still = firing(incident)
    tail = f"; still firing: {still}, which stays quiet until it clears or gets worse" if still else ""
    finish(draft, asked.person, f"{world.name(asked.person)} resolved it via {asked.via}{tail}")
    draft.reply = f"{incident.id} is resolved{tail}"
    return draft.decide()


def add_note(incident: Incident, asked: AddNote, world: World, now: float) -> Decision:
    """`person` writes something down, on a closed incident as well."""
    draft = Draft(incident, incident, world, now)
    said = asked.text if asked.person.startswith("runbook:") else f"{world.name(asked.person)}: {asked.text}"
    draft.note("note", said, actor=asked.person)
    draft.reply = "Noted"
    return draft.decide()


def change_severity(incident: Incident, asked: ChangeSeverity, world: World, now: float) -> Decision:
    """`person` sets the severity, which then sticks; None gives it back to the signals."""
    known = [severity.name for severity in world.catalog.severities]
    if asked.severity is not None and asked.severity not in known:
        reply = f"{asked.severity!r} is not a severity; known: {', '.join(known)}"
        return Decision(incident, reply=reply, reason=reply)
    if incident.status is Status.RESOLVED:
        reply = _over(incident, world, now)
        return Decision(incident, reply=reply, reason=reply)
    draft = Draft(incident, incident, world, now)
    fires = world.worst([a.signal.severity for a in incident.firing if a.signal.severity])
    severity = asked.severity or fires or incident.severity
    draft.change(severity_override=asked.severity, severity=severity)
    how = "set" if asked.severity else "gave back to the signals:"
    text = f"{world.name(asked.person)} {how} severity {severity} via {asked.via} (was {incident.severity})"
    draft.note("severity", text, actor=asked.person)
    if idle(incident) and incident.firing and world.severity(severity).pages:
        start(draft)
    draft.reply = f"{incident.id} is at {severity}"
    return draft.decide()


def _late(incident: Incident, version: int | None, world: World, now: float) -> str:
    """Why a click comes too late; empty when it does not."""
    if incident.status is Status.RESOLVED:
        return _over(incident, world, now)
    if version is not None and version < incident.reopened_version:
        ago = span(now - (incident.reopened_at or now))
        return f"{incident.id} was reopened {ago} ago, after what you saw. Look again; nothing was changed"
    return ""


def _over(incident: Incident, world: World, now: float) -> str:
    by = f" by {world.name(incident.resolved_by)}" if incident.resolved_by else ""
    return f"{incident.id} was resolved{by} {span(now - (incident.resolved_at or now))} ago; nothing was changed"


def _already(incident: Incident, world: World, now: float) -> str:
    ago = span(now - (incident.acknowledged_at or now))
    return f"{incident.id} was already acknowledged by {world.name(incident.acknowledged_by or '')} {ago} ago"
