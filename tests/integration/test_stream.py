"""The stream worker from event to signal, on real brokers: what it must do, and what it must do after a crash."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireline.adapters.kafka import Outgoing
from fireline.adapters.kafka_connection import Connection
from fireline.engine.watching import Watch
from tests.integration.streams import PATIENCE, Streams

SOURCES = ["fireline.metrics", "fireline.replay", "fireline.partials", "fireline.dead-letter"]


@pytest.fixture
def streams(embedded_broker, embedded, tmp_path) -> Iterator[Streams]:
    embedded_broker.create(SOURCES)
    made = Streams(embedded, embedded_broker.generation, tmp_path, {"some": 100, "all": 1000, "too-many": 1001})
    yield made
    made.close()


async def test_events_become_signals_and_the_worker_ends_in_good_order(streams):
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(990)
    await streams.until(lambda: "some" in streams.fired())
    await streams.feed(10)
    await streams.until(lambda: streams.fired().get("all") == 1000)
    wanted = {"events": 1000, "partitions": 12, "signals": 2, "dead_letters": 0}
    await streams.until(lambda: wanted.items() <= streams.fact().items())
    assert streams.end(worker) == 0
    assert "too-many" not in streams.fired()
    assert [s["timeline"] for s in streams.signals()] == ["live", "live"]


async def test_what_is_no_event_becomes_a_dead_letter_as_it_came_and_stops_nothing(streams):
    late = b'{"type":"metric","name":"requests","value":1,"ts":1000000000,"labels":{"service":"fraud"}}'
    bad = [b"\xff\xfe\x00", b"{", b'{"type":"metric","name":"requests","ts":1}', b'{"type":"what","ts":1}', late]
    headers = [("trace", b"\x01\x02")]
    await streams.put(
        [Outgoing("fireline.metrics", value, key=b"k", partition=2, headers=headers) for value in [*bad, None]]
    )
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(100)
    await streams.until(lambda: streams.fired().get("some") == 100)
    letters = await streams.read("fireline.dead-letter", 6)
    by_offset = {int(dict(r.headers)["fireline-offset"]): r for r in letters}
    assert [by_offset[i].value for i in range(6)] == [*bad, None]
    reasons = [dict(by_offset[i].headers)["fireline-reason"].decode() for i in range(6)]
    assert reasons == ["not-json", "not-json", "field-missing", "type-unknown", "late", "empty"]
    first = dict(by_offset[0].headers)
    assert first["trace"] == b"\x01\x02"
    assert (first["fireline-topic"], first["fireline-partition"]) == (b"fireline.metrics", b"2")
    assert len(first["fireline-detail"]) > 10
    assert by_offset[0].key == b"k"
    await streams.until(lambda: streams.fact().get("dead_letters") == 6)
    assert streams.end(worker) == 0


async def test_killed_between_batches_nothing_is_lost_and_nothing_is_counted_twice(streams):
    worker = streams.start(chunk=64)
    await streams.ready(worker)
    await streams.feed(400)
    await streams.until(lambda: streams.fired().get("some"))
    feeding = asyncio.create_task(streams.feed(300))
    await asyncio.sleep(0.02)
    streams.kill(worker)
    await feeding
    worker = streams.start(chunk=64)
    await streams.ready(worker)
    await streams.feed(300)
    await streams.until(lambda: streams.fired().get("all") == 1000)
    await streams.until(lambda: streams.fact().get("lag") == 0)
    await asyncio.sleep(0.5)
    assert "too-many" not in streams.fired()
    assert streams.end(worker) == 0


async def test_a_restart_goes_on_at_the_checkpoint_with_its_windows(streams):
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(999)
    await streams.until(lambda: streams.fact().get("events") == 999)
    assert streams.end(worker) == 0
    with streams.store() as store, store.transaction() as tx:
        generation = streams._generation
        kept = [tx.load_checkpoint("fireline.partials", p, generation) for p in range(4)]
        assert any(c is not None and c.offset > 0 and c.windows for c in kept)
        assert tx.load_checkpoint("fireline.partials", 0, "another") is None
    fired = len(streams.signals())
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(1)
    await streams.until(lambda: streams.fired().get("all") == 1000)
    assert streams.end(worker) == 0
    assert [s["rule"] for s in streams.signals()[fired:]] == ["all"]


async def test_rules_are_replaced_while_it_runs_and_windows_of_the_others_are_kept(streams):
    worker = streams.start()
    await streams.ready(worker)
    await streams.feed(999)
    await streams.until(lambda: streams.fact().get("events") == 999)
    streams.set_rules({"all": 1000, "new": 5})
    await streams.until(lambda: "2 rules in force" in streams.said())
    await streams.feed(1)
    await streams.until(lambda: streams.fired().get("all") == 1000)
    assert "new" not in streams.fired()
    await streams.feed(4)
    await streams.until(lambda: streams.fired().get("new") == 5)
    assert streams.end(worker) == 0


async def test_a_fault_inside_ends_the_worker_with_70_and_the_next_one_has_lost_nothing(streams, tmp_path: Path):
    worker = streams.start(broken=tmp_path / "broken")
    await streams.ready(worker)
    (tmp_path / "broken").touch()
    await streams.feed(1000)
    assert await asyncio.to_thread(worker.wait, PATIENCE) == 70
    assert "a fault of ours" in streams.said()
    worker = streams.start()
    await streams.ready(worker)
    await streams.until(lambda: streams.fired().get("all") == 1000)
    assert "too-many" not in streams.fired()
    assert streams.end(worker) == 0


async def test_a_replay_is_judged_on_its_own_timeline_by_the_time_of_its_events(streams):
    worker = streams.start()
    await streams.ready(worker)
    old = 1_400_000_000.0
    await streams.feed(100, topic="fireline.replay", ts=old)
    await streams.feed(60)
    await streams.until(lambda: streams.fired().get("some") == 100)
    (signal,) = streams.signals()
    assert signal["timeline"] == "replay"
    assert abs(float(str(signal["at"])) - old) < 700
    assert streams.end(worker) == 0


async def test_a_watch_is_answered(streams):
    worker = streams.start()
    await streams.ready(worker)
    now = time.time()
    watch = Watch("w1", "some", {"service": "fraud"}, now - 60, 300.0, 1, now + 60)
    with streams.store() as store:
        with store.transaction() as tx:
            tx.save_watch(watch)
        await streams.feed(50)

        def answered() -> bool:
            with store.reading() as tx:
                return any(a.state == "clear" and a.samples >= 1 for a in tx.answers("w1"))

        await streams.until(answered)
    assert streams.end(worker) == 0


@pytest.mark.kafka
async def test_the_same_on_apache_kafka_with_a_second_worker_joining_and_one_killed(apache_kafka, tmp_path: Path):
    service = f"fraud-{tmp_path.name}"  # the broker is shared with other tests
    streams = Streams(Connection(apache_kafka.bootstrap), "", tmp_path, {"all": 1000, "too-many": 1001})
    try:
        first = streams.start(chunk=64)
        await streams.ready(first)
        await streams.feed(400, service)
        second = streams.start(chunk=64)
        await streams.ready(second)
        await streams.feed(300, service)
        streams.kill(first)
        await streams.feed(300, service)
        await streams.until(lambda: streams.fired().get("all") == 1000)
        await asyncio.sleep(0.5)
        assert "too-many" not in streams.fired()
        assert streams.end(second) == 0
    finally:
        streams.close()


@pytest.mark.kafka
async def test_a_broker_that_is_killed_and_comes_back_costs_nothing_but_time(own_apache_kafka, tmp_path: Path):
    kafka = own_apache_kafka
    streams = Streams(kafka.connection, "", tmp_path, {"some": 100, "all": 1000, "too-many": 1001})
    try:
        worker = streams.start(chunk=64)
        await streams.ready(worker)
        await streams.feed(500)
        await streams.until(lambda: "some" in streams.fired())
        kafka.kill()
        await asyncio.sleep(3.0)
        await asyncio.to_thread(kafka.start)
        await streams.feed(500)
        await streams.until(lambda: streams.fired().get("all") == 1000 or worker.poll() is not None)
        if worker.poll() is not None:  # a worker may give up, never lose anything
            worker = streams.start(chunk=64)
            await streams.until(lambda: streams.fired().get("all") == 1000)
        await asyncio.sleep(0.5)
        assert "too-many" not in streams.fired()
        assert streams.end(worker) == 0
    finally:
        streams.close()
