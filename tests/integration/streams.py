"""Driving a stream worker from a test: start, feed, look, end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.kafka import Outgoing, Producer
from fireline.adapters.kafka_connection import Connection
from fireline.engine.ports import Unavailable
from tests.e2e.harness import put
from tests.servers.last_words import remember, tail

PATIENCE = 240.0
"""Seconds that are waited for what should happen."""
PROGRAM = Path(__file__).with_name("stream_process.py")


class Streams:
    """Workers of one test on one broker and one database."""

    def __init__(self, connection: Connection, generation: str, directory: Path, rules: Mapping[str, float]) -> None:
        self.connection, self._generation, self._directory = connection, generation, directory
        self.database = f"sqlite:///{directory / 'stream.db'}"
        self._signals = directory / "signals.ndjson"
        self._rules = directory / "rules.json"
        self.ahead = directory / "ahead"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.set_rules(rules)

    def set_rules(self, rules: Mapping[str, float]) -> None:
        put(self._rules, json.dumps(dict(rules)))

    def set_ahead(self, seconds: float) -> None:
        """By how much the wall clock of the workers' machine is wrong."""
        put(self.ahead, str(seconds))

    def start(
        self, chunk: int = 512, broken: Path | None = None, *, group: str = "fireline", instance: str | None = None
    ) -> subprocess.Popen[bytes]:
        options = {
            "bootstrap": self.connection.bootstrap,
            "generation": self._generation,
            "name": f"w{len(self._processes)}",
            "database": self.database,
            "signals": str(self._signals),
            "rules": str(self._rules),
            "directory": str(self._directory),
            "chunk": chunk,
            "broken": str(broken) if broken is not None else "",
            "ahead": str(self.ahead),
            "group": group,
            "instance": instance,
        }
        with self._log(len(self._processes)).open("ab") as said:
            remember(f"worker {len(self._processes)}", partial(tail, Path(said.name)))
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(options)], stdout=said, stderr=said, cwd=self._directory
            )
        self._processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """As a crash does: no last word."""
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)

    def end(self, process: subprocess.Popen[bytes], within: float = PATIENCE) -> int:
        """As a supervisor does; the exit code."""
        process.terminate()
        return process.wait(within)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait(60)

    def signals(self) -> list[dict[str, object]]:
        """All signals that were handled, by whichever worker, in order."""
        if not self._signals.exists():
            return []
        whole = self._signals.read_text().rpartition("\n")[0]  # the last line may still be written
        return [json.loads(line) for line in whole.splitlines()]

    def fired(self) -> dict[str, object]:
        """The count with which each rule fired; one that fired with two different ones twice shows the last."""
        return {str(s["rule"]): s["n"] for s in self.signals() if s["state"] == "firing"}

    def fact(self) -> Mapping[str, object]:
        """What the workers report about themselves."""
        with self.store() as store, store.reading() as tx:
            found = tx.fact("stream")
        return found[0] if found else {}

    def store(self) -> "Closing":
        return Closing(open_store(self.database))

    async def until(self, what: Callable[[], object], within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not await asyncio.to_thread(self._holds, what):
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen within {within:.0f} s\n{self._standing()}\n{self.said()}")
            await asyncio.sleep(0.05)

    def _holds(self, what: Callable[[], object]) -> object:
        try:
            return what()
        except Unavailable:  # a database that is busy now
            return False

    def _standing(self) -> str:
        try:
            return f"fired: {self.fired()}; the worker says {self.fact()}"
        except Unavailable as fault:
            return str(fault)

    async def ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the worker has its partitions."""
        log = self._log(self._processes.index(process))
        await self.until(lambda: process.poll() is not None or " partitions of events" in log.read_text())
        assert process.poll() is None, self.said()

    async def feed(self, count: int, service: str = "fraud", topic: str = "fireline.metrics", **fields: object) -> None:
        """Put `count` metrics of now, spread over all partitions."""
        now = time.time()
        event = {"type": "metric", "name": "requests", "value": 1.0, "ts": now, "labels": {"service": service}}
        value = json.dumps({**event, **fields}).encode()
        await self.put([Outgoing(topic, value, partition=i % 4) for i in range(count)])

    async def put(self, records: Sequence[Outgoing]) -> None:
        producer = Producer(self.connection, linger_ms=2)
        try:
            for start in range(0, len(records), 2000):
                await self._insist(producer, records[start : start + 2000])
        finally:
            await producer.close()

    async def _insist(self, producer: Producer, records: Sequence[Outgoing]) -> None:
        """Partitions of a topic that was just made are known a little later; nothing was sent then."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await producer.send(records)
            except Unavailable as fault:
                if "not known yet" not in str(fault) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    async def read(self, topic: str, count: int, partitions: int = 4) -> list[object]:
        """The first `count` records of a topic."""
        if not count:  # a client of Kafka that is stopped before its tasks began to run raises what cancelled them
            return []
        consumer = AIOKafkaConsumer(**self.connection.for_aiokafka(), auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
            found: list[object] = []
            async with asyncio.timeout(PATIENCE):
                while len(found) < count:
                    found += [r for rs in (await consumer.getmany(timeout_ms=200)).values() for r in rs]
            return found
        finally:
            await consumer.stop()

    def said(self) -> str:
        """What the workers wrote, for the message of a failed test."""
        return "\n".join(self._log(i).read_text()[-4000:] for i in range(len(self._processes)))

    def _log(self, number: int) -> Path:
        return self._directory / f"worker{number}.log"


class Closing:
    """A store that is closed when its block ends."""

    def __init__(self, store: DatabaseStore) -> None:
        self._store = store

    def __enter__(self) -> DatabaseStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()
