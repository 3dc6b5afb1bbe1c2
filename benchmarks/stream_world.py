"""What flows in the benchmarks of the stream: the events, the rules that read them, and the topics they are on."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import DEAD_LETTER, PARTIALS, REPLAY, ensure_topics, topics_of_fireline
from fireline.domain.events import Kind
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule
from fireline.spec.conditions import compile_condition
from harness import eventually

TOPIC = "fireline.metrics"
PARTITIONS = 4
MEASURES = {
    "sketch": (Measure("p99", "quantile", "value", {"q": 0.99}), Measure("n", "count")),
    "plain": (Measure("n", "count"), Measure("mean", "avg", "value"), Measure("high", "max", "value")),
    "three": (Measure("p99", "quantile", "value", {"q": 0.99}), Measure("mean", "avg", "value"), Measure("n", "count")),
}
"""Measures of the rules: a sketch and a count, what every stream library has too, and the three of the memory limit."""


@dataclass(frozen=True, slots=True)
class World:
    """So many `rules`, each reading one of `names` metrics; events of the first `sent` metrics and of `services`.

    `window` and `pane` of the rules and `spread` in seconds: the events' times end now and begin so long ago, in the
    order of their offsets; 0 gives them the time at which they are made. `keyed` puts all events of a service on one
    partition, as libraries need it that aggregate by key. `by` are the labels that the rules group by.
    """

    rules: int = 75
    names: int = 50
    sent: int = 50
    services: int = 10
    measures: str = "sketch"
    window: float = 60.0
    pane: float = 10.0
    spread: float = 0.0
    keyed: bool = False
    by: tuple[str, ...] = ("service", "region")

    def text(self) -> str:
        """One argument of a command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> "World":
        """What `text` wrote."""
        given = json.loads(text)
        return World(**{**given, "by": tuple(given["by"])})

    def condition(self, number: int) -> str:
        """What rule `number` asks: never true, so that signals do not cost more than they do in life."""
        if self.measures == "plain":
            return "high > 1e9"
        return "p99 > 1e9" if number % 2 else "p99 > 5e8 && n >= 50.0"

    def rule(self, number: int) -> Rule:
        """Rule `number`."""
        names = (f"metric_{number % self.names}",)
        return Rule(
            name=f"rule_{number}",
            on=Kind.METRIC,
            where=(Matcher("name", Match.ANY_OF, names), Matcher("env", Match.ANY_OF, ("prod",))),
            by=self.by,
            window=self.window,
            pane=self.pane,
            measures=MEASURES[self.measures],
            levels=(Level("degraded", compile_condition(self.condition(number))),),
            service=Text("service"),
            summary=Text("slow"),
            max_entities=1_000_000,
            hash=str(number),
        )

    def event(self, number: int, at: float) -> bytes:
        """Event `number`, as bytes."""
        labels = {"service": f"svc-{number % self.services}", "region": ("eu", "us")[number % 2], "env": "prod"}
        name = f"metric_{number % self.sent}"
        return orjson.dumps({"type": "metric", "name": name, "value": 10.0 + number % 997, "ts": at, "labels": labels})


class Text:
    """A template without Jinja: one of the values, or itself."""

    def __init__(self, source: str) -> None:
        self.source = source

    def render(self, values: Mapping[str, object]) -> object:
        """The value named so, if any."""
        return values.get(self.source, self.source)


def memory() -> dict[str, float]:
    """The resident memory of this process, now and at most, in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {"rss": int(lines["VmRSS"].split()[0]) / 1024, "peak": int(lines["VmHWM"].split()[0]) / 1024}


def fill(bootstrap: str, world: World, events: int) -> None:
    """Put the events, in batches as a busy producer's."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 500_000, "log_level": 0})
    begin = time.time() - world.spread
    for number in range(events):
        at = begin + world.spread * number / events if world.spread else time.time()
        service = number % world.services
        options = {"partition": service % PARTITIONS if world.keyed else number % PARTITIONS}
        if world.keyed:
            options["key"] = f"svc-{service}"
        if world.spread:
            options["timestamp"] = int(at * 1000)
        while True:
            try:
                producer.produce(TOPIC, world.event(number, at), **options)
                break
            except BufferError:
                producer.poll(0.05)
    left = producer.flush(60)
    if left:
        raise RuntimeError(f"{left} events were not accepted by Kafka within a minute")


def fresh_topics(bootstrap: str) -> None:
    """Empty topics, also after a run before on the same broker."""
    admin, sources = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}), [TOPIC, REPLAY]
    ours = {*sources, PARTIALS, DEAD_LETTER}
    there = ours & set(admin.list_topics(timeout=10).topics)
    for deleted in (admin.delete_topics(list(there), operation_timeout=15) if there else {}).values():
        deleted.result(20)
    eventually("deleted topics are gone", lambda: not ours & set(admin.list_topics(timeout=10).topics))
    ensure_topics(Connection(bootstrap), topics_of_fireline(sources, PARTITIONS))
