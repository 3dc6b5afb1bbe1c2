"""Reading a topic from outside: without a group, from a place or a time, up to where it ended when reading began."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from fireline.adapters.kafka_clients import Life
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import partitions_of
from fireline.engine.ports import Unavailable

_RECORDS = 500
"""Records handed over at a time; what a fetch brought waits in the client, a megabyte a partition."""
_POLL_MS = 250
_PATIENCE = 40
_START_WITHIN, _STOP_WITHIN = 60.0, 10.0
"""Polls without any progress after which the broker is taken to be away: ten seconds."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as the broker keeps it. `timestamp` is in seconds since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


async def read_topic(
    connection: Connection, topic: str, *, since: float | None = None, begin: Mapping[int, int] | None = None
) -> AsyncGenerator[Stored, None]:
    """The records of a topic, in the order of each partition, in bounded memory.

    `since` leaves out what is older (seconds since the epoch). With `begin` only these partitions are read, each from
    its offset. Nothing is committed, no group is joined. A topic that does not exist is empty. Raises `Unavailable`.
    """
    partitions = await asyncio.to_thread(partitions_of, connection, topic)
    places = [TopicPartition(topic, p) for p in sorted(partitions) if begin is None or p in begin]
    if not places:
        return
    consumer = AIOKafkaConsumer(
        **connection.for_aiokafka(),
        client_id="fireline-reading",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    life = Life(consumer)
    try:
        await life.start(_START_WITHIN)
        ends = await _take_places(consumer, places, since, begin)
        async for record in _until(consumer, ends):
            if since is None or record.timestamp >= since * 1000:
                yield _stored(record)
    except (KafkaError, TimeoutError, OSError) as fault:
        raise Unavailable(f"Kafka at {connection.bootstrap} stopped answering: {fault!r}") from fault
    finally:
        await life.stop(_STOP_WITHIN)


async def _take_places(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], since: float | None, begin: Mapping[int, int] | None
) -> dict[TopicPartition, int]:
    """Assign and seek; where each partition that has something to read ends."""
    consumer.assign(places)
    first, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    starts = dict(first)
    if begin is not None:
        starts = {place: max(first[place], begin[place.partition]) for place in places}
    elif since is not None:
        found = await consumer.offsets_for_times({place: int(since * 1000) for place in places})
        # the embedded broker knows no times: there, what is older is left out one by one
        starts |= {place: at.offset for place, at in found.items() if at is not None}
    for place in places:
        consumer.seek(place, starts[place])
    return {place: ends[place] for place in places if starts[place] < ends[place]}


async def _until(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    """Records before the ends; positions tell when all is read, because marks of transactions are no records."""
    left, waited = dict(ends), 0
    while left:
        before = {place: await consumer.position(place) for place in left}
        fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=_RECORDS)
        for place, records in fetched.items():
            for record in records:
                if record.offset < ends[place]:
                    yield record
        after = {place: await consumer.position(place) for place in left}
        waited = 0 if after != before else waited + 1
        if waited > _PATIENCE:
            raise TimeoutError("nothing came of what is there")
        left = {place: end for place, end in left.items() if after[place] < end}


def _stored(record: ConsumerRecord) -> Stored:
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Stored(
        record.topic, record.partition, record.offset, record.timestamp / 1000.0, record.key, record.value, headers
    )
