"""Senders whose clocks are wrong: when every event of one comes late, or early, by nearly the same time, it is told.

A sender is told apart by topic, partition and record key, for that is all that a log knows of who wrote to it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LOOK = 60.0
"""Seconds of records that are looked at together."""
AGAIN = 600.0
"""Seconds until the same sender is told of again."""
LEAST = 20
"""Events by which a sender is judged."""
SPREAD = 5.0
"""Seconds, or a fifth of the age, within which nine tenths of the events must lie: a delay would vary more."""
MOST = 1000
"""Senders that are remembered at a time."""

Sender = tuple[str, int, bytes | None]


class Untimely(NamedTuple):
    """An event that was not counted, and how many seconds it is older than its record; negative: newer."""

    key: bytes | None
    age: float


@dataclass(slots=True)
class _Seen:
    since: float
    records: int
    ages: list[float]


class Senders:
    """Remembers who sends untimely events. `now` is the time of the records."""

    def __init__(self) -> None:
        self._seen: dict[Sender, _Seen] = {}
        self._told: dict[Sender, float] = {}

    @property
    def quiet(self) -> bool:
        """Whether nobody is remembered, so that a batch without anything untimely need not be looked at."""
        return not self._seen

    def observe(
        self, place: tuple[str, int], keys: Sequence[bytes | None], untimely: Iterable[Untimely], now: float
    ) -> list[str]:
        """Sentences about senders of which all is untimely alike, `keys` being those of all records of a batch."""
        for each in untimely:
            sender = (*place, each.key)
            if sender not in self._seen and len(self._seen) < MOST:
                self._seen[sender] = _Seen(now, 0, [])
            if sender in self._seen:
                self._seen[sender].ages.append(each.age)
        here = [sender for sender in self._seen if sender[:2] == place]
        counts = Counter(keys) if here else {}
        for sender in here:
            self._seen[sender].records += counts.get(sender[2], 0)
        return list(self._due(now))

    def _due(self, now: float) -> Iterator[str]:
        for sender, seen in list(self._seen.items()):
            if now - seen.since < LOOK and len(seen.ages) < 10 * LEAST:
                continue
            del self._seen[sender]
            if now - self._told.get(sender, float("-inf")) < AGAIN or not _alike(seen):
                continue
            if len(self._told) >= MOST:
                self._told.clear()
            self._told[sender] = now
            yield _sentence(sender, seen.ages)


def _alike(seen: _Seen) -> bool:
    """Whether all that was sent is untimely, and by nearly the same time."""
    ages = sorted(seen.ages)
    if len(ages) < max(LEAST, seen.records):
        return False
    low, high = ages[len(ages) // 20], ages[-1 - len(ages) // 20]
    return high - low <= max(SPREAD, 0.2 * abs(ages[len(ages) // 2]))


def _sentence(sender: Sender, ages: Sequence[float]) -> str:
    topic, partition, key = sender
    middle = sorted(ages)[len(ages) // 2]
    who = "without a key" if key is None else f"with key {key.decode(errors='replace')[:60]!r}"
    way = "older than their records: is the clock of their sender behind" if middle > 0 else ""
    way = way or "newer than their records: is the clock of their sender ahead"
    return f"all {len(ages)} events of {topic}/{partition} {who} were about {abs(middle):.0f} s {way}?"
