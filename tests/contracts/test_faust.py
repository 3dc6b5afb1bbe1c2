"""What we rely on inside Faust and aiokafka, pinned against the installed versions: a change of it is seen."""

import asyncio
import inspect
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.structs import ConsumerRecord
from confluent_kafka import Consumer, TopicPartition
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from fireline.adapters.embedded_broker import PARTITIONS
from fireline.adapters.faust_batches import Batch, BatchApp, BatchConsumer, BatchScheduling, Place, work
from fireline.adapters.kafka import Outgoing, Producer
from fireline.adapters.kafka_connection import Connection

# Faust's own code warns of its own use of deprecated calls
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")


class Offsets:
    """Positions that a test decides about."""

    def __init__(self, resume: Mapping[Place, int] | None = None) -> None:
        self.told: list[dict[Place, int | None]] = []
        self.flow: list[bool] = []
        self.commits: dict[Place, int] = {}
        self.read = False
        self.released = 0
        self._resume = resume or {}

    async def resume(self, committed: Mapping[Place, int | None]) -> Mapping[Place, int]:
        self.told.append(dict(committed))
        return {place: at for place, at in self._resume.items() if place in committed}

    def committable(self, place: Place) -> int | None:
        return self.commits.get(place) if self.read else None  # sooner, a late joiner would begin behind them

    def flowing(self, flows: bool) -> None:
        self.flow.append(flows)

    async def release(self) -> None:
        self.released += 1


async def fill(connection: Connection, topic: str, count: int, partition: int = 0) -> None:
    producer = Producer(connection)
    await producer.send([Outgoing(topic, b"%d" % i, key=b"k", partition=partition) for i in range(count)])
    await producer.close()


async def read(connection: Connection, offsets: Offsets, directory: Path, want: int, topic: str = "t") -> list[Batch]:
    """Run a worker until `want` records came, let it commit, and end it as a supervisor does."""
    batches: list[Batch] = []
    enough = asyncio.Event()

    async def handle(polled: Sequence[Batch]) -> None:
        batches.extend(polled)
        if sum(len(b.records) for b in batches) >= want:
            enough.set()

    async def end() -> None:
        try:
            async with asyncio.timeout(120):
                await enough.wait()
            offsets.read = True
            if offsets.commits:
                await asyncio.sleep(2.3)  # more than two commit intervals
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    app = BatchApp("g", connection, offsets, datadir=str(directory))
    app.deliver("agent", [topic], handle)
    ending = asyncio.create_task(end())
    await work(app)
    await ending
    return batches


def commits(connection: Connection, topic: str = "t") -> dict[Place, int]:
    """What Kafka remembers of the group."""
    consumer = Consumer({"bootstrap.servers": connection.bootstrap, "group.id": "g", "log_level": 0})
    found = consumer.committed([TopicPartition(topic, n) for n in range(PARTITIONS)], timeout=120)
    consumer.close()
    return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def commit(connection: Connection, place: Place, offset: int) -> None:
    """As a worker of the group that is gone."""
    consumer = Consumer({"bootstrap.servers": connection.bootstrap, "group.id": "g", "log_level": 0})
    consumer.commit(offsets=[TopicPartition(*place, offset)], asynchronous=False)
    consumer.close()


def test_the_versions_these_facts_were_read_in():
    assert version("faust-streaming").startswith("0.15.")
    assert version("aiokafka").startswith("0.14.")


def record(topic: str, partition: int, offset: int) -> ConsumerRecord:
    return ConsumerRecord(topic, partition, offset, 5, 0, b"k", b"v%d" % offset, None, 1, 2, ())


def test_one_carrier_holds_all_records_of_a_topic_and_has_the_last_offset():
    one, other = [record("t", 0, i) for i in (7, 8, 9)], [record("t", 2, i) for i in (3, 4)]
    apart = [record("u", 0, 1)]
    polled = {TP("t", 0): one, TP("u", 0): apart, TP("t", 1): [], TP("t", 2): other}
    (tp, carrier), (second, of_second) = BatchScheduling({"v": "agent"}).iterate(polled)
    assert (tp, carrier.offset, carrier.value) == (TP("t", 2), 4, [Batch("t", 0, one), Batch("t", 2, other)])
    assert (second, of_second.offset, of_second.value) == (TP("u", 0), 1, [Batch("u", 0, apart)])
    assert carrier.value[0].end == 10


def test_topics_of_one_agent_are_carried_together():
    one, other, apart = [record("t", 0, 7)], [record("u", 1, 3)], [record("v", 0, 1)]
    polled = {TP("t", 0): one, TP("v", 0): apart, TP("u", 1): other}
    (tp, carrier), (second, _) = BatchScheduling({"t": "events", "u": "events", "v": "partials"}).iterate(polled)
    assert (tp, carrier.topic, carrier.offset) == (TP("u", 1), "u", 3)
    assert carrier.value == [Batch("t", 0, one), Batch("u", 1, other)]
    assert second == TP("v", 0)


def test_the_places_where_faust_is_overridden_are_still_called_so():
    assert inspect.iscoroutinefunction(BaseConsumer._add_gap)
    assert list(inspect.signature(BaseConsumer._add_gap).parameters)[1:] == ["tp", "offset_from", "offset_to"]
    assert list(inspect.signature(BaseConsumer._new_offset).parameters)[1:] == ["tp"]
    assert list(inspect.signature(BaseConsumer._filter_tps_with_pending_acks).parameters)[1:] == ["topics"]
    assert "self._new_consumer_thread()" in inspect.getsource(ThreadDelegateConsumer.__init__)
    assert "seek_to_committed()" in inspect.getsource(BaseConsumer.perform_seek)
    assert "self.verify_all_partitions_active()" in inspect.getsource(BaseConsumer._commit_livelock_detector.fun)
    ours = ("_add_gap", "_new_offset", "_filter_tps_with_pending_acks", "seek_to_committed", "stop_flow")
    assert "self._thread.close()" in inspect.getsource(ThreadDelegateConsumer.close)
    for name in (*ours, "verify_all_partitions_active"):
        assert name in vars(BatchConsumer)


def test_faust_counts_the_delivered_offset_into_the_gap_before_it():
    """Which is why what may be committed is not derived from gaps: after a carrier the commit would stand still."""
    assert "self._add_gap(tp, r_offset + 1, offset)" in inspect.getsource(BaseConsumer._drain_messages)


def test_the_driver_fixes_a_long_wait_and_the_fetcher_takes_it_from_the_consumer():
    assert "fetch_max_wait_ms=1500" in inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer.start)
    assert "fetch_max_wait_ms" in inspect.signature(Fetcher.__init__).parameters


async def test_a_rebalance_that_a_stop_overtakes_leaves_closing_to_the_thread_that_reads(
    embedded_broker, embedded, tmp_path, monkeypatch
):
    """Faust would close the client in the app's thread, while the reading one does: they broke each other."""
    assert "self.consumer.close()" in inspect.getsource(BatchApp._on_rebalance_when_stopped)
    closing: list[tuple[AIOKafkaClient, int]] = []
    close = AIOKafkaClient.close

    async def watched(self: AIOKafkaClient) -> None:
        closing.append((self, threading.get_ident()))
        await close(self)

    monkeypatch.setattr(AIOKafkaClient, "close", watched)
    app = BatchApp("g", embedded, Offsets(), datadir=str(tmp_path))

    async def handle(polled: Sequence[Batch]) -> None:
        app._on_rebalance_when_stopped()
        os.kill(os.getpid(), signal.SIGTERM)

    app.deliver("agent", ["t"], handle)
    embedded_broker.create(["t"])
    await fill(embedded, "t", 1)
    await work(app)
    reader = app.consumer._reading._consumer._client
    (by,) = [thread for client, thread in closing if client is reader]
    assert by != threading.get_ident()


def test_the_fetcher_keeps_what_was_fetched_by_partition_and_makes_its_records_when_they_are_taken():
    """So that its records can be taken as they were read, without the object that it wraps each in."""
    assert "self._records = collections.OrderedDict()" in inspect.getsource(Fetcher.__init__)
    assert "self._records[tp] = FetchResult(" in inspect.getsource(Fetcher._proc_fetch_request)
    assert "partition_records=partition_records" in inspect.getsource(Fetcher._proc_fetch_request)
    assert "self._consumer_record(tp, record)" in inspect.getsource(PartitionRecords._unpack_records)
    assert inspect.isgeneratorfunction(PartitionRecords._unpack_records)


async def test_many_records_come_as_few_batches_and_what_we_say_is_committed(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["t"])
    await fill(embedded, "t", 3000)
    offsets = Offsets()
    offsets.commits = {("t", 0): 2048}  # neither what was read nor what was acknowledged
    batches = await read(embedded, offsets, tmp_path, 3000)
    assert not any(isinstance(r, ConsumerRecord) for b in batches for r in b.records)
    assert [r.value for b in batches for r in b.records] == [b"%d" % i for i in range(3000)]
    assert len(batches) < 30
    assert offsets.told[0][("t", 0)] is None
    assert offsets.flow[0] is True
    assert offsets.flow[-1] is False
    assert offsets.released >= 1

    again = Offsets()
    batches = await read(embedded, again, tmp_path, 952)
    assert again.told[0][("t", 0)] == 2048
    assert batches[0].records[0].offset == 2048


@pytest.mark.parametrize(("old", "least", "most"), [(100.0, 1, 40), (0.0, 100, 400)])
async def test_who_is_behind_takes_many_fetches_of_the_embedded_broker_together(
    embedded_broker, embedded, tmp_path, old, least, most
):
    """The embedded broker answers each with one send, however much waits: slow readers of single events fell behind."""
    embedded_broker.create(["t"])
    producer = Producer(embedded)
    sent_at = int((time.time() - old) * 1000) if old else int((time.time() + 60) * 1000)
    for i in range(400):
        await producer.send([Outgoing("t", b"%d" % i, key=b"k", partition=0, at_ms=sent_at)])
    await producer.close()
    batches = await read(embedded, Offsets(), tmp_path, 400)
    assert [r.value for b in batches for r in b.records] == [b"%d" % i for i in range(400)]
    assert least <= len(batches) <= most


async def test_partitions_that_were_polled_together_are_committed_each(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["t"])
    for partition in (0, 1, 2):
        await fill(embedded, "t", 10 + partition, partition)
    offsets = Offsets()
    offsets.commits = {("t", partition): 10 + partition for partition in (0, 1, 2)}
    batches = await read(embedded, offsets, tmp_path, 33)
    read_of = {n: [r.offset for b in batches if b.partition == n for r in b.records] for n in (0, 1, 2)}
    assert read_of == {n: list(range(10 + n)) for n in (0, 1, 2)}

    assert await asyncio.to_thread(commits, embedded) == offsets.commits


async def test_where_we_resume_wins_over_what_kafka_remembers(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["t"])
    await fill(embedded, "t", 100)
    await asyncio.to_thread(commit, embedded, ("t", 0), 100)

    earlier = Offsets({("t", 0): 40})
    batches = await read(embedded, earlier, tmp_path, 60)
    assert earlier.told[0][("t", 0)] == 100
    assert [r.offset for b in batches for r in b.records] == list(range(40, 100))

    from_the_start = Offsets({("t", 0): 0})
    batches = await read(embedded, from_the_start, tmp_path, 100)
    assert [r.offset for b in batches for r in b.records] == list(range(100))


async def test_bytes_that_are_no_json_and_no_text_are_delivered_as_they_are(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["t"])
    producer = Producer(embedded)
    sent = [b"\xff\xfe", b"", b"{", b"null"]
    await producer.send([Outgoing("t", value, key=b"\xff", partition=0, headers=[("h", b"\x00")]) for value in sent])
    await producer.send([Outgoing("t", None, key=b"tombstone", partition=0)])
    await producer.close()
    batches = await read(embedded, Offsets(), tmp_path, 5)
    records = [r for b in batches for r in b.records]
    assert [r.value for r in records] == [*sent, None]
    assert records[0].key == b"\xff"
    assert list(records[0].headers) == [("h", b"\x00")]
