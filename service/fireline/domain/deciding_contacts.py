"""Reaching one person: on which channels, in which order and when, as their own rules and quiet hours say.

Each step of a person's order is a deadline of its own. It comes to nothing once the page has ended: acknowledged,
escalated or withdrawn. What a channel refuses goes to the next one at once, whatever the rules say: they order, and
keep no page from arriving.
"""

from dataclasses import replace

from fireline.domain.contacting import quiet_until, rule_of, steps
from fireline.domain.deciding_draft import CONTACT, LIVE, Draft, step_name
from fireline.domain.deciding_words import span
from fireline.domain.effects import SendPage
from fireline.domain.incidents import Attempt, Page, Planned
from fireline.domain.paging import contacts


def planned(draft: Draft, person: str) -> tuple[tuple[Planned, ...], str, float | None]:
    """The steps to a person from now on, the same in words, and when quiet hours that hold them back end (or None)."""
    who, severity = draft.world.person(person), draft.world.severity(draft.incident.severity)
    quiet = quiet_until(who, severity, draft.now)
    begin = draft.now if quiet is None else quiet
    found = steps(who, dict(contacts(who, draft.world)), severity.urgency, begin)
    plan = tuple(Planned(step.channel, begin + step.after) for step in found)
    if rule_of(who, severity.urgency, begin) is None:
        return plan, "", quiet
    words = [step.channel if not step.after else f"{step.channel} after {span(step.after)}" for step in found]
    return plan, f"{', '.join(words)}, by your rule for {severity.urgency} urgency", quiet


def arm_steps(draft: Draft, page: Page) -> None:
    """Arm the later steps of a page; the end of the page disarms them."""
    for index, step in enumerate(page.plan):
        if step.due_at > draft.now:
            draft.arm(CONTACT, step.due_at, name=step_name(page, index))


def first_sends(draft: Draft, page: Page) -> list[tuple[str, str]]:
    """Channel and address of what is sent now."""
    known = dict(contacts(draft.world.person(page.person), draft.world))
    return [(step.channel, known[step.channel]) for step in page.plan if step.due_at <= draft.now]


def send(draft: Draft, page: Page, channel: str, address: str) -> Page:
    """Queue the page on one channel, and note the attempt; the page as it is then."""
    sent = replace(page, attempts=(*page.attempts, Attempt(channel, address, "sending", draft.now)))
    draft.replace_page(sent)
    key = send_key(draft, page.number, channel)
    draft.effects.append(SendPage(key, draft.incident.number, page.number, page.person, channel, address))
    return sent


def send_key(draft: Draft, page: int, channel: str) -> str:
    """The key of the effect that sends a page on a channel."""
    return draft.key(f"page-{page}/{channel}")


def try_next_contact(draft: Draft, page: Page) -> str | None:
    """Send the page on its person's next channel; the channel's name, None when there is none left."""
    known = dict(contacts(draft.world.person(page.person), draft.world))
    order = dict.fromkeys((*(step.channel for step in page.plan), *known))
    tried = {attempt.channel for attempt in page.attempts}
    channel = next((each for each in order if each in known and each not in tried), None)
    if channel is not None:
        send(draft, page, channel, known[channel])
    return channel


def plan_anew(draft: Draft, page: Page) -> Page:
    """A page that nothing was sent of yet, by what is so now; the page as it is then."""
    plan, order, quiet = planned(draft, page.person)
    fresh = replace(page, plan=plan, why=replace(page.why, order=order))
    for index in range(len(page.plan)):
        draft.disarm(step_name(page, index))
    draft.replace_page(fresh)
    arm_steps(draft, fresh)
    if quiet is None:
        for channel, address in first_sends(draft, fresh):
            fresh = send(draft, fresh, channel, address)
    return fresh


def waits(page: Page) -> bool:
    """Whether nothing was sent of the page yet, because of quiet hours."""
    return page.status in LIVE and not page.attempts
