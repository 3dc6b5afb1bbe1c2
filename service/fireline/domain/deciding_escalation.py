"""Paging and escalating: whom to ask now, whom next, and when to stop.

A level is asked, and waits. When the wait ends without an acknowledgement the next level is asked; after the last one
the rounds repeat; then the service's backup team is asked the same way; then the incident is exhausted, loudly. A level
on which nobody can be reached, or whose conditions do not hold, is passed at once; where nobody was reached at
all, whoever comes on call next is asked as they do.
"""

from dataclasses import asdict, replace
from itertools import islice

from fireline.domain.deciding_contacts import arm_steps, first_sends, planned, send, send_key
from fireline.domain.deciding_draft import LIVE, Draft
from fireline.domain.deciding_gaps import wait_for_shift
from fireline.domain.deciding_silences import silenced
from fireline.domain.deciding_words import paged, span, wall
from fireline.domain.incidents import Attached, Escalation, Incident, Page, PageStatus, Why
from fireline.domain.page_facts import facts
from fireline.domain.paging import Candidate, Reach, policy_of, positions, reach
from fireline.domain.paging_conditions import Asking, unmet
from fireline.domain.policies import ALL, Policy, PolicyLevel

DEFAULT_WAIT = 300.0
"""Seconds a level has when neither policy nor severity says."""


def start(draft: Draft) -> None:
    """Page the owner from the first level of the policy; a severity that does not page says so instead."""
    severity = draft.world.severity(draft.incident.severity)
    draft.change(acknowledged_by=None, acknowledged_at=None, acknowledged_severity=None)
    draft.disarm("ack_timeout")
    if not severity.pages:
        draft.note("unpaged", f"Nobody is paged: severity {severity.name} does not page")
        return
    if held_back(draft):
        return
    if draft.incident.escalation is not None:
        draft.change(escalation=replace(draft.incident.escalation, acknowledged=(), asked=(), needs=1))
    _ask(draft, draft.incident.owner, 0, 0)


def advance(draft: Draft) -> None:
    """Ask the level after the present one, whatever the wait."""
    escalation = draft.incident.escalation
    if escalation is None:
        start(draft)
        return
    if held_back(draft):
        return
    team = escalation.team or draft.incident.owner
    policy = policy_of(draft.world.team(team), draft.world)
    if policy is None:
        _hand_over(draft, team)
    elif escalation.level + 1 < len(policy.levels):
        _ask(draft, team, escalation.level + 1, escalation.round)
    else:
        _ask(draft, team, 0, escalation.round + 1)


def held_back(draft: Draft) -> bool:
    """Whether a silence holds pages back now: then whoever is asked is asked no more, and it starts anew after it."""
    if not silenced(draft):
        return False
    stop(draft)
    close_pages(draft, PageStatus.WITHDRAWN)
    draft.change(escalation=None)
    return True


def ask_team(draft: Draft, team: str) -> None:
    """Ask a team from the first level of its policy, whoever was asked before."""
    _ask(draft, team, 0, 0)


def idle(incident: Incident) -> bool:
    """Whether nobody is on it, nobody is being asked, and not everybody was."""
    escalation = incident.escalation
    asking = escalation is not None and (escalation.due_at is not None or escalation.exhausted)
    return incident.acknowledged_by is None and not asking


def stop(draft: Draft) -> None:
    """No further level is asked until somebody starts again."""
    escalation = draft.incident.escalation
    draft.disarm("escalate")
    if escalation is not None and escalation.due_at is not None:
        draft.change(escalation=replace(escalation, due_at=None))


def close_pages(draft: Draft, status: PageStatus) -> None:
    """End every live page with `status`, and take back whatever is still queued, of ended pages as well."""
    for page in draft.incident.pages:
        for attempt in page.attempts:
            if attempt.state == "sending":
                draft.withdrawn.append(send_key(draft, page.number, attempt.channel))
        attempts = tuple(replace(a, state="withdrawn") if a.state == "sending" else a for a in page.attempts)
        ended = status if page.status in LIVE else page.status
        if (attempts, ended) != (page.attempts, page.status):
            draft.replace_page(replace(page, attempts=attempts, status=ended))


def asked_now(draft: Draft) -> Reach | None:
    """Whom the present level names by now; None when there is no such level any more."""
    escalation = draft.incident.escalation
    team = draft.world.team(escalation.team or draft.incident.owner) if escalation is not None else None
    policy = policy_of(team, draft.world)
    if escalation is None or policy is None or escalation.level >= len(policy.levels):
        return None
    asking = Asking(draft.incident, escalation.level, escalation.round)
    return reach(policy.levels[escalation.level], draft.world, draft.now, asking, team)


def page_beside(draft: Draft, candidates: tuple[Candidate, ...]) -> None:
    """Page more persons of the present level, whose deadline stays."""
    escalation = draft.incident.escalation
    policy = draft.world.oncall.policies.get(escalation.policy) if escalation is not None else None
    if escalation is None or policy is None:
        return
    for candidate in candidates:
        _page_person(draft, policy, escalation, candidate)


def _ask(draft: Draft, team: str, level: int, round_: int) -> None:
    policy = policy_of(draft.world.team(team), draft.world)
    if policy is None or not policy.levels:
        draft.note("nobody", f"Nobody to page: team {team} has no escalation policy with levels")
        _hand_over(draft, team)
        return
    for index, number in islice(positions(policy, level, round_), len(policy.levels)):
        asking = Asking(draft.incident, index, number)
        against = unmet(policy.levels[index].when, asking, draft.world, draft.now)
        if against:
            draft.note("skipped", f"{team} level {index + 1} is passed: {against}")
            continue
        found = _reached(draft, team, policy.levels[index], asking)
        if found.found or found.rooms:
            _page(draft, team, policy, level=index, round_=number, found=found)
            return
        draft.note("nobody", f"Nobody can be reached on {team} level {index + 1}: the next level is asked at once")
    _hand_over(draft, team)


def _reached(draft: Draft, team: str, level: PolicyLevel, asking: Asking) -> Reach:
    """Whom the level reaches, those left out who have acknowledged already; what it does not reach is noted."""
    found = reach(level, draft.world, draft.now, asking, draft.world.team(team))
    place = f"{team} level {asking.level + 1}"
    for reason in found.skipped:
        draft.note("skipped", f"{place}: {reason}")
    for reason in found.missed:
        draft.note("nobody", f"{place}: {reason}")
    answered = _answered(draft)
    for candidate in found.found:
        if candidate.person in answered:
            name = draft.world.name(candidate.person)
            draft.note("skipped", f"{place}: {name} has acknowledged already, and is not asked again")
    return replace(found, found=tuple(c for c in found.found if c.person not in answered))


def _answered(draft: Draft) -> tuple[str, ...]:
    escalation = draft.incident.escalation
    return () if escalation is None else escalation.acknowledged


def _hand_over(draft: Draft, team: str) -> None:
    """The team's policy is at its end: the backup team, once, and then nobody."""
    service = draft.world.service(draft.incident.service)
    backup = None if service is None else service.backup
    if backup and team == draft.incident.owner != backup and draft.world.team(backup):
        draft.note("escalated", f"{team} did not answer or could not be reached: asking the backup team {backup}")
        _ask(draft, backup, 0, 0)
        return
    _exhaust(draft, team)


def _exhaust(draft: Draft, team: str) -> None:
    live = draft.live_pages()
    for page in live:
        draft.replace_page(replace(page, status=PageStatus.EXHAUSTED))
    last = draft.incident.escalation
    policy = last.policy if last else ""
    level, round_ = (last.level, last.round) if last else (0, 0)
    answered = last.acknowledged if last else ()
    draft.change(escalation=Escalation(policy, level, round_, None, exhausted=True, team=team, acknowledged=answered))
    draft.disarm("escalate")
    asked = ", ".join(sorted({draft.world.name(page.person) for page in draft.incident.pages})) or "nobody"
    taken = f", and only {', '.join(map(draft.world.name, answered))} acknowledged" if answered else ""
    few = "TOO FEW HAVE" if answered else "NOBODY HAS"
    text = f"{few} TAKEN {draft.incident.id}: every level was asked ({asked}){taken}."
    later = "" if live else wait_for_shift(draft)
    draft.note("exhausted", f"{text}{later} Somebody in this room, please take it")


def _page(draft: Draft, team: str, policy: Policy, *, level: int, round_: int, found: Reach) -> None:
    for page in draft.live_pages():
        draft.replace_page(replace(page, status=PageStatus.ESCALATED))
    escalation = Escalation(policy.id, level, round_, None, team=team, asked_at=draft.now)
    escalation = _needing(draft, escalation, policy.levels[level], found)
    draft.change(escalation=escalation)
    for candidate in found.found:
        _page_person(draft, policy, escalation, candidate)
    _tell_rooms(draft, escalation, found)
    set_deadline(draft)


def set_deadline(draft: Draft) -> None:
    """Let the present level's wait begin when the first of it is asked: who is quiet until morning has it then."""
    escalation = draft.incident.escalation
    if escalation is None:
        return
    firsts = [page.plan[0].due_at if page.plan and not page.attempts else draft.now for page in draft.live_pages()]
    due_at = max(draft.now, min(firsts, default=draft.now)) + _wait(draft, escalation)
    draft.change(escalation=replace(escalation, due_at=due_at))
    draft.arm("escalate", due_at)


def _needing(draft: Draft, escalation: Escalation, level: PolicyLevel, found: Reach) -> Escalation:
    """How many must acknowledge, and who counts. Of a mentioned group nobody knows who is in it, so anybody does."""
    answered = _answered(draft)
    escalation = replace(escalation, acknowledged=answered)
    counted = tuple(dict.fromkeys((*answered, *(candidate.person for candidate in found.found))))
    anybody = not found.found or any(room.group for room in found.rooms)
    wanted = max(1, len(counted)) if level.acknowledge == ALL else level.acknowledge
    needs = wanted if anybody else min(wanted, len(counted))
    if needs < wanted:
        text = f"Only {needs} of the {wanted} who must acknowledge can be asked"
        draft.note("nobody", f"{text} on {escalation.team} level {escalation.level + 1}")
    if needs == 1:
        return escalation
    return replace(escalation, needs=needs, asked=() if anybody else counted)


def _page_person(draft: Draft, policy: Policy, escalation: Escalation, candidate: Candidate) -> None:
    why = _why(draft, escalation, policy, candidate)
    number = max((page.number for page in draft.incident.pages), default=0) + 1
    plan, order, quiet = planned(draft, candidate.person)
    why = replace(why, order=order)
    page = Page(
        number,
        candidate.person,
        escalation.level,
        escalation.round,
        draft.now,
        why,
        PageStatus.SENDING,
        plan=plan,
    )
    wait = _wait(draft, escalation)
    data = {"page": number, "person": page.person, "why": asdict(why), "escalates_in": span(wait)}
    data |= {"round": escalation.round, "facts": facts(candidate.target, page.person, draft.world, draft.now)}
    arm_steps(draft, page)
    if quiet is not None:
        draft.replace_page(page)
        zone = draft.world.person(page.person).time_zone
        text = f"{draft.world.name(page.person)} is paged at {wall(quiet, zone, draft.now)}, when quiet hours end"
        draft.note("deferred", f"{text}: {draft.incident.severity} is of low urgency", data=data)
        return
    for channel, address in first_sends(draft, page):
        page = send(draft, page, channel, address)
        text = paged(page, channel, draft.incident, draft.world, draft.now)
        draft.note("paged", text, data={**data, "channel": channel})


def _tell_rooms(draft: Draft, escalation: Escalation, found: Reach) -> None:
    """Rooms are told, and get the card from now on; groups are mentioned in the team's own room."""
    place = f"{escalation.team} level {escalation.level + 1}"
    for room in found.rooms:
        where = (room.channel, room.address)
        if where not in draft.incident.rooms:
            draft.change(rooms=(*draft.incident.rooms, where))
        named = " ".join(where)
        if room.group:
            text = f"Asked the group {room.group} in {named} ({place}): whoever of it is there, please take it"
            draft.note("group", text, data={"mentions": [[*where, room.group]], "target": room.target})
        else:
            text = f"Told {named} ({place}): a room, which does not answer for it"
            draft.note("told", text, data={"target": room.target})


def _wait(draft: Draft, escalation: Escalation) -> float:
    """The seconds that the present level has; files may have changed so that there is none any more."""
    policy = draft.world.oncall.policies.get(escalation.policy)
    level = policy.levels[escalation.level] if policy is not None and escalation.level < len(policy.levels) else None
    if level is not None and level.wait > 0:
        return level.wait
    return draft.world.severity(draft.incident.severity).ack_within or DEFAULT_WAIT


def _why(draft: Draft, escalation: Escalation, policy: Policy, candidate: Candidate) -> Why:
    return Why(
        rule=_loudest(draft),
        service=draft.incident.service,
        owner=escalation.team,
        policy=policy.id,
        level=escalation.level,
        schedule=candidate.schedule,
        source=candidate.source,
        until=candidate.until,
        next_person=candidate.next_person,
        target=candidate.target,
    )


def _loudest(draft: Draft) -> str:
    """The rule of the worst signal that fires, the first of them; of any signal when none fires."""

    def rank(attached: Attached) -> tuple[int, float, str]:
        signal = attached.signal
        return draft.world.severity(signal.severity or "").rank, signal.started, signal.id

    signals = draft.incident.firing or tuple(draft.incident.signals.values())
    return min(signals, key=rank).signal.rule if signals else "none"
