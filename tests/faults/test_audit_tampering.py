"""A thousand random edits of a copy of the audit: every one is found, and the first bad entry is named.

Who edits has the copy and may make macs as the chain does, with any key but ours. What is cut off at the end is found
by a checkpoint that was kept elsewhere.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from fireline.domain.audit import START, Act, Checkpoint, Keys, Sealed, body_of, canonical, mac_of, seal
from fireline.domain.audit_checking import Kind, Outside, check

EDITS = 1000
LENGTH = 60
KEYS = Keys.of(("the key in use, which nobody else has", "one that was in use before"))
THEIRS = Keys.of(("a key of somebody who has no business here",))

Edit = Callable[[list[Sealed], random.Random], tuple[int, set[Kind]]]
"""Edits the entries in place; the number of the first bad one, and what may be said of it."""


def written(count: int) -> list[Sealed]:
    entries: list[Sealed] = []
    for number in range(1, count + 1):
        keys = KEYS if number > count // 3 else Keys(tuple(KEYS.secrets)[1], KEYS.secrets)  # rotated on the way
        act = Act(float(number), f"person-{number % 5}", "api", "note", f"INC-{number % 7}", f"act {number}")
        entries.append(seal(body_of(act), number, entries[-1].mac if entries else START, keys))
    return entries


def field(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    old = draw.choice(['"actor":"person-', '"text":"act ', '"via":"api', '"kind":"note', '"subject":"INC-'])
    entries[place] = replace(entries[place], body=entries[place].body.replace(old, old + "x", 1))
    return place + 1, {Kind.EDITED}


def byte(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place, body = (at := draw.randrange(len(entries))), entries[at].body
    spot = draw.randrange(len(body))
    other = draw.choice([letter for letter in 'abc{}":, 0159' if letter != body[spot]])
    entries[place] = replace(entries[place], body=body[:spot] + other + body[spot + 1 :])
    return place + 1, {Kind.EDITED}


def delete(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place, count = draw.randrange(len(entries) - 5), draw.randint(1, 4)
    del entries[place : place + count]
    return place + 1, {Kind.DELETED}


def delete_and_renumber(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place, _ = delete(entries, draw)
    entries[:] = [replace(entry, number=number) for number, entry in enumerate(entries, start=1)]
    return place, {Kind.DELETED}


def insert(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    previous = entries[place - 1].mac if place else START
    body = canonical(body_of(Act(1.0, "mallory", "api", "note", "INC-1", "it was not me")))
    forged = seal(body_of(Act(1.0, "mallory", "api", "note", "INC-1", "not me")), place + 1, previous, THEIRS)
    named = mac_of(place + 1, KEYS.current, body, previous, b"guessed")
    copied = replace(draw.choice(entries[: place + 1]), number=place + 1)
    entries.insert(place, draw.choice([forged, Sealed(place + 1, KEYS.current, body, named), copied]))
    return _first_after(place, entries), {Kind.INSERTED}


def insert_and_renumber(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place, kinds = insert(entries, draw)
    entries[:] = [replace(entry, number=number) for number, entry in enumerate(entries, start=1)]
    return place, kinds


def _first_after(place: int, entries: Sequence[Sealed]) -> int:
    """An exact copy of the entry that belongs here is not wrong: its twin after it is."""
    twin = place + 1 < len(entries) and entries[place] == entries[place + 1]
    return place + 2 if twin else place + 1


def swap(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    one, other = sorted(draw.sample(range(len(entries)), 2))
    entries[one], entries[other] = entries[other], entries[one]
    return one + 1, {Kind.REORDERED}


def swap_and_renumber(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place, kinds = swap(entries, draw)
    entries[:] = [replace(entry, number=number) for number, entry in enumerate(entries, start=1)]
    return place, kinds


def truncate(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    del entries[place:]
    return place + 1, {Kind.TRUNCATED}


def forge(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    """A changed entry and all after it, with macs made anew, by a key of their own under the name of ours."""
    place = draw.randrange(len(entries))
    previous = entries[place - 1].mac if place else START
    for at in range(place, len(entries)):
        held = entries[at]
        body = held.body.replace("note", "none") if at == place else held.body
        mac = mac_of(at + 1, held.key, body, previous, b"guessed")
        entries[at], previous = replace(held, body=body, mac=mac), mac
    return place + 1, {Kind.EDITED}


def rename_key(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    names = [name for name in (*KEYS.secrets, THEIRS.current, "", "?") if name != entries[place].key]
    entries[place] = replace(entries[place], key=draw.choice(names))
    return place + 1, {Kind.EDITED}


def mac_alone(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    entries[place] = replace(entries[place], mac=draw.choice([START, "", "é", entries[place].mac[::-1]]))
    return place + 1, {Kind.EDITED}


def their_key(entries: list[Sealed], draw: random.Random) -> tuple[int, set[Kind]]:
    place = draw.randrange(len(entries))
    act = body_of(Act(1.0, "mallory", "api", "note", "INC-1", "it was not me"))
    entries[place] = seal(act, place + 1, entries[place - 1].mac if place else START, THEIRS)
    return place + 1, {Kind.UNKNOWN_KEY}


EDITS_OF: tuple[Edit, ...] = (
    field,
    byte,
    delete,
    delete_and_renumber,
    insert,
    insert_and_renumber,
    swap,
    swap_and_renumber,
    truncate,
    forge,
    rename_key,
    mac_alone,
    their_key,
)


def test_a_thousand_random_edits_are_all_found() -> None:
    whole = written(LENGTH)
    mark = Checkpoint(99.0, "db", whole[0].mac, LENGTH, whole[-1].mac, "").sealed(KEYS)
    outside = Outside(None, (mark,))
    assert check(whole, KEYS, outside).damage is None
    tried: Counter[str] = Counter()
    for number in range(EDITS):
        draw = random.Random(number)
        edit = EDITS_OF[number % len(EDITS_OF)]
        entries = list(whole)
        first, kinds = edit(entries, draw)
        assert entries != whole
        damage = check(entries, KEYS, outside).damage
        assert damage is not None, f"edit {number} ({edit.__name__}) was not found"
        said = f"edit {number} ({edit.__name__}): {damage}"
        assert damage.number == first, said
        assert damage.kind in kinds, said
        tried[edit.__name__] += 1
    assert sum(tried.values()) == EDITS
    assert min(tried.values()) >= EDITS // len(EDITS_OF)


def test_what_is_cut_off_and_written_on_is_found_by_a_checkpoint() -> None:
    whole = written(20)
    mark = Checkpoint(99.0, "db", whole[0].mac, 20, whole[-1].mac, "").sealed(KEYS)
    entries = whole[:15]
    for number in range(16, 31):  # an honest Fireline goes on after the cut
        act = body_of(Act(1.0, "ann", "api", "note", "INC-9", "later"))
        entries.append(seal(act, number, entries[-1].mac, KEYS))
    assert check(entries, KEYS, Outside()).damage is None
    damage = check(entries, KEYS, Outside(None, (mark,))).damage
    assert damage is not None
    assert (damage.number, damage.kind) == (20, Kind.REPLACED)


def test_a_checkpoint_without_our_key_counts_for_nothing() -> None:
    mark = Checkpoint(99.0, "db", "c", 5, "m", "").sealed(KEYS)
    assert mark.holds(KEYS)
    assert not replace(mark, number=4).holds(KEYS)
    assert not replace(mark, key=THEIRS.current).holds(KEYS)
    assert not replace(mark, number=4, seal="").sealed(THEIRS).holds(KEYS)
