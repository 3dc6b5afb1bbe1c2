"""Proofs of reach: when a test last reached a person on a channel (`fireline notify test`), kept as facts with dates.

A proof is of an address: once somebody's address is another one, nothing is proven of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fireline.domain.catalog import Person
from fireline.engine.ports import Transaction

PREFIX = "reach/"
OLD = 90 * 86_400.0
"""Seconds after which a proof says little: people change telephones."""
PROVES_NOTHING = frozenset({"console"})
"""Channels on which a message that arrived tells nothing of whether somebody reads it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test on one channel: delivered, put off, refused, unknown, off or not tried; `seconds` it took."""

    channel: str
    address: str
    outcome: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Proof:
    """The last test of a person's channel: `proven_at` is when one last arrived at this address, None when never."""

    person: str
    channel: str
    address: str
    outcome: str
    detail: str
    tried_at: float
    proven_at: float | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How a person's reach on one channel stands, in words; `sound` when it was proven lately."""

    person: str
    channel: str
    sound: bool
    failed: bool
    words: str


def keep(tx: Transaction, person: str, tried: Tried, now: float) -> None:
    """Write down what a test came to; `delivered` proves, anything else leaves an earlier proof as it is."""
    before = proof_of(tx, person, tried.channel)
    known = before.proven_at if before is not None and before.address == tried.address else None
    value = {
        "address": tried.address,
        "outcome": tried.outcome,
        "detail": tried.detail,
        "proven_at": now if tried.outcome == "delivered" else known,
    }
    tx.put_fact(f"{PREFIX}{person}/{tried.channel}", value, now)


def proof_of(tx: Transaction, person: str, channel: str) -> Proof | None:
    """The last test of this person's channel, None when there was none."""
    found = tx.fact(f"{PREFIX}{person}/{channel}")
    return None if found is None else _proof(person, channel, *found)


def standing(tx: Transaction, people: Iterable[Person], channels: frozenset[str], now: float) -> list[Reached]:
    """How each person's reach stands on each of their channels that is switched on and can prove anything."""
    known = tx.facts(PREFIX)
    return [
        _reached(person.id, channel, address, known.get(f"{PREFIX}{person.id}/{channel}"), now)
        for person in people
        for channel, address in person.contacts.items()
        if address and channel in channels - PROVES_NOTHING
    ]


def _reached(
    person: str, channel: str, address: str, fact: tuple[Mapping[str, object], float] | None, now: float
) -> Reached:
    proof = None if fact is None else _proof(person, channel, *fact)
    if proof is None or proof.address != address:
        return Reached(person, channel, sound=False, failed=False, words="never proven")
    failed = proof.outcome != "delivered"
    if proof.proven_at is None:
        words = f"never proven; the last test was {_ago(now - proof.tried_at)}: {proof.outcome}"
        return Reached(person, channel, sound=False, failed=failed, words=words)
    words = f"proven {_ago(now - proof.proven_at)}"
    if failed:
        words += f", but the test {_ago(now - proof.tried_at)} was {proof.outcome}"
    return Reached(person, channel, sound=not failed and now - proof.proven_at <= OLD, failed=failed, words=words)


def _proof(person: str, channel: str, value: Mapping[str, object], at: float) -> Proof:
    proven = value.get("proven_at")
    return Proof(
        person,
        channel,
        str(value.get("address", "")),
        str(value.get("outcome", "")),
        str(value.get("detail", "")),
        at,
        float(proven) if isinstance(proven, int | float) else None,
    )


def _ago(seconds: float) -> str:
    days = int(seconds // 86_400)
    if days < 1:
        return "today"
    return "yesterday" if days == 1 else f"{days} days ago"
