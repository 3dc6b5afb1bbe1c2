"""Ingest: records of one source partition into cumulative partial aggregates, a batch at a time.

What leaves a batch are partials: for every (rule, entity, pane) that the batch touched, the aggregate of all events of
the *chunk* so far. A chunk is a fixed, aligned range of source offsets. Evaluate replaces what it held of a chunk by a
partial with a higher end, so sending one again counts nothing twice; and because `commit` never passes the start of
the chunk in progress, whoever resumes there rebuilds the same aggregates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.events import Source
from fireline.domain.rules import Rule
from fireline.domain.windows import Family

LIVE = "live"


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where records come from. `generation` names the log: offsets of another generation say nothing of this one."""

    topic: str
    partition: int
    timeline: str = LIVE
    generation: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came. `timestamp` is the broker's or producer's, in seconds since the epoch."""

    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was not counted: `reason` is a stable code, `detail` for a person. Its bytes are untouched."""

    record: Record
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of one batch.

    `partials` are payloads by target partition, to be sent in their order and acknowledged before the next batch.
    `commit` is the offset to commit to Kafka afterwards. `events` counts decoded events, `newest` is the highest event
    time of the source so far (0.0 before the first). `refused` counts events per rule that were left out because their
    entity was over the rule's limit; it is filled at most once a minute.
    """

    partials: Mapping[int, tuple[bytes, ...]]
    dead: Sequence[DeadLetter]
    commit: int
    events: int
    newest: float
    refused: Mapping[str, int] = field(default_factory=dict)


class Ingest:
    """The ingest side of one worker, for any number of source partitions. Not thread safe; does no I/O.

    `decode` reads every topic that `formats` (topic -> source) does not name. `partitions` is the number of partitions
    of `fireline.partials`. `chunk` must not change while a generation lives.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        families: Mapping[str, Family],
        decode: Source,
        partitions: int,
        *,
        chunk: int = 4096,
        allowed_lateness: float = 30.0,
        future_bound: float = 300.0,
        formats: Mapping[str, Source] | None = None,
    ) -> None: ...

    def batch(self, source: SourceRef, records: Sequence[Record]) -> Ingested:
        """Aggregate records of one source partition, in offset order. Never raises for what is in them.

        After a start, a rebalance or a seek the first record must be at a chunk start (the committed offset).
        """
        raise NotImplementedError

    def forget(self, source: SourceRef) -> None:
        """Drop what is held of a source partition that was taken away; no fault when nothing is."""
        raise NotImplementedError

    def reload(self, rules: Iterable[Rule]) -> None:
        """Go on with other rules; aggregates of rules whose `hash` stays are kept."""
        raise NotImplementedError
