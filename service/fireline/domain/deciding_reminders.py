"""Reminders to who has an incident: that the acknowledgement goes stale soon, and that people expect news."""

from fireline.domain.contacting import quiet_until
from fireline.domain.deciding_draft import Draft
from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.effects import Say
from fireline.domain.incidents import Incident, TimerDue
from fireline.domain.paging import contacts

LONGEST_LEAD = 300.0
"""Seconds by which a reminder comes before an acknowledgement goes stale, at most; at most a quarter of its time."""


def lead(timeout: float) -> float:
    """How long before its end the reminder of an acknowledgement comes, in seconds."""
    return min(LONGEST_LEAD, timeout / 4)


def arm_acknowledged(draft: Draft) -> None:
    """Arm what follows an acknowledgement: that it goes stale, a reminder of that before, and news that are due."""
    arm_stale(draft)
    every = draft.world.severity(draft.incident.severity).update_every
    if every is not None:
        draft.arm("update", draft.now + every)


def arm_stale(draft: Draft) -> None:
    """Arm the end of the acknowledgement, counted from now, and the reminder before it."""
    timeout = draft.world.severity(draft.incident.severity).ack_timeout
    if timeout is not None:
        draft.arm("ack_timeout", draft.now + timeout)
        draft.arm("ack_warning", draft.now + timeout - lead(timeout))


def stale_soon(incident: Incident, world: World, now: float) -> bool:
    """Whether the present acknowledgement is near its end, so that it may be renewed."""
    timeout = world.severity(incident.severity).ack_timeout
    at = incident.acknowledged_at
    return timeout is not None and at is not None and now >= at + timeout - lead(timeout)


def warn(draft: Draft, due: TimerDue) -> None:
    """Remind who has it that it goes stale, while something fires."""
    incident = draft.incident
    timeout = draft.world.severity(incident.severity).ack_timeout
    if incident.acknowledged_by is None or not incident.firing or timeout is None:
        draft.reason = f"{incident.id} has no acknowledgement that could go stale, or nothing fires"
    elif draft.now < due.due_at:
        draft.arm("ack_warning", due.due_at)
        draft.reason = "not due yet"
    elif _quiet(draft, incident.acknowledged_by) is not None:
        draft.reason = "nobody is reminded in quiet hours of what is of low urgency"
    else:
        what = f"it still fires, and in {span(lead(timeout))} it is paged again. Acknowledge it again to keep it"
        _remind(draft, incident.acknowledged_by, what, due)


def ask_for_news(draft: Draft, due: TimerDue) -> None:
    """Remind who has it that people expect news, when nobody has written anything for so long."""
    incident = draft.incident
    every = draft.world.severity(incident.severity).update_every
    if incident.acknowledged_by is None or every is None:
        draft.reason = f"nobody is asked for news of {incident.id}"
        return
    latest = max(incident.acknowledged_at or draft.now, incident.updated_at or 0.0)
    due_at = max(due.due_at, latest + every, _quiet(draft, incident.acknowledged_by) or 0.0)
    if draft.now < due_at:
        draft.arm("update", due_at)
        draft.reason = "news are not due yet"
        return
    draft.arm("update", draft.now + every)
    what = f"news are due every {span(every)}, the last were {span(draft.now - latest)} ago. Write a note"
    _remind(draft, incident.acknowledged_by, what, due)


def _quiet(draft: Draft, person: str) -> float | None:
    severity = draft.world.severity(draft.incident.severity)
    return quiet_until(draft.world.person(person), severity, draft.now)


def _remind(draft: Draft, person: str, what: str, due: TimerDue) -> None:
    """On the first channel that reaches them; the timeline knows, and the room is not told."""
    name, incident = draft.world.name(person), draft.incident
    draft.quiet = True
    where = contacts(draft.world.person(person), draft.world)
    if not where:
        draft.note("reminded", f"{name} could not be reminded: no contact on a configured channel")
        return
    channel, address = where[0]
    key = draft.key(f"remind/{due.kind}/{due.due_at:.3f}")
    draft.effects.append(
        Say(key, incident.number, channel, address, f"You have {incident.id}, {incident.title}: {what}")
    )
    draft.note("reminded", f"Reminded {name} on {channel}: {what}")
