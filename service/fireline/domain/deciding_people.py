"""What people ask for while it lasts: acknowledge, escalate, resolve, write down, set the severity.

Every act carries the version that its author saw. On a resolved incident, or when something happened after what was
seen that the act would hide or undo, it changes nothing and says what happened: a late act never reopens.
"""

from dataclasses import replace
from typing import assert_never

from fireline.domain.deciding_acknowledging import renewed, too_few
from fireline.domain.deciding_closing import arm_ack_timeout, finish
from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import advance, ask_team, close_pages, start, stop
from fireline.domain.deciding_impact import waive
from fireline.domain.deciding_late import late, refuse, since, told
from fireline.domain.deciding_reminders import arm_acknowledged
from fireline.domain.deciding_signals import page_or_say_why_not
from fireline.domain.deciding_silences import break_silence
from fireline.domain.deciding_words import firing, span
from fireline.domain.deciding_world import World
from fireline.domain.incident_acts import ChangeSeverity
from fireline.domain.incidents import Acknowledge, AddNote, EscalateNow, Incident, PageStatus, Resolve

Request = Acknowledge | EscalateNow | Resolve | AddNote | ChangeSeverity

_NEWS = ("attached", "flap", "merged", "severity", "split")
"""What tells that there is more of it, or less."""


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
    """`person` takes it: escalation stops, every channel is told. What they have not seen yet is told in the reply."""
    if reason := late(incident, asked, (), world, now):
        return refuse(incident, reason)
    if (again := renewed(incident, asked, world, now)) is not None:
        return again
    if incident.acknowledged_by is not None:
        reply = _already(incident, world, now)
        return Decision(incident, reply=reply, reason=reply)
    if (partly := too_few(incident, asked, world, now)) is not None:
        return partly
    draft = Draft(incident, incident, world, now)
    if incident.escalation is not None and asked.person not in incident.escalation.acknowledged:
        answered = (*incident.escalation.acknowledged, asked.person)
        draft.change(escalation=replace(incident.escalation, acknowledged=answered))
    stop(draft)
    close_pages(draft, PageStatus.ACKNOWLEDGED)
    draft.change(acknowledged_by=asked.person, acknowledged_at=now, acknowledged_severity=incident.severity)
    arm_acknowledged(draft)
    after = span(now - incident.opened_at)
    draft.note(
        "acknowledged",
        f"{world.name(asked.person)} took it via {asked.via}, {after} after it opened",
        actor=asked.person,
    )
    missed = since(incident, asked, _NEWS)
    tail = f". After what you saw: {told(missed, now)}" if missed else ""
    draft.reply = f"{incident.id} is yours: no further level is paged{tail}"
    return draft.decide()


def escalate(incident: Incident, asked: EscalateNow, world: World, now: float) -> Decision:
    """`person` asks for the next level or a team at once; an acknowledgement that they saw counts no more."""
    if reason := late(incident, asked, ("acknowledged", "merged"), world, now):
        return refuse(incident, reason)
    if asked.team and world.team(asked.team) is None:
        teams = ", ".join(sorted(world.catalog.teams)) or "none"
        return refuse(incident, f"{asked.team[:100]!r} is not a team of the catalog; known: {teams}")
    draft = Draft(incident, incident, world, now)
    draft.disarm("ack_timeout")
    if incident.acknowledged_by is not None and incident.escalation is not None:
        draft.change(escalation=replace(incident.escalation, acknowledged=()))  # who had it may be asked again
    draft.change(acknowledged_by=None, acknowledged_at=None, acknowledged_severity=None)
    whom, why = asked.team or "the next level", f": {asked.reason}" if asked.reason else ""
    draft.note("escalated", f"{world.name(asked.person)} asked for {whom} via {asked.via}{why}", actor=asked.person)
    waive(draft)
    break_silence(draft, asked.person)
    known = {page.number for page in incident.pages}
    if asked.team:
        ask_team(draft, asked.team)
    elif incident.escalation is None or incident.escalation.exhausted:
        start(draft)
    else:
        advance(draft)
    new = [page for page in draft.incident.pages if page.number not in known]
    people = [world.name(page.person) + ("" if page.attempts else " once quiet hours end") for page in new]
    draft.reply = (
        f"{incident.id}: paging {', '.join(people)}" if people else f"{incident.id}: nobody further can be paged"
    )
    return draft.decide()


def resolve(incident: Incident, asked: Resolve, world: World, now: float) -> Decision:
    """`person` says it is over. Refused while a fallback is in force; what still fires is told, or refuses it."""
    if reason := late(incident, asked, ("acknowledged", *_NEWS), world, now):
        return refuse(incident, reason)
    if incident.leases:
        held = ", ".join(incident.leases)
        text = f"{incident.id} stays open: {held} is on its fallback. Hand it back first, then it resolves by itself"
        return refuse(incident, text)
    still = firing(incident)
    if still and world.response.resolve_while_firing == "refuse":
        return _held_open(incident, asked, still, world, now)
    draft = Draft(incident, incident, world, now)
    tail = f"; still firing: {still}, which stays quiet until it clears or gets worse" if still else ""
    finish(draft, asked.person, f"{world.name(asked.person)} resolved it via {asked.via}{tail}")
    draft.reply = f"{incident.id} is resolved{tail}"
    return draft.decide()


def _held_open(incident: Incident, asked: Resolve, still: str, world: World, now: float) -> Decision:
    """The policy refuses: the timeline keeps that somebody wanted it over, and why it is not."""
    text = f"{incident.id} stays open: still firing: {still}. It resolves by itself {span(world.response.settle)} after"
    reply = f"{text} that clears (severities.yaml, response: resolve_while_firing: refuse)"
    draft = Draft(incident, incident, world, now)
    draft.note("held", f"{world.name(asked.person)} wanted to resolve it via {asked.via}; {reply}", actor=asked.person)
    draft.reply = draft.reason = reply
    draft.refused = True
    return draft.decide()


def add_note(incident: Incident, asked: AddNote, world: World, now: float) -> Decision:
    """`person` writes something down, on a closed incident as well."""
    draft = Draft(incident, incident, world, now)
    ours = asked.person.startswith(("runbook:", "run:"))
    draft.note("note", asked.text if ours else f"{world.name(asked.person)}: {asked.text}", actor=asked.person)
    if not ours:
        draft.change(updated_at=now)
    draft.reply = "Noted"
    return draft.decide()


def change_severity(incident: Incident, asked: ChangeSeverity, world: World, now: float) -> Decision:
    """`person` sets the severity, which then sticks; None gives it back to the signals. A raise pages again."""
    known = [severity.name for severity in world.catalog.severities]
    if asked.severity is not None and asked.severity not in known:
        return refuse(incident, f"{asked.severity!r} is not a severity; known: {', '.join(known)}, or auto")
    if reason := late(incident, asked, ("severity", "merged", "split"), world, now):
        return refuse(incident, reason)
    if asked.severity == incident.severity_override:
        how = "set by hand already" if asked.severity else "what the signals say already"
        reply = f"{incident.id} is at {incident.severity}, {how}"
        return Decision(incident, reply=reply, reason=reply)
    draft = Draft(incident, incident, world, now)
    fires = world.worst([a.signal.severity for a in incident.firing if a.signal.severity])
    severity = asked.severity or fires or incident.severity
    draft.change(severity_override=asked.severity, severity=severity)
    how = f"set severity {severity}" if asked.severity else f"gave the severity back to the signals: {severity}"
    why = f": {asked.reason}" if asked.reason else ""
    draft.note(
        "severity",
        f"{world.name(asked.person)} {how} via {asked.via} (was {incident.severity}){why}",
        actor=asked.person,
        data={"before": incident.severity, "after": severity, "by_hand": asked.severity, "reason": asked.reason},
    )
    _page_after(draft, asked, incident)
    draft.reply = _at(draft.incident)
    return draft.decide()


def _page_after(draft: Draft, asked: ChangeSeverity, before: Incident) -> None:
    rises = draft.world.worse(draft.incident.severity, before.severity)
    if rises and before.acknowledged_by == asked.person:
        # who has it knows of it: to be paged for what one just did is what people complain of
        draft.change(acknowledged_severity=draft.incident.severity)
        name = draft.world.name(asked.person)
        draft.note("unpaged", f"Not paged again: {name}, who raised it, is on it; escalate to ask others")
        arm_ack_timeout(draft)
    elif not draft.world.severity(draft.incident.severity).pages:
        if before.escalation is not None and before.escalation.due_at is not None:
            draft.note("unpaged", f"No further level is paged: severity {draft.incident.severity} does not page")
            stop(draft)
    elif rises or before.firing:
        page_or_say_why_not(draft, rises=rises)


def _at(incident: Incident) -> str:
    hand = ", set by hand: it stays until somebody sets it to auto" if incident.severity_override else ""
    return f"{incident.id} is at {incident.severity}{hand}"


def _already(incident: Incident, world: World, now: float) -> str:
    ago = span(now - (incident.acknowledged_at or now))
    return f"{incident.id} was already acknowledged by {world.name(incident.acknowledged_by or '')} {ago} ago"
