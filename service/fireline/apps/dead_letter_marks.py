"""What was replayed, written where the dead letters are: a mark before records are sent, and one after.

A mark of the first kind without one of the second is the trace of a replay that did not end well. It names where each
target partition ended before anything was sent, so the next replay looks there for records that name the letter, and
sends only what did not arrive. All marks are on one partition: of two replays at the same time, the first mark counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from fireline.adapters.kafka import Outgoing
from fireline.adapters.kafka_reading import Stored
from fireline.adapters.kafka_topics import DEAD_LETTER

MARK_HEADER = "fireline-mark"
PARTITION = 0
_KEY = b"fireline-replay"


@dataclass(frozen=True, slots=True)
class Begun:
    """A replay is about to send the records of these ids; `ends` are the ends of target partitions before it."""

    run: str
    ids: tuple[str, ...]
    ends: Mapping[tuple[str, int], int]
    at: float
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Ended:
    """These arrived: id -> place of the new record."""

    run: str
    sent: Mapping[str, str]


Mark = Begun | Ended


def is_mark(record: Stored) -> bool:
    """Whether a record is a mark. A dead letter with such a header of its own has ours behind it."""
    return bool(record.headers) and record.headers[-1][0] == MARK_HEADER


def mark_of(record: Stored) -> Mark | None:
    """The mark in a record; None when it is none, or one that cannot be read."""
    if not is_mark(record):
        return None
    try:
        said = orjson.loads(record.value or b"")
        if record.headers[-1][1] == b"done":
            return Ended(str(said["run"]), {str(k): str(v) for k, v in said["sent"].items()})
        ends = {(str(t), int(p)): int(end) for t, p, end in said["ends"]}
        return Begun(str(said["run"]), tuple(map(str, said["ids"])), ends, record.timestamp, record.offset)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def begun(run: str, ids: Iterable[str], ends: Mapping[tuple[str, int], int], at: float) -> Outgoing:
    """The record of a mark before sending; `at` must not be before any of the letters, so that who reads sees both."""
    said = {"run": run, "ids": list(ids), "ends": [[*place, end] for place, end in ends.items()]}
    return _record("begun", said, at)


def ended(run: str, sent: Mapping[str, str], at: float) -> Outgoing:
    """The record of a mark after sending."""
    return _record("done", {"run": run, "sent": dict(sent)}, at)


def _record(kind: str, said: Mapping[str, object], at: float) -> Outgoing:
    headers = ((MARK_HEADER, kind.encode()),)
    value = orjson.dumps(said)
    return Outgoing(DEAD_LETTER, value, key=_KEY, partition=PARTITION, headers=headers, at_ms=round(at * 1000))


@dataclass(slots=True)
class Ledger:
    """What is known of replays: id -> where it arrived, and what was begun."""

    done: dict[str, str] = field(default_factory=dict)
    began: dict[str, list[Begun]] = field(default_factory=dict)

    def take(self, mark: Mark) -> None:
        """Write a mark down."""
        match mark:
            case Begun():
                for one in mark.ids:
                    self.began.setdefault(one, []).append(mark)
            case Ended():
                self.done.update(mark.sent)

    def doubt(self, letter_id: str) -> list[Begun]:
        """The replays of a letter that were begun and of which no end is known."""
        return [] if letter_id in self.done else self.began.get(letter_id, [])

    def state(self, letter_id: str) -> str:
        """`open`, `replayed`, or `in doubt` after a replay that was interrupted."""
        if letter_id in self.done:
            return "replayed"
        return "in doubt" if letter_id in self.began else "open"
