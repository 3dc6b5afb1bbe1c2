"""Kafka taken from under a running `fireline up`: how long until events are judged again, and are they all counted?"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson
from confluent_kafka import KafkaException, Producer

from fireline.domain.incidents import Incident
from tests.e2e.outside import Outside, only_rules
from tests.servers.kafka import ApacheKafka

MANY = 400
BLIND_AFTER = 4.0
PATIENCE = 240.0
"""Seconds that are waited for what should happen."""
TOPIC = "fireline.metrics"
RULES = f"""
rules:
  - name: probed
    owner: platform
    on: metric
    where: {{name: probe}}
    by: [service]
    window: 1m
    measures: {{n: {{agg: count}}}}
    severity: {{notice: {{when: "n >= 1"}}}}
    summary: "{{{{ service }}}} was heard"
  - name: counted
    owner: platform
    on: metric
    where: {{name: counted}}
    by: [service]
    window: 10m
    measures: {{n: {{agg: count}}}}
    severity:
      degraded: {{when: "n > {MANY}"}}
      notice: {{when: "n == {MANY}"}}
    summary: "{{{{ service }}}} was counted"
"""
"""An event of `probe` opens an incident at once, and the last of `counted` does, graver when one was counted twice."""


@dataclass(frozen=True)
class Case:
    """What is done to Kafka. `wiped`: the data is another's afterwards."""

    name: str
    wiped: bool
    happen: Callable[[ApacheKafka], None]


@contextmanager
def _down(kafka: ApacheKafka) -> Iterator[None]:
    kafka.stop()
    yield
    kafka.start()


def down(seconds: float) -> Case:
    def happen(kafka: ApacheKafka) -> None:
        with _down(kafka):
            time.sleep(seconds)

    return Case(f"down {seconds:g} s", False, happen)


def paused(seconds: float) -> Case:
    def happen(kafka: ApacheKafka) -> None:
        kafka.pause()
        time.sleep(seconds)
        kafka.resume()

    return Case(f"paused {seconds:g} s", False, happen)


def wiped(seconds: float) -> Case:
    def happen(kafka: ApacheKafka) -> None:
        with _down(kafka):
            kafka.wipe()
            time.sleep(seconds)

    return Case("wiped", True, happen)


class Sender:
    """Puts events, as long as it takes; a broker that comes back is noticed within a fifth of a second."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "linger.ms": 1,
                "enable.idempotence": True,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 200,
                "topic.metadata.refresh.fast.interval.ms": 100,
                "message.timeout.ms": 180_000,
            }
        )

    def put(self, name: str, service: str, count: int = 1) -> None:
        for number in range(count):
            event = {"type": "metric", "name": name, "value": 1.0, "ts": time.time(), "labels": {"service": service}}
            with suppress(KafkaException):  # its topic is not there yet: the next one will tell
                self._producer.produce(TOPIC, orjson.dumps(event), f"{service}-{number}")
        self._producer.poll(0)

    def flush(self) -> int:
        return int(self._producer.flush(180))


class Trials:
    """A Fireline of real processes on a Kafka of its own, which the cases happen to."""

    def __init__(self, home: Path, repository: Path, kafka: ApacheKafka) -> None:
        self.kafka = kafka
        environment = {"FIRELINE_KAFKA": kafka.bootstrap, "FIRELINE_BLIND_AFTER": f"{BLIND_AFTER:g}"}
        self.fireline = Outside(home, repository, environment)
        only_rules(self.fireline, RULES)
        self._number = 0

    def heard(self, service: str) -> str | None:
        """The severity that a service's incident has had at its worst; None without one."""
        with self.fireline.store.reading() as tx:
            found = tx.latest_incident(service, "", "live")
        return None if found is None else found.severity

    def first_event(self, within: float = PATIENCE) -> float:
        """Seconds until an event that is put now, and again, is judged."""
        self._number += 1
        service = f"probe-{self._number}"
        sender, began = Sender(self.kafka.bootstrap), time.monotonic()
        while self.heard(service) is None:
            took = time.monotonic() - began
            assert took < within, f"nothing is judged {took:.0f} s after Kafka came back\n{self.said()}"
            sender.put("probe", service)
            time.sleep(0.05)
        return time.monotonic() - began

    def once(self, case: Case) -> float:
        """One trial: seconds from Kafka's return to the first event judged. Fails when an event is lost or doubled."""
        service = f"counted-{self._number}-{case.name.replace(' ', '-')}"
        sender = Sender(self.kafka.bootstrap)
        before = 0 if case.wiped else MANY // 2
        sender.put("counted", service, before)
        assert sender.flush() == 0
        case.happen(self.kafka)
        took = self.first_event()
        if case.wiped:
            sender = Sender(self.kafka.bootstrap)
        sender.put("counted", service, MANY - before)
        assert sender.flush() == 0
        self._counted(service)
        self._published()
        return took

    def _counted(self, service: str, within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while self.heard(service) is None:
            assert time.monotonic() < deadline, f"events of {service} are missing\n{self.said()}"
            time.sleep(0.1)
        time.sleep(0.5)
        assert self.heard(service) == "notice", f"events of {service} were counted twice\n{self.said()}"

    def _published(self, within: float = PATIENCE) -> None:
        """What is to be told on Kafka waited in the outbox, and leaves it."""
        deadline, waiting = time.monotonic() + within, 1
        while waiting:
            assert time.monotonic() < deadline, f"{waiting} effects still wait\n{self.said()}"
            time.sleep(0.1)
            with self.fireline.store.reading() as tx:
                waiting = tx.backlog()

    def blindness(self, within: float = PATIENCE) -> Incident:
        """Fireline's incident about itself, once it is over."""
        deadline = time.monotonic() + within
        while True:
            with self.fireline.store.reading() as tx:
                found = tx.latest_incident("fireline", "", "live")
            if found is not None and not found.firing:
                return found
            assert time.monotonic() < deadline, f"blindness was not told, or does not end: {found}\n{self.said()}"
            time.sleep(0.2)

    def said(self) -> str:
        return self.fireline.log.read_text()[-6000:]


def table(found: Mapping[str, list[float]]) -> str:
    """Case, trials, and seconds to the first event judged: p50, p95, max."""
    lines = [f"{'case':<14}{'trials':>7}{'p50 s':>8}{'p95 s':>8}{'max s':>8}"]
    for name, times in found.items():
        ordered = sorted(times)
        late = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        lines.append(f"{name:<14}{len(times):>7}{median(times):>8.1f}{late:>8.1f}{max(times):>8.1f}")
    return "\n".join(lines)


def remove(kafka: ApacheKafka) -> None:
    kafka.close()
    shutil.rmtree(kafka.directory, ignore_errors=True)
