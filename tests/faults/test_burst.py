"""A burst far beyond what a worker keeps up with: its memory stays bounded, also while the database is away.

A long campaign only; `test_database_away.py` looks at memory in the short one, under a lighter load.
"""

import re
import threading
import time
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.e2e.outside import Outside, eventually, only_rules
from tests.faults.kafka_trials import TOPIC
from tests.faults.test_kafka_away import LONG
from tests.servers.kafka import ApacheKafka
from tests.servers.postgres import running_postgres

EVENTS = 2_000_000
SERVICES = 1000
BOUND_MB = 300.0
"""What a worker may hold beyond what it holds when idle: fetched batches, and those that wait for their turn."""
AWAY = 30.0
RULES = """
rules:
  - name: busy
    owner: platform
    on: metric
    where: {name: burst}
    by: [service]
    window: 1m
    measures: {n: {agg: count}, p99: {agg: quantile, q: 0.99, of: value}}
    severity: {notice: {when: "n >= 1 && p99 > 2"}}
    summary: "{{ service }}"
"""

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(600)]


class Memory:
    """The highest resident memory of a process, in MB, as long as it is watched."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.idle = self.highest = self.now()

    def now(self) -> float:
        found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{self._pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self.highest = max(self.highest, self.now())

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def burst(bootstrap: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "batch.num.messages": 20_000})
    now = time.time()
    for number in range(count):
        if number % 20_000 == 0:
            producer.flush(60)
            now = time.time()
        event = {"type": "metric", "name": "burst", "value": 1.0, "ts": now}
        event["labels"] = {"service": f"s{number % SERVICES}", "pod": "p" * 60}
        producer.produce(TOPIC, orjson.dumps(event))
    assert producer.flush(60) == 0


@pytest.mark.parametrize("away", [False, True], ids=["database there", "database away"])
def memory_is_bounded(tmp_path: Path, repository: Path, own_apache_kafka: ApacheKafka, away: bool):
    with running_postgres() as server:
        environment = {"FIRELINE_KAFKA": own_apache_kafka.bootstrap, "FIRELINE_DATABASE": server.new_database()}
        fireline = Outside(tmp_path, repository, environment)
        only_rules(fireline, RULES)
        with fireline:
            burst(own_apache_kafka.bootstrap, SERVICES)
            eventually("the first are read", lambda: fireline.fact("stream")["events"] >= SERVICES)
            pid, began = fireline.roles()["stream"], time.monotonic()
            with Memory(pid) as memory:
                if away:
                    server.stop()
                burst(own_apache_kafka.bootstrap, EVENTS)
                if away:
                    time.sleep(max(0.0, AWAY - (time.monotonic() - began)))
                    server.start()
                    fireline.store.close()
                whole = SERVICES + EVENTS
                eventually("all is read", lambda: fireline.fact("stream")["events"] >= whole, 300, every=0.5)
            assert fireline.roles()["stream"] == pid
            assert fireline.fact("stream")["events"] == whole
            print(f"idle {memory.idle:.0f} MB, highest {memory.highest:.0f} MB, {time.monotonic() - began:.0f} s")
            assert memory.highest - memory.idle <= BOUND_MB


if LONG:
    test_memory_is_bounded = memory_is_bounded
