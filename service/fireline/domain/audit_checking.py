"""Checking a chain of acts: the first entry that is not as it was written, and what was done to it."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from fireline.domain.audit import START, Checkpoint, Keys, Sealed, mac_of

LOOK = 2000
"""Entries after the first bad one that are looked through to say what happened."""
RENUMBERED = 100
"""So many removed entries are recognised where those after them were given new numbers."""


class Kind(StrEnum):
    """What was done to a chain."""

    EDITED = "edited"
    INSERTED = "inserted"
    DELETED = "deleted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REPLACED = "replaced"
    UNKNOWN_KEY = "unknown key"
    CHECKPOINT = "checkpoint"
    TIMELINE = "timeline"


@dataclass(frozen=True, slots=True)
class Damage:
    """The first bad entry and what was done to it, in words."""

    number: int
    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known of the chain besides its entries: how far the database says it goes, and checkpoints of it."""

    head: tuple[int, str] | None = None
    checkpoints: Sequence[Checkpoint] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """How many entries hold, the last of them (its mac), and the damage, None when all is as it was written."""

    good: int
    mac: str
    damage: Damage | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where number `wanted` is missing: what stands there, what comes after it, and the mac before it."""

    entry: Sealed
    after: tuple[Sealed, ...]
    previous: str
    wanted: int
    keys: Keys


def check(entries: Iterable[Sealed], keys: Keys, outside: Outside) -> Found:
    """Whether entries, in order from the first, are what was written and all of it."""
    marks = {mark.number: mark for mark in outside.checkpoints}
    previous, good = START, 0
    rest = iter(entries)
    for entry in rest:
        if entry.number != good + 1 or not holds(entry, previous, keys):
            place = _Place(entry, tuple(islice(rest, LOOK)), previous, good + 1, keys)
            return Found(good, previous, _what(place, marks.get(good + 1)))
        mark = marks.get(entry.number)
        if mark is not None and mark.mac != entry.mac:
            return Found(good, previous, _rewritten(mark))
        previous, good = entry.mac, entry.number
    return Found(good, previous, _end(good, previous, outside))


def holds(entry: Sealed, previous: str, keys: Keys, number: int | None = None) -> bool:
    """Whether the entry is the one that was written after the entry with mac `previous`, under this number."""
    secret = keys.secrets.get(entry.key)
    if secret is None:
        return False
    expected = mac_of(entry.number if number is None else number, entry.key, entry.body, previous, secret)
    return hmac.compare_digest(expected.encode(), entry.mac.encode())


def _end(good: int, previous: str, outside: Outside) -> Damage | None:
    """What a chain that holds as far as it goes lacks at its end."""
    head, last = outside.head, max(outside.checkpoints, key=lambda mark: mark.number, default=None)
    if last is not None and last.number > good:
        text = f"a checkpoint saw {last.number} entries, and the last {last.number - good} are not there"
        return Damage(good + 1, Kind.TRUNCATED, text)
    if head is not None and head[0] > good:
        text = f"the database has counted {head[0]} entries, and the last {head[0] - good} are not there"
        return Damage(good + 1, Kind.TRUNCATED, text)
    if head is not None and head != (good, previous):
        return Damage(good, Kind.EDITED, f"the count of entries says {head[0]}, another mac, or both: it was changed")
    return None


def _rewritten(mark: Checkpoint) -> Damage:
    text = (
        f"it is not the entry that a checkpoint saw under number {mark.number}: "
        "the chain was cut off before it and written on, or written anew by someone with the key"
    )
    return Damage(mark.number, Kind.REPLACED, text)


def _what(at: _Place, mark: Checkpoint | None) -> Damage:
    entry, wanted = at.entry, at.wanted
    later = (place for place, other in enumerate(at.after) if holds(other, at.previous, at.keys, wanted))
    true = next(later, None)
    if true is not None:
        return _moved(at, true)
    if entry.number == wanted and entry.key not in at.keys.secrets:
        return _foreign(entry, at.previous, at.keys)
    if entry.number > wanted:
        gone = entry.number - wanted
        which = f"entry {wanted} is" if gone == 1 else f"entries {wanted} to {entry.number - 1} are"
        return Damage(wanted, Kind.DELETED, f"{which} not there; the next one is {entry.number}")
    gone = _renumbered(at)
    if gone:
        return Damage(wanted, Kind.DELETED, f"entries were removed here ({gone}) and those after them renumbered")
    return Damage(wanted, Kind.EDITED, _how(at, mark))


def _moved(at: _Place, true: int) -> Damage:
    """The entry that belongs here comes later: another one was put before it, or the two changed places."""
    entry, wanted = at.entry, at.wanted
    numbers = {entry.number, wanted + 1 + true}
    again = any(other.mac == entry.mac for other in at.after)
    if not again and any(holds(entry, other.mac, at.keys, number) for other in at.after for number in numbers):
        return Damage(wanted, Kind.REORDERED, f"entry {wanted} comes later, and one that belongs after it stands here")
    if true == 0:
        return Damage(wanted, Kind.INSERTED, "an entry was put in here; the one that belongs here follows it")
    return Damage(wanted, Kind.REORDERED, f"entry {wanted} stands {true + 1} places later")


def _foreign(entry: Sealed, previous: str, keys: Keys) -> Damage:
    for name, secret in keys.secrets.items():
        if hmac.compare_digest(mac_of(entry.number, name, entry.body, previous, secret).encode(), entry.mac.encode()):
            return Damage(
                entry.number, Kind.EDITED, f"the name of its key was changed from {name} to {entry.key[:20]!r}"
            )
    text = (
        f"it names key {entry.key[:20]!r}, which is not known here: it was changed or forged, "
        "or written on a machine whose key is missing from FIRELINE_AUDIT_KEY"
    )
    return Damage(entry.number, Kind.UNKNOWN_KEY, text)


def _renumbered(at: _Place) -> int:
    """How many entries were removed before this one if it, and what follows, was numbered anew; 0 when it was not."""
    for following in at.after[:1]:
        for gone in range(1, RENUMBERED):
            if holds(following, at.entry.mac, at.keys, at.wanted + 1 + gone):
                return gone
    return 0


def _how(at: _Place, mark: Checkpoint | None) -> str:
    linked = any(holds(following, at.entry.mac, at.keys, at.wanted + 1) for following in at.after[:1])
    if linked or (mark is not None and mark.mac == at.entry.mac):
        return "what it says was changed after it was written"
    if at.after:
        return "it was changed or put in, with a mac made without the key; what follows was not written after it"
    return "it was changed, or put in, after it was written"


def check_alone(entries: Iterable[tuple[Sealed, str]], keys: Keys) -> Found:
    """The same for a selection: each entry with the mac before it, in the order of their numbers."""
    before, good, mac = 0, 0, START
    for entry, previous in entries:
        if entry.number <= before:
            return Found(good, mac, Damage(entry.number, Kind.REORDERED, f"it stands after entry {before}"))
        if not holds(entry, previous, keys):
            return Found(good, mac, _alone(entry, previous, keys))
        if entry.number == before + 1 and previous != mac:
            return Found(good, mac, Damage(entry.number, Kind.REPLACED, "it was not written after the one before it"))
        before, mac, good = entry.number, entry.mac, good + 1
    return Found(good, mac)


def _alone(entry: Sealed, previous: str, keys: Keys) -> Damage:
    if entry.key not in keys.secrets:
        return _foreign(entry, previous, keys)
    return Damage(entry.number, Kind.EDITED, "it is not what was written")
