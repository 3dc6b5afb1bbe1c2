"""What is shown of an incident: the room's card, a person's page, a line in the thread, a question. No markup here.

Buttons follow the state: nothing to press on a closed incident, nobody asked to acknowledge twice. A button's value is
JSON with the incident and the version it was seen at (`domain.clicks.subject_of` reads it).
"""

import json
from collections.abc import Sequence

from fireline.domain.approving import Asking, People, Standing
from fireline.domain.deciding_acknowledging import counted
from fireline.domain.deciding_silences import silenced_by
from fireline.domain.deciding_words import labels, span, times, wall, why_you
from fireline.domain.deciding_world import World
from fireline.domain.durations import wall_time
from fireline.domain.effects import AskApproval, Tell
from fireline.domain.incident_records import Role
from fireline.domain.incidents import Incident, Page, PageStatus, Status
from fireline.domain.runbooks import TERMINAL
from fireline.domain.stops import Stop, barring, standing
from fireline.engine.outward import Button, Message, MessageRef

MOST_SIGNALS = 5
"""So many signals a card names; the rest is counted."""


def card(
    key: str, address: str, incident: Incident, world: World, *, now: float, stops: Sequence[Stop] = ()
) -> Message:
    """The incident's card in a room; `stops` are those in force."""
    return Message(
        key=key,
        kind="card",
        address=address,
        title=_title(incident),
        severity=incident.severity,
        status=incident.status.value,
        body=_body(incident),
        fields=(*_fields(incident, world, now), *_stopped(incident, stops)),
        facts=_facts(incident, world, now),
        buttons=(*_buttons(incident), *_switch(incident, stops)),
    )


def page(
    key: str, address: str, incident: Incident, asked: Page, world: World, *, now: float, stops: Sequence[Stop] = ()
) -> Message:
    """The message to the person who is paged, with why it is them."""
    return Message(
        key=key,
        kind="page",
        address=address,
        title=_title(incident),
        severity=incident.severity,
        status=incident.status.value,
        body=_body(incident),
        fields=(*_fields(incident, world, now), *_stopped(incident, stops)),
        facts=_facts(incident, world, now),
        why=why_you(asked, world, now),
        buttons=(*_buttons(incident, page=asked.number), *_switch(incident, stops)),
    )


def line(
    key: str, address: str, text: str, incident: str, thread: MessageRef | None, *, mentions: tuple[str, ...] = ()
) -> Message:
    """A line in the thread of the card; told apart by the incident's name where there is no thread."""
    title = text if thread is not None else f"{incident}: {text}"
    return Message(key=key, kind="say", address=address, title=title, thread=thread, mentions=mentions)


def told(effect: Tell) -> Message:
    """What a person should know; its first line is the title."""
    title, _, body = effect.text.partition("\n")
    return Message(key=effect.key, kind="say", address=effect.address, title=title, body=body)


def approval(effect: AskApproval, thread: MessageRef | None, standing: tuple[tuple[str, str], ...] = ()) -> Message:
    """A question that waits for approve or reject."""
    value = json.dumps({"run": effect.run, "step": effect.step, "incident": effect.incident})
    return Message(
        key=effect.key,
        kind="approval",
        address=effect.address,
        title=f"Approval needed: run {effect.run}, step {effect.step}",
        body=effect.text,
        buttons=(Button("approve", "Approve", value, "primary"), Button("reject", "Reject", value, "danger")),
        fields=standing,
        thread=thread,
    )


def standing_of(asking: Asking, people: People, now: float) -> tuple[tuple[str, str], ...]:
    """How a question stands: how many of how many have approved, who, who else may, and until when."""
    who = f": {people.named(asking.approved_by)}" if asking.approved_by else ""
    fields = [("Approved", f"{len(asking.approved_by)} of {asking.terms.count}{who}")]
    if (refused := asking.refused) is not None:
        because = f": {refused.reason}" if refused.reason else ""
        return (*fields, ("Rejected", f"{people.name(refused.person)}{because}"))
    if asking.standing(now) is Standing.OPEN:
        others = sorted(people.may - set(asking.approved_by))
        more = f" and {len(others) - MOST_SIGNALS} more" if len(others) > MOST_SIGNALS else ""
        fields.append(("May approve", people.named(others[:MOST_SIGNALS]) + more))
        fields.append(("Expires", wall_time(asking.until, now) + (" (escalated)" if asking.escalated else "")))
    return tuple(fields)


def answered(effect: AskApproval, outcome: str, edit: MessageRef) -> Message:
    """The question once nobody waits for it any more: nothing to press."""
    title = f"Run {effect.run}, step {effect.step}: {outcome}"
    return Message(key=effect.key, kind="approval", address=effect.address, title=title, body=effect.text, edit=edit)


def _title(incident: Incident) -> str:
    state = incident.stands.upper() if incident.status is Status.RESOLVED else incident.severity.upper()
    replayed = "" if incident.timeline == "live" else f" ({incident.timeline})"
    return f"{state} {incident.id} {incident.service}{replayed}: {incident.title}"


def _body(incident: Incident) -> str:
    shown = sorted(incident.signals.values(), key=lambda a: (a.cleared_at is not None, a.signal.started))
    lines = [
        f"{'cleared' if a.cleared_at is not None else a.signal.severity}: {labels(a.signal)}: {a.signal.summary}"
        for a in shown[:MOST_SIGNALS]
    ]
    more = len(shown) - MOST_SIGNALS
    return "\n".join([*lines, *([f"and {more} more signals"] if more > 0 else [])])


def _fields(incident: Incident, world: World, now: float) -> tuple[tuple[str, str], ...]:
    fields = [
        ("Severity", incident.severity + (" (set by hand)" if incident.severity_override else "")),
        ("Status", incident.stands),
        ("Service", incident.service),
        ("Owner", incident.owner),
        ("On it", _on_it(incident, world, now)),
        ("Open for", span((incident.resolved_at or now) - incident.opened_at)),
    ]
    if incident.silenced is not None:
        fields.append(("Silenced", silenced_by(incident.silenced, world, now)))
    if (impact := incident.impact) is not None:
        fields.append(("Comes of", f"INC-{impact.cause} {impact.service}{', over' if impact.over_at else ''}"))
    if incident.impacts:
        named = ", ".join(f"INC-{number}" for number in incident.impacts[:MOST_SIGNALS])
        more = len(incident.impacts) - MOST_SIGNALS
        fields.append(("Impacts", named + (f" and {more} more" if more > 0 else "")))
    leads = [world.name(held.person) for held in incident.roles if held.role is Role.COMMANDER]
    if leads:
        fields.append(("Commander", ", ".join(leads)))
    if incident.leases:
        fields.append(("On fallback", ", ".join(incident.leases)))
    if incident.runs:
        fields.append(("Runs", ", ".join(f"{r.runbook} #{r.id} {r.status}" for r in incident.runs.values())))
    return tuple(fields)


def _on_it(incident: Incident, world: World, now: float) -> str:
    if incident.acknowledged_by is not None:
        zone = world.person(incident.acknowledged_by).time_zone
        at = wall(incident.acknowledged_at or now, zone, now)
        return f"{world.name(incident.acknowledged_by)}, since {at}"
    escalation = incident.escalation
    if escalation is not None and escalation.exhausted:
        return "NOBODY: every level was asked"
    asked = [p for p in incident.pages if p.status in (PageStatus.SENDING, PageStatus.DELIVERED)]
    names = ", ".join(dict.fromkeys(world.name(p.person) for p in asked))
    if escalation is not None and escalation.needs > 1:
        taken = ", ".join(map(world.name, escalation.acknowledged)) or "nobody yet"
        return f"{taken} ({counted(escalation)} of {escalation.needs} needed), asked: {names or 'nobody'}"
    if not names and incident.impact is not None:
        return f"nobody is asked: it comes of INC-{incident.impact.cause}"
    return f"nobody yet, asked: {names}" if names else "nobody"


def _facts(incident: Incident, world: World, now: float) -> tuple[str, ...]:
    facts = []
    if incident.status is Status.RESOLVED:
        by = f" by {world.name(incident.resolved_by)}" if incident.resolved_by else ""
        how = "Resolved" if incident.merged_into is None else f"Merged into INC-{incident.merged_into}"
        facts.append(f"{how}{by} after {span((incident.resolved_at or now) - incident.opened_at)}")
    facts += _evidence(incident)
    if incident.reopened:
        facts.append(f"Reopened {times(incident.reopened)}")
    shaky = [labels(a.signal) for a in incident.signals.values() if a.flapping_since is not None]
    if shaky:
        named = ", ".join(shaky[:MOST_SIGNALS]) + (" and others" if len(shaky) > MOST_SIGNALS else "")
        facts.append(f"FLAPPING, held open until calm: {named}")
    flaps = sum(a.flaps for a in incident.signals.values())
    if flaps:
        facts.append(f"Flapped {times(flaps)}")
    return tuple(facts)


def _evidence(incident: Incident) -> Sequence[str]:
    """The numbers of the worst signal that fires: what was measured, against what, and how far to trust it."""
    for attached in incident.firing[:1]:
        found = attached.signal.evidence
        values = ", ".join(f"{k} {'unknown' if v is None else f'{v:.6g}'}" for k, v in found.measures.items())
        parts = [text for text in (found.condition, values, f"{found.samples} samples") if text]
        return ["; ".join(parts), *found.notes]
    return []


def _buttons(incident: Incident, page: int | None = None) -> tuple[Button, ...]:
    if incident.status is Status.RESOLVED:
        return ()
    subject = {"incident": incident.number, "version": incident.version}
    value = json.dumps(subject if page is None else {**subject, "page": page})
    taken = incident.acknowledged_by is not None
    acknowledge = [] if taken else [Button("acknowledge", "Acknowledge", value, "primary")]
    sure = f"Page the next level of {incident.id} now?"
    return (
        *acknowledge,
        Button("escalate", "Escalate", value, "danger", confirm=sure),
        Button("resolve", "Resolve", value),
    )


def _stopped(incident: Incident, stops: Sequence[Stop]) -> tuple[tuple[str, str], ...]:
    stop = barring(stops, (incident.service,))
    return () if stop is None or incident.status is Status.RESOLVED else (("Runs are held", f"by {stop}"),)


def _switch(incident: Incident, stops: Sequence[Stop]) -> tuple[Button, ...]:
    """The stop switch of the incident's service: to pull while a run is under way, to lift while it is pulled."""
    if incident.status is Status.RESOLVED:
        return ()
    value = json.dumps({"incident": incident.number, "version": incident.version})
    if standing(stops, incident.service) is not None:
        sure = f"Let runbooks act on {incident.service} again?"
        return (Button("lift", "Let runs go on", value, confirm=sure),)
    if all(run.status in TERMINAL for run in incident.runs.values()):
        return ()
    sure = f"Stop all runbooks on {incident.service}? What a step has begun is finished; undoing waits too."
    return (Button("stop", "Stop runs", value, "danger", confirm=sure),)
