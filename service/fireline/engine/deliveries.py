"""What an effect means at the moment it is performed: the message to deliver, or why there is none any more.

An effect waits in the outbox while the world goes on. So what is shown is the incident as it is now, and a page that
was acknowledged, or delivered by an earlier attempt, is not sent.
"""

from dataclasses import dataclass, replace

from fireline.domain.approving import People
from fireline.domain.deciding_draft import LIVE
from fireline.domain.deciding_world import World
from fireline.domain.effects import AskApproval, Say, SendPage, Tell, UpdateCard, UpdatePage
from fireline.domain.incidents import Incident, Page
from fireline.domain.runbooks import Run
from fireline.engine import approvals, messages, storm_messages, storms
from fireline.engine.approvers import approvers
from fireline.engine.outward import Message, MessageRef
from fireline.engine.ports import Transaction

Delivered = SendPage | UpdateCard | UpdatePage | Say | Tell | AskApproval
"""The effects that end in a message on a channel."""

SHOWN = "shown"
"""Beside a message's reference: the incident's version that it shows."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to deliver, under which `kind` to remember where it is (empty: not at all), and what it shows."""

    message: Message
    kind: str = ""
    version: int = 0
    listed: int = 0
    fold: bool = False  # an unanswered page came just before, which may stand for this one


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to deliver any more, and why. `arrived`: because an earlier attempt did arrive."""

    reason: str
    arrived: bool = False


def prepare(tx: Transaction, effect: Delivered, world: World, now: float) -> Delivery | Nothing:
    """The delivery that the effect asks for as things stand now."""
    match effect:
        case SendPage():
            return _page(tx, effect, world, now)
        case UpdatePage():
            return _page_update(tx, effect, world, now)
        case UpdateCard():
            return _card(tx, effect, world, now)
        case Say():
            return _line(tx, effect)
        case Tell():
            return Delivery(messages.told(effect))
        case AskApproval():
            return _approval(tx, effect, world, now)


def _page(tx: Transaction, effect: SendPage, world: World, now: float) -> Delivery | Nothing:
    found = _asked(tx, effect.incident, effect.page)
    if found is None:
        return Nothing(f"page {effect.page} of INC-{effect.incident} does not exist")
    incident, asked = found
    attempt = next((a for a in asked.attempts if a.channel == effect.channel), None)
    if attempt is None or attempt.state != "sending":
        return Nothing(f"no longer wanted: {'unknown' if attempt is None else attempt.state}")
    if tx.message_ref(effect.incident, f"page:{effect.page}", effect.channel, effect.address) is not None:
        return Nothing("an earlier attempt arrived", arrived=True)
    message = messages.page(effect.key, effect.address, incident, asked, world, now=now, stops=tx.stops())
    fold = storms.lead_of(tx, effect, world, now) is not None
    return Delivery(message, f"page:{effect.page}", incident.version, fold=fold)


def _page_update(tx: Transaction, effect: UpdatePage, world: World, now: float) -> Delivery | Nothing:
    found = _asked(tx, effect.incident, effect.page)
    ref = tx.message_ref(effect.incident, f"page:{effect.page}", effect.channel, effect.address)
    if found is None or ref is None:
        return Nothing("nothing was sent")
    if _shown(ref) >= effect.version:
        return Nothing(f"shows version {_shown(ref)} already")
    incident, asked = found
    message = messages.page(effect.key, effect.address, incident, asked, world, now=now, stops=tx.stops())
    kind = f"page:{effect.page}"
    folded = storms.members(tx, effect.incident, effect.page, effect.channel)
    if asked.status not in LIVE:
        folded = folded[: storms.listed(ref)]  # nobody looks at it again: what it does not list goes out by itself
    if not folded:
        return Delivery(replace(message, edit=bare(ref)), kind, incident.version)
    shown = [each for number, _ in folded[: storms.MOST] if (each := tx.incident(number)) is not None]
    message = storm_messages.listing(message, incident, asked, shown, len(folded))
    again = effect.channel not in storms.EDITED and storms.listed(ref) != len(folded)
    edit = None if again else bare(ref)
    return Delivery(replace(message, edit=edit), kind, incident.version, listed=len(folded))


def _card(tx: Transaction, effect: UpdateCard, world: World, now: float) -> Delivery | Nothing:
    incident = tx.incident(effect.incident)
    if incident is None:
        return Nothing(f"INC-{effect.incident} does not exist")
    ref = tx.message_ref(effect.incident, "card", effect.channel, effect.address)
    if ref is not None and _shown(ref) >= effect.version:
        return Nothing(f"shows version {_shown(ref)} already")
    message = messages.card(effect.key, effect.address, incident, world, now=now, stops=tx.stops())
    edit = None if ref is None else bare(ref)
    return Delivery(replace(message, edit=edit), "card", incident.version)


def _line(tx: Transaction, effect: Say) -> Delivery | Nothing:
    ref = tx.message_ref(effect.incident, "card", effect.channel, effect.address)
    thread = None if ref is None else bare(ref)
    name = f"INC-{effect.incident}"
    return Delivery(messages.line(effect.key, effect.address, effect.text, name, thread, mentions=effect.mentions))


def _approval(tx: Transaction, effect: AskApproval, world: World, now: float) -> Delivery | Nothing:
    incident, run = effect.incident or 0, tx.run(effect.run)
    kind = f"approval:{effect.run}:{effect.step}" + (f":{effect.round}" if effect.round else "")
    ref = tx.message_ref(incident, kind, effect.channel, effect.address)
    outcome = None if run is None else approvals.outcome(run, effect.step)
    shown = () if run is None else _standing(tx, run, effect, world, now)
    if outcome is not None:
        if ref is None:
            return Nothing(f"nobody waits for an answer any more: {outcome}")
        return Delivery(replace(messages.answered(effect, outcome, bare(ref)), fields=shown), kind)
    if ref is not None and not effect.update:
        return Nothing("asked already")
    if ref is not None:
        return Delivery(replace(messages.approval(effect, None, shown), edit=bare(ref)), kind)
    card = None if effect.incident is None else tx.message_ref(incident, "card", effect.channel, effect.address)
    return Delivery(messages.approval(effect, None if card is None else bare(card), shown), kind)


def _standing(tx: Transaction, run: Run, effect: AskApproval, world: World, now: float) -> tuple[tuple[str, str], ...]:
    """How many have approved, who, who may, and by when."""
    asking = approvals.kept(run, effect.step)
    if asking is None:
        return ()
    may = approvers(tx, world, run, asking.of, asking.owner, now=now)
    names = {person: world.name(person) for person in (*may, *(vote.person for vote in asking.votes))}
    return messages.standing_of(asking, People(may, run.requested_by, names), now)


def _asked(tx: Transaction, incident: int, page: int) -> tuple[Incident, Page] | None:
    found = tx.incident(incident)
    asked = None if found is None else next((p for p in found.pages if p.number == page), None)
    return None if found is None or asked is None else (found, asked)


def _shown(ref: MessageRef) -> int:
    value = ref.ref.get(SHOWN)
    return value if isinstance(value, int) else 0


def bare(ref: MessageRef) -> MessageRef:
    """The reference as the channel gave it."""
    return replace(ref, ref={k: v for k, v in ref.ref.items() if k not in (SHOWN, storms.LISTED)})


def remembered(effect: Delivered, delivery: Delivery, output: dict[str, object]) -> MessageRef:
    """The reference to keep: the channel's, or after an edit that gave none the one that was edited."""
    known = dict(delivery.message.edit.ref) if delivery.message.edit is not None else {}
    kept = {SHOWN: delivery.version, **({storms.LISTED: delivery.listed} if delivery.listed else {})}
    return MessageRef(effect.channel, effect.address, {**(output or known), **kept})
