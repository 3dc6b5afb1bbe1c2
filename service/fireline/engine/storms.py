"""Storms: whose message a page is folded into, and what becomes of those that were folded when that one ends.

The facts say for each address which page came last (`storm:slack:U1`), and for each page what was folded into it
(`storm:inc-3/1/slack`). Both change only while the first incident is locked, so two performers agree.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fireline.domain.deciding_draft import LIVE
from fireline.domain.deciding_storms import LIST, UNFOLD
from fireline.domain.deciding_world import World
from fireline.domain.effects import SendPage, Timer
from fireline.domain.incidents import Acknowledge, DeliveryReported, Incident, Input, Page, TimerDue
from fireline.engine.outward import MessageRef
from fireline.engine.ports import Transaction

APART = frozenset({"pagerduty", "webhook"})
"""Channels that machines read: each incident is a message of its own there."""
EDITED = frozenset({"slack", "discord", "console"})
"""Channels whose messages are edited in place; on others one further message at the end of the storm lists them all."""
STEP = 10.0
"""Seconds between two edits of a page that more is folded into."""
ACKNOWLEDGE = "storm_ack"
"""The kind of deadline at which what is listed by an acknowledged page is acknowledged too."""
MOST = 20
"""So many of the incidents that a page stands for are named in its message; the rest is counted."""
LISTED = "listed"
"""Beside a message's reference: how many further incidents it lists."""


@dataclass(frozen=True, slots=True)
class Lead:
    """The page that others are folded into, and when its message arrived."""

    incident: Incident
    page: Page
    at: float

    @property
    def name(self) -> str:
        """How people call it."""
        return f"page {self.page.number} of {self.incident.id}"


def lead_of(tx: Transaction, effect: SendPage, world: World, now: float) -> Lead | None:
    """The unanswered page at the same address, not milder than this one, that is young enough to be folded into."""
    found = None if effect.channel in APART else tx.fact(_pointer(effect))
    if found is None or not 0.0 <= now - found[1] < world.response.storm:
        return None
    said, at = found
    number = said.get("incident")
    if not isinstance(number, int) or number == effect.incident:
        return None
    mine, first = (tx.incident(n) for n in (effect.incident, number))
    page = None if first is None else next((p for p in first.pages if p.number == said.get("page")), None)
    if mine is None or first is None or page is None or page.status not in LIVE:
        return None
    if mine.timeline != first.timeline or world.worse(mine.severity, first.severity):
        return None
    return Lead(first, page, at)


def arrived(tx: Transaction, effect: SendPage, now: float) -> None:
    """A page's own message arrived: what comes soon after may be folded into it."""
    tx.put_fact(_pointer(effect), {"incident": effect.incident, "page": effect.page}, now)


def fold(tx: Transaction, effect: SendPage, world: World, now: float, handle: Callable[[Input], object]) -> bool:
    """Fold the page into the one that came before, if there still is one; both incidents note it."""
    found = lead_of(tx, effect, world, now)
    if found is None:
        return False
    for number in sorted((effect.incident, found.incident.number)):
        tx.incident(number)  # in this order, so that two who fold never wait for each other
    lead = lead_of(tx, effect, world, now)  # as it is now that it is locked
    if lead is None:
        return False
    known = members(tx, lead.incident.number, lead.page.number, effect.channel)
    entry = (effect.incident, effect.page)
    if entry not in known:
        _keep(tx, lead.incident.number, lead.page.number, effect.channel, [*known, entry], now=now)
    key = f"inc-{lead.incident.number}/{LIST}/{lead.page.number}/{effect.channel}"
    tx.arm(Timer(key, _listed_at(lead, effect.channel, world, now), LIST, incident=lead.incident.number))
    handle(DeliveryReported(effect.incident, effect.page, effect.channel, True, folded=lead.name))
    return True


def members(tx: Transaction, incident: int, page: int, channel: str) -> list[tuple[int, int]]:
    """The pages (incident, number) that were folded into this one, in the order they came."""
    found = tx.fact(_members(incident, page, channel))
    kept = found[0].get("members") if found is not None else None
    return [(int(pair[0]), int(pair[1])) for pair in kept] if isinstance(kept, Sequence) else []


def acknowledged(tx: Transaction, what: Acknowledge, now: float) -> int:
    """A page was acknowledged that listed others: let those be acknowledged too; how many there are.

    What was folded into it and not yet listed when the button was pressed goes out by itself.
    """
    if what.page is None:
        return 0
    known = members(tx, what.incident, what.page, what.via)
    for number, _ in known[: what.listed]:
        key = f"inc-{number}/{ACKNOWLEDGE}/{what.incident}/{what.person}"
        tx.arm(Timer(key, now, ACKNOWLEDGE, incident=number))
    _release(tx, what.via, known[what.listed :], now=now)
    if known[what.listed :]:
        _keep(tx, what.incident, what.page, what.via, known[: what.listed], now=now)
    return min(what.listed, len(known))


def asked_by(what: TimerDue) -> Acknowledge:
    """The acknowledgement that a deadline of this kind stands for: its key ends so, `/storm_ack/3/ann`."""
    _, _, rest = what.key.partition(f"/{ACKNOWLEDGE}/")
    lead, _, person = rest.partition("/")
    return Acknowledge(what.incident, person, f"the page of INC-{lead}, which listed it")


def listing_due(tx: Transaction, what: TimerDue, lead: Incident | None, now: float) -> bool:
    """Whether a page's message has yet to list what was folded into it; asked again until it does.

    When the page has ended it never will, and those go out by themselves.
    """
    number, _, channel = what.key.rpartition(f"/{LIST}/")[2].partition("/")
    page = None if lead is None else next((p for p in lead.pages if str(p.number) == number), None)
    if lead is None or page is None:
        return False
    known = members(tx, lead.number, page.number, channel)
    address = next((a.address for a in page.attempts if a.channel == channel), "")
    done = listed(tx.message_ref(lead.number, f"page:{page.number}", channel, address))
    if len(known) <= done:
        return False
    if page.status in LIVE:
        tx.arm(Timer(f"{what.key}", now + STEP, LIST, incident=lead.number))
        return True
    _release(tx, channel, known[done:], now=now)
    _keep(tx, lead.number, page.number, channel, known[:done], now=now)
    return False


def listed(ref: MessageRef | None) -> int:
    """How many further incidents the message lists."""
    value = 0 if ref is None else ref.ref.get(LISTED, 0)
    return value if isinstance(value, int) else 0


def _release(tx: Transaction, channel: str, waiting: Sequence[tuple[int, int]], *, now: float) -> None:
    for number, folded in waiting:
        key = f"inc-{number}/{UNFOLD}/{folded}/{channel}"
        tx.arm(Timer(key, now, UNFOLD, incident=number))


def _keep(
    tx: Transaction, lead: int, page: int, channel: str, entries: Sequence[tuple[int, int]], *, now: float
) -> None:
    tx.put_fact(_members(lead, page, channel), {"members": [list(entry) for entry in entries]}, now)


def _listed_at(lead: Lead, channel: str, world: World, now: float) -> float:
    end = lead.at + world.response.storm
    if channel not in EDITED:
        return end
    return min(end, lead.at + STEP * (math.floor((now - lead.at) / STEP) + 1))


def _pointer(effect: SendPage) -> str:
    return f"storm:{effect.channel}:{effect.address}"


def _members(incident: int, page: int, channel: str) -> str:
    return f"storm:inc-{incident}/{page}/{channel}"
