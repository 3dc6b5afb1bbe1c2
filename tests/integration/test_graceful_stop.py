"""A worker that is ended in good order under load, and the next one: exact counts, and what is read and told twice."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import LogEnds
from fireline.engine.partials import Partial, decode
from tests.integration.streams import Streams
from tests.servers.kafka import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

CHUNK = 256
TOPIC = "fireline.metrics"
LOTS, ROUNDS = 1500, 3


@pytest.fixture
def streams(own_apache_kafka: ApacheKafka, tmp_path: Path) -> Iterator[Streams]:
    total = LOTS * ROUNDS  # a broker of its own: chunks of another size than others' are not for the same log
    made = Streams(own_apache_kafka.connection, "", tmp_path, {"all": total, "too-many": total + 1})
    yield made
    made.close()


async def committed(connection: Connection) -> dict[int, int]:
    """Where the group would go on, by partition of the source topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=connection.servers)
    await admin.start()
    try:
        places = [TopicPartition(TOPIC, number) for number in range(4)]
        found = await admin.list_consumer_group_offsets("fireline", partitions=places)
        return {place.partition: at.offset for place, at in found.items()}
    finally:
        await admin.close()


async def partials(streams: Streams, connection: Connection) -> list[Partial]:
    """All partials of the source topic that were sent so far, in their order."""
    ends = LogEnds(connection)
    count = sum((await ends.ends([("fireline.partials", number) for number in range(4)])).values())
    await ends.close()
    sent = [decode(record.value) for record in await streams.read("fireline.partials", count)]
    return [partial for partial in sent if partial.source.topic == TOPIC]


def reached(sent: list[Partial]) -> Mapping[int, int]:
    """How far the partials go, by source partition."""
    found: dict[int, int] = {}
    for partial in sent:
        found[partial.source.partition] = max(partial.end, found.get(partial.source.partition, 0))
    return found


async def test_nothing_is_lost_and_little_is_read_twice(streams: Streams, tmp_path: Path):
    service, connection = f"fraud-{tmp_path.name}", streams.connection
    worker = streams.start(chunk=CHUNK)
    await streams.ready(worker)
    for _ in range(ROUNDS - 1):
        feeding = asyncio.create_task(streams.feed(LOTS, service))
        await asyncio.sleep(0.3)
        assert await asyncio.to_thread(streams.end, worker) == 0
        await feeding
        sent, at = await partials(streams, connection), await committed(connection)
        # commits are starts of chunks: what is read again of the last one replaces what it was, and counts nothing
        twice = {number: end - at.get(number, 0) for number, end in reached(sent).items()}
        assert all(0 <= count < CHUNK for count in twice.values()), f"read again after a stop: {twice}"
        worker = streams.start(chunk=CHUNK)
        await streams.ready(worker)
    await streams.feed(LOTS, service)
    await streams.until(lambda: streams.fired().get("all") == LOTS * ROUNDS)
    await asyncio.sleep(0.5)
    assert streams.end(worker) == 0
    assert "too-many" not in streams.fired()
    told = [signal["id"] for signal in streams.signals()]
    assert len(told) == len(set(told)), "a signal was handed on twice"
