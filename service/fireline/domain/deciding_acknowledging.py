"""Acknowledgements where one is not enough, and one that its person renews."""

from dataclasses import replace

from fireline.domain.deciding_contacts import send_key
from fireline.domain.deciding_draft import LIVE, Decision, Draft
from fireline.domain.deciding_reminders import arm_acknowledged, stale_soon
from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Acknowledge, Escalation, Incident, PageStatus


def renewed(incident: Incident, asked: Acknowledge, world: World, now: float) -> Decision | None:
    """Who has it says so again, after being reminded that it goes stale: it begins anew. None: it is no such thing."""
    if incident.acknowledged_by != asked.person or not stale_soon(incident, world, now):
        return None
    draft = Draft(incident, incident, world, now)
    draft.change(acknowledged_at=now)
    arm_acknowledged(draft)
    draft.note("renewed", f"{world.name(asked.person)} is still on it, via {asked.via}", actor=asked.person)
    draft.reply = f"{incident.id} stays yours"
    return draft.decide()


def too_few(incident: Incident, asked: Acknowledge, world: World, now: float) -> Decision | None:
    """`person` acknowledges where more must: noted, and the others are asked on. None: it is acknowledged with this."""
    escalation = incident.escalation
    if escalation is None or escalation.exhausted or escalation.needs <= 1:
        return None
    if escalation.asked and asked.person not in escalation.asked:
        text = f"{incident.id} is acknowledged by those who were asked: {missing(escalation, incident, world)}"
        reply = f"{text}. You were not, so nothing was changed; escalate to ask others"
        return Decision(incident, reply=reply, reason=reply)
    if asked.person in escalation.acknowledged:
        reply = f"You have acknowledged {incident.id}; it takes {missing(escalation, incident, world)}"
        return Decision(incident, reply=reply, reason=reply)
    answered = replace(escalation, acknowledged=(*escalation.acknowledged, asked.person))
    if counted(answered) >= answered.needs:
        return None
    return _noted(incident, answered, asked, world, now)


def counted(escalation: Escalation) -> int:
    """How many of the acknowledgements count."""
    return sum(not escalation.asked or person in escalation.asked for person in escalation.acknowledged)


def missing(escalation: Escalation, incident: Incident, world: World) -> str:
    """What it still takes: `1 more of Bob Roy, Cyd Lee`."""
    more = escalation.needs - counted(escalation)
    asked = escalation.asked or tuple(page.person for page in incident.pages if page.status in LIVE)
    left = [person for person in asked if person not in escalation.acknowledged]
    return f"{more} more of {', '.join(map(world.name, left)) or 'the group'}"


def _noted(incident: Incident, answered: Escalation, asked: Acknowledge, world: World, now: float) -> Decision:
    draft = Draft(incident, incident, world, now)
    draft.change(escalation=answered)
    for page in draft.live_pages():
        if page.person == asked.person:
            sending = [a.channel for a in page.attempts if a.state == "sending"]
            draft.withdrawn += [send_key(draft, page.number, channel) for channel in sending]
            attempts = tuple(replace(a, state="withdrawn") if a.state == "sending" else a for a in page.attempts)
            draft.replace_page(replace(page, attempts=attempts, status=PageStatus.ACKNOWLEDGED))
    name, needs = world.name(asked.person), f"{counted(answered)} of {answered.needs}"
    after, left = span(now - incident.opened_at), missing(answered, incident, world)
    text = f"{name} acknowledged via {asked.via}, {after} after it opened: {needs}. It takes {left}"
    draft.note("partly", text, actor=asked.person)
    draft.reply = f"{incident.id}: noted, {needs} who must acknowledge. It takes {left}, who are asked on"
    return draft.decide()
