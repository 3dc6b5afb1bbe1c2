"""What goes into ingest and what comes out of it: records as they came, dead letters, and the outcome of a batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from fireline.domain.events import Row, Source
from fireline.engine.admission import Refusal
from fireline.engine.partials import LIVE

TIMELINE_HEADER = "fireline-timeline"
"""The header by which records of a recording name their timeline."""

LONGEST_TIMELINE = 100

_headers = attrgetter("headers")


class Arrived(Protocol):
    """One Kafka record as it came. `timestamp` is the broker's or producer's, in a unit that goes with the batch.

    The records of a client are taken as they are: making others of them would cost a tenth of the time of ingest.
    """

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> float:
        """When it was written, by the broker or the producer."""
        ...

    @property
    def key(self) -> bytes | None:
        """Its key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its bytes."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its headers in order."""
        ...


class Record(NamedTuple):
    """A record of our own making, of a file or a test; `timestamp` is in seconds since the epoch."""

    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Rows(Protocol):
    """What `Source.rows` gave, or will give, of records in the same places."""

    def __getitem__(self, run: slice, /) -> Sequence[Row | None]:
        """Those of a run of records."""
        ...


@dataclass(frozen=True, slots=True)
class Undecoded:
    """Rows of records that are decoded when they are asked for."""

    form: Source
    records: Sequence[Arrived]

    def __getitem__(self, run: slice, /) -> Sequence[Row | None]:
        """The rows of a run of records."""
        return self.form.rows([record.value for record in self.records[run]])


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was not counted: `reason` is a stable code, `detail` for a person. Its bytes are untouched.

    `age` is by how many seconds a late event is older than its record; negative: by how many a future one is newer.
    """

    record: Arrived
    reason: str
    detail: str
    age: float | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of one batch.

    `partials` are payloads by target partition, to be sent in their order and acknowledged before the next batch.
    `commit` is the offset to commit to Kafka afterwards. `events` counts decoded events, `newest` is the highest event
    time of the source so far (0.0 before the first). `refused` counts events per rule that were left out because their
    entity was over the rule's limit, and `refusals` tells more of it; both at most once a minute for each rule.
    """

    partials: Mapping[int, tuple[bytes, ...]]
    dead: Sequence[DeadLetter]
    commit: int
    events: int
    newest: float
    refused: Mapping[str, int] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()


def timeline_of(record: Arrived, otherwise: str) -> str:
    """The recording that a record belongs to; the topic's own timeline when it names none, or one that cannot be."""
    for name, value in record.headers:
        if name == TIMELINE_HEADER:
            named = (value or b"").decode(errors="replace")[:LONGEST_TIMELINE]
            return named if named and named != LIVE else otherwise
    return otherwise


def runs_of(records: Sequence[Arrived], otherwise: str) -> list[tuple[str, slice]]:
    """The stretches of records of one recording each, with its timeline, in order."""
    if not any(map(_headers, records)):
        return [(otherwise, slice(0, len(records)))] if records else []
    runs, at = [], 0
    for name, some in groupby(records, key=lambda record: timeline_of(record, otherwise)):
        end = at + sum(1 for _ in some)
        runs.append((name, slice(at, end)))
        at = end
    return runs


def together(parts: Sequence[Ingested]) -> Ingested:
    """What came of consecutive runs of one batch."""
    if len(parts) == 1:
        return parts[0]
    partials: dict[int, tuple[bytes, ...]] = {}
    refused: Counter[str] = Counter()
    for part in parts:
        refused.update(part.refused)
        for partition, payloads in part.partials.items():
            partials[partition] = partials.get(partition, ()) + payloads
    return Ingested(
        partials,
        [letter for part in parts for letter in part.dead],
        parts[-1].commit if parts else 0,
        sum(part.events for part in parts),
        max((part.newest for part in parts), default=0.0),
        refused,
        [refusal for part in parts for refusal in part.refusals],
    )
