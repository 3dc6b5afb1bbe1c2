"""A step of a person's own order comes due: the next channel, or, after quiet hours, the page itself.

What was put off until quiet hours end is asked again of the schedule then: a hand-off may lie in between, or its person
may have left.
"""

from dataclasses import replace

from fireline.domain.deciding_contacts import plan_anew, send, try_next_contact, waits
from fireline.domain.deciding_draft import CONTACT, LIVE, Draft, step_of
from fireline.domain.deciding_escalation import advance, asked_now, page_beside, set_deadline
from fireline.domain.deciding_words import paged, span
from fireline.domain.incidents import Page, PageStatus, TimerDue
from fireline.domain.paging import Candidate, contacts, unreachable


def step_due(draft: Draft, due: TimerDue) -> None:
    """The next channel of a page, if its person is still waited for."""
    number, index = step_of(due.key)
    page = next((p for p in draft.incident.pages if p.number == number), None)
    if page is None or page.status not in LIVE or index >= len(page.plan):
        draft.reason = f"page {number} of {draft.incident.id} waits for nobody any more"
        return
    step = page.plan[index]
    if draft.now < step.due_at:
        draft.arm(CONTACT, step.due_at, name=due.key.partition("/")[2])
        draft.reason = "not due yet"
    elif not draft.world.severity(draft.incident.severity).pages:
        draft.replace_page(replace(page, status=PageStatus.WITHDRAWN))
        name, severity = draft.world.name(page.person), draft.incident.severity
        draft.note("unpaged", f"{name} is not paged further: severity {severity} does not page")
    elif waits(page):
        _awake(draft, page, "quiet hours are over")
    else:
        _next_channel(draft, page, step.channel)


def hasten(draft: Draft) -> None:
    """The severity may have become urgent: who is left in quiet hours for a low one is asked now."""
    held = [page for page in draft.live_pages() if waits(page)]
    for page in held:
        if not any(other.number == page.number and waits(other) for other in draft.live_pages()):
            continue  # what became of another one has ended it
        _awake(draft, page, f"now, in quiet hours: it is {draft.incident.severity}")
    if held and draft.live_pages():
        set_deadline(draft)


def give_up(draft: Draft, page: Page) -> None:
    """No channel is left for this page; when it was the last of its level, the next one is asked at once."""
    draft.replace_page(replace(page, status=PageStatus.EXHAUSTED))
    escalation = draft.incident.escalation
    if draft.live_pages() or escalation is None or escalation.due_at is None:
        return
    draft.note("escalated", "Nobody of this level can be reached: the next level is asked at once")
    advance(draft)


def _awake(draft: Draft, page: Page, cause: str) -> None:
    """Nothing holds the page back any more: page whoever the level names by now."""
    found = asked_now(draft)
    asked = {p.person for p in draft.live_pages()}
    still = found is None or page.person in {candidate.person for candidate in found.found}
    if still and not unreachable(page.person, draft.world):
        fresh = plan_anew(draft, page)
        if fresh.attempts:
            _tell(draft, fresh, cause)
        return
    others = () if found is None else tuple(c for c in found.found if c.person not in asked)
    _instead(draft, page, others)


def _instead(draft: Draft, page: Page, others: tuple[Candidate, ...]) -> None:
    name = draft.world.name(page.person)
    ended = replace(page, status=PageStatus.ESCALATED)
    if others:
        draft.note("skipped", f"{name} is not asked any more: {page.why.target or 'the policy'} names others by now")
        draft.replace_page(ended)
        page_beside(draft, others)
        set_deadline(draft)
        return
    draft.note("nobody", f"{name} cannot be asked any more: {unreachable(page.person, draft.world) or 'not on call'}")
    give_up(draft, page)


def _tell(draft: Draft, page: Page, cause: str) -> None:
    for attempt in page.attempts:
        text = paged(page, attempt.channel, draft.incident, draft.world, draft.now)
        draft.note("paged", f"{text}; {cause}", data={"page": page.number, "channel": attempt.channel})


def _next_channel(draft: Draft, page: Page, channel: str) -> None:
    name = draft.world.name(page.person)
    if any(attempt.channel == channel for attempt in page.attempts):
        draft.reason = f"page {page.number} was sent on {channel} already"
        return
    address = dict(contacts(draft.world.person(page.person), draft.world)).get(channel)
    ago = span(draft.now - page.at)
    data = {"page": page.number, "channel": channel}
    if address is not None:
        send(draft, page, channel, address)
        draft.note("contact", f"{name} has not acknowledged for {ago}: paged on {channel} as well", data=data)
        return
    instead = try_next_contact(draft, page)
    text = f"{name} cannot be reached on {channel} any more"
    draft.note("undelivered", f"{text}: trying {instead}" if instead else text, data=data)
    if not instead and all(attempt.state == "failed" for attempt in page.attempts):
        give_up(draft, page)
