"""The ingest side of a stream worker: batches from source topics in, acknowledged partials and dead letters out."""

import asyncio
import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from fireline.adapters.faust_batches import Batch, Place
from fireline.adapters.kafka import MAX_RECORD_BYTES, Outgoing, Producer
from fireline.adapters.kafka_topics import DEAD_LETTER, PARTIALS
from fireline.apps.stream_counts import Ages
from fireline.engine.ingest import LIVE, DeadLetter, Ingest, Ingested, SourceRef
from fireline.engine.ports import JudgingClock, Unavailable
from fireline.engine.senders import Senders, Untimely

log = logging.getLogger("fireline.stream")

EVENTS = "fireline.events"
"""Where Fireline tells of itself, to be judged by rules like any other event."""

MILLISECOND = 0.001
"""The unit of a record's timestamp, in seconds."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
_KEEP_BYTES = MAX_RECORD_BYTES - 50_000


@dataclass(slots=True)
class Tally:
    """What was counted since the worker started. `newest` is the highest event time, in seconds since the epoch.

    `skipped` counts offsets that were gone before they were read: deleted by retention, or marks of transactions.
    `retries` counts sends that were not acknowledged. `dead` counts dead letters by reason, `dead_by` by topic and
    reason.
    """

    events: int = 0
    partials: int = 0
    retries: int = 0
    skipped: int = 0
    newest: float = 0.0
    dead: Counter[str] = field(default_factory=Counter)
    dead_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ages: Ages = field(default_factory=Ages)


class IngestSide:
    """Takes batches one at a time; `sources` gives each topic its timeline and the generation of its log.

    `clock` is told the times of live records: others wrote them by their clocks.
    """

    def __init__(
        self,
        ingest: Ingest,
        producer: Producer,
        sources: Mapping[str, tuple[str, str]],
        clock: JudgingClock,
    ) -> None:
        self.ingest = ingest
        self.tally = Tally()
        self._senders = Senders()
        self.positions: dict[Place, int] = {}
        self.read_until: dict[Place, float] = {}
        self.commits: dict[Place, int] = {}
        self.flows = False
        self._producer = producer
        self._sources = sources
        self._clock = clock

    def resume(self, positions: Mapping[Place, int]) -> None:
        """Start over on newly assigned partitions at these offsets: what was in memory of any is rebuilt."""
        for place in {*self.positions, *positions}:
            self.ingest.forget(self._ref(place))
        self.positions = dict(positions)
        self.read_until.clear()
        self.commits.clear()

    async def handle(self, *batches: Batch) -> None:
        """Aggregate batches and see their partials acknowledged; abandoned, to be read again, when delivery stops.

        Partials of several batches are sent together: brokers and evaluate then have fewer, larger batches to handle.
        """
        taken = [found for batch in batches if (found := self._aggregated(batch)) is not None]
        outgoing = [record for _, source, ingested in taken for record in self._outgoing(source, ingested)]
        if not taken or not await self._deliver(sorted(outgoing, key=_late)):
            return
        for batch, source, ingested in taken:
            place = (source.topic, source.partition)
            self.positions[place] = batch.end
            self.read_until[place] = batch.records[-1].timestamp * MILLISECOND
            self.commits[place] = ingested.commit
            self._count(source.topic, ingested)
            self._look_at_clocks(batch, ingested)
            if source.timeline == LIVE and ingested.newest:
                self.tally.ages.add(self.read_until[place] - ingested.newest)

    def _aggregated(self, batch: Batch) -> tuple[Batch, SourceRef, Ingested] | None:
        place = (batch.topic, batch.partition)
        read = bisect_left(batch.records, self.positions.get(place, 0), key=_offset)
        records = batch.records[read:]
        if not records:
            return None
        self._notice_gap(place, records[0].offset)
        source = self._ref(place)
        if source.timeline == LIVE:
            self._clock.witness(records[-1].timestamp * MILLISECOND)
        return batch, source, self.ingest.batch(source, records, MILLISECOND)

    def _ref(self, place: Place) -> SourceRef:
        timeline, generation = self._sources[place[0]]
        return SourceRef(place[0], place[1], timeline, generation)

    async def _deliver(self, records: Sequence[Outgoing]) -> bool:
        pause = FIRST_PAUSE
        while self.flows:
            try:
                await self._producer.send(records)
            except Unavailable as fault:
                self.tally.retries += 1
                log.warning("%d records not acknowledged, again in %.1f s: %s", len(records), pause, fault)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return True
        return False

    def _outgoing(self, source: SourceRef, ingested: Ingested) -> list[Outgoing]:
        """What a batch's records lead to; refusals only where their event is read."""
        told = ingested.refusals if EVENTS in self._sources else ()
        return _outgoing(source, ingested) + [
            Outgoing(EVENTS, each.event(self._clock.now()), key=each.rule.name.encode(errors="replace"))
            for each in told
        ]

    def _notice_gap(self, place: Place, offset: int) -> None:
        gone = offset - self.positions.get(place, offset)
        if gone > 0:
            self.tally.skipped += gone
            log.warning("%s/%d: %d offsets before %d were gone before they were read", *place, gone, offset)

    def _look_at_clocks(self, batch: Batch, ingested: Ingested) -> None:
        """Tell of senders whose events are all late, or all early, by the same time."""
        untimely = [Untimely(each.record.key, each.age) for each in ingested.dead if each.age is not None]
        if self._senders.quiet and not untimely:
            return
        keys, now = [record.key for record in batch.records], self.read_until[batch.topic, batch.partition]
        for sentence in self._senders.observe((batch.topic, batch.partition), keys, untimely, now):
            log.warning("%s", sentence)

    def _count(self, topic: str, ingested: Ingested) -> None:
        self.tally.events += ingested.events
        self.tally.partials += sum(len(payloads) for payloads in ingested.partials.values())
        self.tally.newest = max(self.tally.newest, ingested.newest)
        self.tally.dead.update(letter.reason for letter in ingested.dead)
        self.tally.dead_by.update((topic, letter.reason) for letter in ingested.dead)
        self.tally.refused.update(ingested.refused)
        for refusal in ingested.refusals:
            if refusal.events:
                log.warning(
                    "rule %s takes no more than %d entities: %d events were left out, such as of %s",
                    refusal.rule.name,
                    refusal.rule.max_entities,
                    refusal.events,
                    refusal.told,
                )


_offset = attrgetter("offset")


def _late(record: Outgoing) -> bool:
    """Dead letters come last: a partial must not wait for them."""
    return record.topic == DEAD_LETTER


def _outgoing(source: SourceRef, ingested: Ingested) -> list[Outgoing]:
    """What a batch's records lead to."""
    partials = [
        Outgoing(PARTIALS, payload, partition=partition)
        for partition, payloads in ingested.partials.items()
        for payload in payloads
    ]
    return partials + [dead_letter(source, letter, MILLISECOND) for letter in ingested.dead]


def dead_letter(source: SourceRef, letter: DeadLetter, unit: float = 1.0) -> Outgoing:
    """The record as it came (bytes, key, headers), with where it was and why it was not counted as headers beside.

    Its timestamp is in `unit` seconds. Bytes beyond what a broker takes with our headers are cut off, which a header
    tells.
    """
    record = letter.record
    headers = [
        *record.headers,
        ("fireline-reason", letter.reason.encode()),
        ("fireline-detail", letter.detail[:2000].encode()),
        ("fireline-topic", source.topic.encode()),
        ("fireline-partition", str(source.partition).encode()),
        ("fireline-offset", str(record.offset).encode()),
        ("fireline-timestamp", f"{record.timestamp * unit:.3f}".encode()),
    ]
    value, key = record.value, record.key
    room = _KEEP_BYTES - sum(len(name) + len(held or b"") for name, held in headers) - len(key or b"")
    if value is not None and len(value) > max(room, 0):
        headers.append(("fireline-truncated", str(len(value)).encode()))
        value = value[: max(room, 0)]
    return Outgoing(DEAD_LETTER, value, key=key, headers=headers)
