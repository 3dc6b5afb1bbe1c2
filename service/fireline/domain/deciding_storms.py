"""Storms, decided: pages that one message stands for, together with the first of them.

Who was paged a moment ago, and has not answered, is not sent a second message: the page is *folded* into the first,
whose message lists the incident from then on. Each incident waits for the person and escalates as ever. A page that was
folded into one that ended before it was listed goes out by itself.
"""

from dataclasses import replace

from fireline.domain.deciding_contacts import send_key
from fireline.domain.deciding_draft import LIVE, Draft
from fireline.domain.effects import SendPage
from fireline.domain.incidents import DeliveryReported, Page, PageStatus, TimerDue

LIST, UNFOLD = "storm", "unfold"
"""Kinds of deadlines: a page's message is to list what was folded into it; a folded page is to go out by itself."""

FOLDED = "folded into "
"""How the detail of an attempt begins whose page was folded."""


def fold(draft: Draft, page: Page, report: DeliveryReported) -> None:
    """The page reached its person as a part of another one, which `report.folded` names."""
    attempts = tuple(
        replace(a, state="delivered", detail=f"{FOLDED}{report.folded}") if a.channel == report.channel else a
        for a in page.attempts
    )
    status = PageStatus.DELIVERED if page.status is PageStatus.SENDING else page.status
    draft.replace_page(
        replace(page, attempts=attempts, status=status, why=replace(page.why, folded_into=report.folded))
    )
    name = draft.world.name(page.person)
    text = f"Page {page.number} for {name} on {report.channel} is folded into {report.folded}: one message for both"
    draft.note("folded", text, data={"page": page.number, "into": report.folded})
    draft.quiet = True


def list_more(draft: Draft, due: TimerDue) -> None:
    """What was folded into a page since is to be listed by its message; its decision brings messages up to date."""
    page, channel = _named(draft, due)
    if page is None or page.status not in LIVE:
        draft.reason = f"{due.key}: the page has ended"
        return
    draft.timers.pop(due.key)  # who asked for it looks again whether the message came
    name = draft.world.name(page.person)
    draft.note(LIST, f"Page {page.number} to {name} on {channel} stands for further incidents as well, and lists them")


def unfold(draft: Draft, due: TimerDue) -> None:
    """Send a folded page by itself: what it was folded into ended before it was listed there."""
    page, channel = _named(draft, due)
    attempt = None if page is None else next((a for a in page.attempts if a.channel == channel), None)
    if page is None or attempt is None or page.status not in LIVE or not attempt.detail.startswith(FOLDED):
        draft.reason = f"{due.key}: nobody waits for it any more"
        return
    fresh = replace(attempt, state="sending", detail="", at=draft.now)
    attempts = tuple(fresh if a.channel == channel else a for a in page.attempts)
    into = page.why.folded_into
    draft.replace_page(replace(page, attempts=attempts, why=replace(page.why, folded_into="")))
    key = f"{send_key(draft, page.number, channel)}/v{draft.incident.version + 1}"
    draft.effects.append(SendPage(key, draft.incident.number, page.number, page.person, channel, attempt.address))
    name = draft.world.name(page.person)
    draft.note("unfolded", f"Page {page.number} for {name} goes out by itself: {into} ended before it listed this one")


def _named(draft: Draft, due: TimerDue) -> tuple[Page | None, str]:
    """The page and the channel of a deadline: its key ends so, `/storm/1/slack`."""
    _, _, rest = due.key.rpartition(f"/{due.kind}/")
    number, _, channel = rest.partition("/")
    return next((p for p in draft.incident.pages if str(p.number) == number), None), channel
