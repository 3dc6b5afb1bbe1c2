"""Workers under load whose work is counted in the database: what is in the windows, and what was told."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.kafka import Outgoing, Producer
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import PARTIALS, topic_generation
from fireline.engine.ports import Unavailable
from tests.servers.last_words import remember, tail

REPOSITORY = Path(__file__).parents[2]
PARTITIONS = 4
KILLED = -signal.SIGKILL
PATIENCE = 240.0
"""Seconds that are waited for what should happen."""


class ExactStreams:
    """Workers of one test, on one broker and one database; `fed` is what was acknowledged, by service."""

    def __init__(self, connection: Connection, generation: str, directory: Path, database: str = "") -> None:
        self.connection, self._embedded, self._directory = connection, generation, directory
        self.database = database or f"sqlite:///{directory / 'exact.db'}"
        self.store: DatabaseStore = open_store(self.database)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.fed: Counter[str] = Counter()
        self._producer = Producer(connection, client_id="feeder", linger_ms=2)

    # workers
    def start(self, point: str = "", hits: int = 1, **more: object) -> subprocess.Popen[bytes]:
        options: dict[str, object] = {
            "bootstrap": self.connection.bootstrap,
            "generation": self._embedded,
            "name": f"w{len(self.workers)}",
            "database": self.database,
            "directory": str(self._directory),
            "point": point,
            "hits": hits,
            **more,
        }
        command = [sys.executable, "-m", "tests.faults.exact_process", json.dumps(options)]
        with self._log(len(self.workers)).open("ab") as said:
            remember(f"worker {len(self.workers)}", partial(tail, Path(said.name)))
            process = subprocess.Popen(command, stdout=said, stderr=said, cwd=REPOSITORY)
        self.workers.append(process)
        return process

    def signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        os.kill(process.pid, number)

    def stopped(self, process: subprocess.Popen[bytes]) -> bool:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    async def end(self, process: subprocess.Popen[bytes], within: float = PATIENCE) -> int:
        process.terminate()
        return await asyncio.to_thread(process.wait, within)

    async def close(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.kill()
                await asyncio.to_thread(process.wait, 60)
        await self._producer.close()
        self.store.close()

    def said(self, process: subprocess.Popen[bytes]) -> str:
        return self._log(self.workers.index(process)).read_text()

    def holds(self, process: subprocess.Popen[bytes]) -> int:
        """How many partitions of partials the worker last said that it reads."""
        told = [line for line in self.said(process).splitlines() if " partitions of events and " in line]
        return int(told[-1].split(" partitions of events and ")[1].split()[0]) if told else -1

    def _log(self, number: int) -> Path:
        return self._directory / f"exact{number}.log"

    # events
    async def feed(self, services: Sequence[str], count: int, name: str = "requests", value: float = 1.0) -> None:
        """`count` events of now for each service, spread over all partitions."""
        records = [
            Outgoing("fireline.metrics", self._event(service, name, value), partition=(place + n) % PARTITIONS)
            for place, service in enumerate(services)
            for n in range(count)
        ]
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await self._producer.send(records)
            except Unavailable as fault:  # until a worker has made the topics
                if "not known yet" not in str(fault) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                break
        if name == "requests":
            self.fed.update(dict.fromkeys(services, count))

    def _event(self, service: str, name: str, value: float) -> bytes:
        body = {"type": "metric", "name": name, "value": value, "ts": time.time(), "labels": {"service": service}}
        return orjson.dumps(body)

    # what the database says
    def counted(self) -> Counter[str]:
        """The events in the windows of the last checkpoints, by service."""
        generation = self._embedded or topic_generation(self.connection, PARTIALS)
        found: Counter[str] = Counter()
        for partition in range(PARTITIONS):
            with self.store.reading() as tx:
                kept = tx.load_checkpoint(PARTIALS, partition, generation)
            for key, data in kept.windows.items() if kept is not None else ():
                _, rule, entity = json.loads(key)
                if rule == "counted" and data is not None and entity[0] in self.fed:
                    body = json.loads(data)
                    found[entity[0]] += sum(cell[0] for _, cell in body["settled"])
                    found[entity[0]] += sum(held[-1][0] for held in body["open"])
        return found

    def told(self) -> list[dict[str, Any]]:
        """What was told, in the order of the database."""
        with self.store.reading() as tx:
            return [dict(value) for _, (value, _) in sorted(tx.facts("told:").items())]

    async def until(self, what: Callable[[], object], why: str, within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not await asyncio.to_thread(_holds, what):
            if time.monotonic() > deadline:
                logs = "\n".join(self._log(n).read_text()[-3000:] for n in range(len(self.workers)))
                raise AssertionError(f"{why}: not within {within:.0f} s\n{logs}")
            await asyncio.sleep(0.1)

    async def all_counted(self, within: float = PATIENCE) -> None:
        """Every event is in a window once, and stays so over more checkpoints."""
        await self.until(lambda: self.counted() == self.fed or self._over(), "all is counted", within)
        await asyncio.sleep(1.5)
        assert self.counted() == self.fed

    def _over(self) -> bool:
        return any(count > self.fed[service] for service, count in self.counted().items())


def _holds(what: Callable[[], object]) -> object:
    try:
        return what()
    except Unavailable:  # a database that is busy now
        return False


def lost_and_double(fed: Counter[str], counted: Counter[str]) -> tuple[int, int]:
    """How many events are missing from windows, and how many are there too often."""
    return (fed - counted).total(), (counted - fed).total()


def check_stories(told: Sequence[dict[str, Any]]) -> int:
    """The signals of every entity come in order, without gaps and once; how many entities there are."""
    ids = [line["id"] for line in told]
    assert len(ids) == len(set(ids)), "a signal was told twice"
    stories: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in told:
        stories.setdefault((line["rule"], line["service"]), []).append(line)
    for entity, story in stories.items():
        for before, line in zip([None, *story], story, strict=False):
            if line["sequence"] == 0:
                assert line["state"] == "firing", (entity, story)
                assert before is None or line["episode"] > before["episode"], (entity, story)
            else:
                assert before is not None, (entity, story)
                assert (before["episode"], before["sequence"] + 1) == (line["episode"], line["sequence"]), (
                    entity,
                    story,
                )
            assert before is None or line["at"] >= before["at"], (entity, story)
    return len(stories)


async def during(work: Callable[[], Awaitable[None]], feed: Callable[[], Awaitable[None]], every: float = 0.1) -> None:
    """Feed again and again while something is done."""
    doing = asyncio.ensure_future(work())
    while not doing.done():
        await feed()
        await asyncio.wait([doing], timeout=every)
    await doing
