"""From garbage to windows: put aside by a stream worker, mended, replayed, and then counted; also across a crash."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka import Outgoing, Producer
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_reading import read_topic
from fireline.adapters.kafka_topics import Topic, ensure_topics
from fireline.apps.dead_letter_mending import edits_of, mend
from fireline.apps.dead_letter_planning import Done, Planner, Refuse, Wish
from fireline.apps.dead_letter_reading import read_ledger, read_letters
from fireline.apps.dead_letter_replay import Outcome, Replay, Sent
from fireline.apps.dead_letter_verdict import Judge
from fireline.apps.dead_letters import Chosen, Letter, Repeats
from fireline.apps.stream_ingest import dead_letter
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.engine.ports import Unavailable
from fireline.sources import FORMATS
from tests.integration.streams import Streams

METRICS = "fireline.metrics"
SOURCES = [METRICS, "fireline.replay", "fireline.partials", "fireline.dead-letter"]
FORMATS_HERE = {METRICS: FORMATS["native"]}


@pytest.fixture
def streams(embedded_broker, embedded, tmp_path) -> Iterator[Streams]:
    embedded_broker.create(SOURCES)
    made = Streams(embedded, embedded_broker.generation, tmp_path, {"some": 10, "all": 18, "too-many": 19})
    yield made
    made.close()


def metric(**fields: object) -> bytes:
    event = {"type": "metric", "name": "requests", "value": 1, "ts": time.time(), "labels": {"service": "fraud"}}
    return json.dumps({name: value for name, value in {**event, **fields}.items() if value is not ...}).encode()


def garbage() -> dict[str, bytes]:
    """Eight kinds, each of which can be mended."""
    return {
        "field-missing": metric(value=...),
        "field-wrong": metric(value="1"),
        "type-unknown": metric(type="gossip"),
        "time-missing": metric(ts=...),
        "time-wrong": metric(ts="tomorrow"),
        "labels-wrong": metric(labels=["fraud"]),
        "late": metric(ts=time.time() - 3600),
        "future": metric(ts=time.time() + 3600),
    }


MENDED = edits_of([], [], ["value=1", "type=metric", 'labels={"service": "fraud"}'])


class Run:
    """A replay of everything, and what came of it."""

    def __init__(self, connection: Connection, batch_of: type[Replay] = Replay) -> None:
        clock = SystemClock()
        planner = Planner(Judge(FORMATS_HERE, 30.0, 300.0), Wish(MENDED, "arrival"), clock.now())
        self.outcomes: list[Outcome] = []

        def mended(letter: Letter):
            return mend(letter, MENDED, "arrival", clock.now())

        self.replay = batch_of(connection, clock, planner, mended, self.outcomes.append)

    async def __call__(self) -> list[str]:
        await self.replay.run(Chosen())
        return sorted(type(outcome).__name__ for outcome in self.outcomes)


async def letters(connection: Connection) -> dict[str, Letter]:
    return {letter.reason: letter async for letter in read_letters(connection, Chosen(), Repeats())}


async def test_eight_kinds_of_garbage_are_mended_replayed_and_counted_once(streams):
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(10)
    await streams.put([Outgoing(METRICS, value, key=b"k", partition=2) for value in garbage().values()])
    await streams.until(lambda: streams.fact().get("dead_letters") == 8)
    found = await letters(streams.connection)
    assert found.keys() == garbage().keys()
    await streams.until(lambda: "some" in streams.fired())
    assert "all" not in streams.fired(), "garbage is not counted"

    assert await Run(streams.connection)() == ["Sent"] * 8
    await streams.until(lambda: streams.fired().get("all") == 18)
    assert await Run(streams.connection)() == ["Done"] * 8
    await asyncio.sleep(0.5)
    assert "too-many" not in streams.fired(), "each was counted once"
    assert streams.fact()["dead_letters"] == 8, "none was put aside again"
    assert streams.end(worker) == 0


class Crash(BaseException):
    """The process ends here."""


class Dying(Replay):
    """Ends after the records were sent, before anybody wrote it down; of a batch only the first two were."""

    async def _close(self, found, producer) -> None:
        raise Crash


class DyingHalfway(Replay):
    """Ends while it sends: two of a batch have arrived."""

    async def _claim(self, plans, producer, ends):
        left = await super()._claim(plans, producer, ends)
        await producer.send([plan.record for plan in left[:2]])
        raise Crash


async def put_aside(streams: Streams) -> None:
    """As a stream worker does."""
    records = [Record(i, time.time(), b"k", value) for i, value in enumerate(garbage().values())]
    source = SourceRef(METRICS, 2, "live")
    dead = Ingest((), {}, FORMATS["native"], 1).batch(source, records).dead
    assert len(dead) == 8
    await streams.put([dead_letter(source, letter) for letter in dead])


async def arrived(connection: Connection) -> list[str]:
    return [
        value.decode().partition(" ")[2]
        async for record in read_topic(connection, METRICS)
        for name, value in record.headers
        if name == "fireline-replayed"
    ]


@pytest.mark.parametrize("dying", [Dying, DyingHalfway])
async def test_a_crash_anywhere_sends_each_once(streams, monkeypatch, dying):
    monkeypatch.setattr("fireline.apps.dead_letter_replay.RECENT", 3600.0)  # however slow this machine is
    await put_aside(streams)
    with pytest.raises(Crash):
        await Run(streams.connection, dying)()
    ledger = await read_ledger(streams.connection)
    assert len(ledger.began) == 8
    assert ledger.done == {}
    assert await Run(streams.connection)() == ["Refuse"] * 8, "the other one may still be at work"
    monkeypatch.setattr("fireline.apps.dead_letter_replay.RECENT", 0.0)
    assert await Run(streams.connection)() == ["Sent"] * 8
    ids = await arrived(streams.connection)
    assert len(ids) == len(set(ids)) == 8
    assert (await read_ledger(streams.connection)).done.keys() == set(ids)


async def test_two_at_the_same_time_send_each_once(streams):
    await put_aside(streams)
    one, other = Run(streams.connection), Run(streams.connection)
    await asyncio.gather(one(), other())
    outcomes = [*one.outcomes, *other.outcomes]
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) == 8
    assert sum(isinstance(outcome, Refuse | Done) for outcome in outcomes) == 8
    ids = await arrived(streams.connection)
    assert len(ids) == len(set(ids)) == 8


@pytest.mark.kafka
async def test_on_apache_kafka_a_time_and_an_end_are_kept_to(apache_kafka, tmp_path):
    connection, topic = apache_kafka.connection, f"reading-{tmp_path.name}"
    ensure_topics(connection, [Topic(topic, 3)])
    producer = Producer(connection)
    began = int(time.time()) - 100
    times = {number: 1000 * (began + number) for number in range(1, 31)}
    await _insist(producer, [Outgoing(topic, b"%d" % i, partition=i % 3, at_ms=at) for i, at in times.items()])
    assert {int(r.value) async for r in read_topic(connection, topic)} == set(range(1, 31))
    assert {int(r.value) async for r in read_topic(connection, topic, since=began + 20.0)} == set(range(20, 31))
    assert [int(r.value) async for r in read_topic(connection, topic, begin={1: 8})] == [25, 28]
    reading = read_topic(connection, topic)
    first = await anext(reading)
    await _insist(producer, [Outgoing(topic, b"99", partition=p) for p in range(3)])
    rest = [record async for record in reading]
    assert 99 not in {int(r.value) for r in [first, *rest]}, "what came after the beginning is not read"
    assert [r async for r in read_topic(connection, f"no-{topic}")] == []
    await producer.close()


async def _insist(producer: Producer, records) -> None:
    for _ in range(1000):
        try:
            await producer.send(records)
        except Unavailable:  # partitions of a topic that was just made are known a little later
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the partitions never became known")
