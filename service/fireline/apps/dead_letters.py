"""Dead letters as values: what lies on `fireline.dead-letter`, read from its records, and which of it was chosen.

A dead letter is a record as it came, followed by headers of ours (`apps.stream_ingest.dead_letter` writes them). What
was replayed is written on the same topic, as marks (`apps.dead_letter_marks`), so that it lives as long as the letters.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from fireline.adapters.kafka_reading import Stored
from fireline.adapters.kafka_topics import DEAD_LETTER
from fireline.apps.faults import Refused
from fireline.spec.durations import seconds

REPLAYED_HEADER = "fireline-replayed"
"""On a record that was replayed: the dead letter it comes from."""

NOT_OURS = "unexplained"
"""The reason of a record on the topic that Fireline did not put there, or whose headers were lost."""

_FIRST = "fireline-reason"
_PLACE = re.compile(r"(?:(?P<topic>[A-Za-z0-9._-]{1,249})/)?(?P<partition>[0-9]{1,9})@(?P<offset>[0-9]{1,19})")
_REMEMBERED = 200_000
"""Letters in which a repeat is looked for: a crash repeats at most a chunk of each partition, and soon."""


class Place(NamedTuple):
    """Where a record lies: `fireline.metrics/2@1234`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    `where` is its own place, `origin` that of the record it keeps (None when nobody knows). `at` is when it was put
    aside, `timestamp` the original record's time, both in seconds since the epoch. `headers` are the original ones.
    `truncated` is the original length in bytes of a value that was cut.
    """

    where: Place
    at: float
    origin: Place | None
    timestamp: float
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    truncated: int | None = None

    @property
    def id(self) -> str:
        """The same for every dead letter of one record, also when a crash or a second fault put it aside again."""
        return f"{self.origin or self.where}#{round(self.timestamp * 1000)}"

    @property
    def place(self) -> Place:
        """The place that people name it by."""
        return self.origin or self.where


def letter_of(record: Stored) -> Letter:
    """The dead letter in a record. Headers of ours come last, whatever the original record called its own."""
    names = [name for name, _ in record.headers]
    first = len(names) - 1 - names[::-1].index(_FIRST) if _FIRST in names else len(names)
    own = {name: value.decode(errors="replace") for name, value in record.headers[first:]}
    where = Place(record.topic, record.partition, record.offset)
    return Letter(
        where=where,
        at=record.timestamp,
        origin=_origin(own),
        timestamp=_number(own.get("fireline-timestamp"), record.timestamp),
        reason=own.get(_FIRST) or NOT_OURS,
        detail=own.get("fireline-detail", ""),
        key=record.key,
        value=record.value,
        headers=record.headers[:first],
        truncated=int(_number(own["fireline-truncated"], 0.0)) if "fireline-truncated" in own else None,
    )


def _origin(own: Mapping[str, str]) -> Place | None:
    try:
        return Place(own["fireline-topic"], int(own["fireline-partition"]), int(own["fireline-offset"]))
    except (KeyError, ValueError):
        return None


def _number(text: str | None, otherwise: float) -> float:
    try:
        return float(text) if text is not None else otherwise
    except ValueError:
        return otherwise


def place_of(text: str) -> Place:
    """`fireline.metrics/2@1234`, or `0@17` for a place on the topic of dead letters; raises Refused."""
    found = _PLACE.fullmatch(text.strip())
    if found is None:
        raise Refused(
            f"found {text[:80]!r}; expected a place such as fireline.metrics/2@1234, "
            "or 0@17 for the dead letter's own (`fireline dead-letter ls` lists them)"
        )
    return Place(found["topic"] or DEAD_LETTER, int(found["partition"]), int(found["offset"]))


def since_of(text: str | None, now: float) -> float | None:
    """`2h` before now, or an instant as RFC 3339, in seconds since the epoch; raises Refused."""
    if text is None:
        return None
    try:
        return now - seconds(text)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise Refused(f"found --since {text[:40]!r}; expected a duration such as 2h, or 2026-11-21T03:00:00Z")
    return parsed.timestamp()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters are meant; what is empty chooses all. `since` is in seconds since the epoch."""

    places: frozenset[Place] = frozenset()
    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    since: float | None = None

    def __bool__(self) -> bool:
        return bool(self.places or self.reasons or self.topics) or self.since is not None

    def takes(self, letter: Letter) -> bool:
        """Whether it is one of them."""
        return (
            (not self.places or letter.where in self.places or letter.origin in self.places)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or (letter.origin is not None and letter.origin.topic in self.topics))
            and (self.since is None or letter.at >= self.since)
        )


def chosen(places: Sequence[str], reasons: Sequence[str], topics: Sequence[str], since: float | None) -> Chosen:
    """What a command line chose; raises Refused for a place that is none."""
    return Chosen(frozenset(place_of(p) for p in places), frozenset(reasons), frozenset(topics), since)


@dataclass(slots=True)
class Repeats:
    """Tells dead letters that say the same of the same record again, as a crash leaves them; remembers the last."""

    count: int = 0
    _seen: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def knows(self, letter: Letter) -> bool:
        """Whether it was seen before."""
        key = (letter.id, letter.reason)
        if key in self._seen:
            self.count += 1
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False
