"""Paging and escalating: whom to ask now, whom next, and when to stop.

A level is asked, and waits. When the wait ends without an acknowledgement the next level is asked; after the last one
the rounds repeat; then the service's backup team is asked the same way; then the incident is exhausted, loudly. A level
on which nobody can be reached is passed at once.
"""

from dataclasses import asdict, replace
from itertools import islice

from fireline.domain.deciding_draft import LIVE, Draft
from fireline.domain.deciding_words import paged, span
from fireline.domain.effects import SendPage
from fireline.domain.incidents import Attached, Attempt, Escalation, Incident, Page, PageStatus, Why
from fireline.domain.oncall import Policy, PolicyLevel
from fireline.domain.paging import Candidate, contacts, policy_of, positions, reach

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
    _ask(draft, draft.incident.owner, 0, 0)


def advance(draft: Draft) -> None:
    """Ask the level after the present one, whatever the wait."""
    escalation = draft.incident.escalation
    if escalation is None:
        start(draft)
        return
    team = escalation.team or draft.incident.owner
    policy = policy_of(draft.world.team(team), draft.world)
    if policy is None:
        _hand_over(draft, team)
    elif escalation.level + 1 < len(policy.levels):
        _ask(draft, team, escalation.level + 1, escalation.round)
    else:
        _ask(draft, team, 0, escalation.round + 1)


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
                draft.withdrawn.append(_send_key(draft, page.number, attempt.channel))
        attempts = tuple(replace(a, state="withdrawn") if a.state == "sending" else a for a in page.attempts)
        ended = status if page.status in LIVE else page.status
        if (attempts, ended) != (page.attempts, page.status):
            draft.replace_page(replace(page, attempts=attempts, status=ended))


def try_next_contact(draft: Draft, page: Page) -> str | None:
    """Send the page on its person's next channel; the channel's name, None when there is none left."""
    tried = {a.channel for a in page.attempts}
    left = [c for c in contacts(draft.world.person(page.person), draft.world) if c[0] not in tried]
    if not left:
        return None
    _send(draft, page, *left[0])
    return left[0][0]


def _ask(draft: Draft, team: str, level: int, round_: int) -> None:
    policy = policy_of(draft.world.team(team), draft.world)
    if policy is None or not policy.levels:
        draft.note("nobody", f"Nobody to page: team {team} has no escalation policy with levels")
        _hand_over(draft, team)
        return
    for index, number in islice(positions(policy, level, round_), len(policy.levels)):
        found = reach(policy.levels[index], draft.world, draft.now)
        for reason in found.missed:
            draft.note("nobody", f"{team} level {index + 1}: {reason}")
        if found.found:
            _page(draft, team, policy, level=index, round_=number, candidates=found.found)
            return
        draft.note("nobody", f"Nobody can be reached on {team} level {index + 1}: the next level is asked at once")
    _hand_over(draft, team)


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
    for page in draft.live_pages():
        draft.replace_page(replace(page, status=PageStatus.EXHAUSTED))
    last = draft.incident.escalation
    policy = last.policy if last else ""
    level, round_ = (last.level, last.round) if last else (0, 0)
    draft.change(escalation=Escalation(policy, level, round_, None, exhausted=True, team=team))
    draft.disarm("escalate")
    asked = ", ".join(sorted({draft.world.name(page.person) for page in draft.incident.pages})) or "nobody"
    text = (
        f"NOBODY HAS TAKEN {draft.incident.id}: every level was asked ({asked}). Somebody in this room, please take it"
    )
    draft.note("exhausted", text)


def _page(
    draft: Draft, team: str, policy: Policy, *, level: int, round_: int, candidates: tuple[Candidate, ...]
) -> None:
    for page in draft.live_pages():
        draft.replace_page(replace(page, status=PageStatus.ESCALATED))
    wait = _wait(draft, policy.levels[level])
    due_at = draft.now + wait
    draft.change(escalation=Escalation(policy.id, level, round_, due_at, team=team))
    draft.arm("escalate", due_at)
    for candidate in candidates:
        why = _why(draft, team, policy, level, candidate)
        number = max((page.number for page in draft.incident.pages), default=0) + 1
        page = Page(number, candidate.person, level, round_, draft.now, why, PageStatus.SENDING)
        channel, address = contacts(draft.world.person(candidate.person), draft.world)[0]
        sent = _send(draft, page, channel, address)
        text = paged(sent, channel, draft.incident, draft.world, draft.now)
        data = {"page": number, "channel": channel, "why": asdict(why), "escalates_in": span(wait), "round": round_}
        draft.note("paged", text, data=data)


def _send(draft: Draft, page: Page, channel: str, address: str) -> Page:
    sent = replace(page, attempts=(*page.attempts, Attempt(channel, address, "sending", draft.now)))
    draft.replace_page(sent)
    key = _send_key(draft, page.number, channel)
    draft.effects.append(SendPage(key, draft.incident.number, page.number, page.person, channel, address))
    return sent


def _send_key(draft: Draft, page: int, channel: str) -> str:
    return draft.key(f"page-{page}/{channel}")


def _wait(draft: Draft, level: PolicyLevel) -> float:
    if level.wait > 0:
        return level.wait
    return draft.world.severity(draft.incident.severity).ack_within or DEFAULT_WAIT


def _why(draft: Draft, team: str, policy: Policy, level: int, candidate: Candidate) -> Why:
    return Why(
        rule=_loudest(draft),
        service=draft.incident.service,
        owner=team,
        policy=policy.id,
        level=level,
        schedule=candidate.schedule,
        source=candidate.source,
        until=candidate.until,
        next_person=candidate.next_person,
    )


def _loudest(draft: Draft) -> str:
    """The rule of the worst signal that fires, the first of them; of any signal when none fires."""

    def rank(attached: Attached) -> tuple[int, float, str]:
        signal = attached.signal
        return draft.world.severity(signal.severity or "").rank, signal.started, signal.id

    signals = draft.incident.firing or tuple(draft.incident.signals.values())
    return min(signals, key=rank).signal.rule if signals else "none"
