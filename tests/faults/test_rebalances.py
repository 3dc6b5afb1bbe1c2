"""Workers come and go under load on Apache Kafka: nothing is lost, nothing counted twice, and stories stay in order.

One worker becomes three and one again, in good order and by SIGKILL in turns, while events flow all the time. The
windows in the database are compared with what was fed; what was told is a ledger in the order of the database's own
transactions; and how long a partition was not consumed is read from the timestamps of its partials in Kafka. The short
form does 1 -> 2 -> 1 twice; `FIRELINE_FAULTS=long` 1 -> 3 -> 1 twenty times, and wakes up workers that were stopped
while others took their partitions over.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from fireline.adapters.kafka_topics import PARTIALS
from fireline.engine.partials import decode
from tests.faults.exact_streams import PARTITIONS, PATIENCE, ExactStreams, check_stories, during, lost_and_double

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
SERVICES = [f"s{n}" for n in range(8)]
STALLED = 70


class Load:
    """Events of all services on all partitions, and a gauge of each that goes up and down every few seconds."""

    def __init__(self, streams: ExactStreams) -> None:
        self._streams, self._turn = streams, 0

    async def __call__(self) -> None:
        self._turn += 1
        await self._streams.feed(SERVICES, 4)
        for place, service in enumerate(SERVICES):
            high = (self._turn + 7 * place) // 40 % 2
            await self._streams.feed([service], 1, "gauge", 100.0 * high)


@dataclass(frozen=True)
class Change:
    """One change of the number of workers: what it was, and when it began and was over, by the clock."""

    name: str
    began: float
    ended: float


async def consumed(bootstrap: str) -> dict[int, list[float]]:
    """When partials of each source partition were written, in seconds since the epoch."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(PARTIALS, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[int, list[float]] = {}
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    source = decode(record.value).source
                    found.setdefault(source.partition, []).append(record.timestamp / 1000.0)
    finally:
        await consumer.stop()
    return {partition: sorted(times) for partition, times in found.items()}


def pause(change: Change, times: dict[int, list[float]]) -> float:
    """The longest time in which a partition was not consumed, of those that touch the change."""
    gaps = [
        after - before
        for some in times.values()
        for before, after in pairwise(some)
        if after > change.began and before < change.ended
    ]
    return max(gaps, default=0.0)


def at(share: float, values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


async def shared(streams: ExactStreams) -> None:
    """Until those who live share all partitions."""

    def done() -> bool:
        held = [streams.holds(worker) for worker in streams.workers if worker.poll() is None]
        return sum(held) == PARTITIONS and min(held) > 0

    await streams.until(done, "the partitions are shared")


def swung(streams: ExactStreams) -> set[str]:
    """The services of which it was told that their gauge is high."""
    return {line["service"] for line in streams.told() if line["rule"] == "swings"}


async def campaign(streams: ExactStreams, cycles: int, most: int) -> list[Change]:
    """From one worker to `most` and back, again and again; half of those who go are killed."""
    changes: list[Change] = []

    async def all_of_it() -> None:
        streams.start()
        await shared(streams)
        for cycle in range(cycles):
            began = time.time()
            alive = [worker for worker in streams.workers if worker.poll() is None]
            for _ in range(most - len(alive)):
                streams.start()
            await shared(streams)
            changes.append(Change("joined", began, time.time()))
            await asyncio.sleep(1.0)
            began, killed = time.time(), cycle % 2 == 1
            leaving = [worker for worker in streams.workers if worker.poll() is None][: most - 1]
            for worker in leaving:
                streams.signal(worker, signal.SIGKILL if killed else signal.SIGTERM)
            for worker in leaving:
                assert await asyncio.to_thread(worker.wait, PATIENCE) == (-signal.SIGKILL if killed else 0)
            await shared(streams)
            changes.append(Change("killed" if killed else "left", began, time.time()))
            await asyncio.sleep(1.0)
        await streams.until(lambda: swung(streams) == set(SERVICES), "every gauge was high once")

    await during(all_of_it, Load(streams))
    return changes


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(3600)
async def test_workers_that_come_and_go_lose_double_and_disorder_nothing(own_apache_kafka, tmp_path: Path, capsys):
    streams = ExactStreams(own_apache_kafka.connection, "", tmp_path)
    try:
        changes = await campaign(streams, *((20, 3) if LONG else (2, 2)))
        await streams.all_counted(within=90)
        stories = check_stories(streams.told())
        lost, double = lost_and_double(streams.fed, streams.counted())
        assert (lost, double) == (0, 0)
        assert stories == 2 * len(SERVICES)
        times = await consumed(own_apache_kafka.bootstrap)
        with capsys.disabled():
            print(f"\n{report(streams, changes, times)}")
    finally:
        await streams.close()


def report(streams: ExactStreams, changes: Sequence[Change], times: dict[int, list[float]]) -> str:
    rows = [f"{len(changes)} rebalances, {streams.fed.total()} events, {len(streams.told())} signals: lost 0, double 0"]
    rows.append("seconds a partition was not consumed       p50     p95     max")
    for name in ("joined", "left", "killed"):
        pauses = [pause(change, times) for change in changes if change.name == name]
        if pauses:
            rows.append(
                f"{name:<10}({len(pauses):>2}){at(0.5, pauses):>32.1f}{at(0.95, pauses):>8.1f}{max(pauses):>8.1f}"
            )
    return "\n".join(rows)


if LONG:

    @pytest.mark.slow
    @pytest.mark.kafka
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize(
        ("point", "hits"),
        [("before a signal's transaction", 3), ("before a checkpoint", 4), ("before partials are sent", 12)],
    )
    async def test_a_worker_that_wakes_up_too_late_changes_nothing(own_apache_kafka, tmp_path: Path, point, hits):
        streams = ExactStreams(own_apache_kafka.connection, "", tmp_path)

        async def all_of_it() -> None:
            sleeper = streams.start(point, hits, stops=True)
            await streams.until(lambda: streams.stopped(sleeper), "it is stopped")
            other = streams.start()
            await streams.until(lambda: streams.holds(other) == PARTITIONS, "the other takes over")
            before = len(streams.told())
            await streams.until(lambda: len(streams.told()) > before + 2, "the other goes on")
            streams.signal(sleeper, signal.SIGCONT)
            await asyncio.sleep(8.0)
            if sleeper.poll() is not None:
                assert sleeper.poll() == STALLED
            if point.startswith("before a signal"):
                assert "refused" in streams.said(sleeper)
            if point == "before a checkpoint":
                assert "another worker has taken it over" in streams.said(sleeper)

        try:
            await during(all_of_it, Load(streams))
            await streams.all_counted(within=90)
            check_stories(streams.told())
        finally:
            await streams.close()

    @pytest.mark.slow
    @pytest.mark.kafka
    async def test_of_two_workers_under_one_name_one_is_told_and_ends(own_apache_kafka, tmp_path: Path):
        streams = ExactStreams(own_apache_kafka.connection, "", tmp_path)

        async def all_of_it() -> None:
            first = streams.start(instance="the-one", name="the-one")
            await shared(streams)
            second = streams.start(instance="the-one", name="the-one")
            await streams.until(lambda: first.poll() is not None or second.poll() is not None, "one ends")
            gone, left = (first, second) if first.poll() is not None else (second, first)
            assert gone.poll() == STALLED
            assert "If two workers run as 'the-one'" in streams.said(gone)
            await streams.until(lambda: streams.holds(left) == PARTITIONS, "the other has all")

        try:
            await during(all_of_it, Load(streams))
            await streams.all_counted(within=90)
            check_stories(streams.told())
        finally:
            await streams.close()
