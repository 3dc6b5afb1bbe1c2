"""A stream worker is killed at every point of its work: no event is missing from a window and none is counted twice.

A real worker on a real broker dies by SIGKILL at a named point (`exact_process.POINTS`), another one goes on. What is
counted are the windows in the database, and what was told is a ledger written in the transaction that decided on it.
The short form strikes at two points on the embedded broker; `FIRELINE_FAULTS=long` at all of them, on Apache Kafka,
with SQLite and with PostgreSQL.
"""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.faults.exact_process import POINTS
from tests.faults.exact_streams import KILLED, PATIENCE, ExactStreams, check_stories, lost_and_double

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
SHORT = ("between partials of one send", "after a signal is told")
HITS = {
    "before a batch is decoded": 9,
    "after a batch is aggregated": 9,
    "before partials are sent": 6,
    "between partials of one send": 8,
    "after partials are acknowledged": 6,
    "before partials are applied": 6,
    "after partials are judged": 6,
    "before a signal's transaction": 2,
    "before a signal is decided on": 2,
    "within a signal's transaction": 2,
    "after a signal is told": 2,
    "before a checkpoint": 2,
    "after a checkpoint, before it is known": 2,
    "within a checkpoint's transaction": 3,
    "before a checkpoint's commit": 3,
    "within taking over": 2,
    "while windows are restored": 1,
}
TAKING_OVER = tuple(name for name in POINTS if "tak" in name or "restored" in name)
LETTING_GO = ("before letting go", "after letting go")


async def strike(streams: ExactStreams, point: str, services: list[str]) -> float:
    """One worker dies at the point, the next one does the rest; the seconds until all was counted."""
    first = streams.start(*((point, HITS.get(point, 1)) if point not in TAKING_OVER else ()))
    await streams.feed(services, 15)
    await streams.until(lambda: first.poll() is not None or streams.holds(first) > 0, "the worker reads")
    if point in TAKING_OVER:
        await streams.until(lambda: streams.counted().total() > 0 or first.poll() is not None, "a checkpoint")
        first.kill()
        first.wait(60)
        first = streams.start(point, HITS.get(point, 1))
    deadline = time.monotonic() + PATIENCE
    while first.poll() is None and time.monotonic() < deadline:
        await streams.feed(services, 1)
        await asyncio.sleep(0.1)
        if point in LETTING_GO and streams.counted().total() > 0:
            first.terminate()
            await streams.until(lambda: first.poll() is not None, "it dies letting go")
    assert first.poll() == KILLED, f"{point} was never reached: {streams.said(first)[-2000:]}"
    second, began = streams.start(), time.monotonic()
    await streams.feed(services, 15)
    await streams.all_counted()
    took = time.monotonic() - began
    assert await streams.end(second) == 0
    return took


@pytest.mark.slow
@pytest.mark.parametrize("point", SHORT)
async def test_nothing_is_lost_or_doubled_by_a_kill(embedded_broker, embedded, tmp_path: Path, point: str):
    embedded_broker.create(["fireline.metrics", "fireline.replay", "fireline.partials", "fireline.dead-letter"])
    streams = ExactStreams(embedded, embedded_broker.generation, tmp_path)
    services = [f"s{n}" for n in range(3)]
    try:
        await strike(streams, point, services)
        check_told(streams, services)
    finally:
        await streams.close()


def check_told(streams: ExactStreams, services: list[str]) -> None:
    """Each service fired, once."""
    told = [line for line in streams.told() if line["service"] in services]
    check_stories(told)
    assert sorted(line["service"] for line in told) == services, "\n".join(map(str, told))
    assert {(line["rule"], line["state"], line["sequence"]) for line in told} == {("counted", "firing", 0)}


if LONG:

    @pytest.mark.slow
    @pytest.mark.kafka
    @pytest.mark.postgres
    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
    async def test_every_point_on_apache_kafka(own_apache_kafka, postgres_server, tmp_path: Path, kind: str, capsys):
        rows = []
        for number, point in enumerate(POINTS):
            folder = tmp_path / str(number)
            folder.mkdir()
            database = "" if kind == "SQLite" else postgres_server.new_database()
            streams = ExactStreams(own_apache_kafka.connection, "", folder, database)
            services = [f"{number:02}-{n}" for n in range(3)]
            try:
                took = await strike(streams, point, services)
                check_told(streams, services)
                rows.append((point, *lost_and_double(streams.fed, streams.counted()), took))
            finally:
                await streams.close()
        with capsys.disabled():
            print(f"\nkilled at                              lost  double  all counted after   ({kind})")
            for point, lost, double, took in rows:
                print(f"{point:<40}{lost:>3}{double:>8}{took:>16.1f} s")
