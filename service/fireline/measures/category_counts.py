"""Counts by category, whole: of many categories groups are counted, so that nothing that was seen is left out.

Up to `MOST` categories each has a count of its own. Beyond, all are put into `GROUPS` groups by a hash of their text,
the same in every process. Whichever way events were batched, more than `MOST` categories are seen together or they are
not, so any order of merging gives an equal state. Two distributions that are compared by groups never look further
apart than they are: to join categories lowers every measure of distance that is used here.

A state is `{"level": 0 or 1, "counts": {category or group: count}}`, and `[]` before the first category.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypedDict

from fireline.measures.categories import category

MOST = 1000
GROUPS = 512
_LONGEST = 64
_MANY = 2**53
_TEXTS = frozenset({str})


class State(TypedDict):
    """`level` 0: counts by category; 1: by group."""

    level: int
    counts: dict[str, int]


def counted(values: Sequence[object]) -> State | None:
    """The state of some fields' values; None when none of them is a category."""
    texts = values if _TEXTS.issuperset(map(type, values)) else [category(value) for value in values]
    found: dict[str, int] = {}
    for text, n in Counter(texts).items():
        if isinstance(text, str) and text:
            name = _short(text)
            found[name] = found.get(name, 0) + n
    return _bounded({"level": 0, "counts": found}) if found else None


def merged(left: State, right: State) -> State:
    """The counts of both; neither is changed."""
    level = max(left["level"], right["level"])
    counts = dict(at_level(left, level))
    for name, n in at_level(right, level).items():
        counts[name] = counts.get(name, 0) + n
    return _bounded({"level": level, "counts": counts})


def is_state(value: object) -> bool:
    """Whether something read from a file is a state that is not empty."""
    if not isinstance(value, dict) or value.keys() != {"level", "counts"}:
        return False
    level, counts = value["level"], value["counts"]
    if type(level) is not int or not 0 <= level <= 1 or not isinstance(counts, dict):
        return False
    return 0 < len(counts) <= (GROUPS if level else MOST) and all(
        type(n) is int and 0 < n < _MANY for n in counts.values()
    )


def at_level(state: State, level: int) -> Mapping[str, int]:
    """The counts of a state at its own level or a higher one."""
    if state["level"] >= level:
        return state["counts"]
    found: dict[str, int] = {}
    for name, n in state["counts"].items():
        group = f"#{_digest(name) % GROUPS}"
        found[group] = found.get(group, 0) + n
    return found


def _bounded(state: State) -> State:
    if state["level"] or len(state["counts"]) <= MOST:
        return state
    return {"level": 1, "counts": dict(at_level(state, 1))}


def _short(text: str) -> str:
    """A category as it is kept: long ones, and halves of characters that JSON cannot write, by a hash."""
    if text.isascii() and len(text) <= _LONGEST:
        return text
    try:
        return text if len(text.encode()) <= _LONGEST else f"~{_digest(text):016x}"
    except UnicodeEncodeError:
        return f"~{_digest(text):016x}"


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
