"""Events a second through Kafka: the stream worker, the same rules in a plain Faust agent, and a bare consumer.

75 rules, of which each event matches one or two; one partition's worth of work each, one process each, the same topic
on the same broker. The worker is the real one: ingest, partials over Kafka and back, evaluate, checkpoints to SQLite.
The peer does less for an event than the worker (counts, sums and maxima, no sketch) and checks its conditions on every
event, as an agent does that is handed one event at a time.

python benchmarks/bench_throughput.py [--quick] [--json] [--broker apache|embedded] [--events N]
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import faust
import orjson
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import open_store
from fireline.adapters.embedded_broker import EmbeddedBroker
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import ensure_topics, topics_of_fireline
from fireline.apps import stream
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.events import Kind
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from fireline.spec.conditions import compile_condition

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' Apache Kafka

TOPIC = "fireline.metrics"
RULES, NAMES, SERVICES = 75, 50, 10


def conditions() -> dict[int, str]:
    """What each rule asks; half of them are never true, so that signals do not cost more than they do in life."""
    return {n: "p99 > 1e9" if n % 2 else "p99 > 5e8 && n >= 50.0" for n in range(RULES)}


def value_of(number: int, now: float) -> bytes:
    """One event, as bytes."""
    labels = {"service": f"svc-{number % SERVICES}", "region": ("eu-west", "us-east")[number % 2], "env": "prod"}
    body = {"type": "metric", "name": f"metric_{number % NAMES}", "value": 10.0 + number % 997, "ts": now}
    return orjson.dumps({**body, "labels": labels})


@contextmanager
def broker(kind: str) -> Iterator[tuple[str, str]]:
    """(bootstrap, generation)."""
    if kind == "embedded":
        with EmbeddedBroker() as embedded:
            embedded.create([TOPIC, "fireline.replay", "fireline.partials", "fireline.dead-letter"])
            yield embedded.bootstrap, embedded.generation
        return
    from tests.servers.kafka import start_apache_kafka  # noqa: PLC0415 - needs the path above

    kafka = start_apache_kafka(heap="1g")
    try:
        ensure_topics(kafka.connection, topics_of_fireline([TOPIC, "fireline.replay"]))
        yield kafka.bootstrap, ""
    finally:
        kafka.close()
        shutil.rmtree(kafka.directory, ignore_errors=True)


def fill(bootstrap: str, events: int) -> None:
    """Put the events, in batches as a busy producer's."""

    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 500_000, "log_level": 0})
    for number in range(events):
        while True:
            try:
                producer.produce(TOPIC, value_of(number, time.time()), partition=number % 4)
                break
            except BufferError:
                producer.poll(0.05)
    producer.flush(60)


def rule(number: int, condition: str) -> Rule:
    """Rule `number`: a quantile and a count of one metric by service and region."""
    where = (Matcher("name", Match.ANY_OF, (f"metric_{number % NAMES}",)), Matcher("env", Match.ANY_OF, ("prod",)))
    return Rule(
        name=f"rule_{number}",
        on=Kind.METRIC,
        where=where,
        by=("service", "region"),
        window=60.0,
        pane=10.0,
        measures=(Measure("p99", "quantile", "value", {"q": 0.99}), Measure("n", "count")),
        levels=(Level("degraded", compile_condition(condition)),),
        service=Text("service"),
        summary=Text("slow"),
        hash=str(number),
    )


class Text:
    """A template without Jinja: one of the values, or itself."""

    def __init__(self, source: str) -> None:
        self.source = source

    def render(self, values: Mapping[str, object]) -> object:
        """The value named so, if any."""
        return values.get(self.source, self.source)


# the three sides, each in a process of its own; each prints {"events", "seconds", "cpu"}


class Meter:
    """Time from the first event to the last, and the processor time of all threads in between."""

    def __init__(self, events: int) -> None:
        self.events, self.seen = events, 0
        self.began = self.ended = self.cpu_began = self.cpu_ended = 0.0

    def begin(self) -> None:
        """Called at the first event, and again."""
        if not self.began:
            self.began, self.cpu_began = time.perf_counter(), time.process_time()

    def mark(self) -> None:
        """Called at the last event, and before."""
        self.ended, self.cpu_ended = time.perf_counter(), time.process_time()

    def tell(self) -> None:
        """Print what came out."""
        seconds, cpu = self.ended - self.began, self.cpu_ended - self.cpu_began
        print(json.dumps({"events": self.seen, "seconds": seconds, "cpu": cpu}), flush=True)


def worker_side(bootstrap: str, generation: str, events: int) -> None:
    """The real stream worker, with a watch on its two halves."""

    meter = Meter(events)

    class TimedIngest(stream.Ingest):
        def batch(self, source, records):
            meter.begin()
            done = super().batch(source, records)
            meter.seen += done.events
            return done

    class TimedEvaluation(stream.Evaluation):
        def judge(self, now, behind=0.0):
            done = super().judge(now, behind)
            meter.mark()
            if meter.seen >= events and not finished.is_set():
                finished.set()
            return done

    finished = threading.Event()
    stream.Ingest, stream.Evaluation = TimedIngest, TimedEvaluation

    def end() -> None:
        finished.wait()
        last = 0.0
        while meter.ended != last:  # until the last partials were judged
            last = meter.ended
            time.sleep(0.3)
        meter.tell()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    rules = {f"rule_{number}": rule(number, condition) for number, condition in conditions().items()}
    with tempfile.TemporaryDirectory() as directory:
        options = stream.StreamOptions(
            Connection(bootstrap, embedded=bool(generation)), "bench", (TOPIC,), generation, directory=Path(directory)
        )
        configuration = Configuration(rules, {}, Catalog({}, {}, {}, ()), OnCall())
        flow = stream.Flow(configuration, FAMILIES, FORMATS["native"], lambda signal: None)
        store = open_store(f"sqlite:///{directory}/bench.db")
        asyncio.run(stream.run_stream(options, flow, store, SystemClock()))


def agent_side(bootstrap: str, events: int, directory: str) -> None:
    """A plain Faust agent that is handed one event at a time."""

    by_name: dict[str, list[tuple[int, object]]] = {}
    for number, condition in conditions().items():
        by_name.setdefault(f"metric_{number % NAMES}", []).append((number, compile_condition(condition)))
    app = faust.App(
        "peer",
        broker=f"kafka://{bootstrap}",
        web_enabled=False,
        topic_disable_leader=True,
        store="memory://",
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        datadir=directory,
    )
    meter, windows = Meter(events), {}

    @app.agent(app.topic(TOPIC, value_serializer="raw", value_type=bytes))
    async def judge(stream):
        async for raw in stream:
            meter.begin()
            event = orjson.loads(raw)
            labels, value = event["labels"], event["value"]
            for number, condition in by_name.get(event["name"], ()):
                if labels["env"] != "prod":
                    continue
                key = (number, labels["service"], labels["region"], int(event["ts"] // 10))
                n, total, high = windows.get(key, (0, 0.0, 0.0))
                windows[key] = n + 1, total + value, max(high, value)
                condition.holds({"p99": max(high, value), "n": float(n + 1)})
            meter.seen += 1
            if meter.seen == events:
                meter.mark()
                meter.tell()
                os.kill(os.getpid(), signal.SIGTERM)

    worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()


def bare_side(bootstrap: str, events: int) -> None:
    """A consumer that decodes and does nothing else."""

    async def read() -> None:
        consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        meter = Meter(events)
        while meter.seen < events:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                meter.begin()
                for record in records:
                    orjson.loads(record.value)
                meter.seen += len(records)
        meter.mark()
        meter.tell()
        await consumer.stop()

    asyncio.run(read())


def measure(side: str, bootstrap: str, generation: str, events: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--bootstrap", bootstrap, "--events", str(events)]
    done = subprocess.run(
        [*command, "--generation", generation], capture_output=True, text=True, timeout=280, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{side} told nothing:\n{done.stderr[-3000:]}")


def results(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """All figures, as the rows of the table."""
    with broker(arguments.broker) as (bootstrap, generation):
        fill(bootstrap, arguments.events)
        ours = measure("worker", bootstrap, generation, arguments.events)
        peer = measure("agent", bootstrap, generation, min(arguments.events, 40_000 if arguments.quick else 150_000))
        bare = measure("bare", bootstrap, generation, arguments.events)
    rate, per_core = ours["events"] / ours["seconds"], ours["events"] / ours["cpu"]
    agent, reading = peer["events"] / peer["seconds"], bare["events"] / bare["seconds"]
    rows = [
        ("stream worker, 75 rules", rate, "Faust agent, one event at a time", agent),
        ("stream worker, 75 rules, per second of processor", per_core, "Faust agent", peer["events"] / peer["cpu"]),
        ("stream worker, 75 rules", rate, "bare getmany and JSON, no rules", reading),
    ]
    return [
        {
            "name": name,
            "value": round(v),
            "unit": "events/s",
            "peer": p,
            "peer_value": round(pv),
            "ratio": round(v / pv, 2),
        }
        for name, v, p, pv in rows
    ]


def show(rows: list[dict[str, object]], arguments: argparse.Namespace) -> None:
    """Print the table."""
    broker_name = "Apache Kafka" if arguments.broker == "apache" else "the embedded broker"
    table = Table(title=f"Throughput, {arguments.events:,} events, one worker process, {broker_name}")
    for name in ("what", "events/s", "peer", "peer's events/s", "ratio"):
        table.add_column(name, justify="left" if name in {"what", "peer"} else "right")
    for row in rows:
        numbers = f"{row['value']:,}", str(row["peer"]), f"{row['peer_value']:,}", f"{row['ratio']}x"
        table.add_row(str(row["name"]), *numbers)
    Console().print(table)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--broker", choices=("apache", "embedded"), default="apache")
    parser.add_argument("--events", type=int, default=0)
    for hidden in ("--side", "--bootstrap", "--generation"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        match arguments.side:
            case "worker":
                worker_side(arguments.bootstrap, arguments.generation, arguments.events)
            case "agent":
                with tempfile.TemporaryDirectory() as directory:
                    agent_side(arguments.bootstrap, arguments.events, directory)
            case _:
                bare_side(arguments.bootstrap, arguments.events)
        return
    # the embedded broker forgets beyond about 5 MB a partition
    most = 80_000 if arguments.broker == "embedded" else 300_000 if arguments.quick else 2_000_000
    arguments.events = min(arguments.events or most, most if arguments.broker == "embedded" else 10**9)
    rows = results(arguments)
    if arguments.json:
        print(json.dumps(rows))
    else:
        show(rows, arguments)


if __name__ == "__main__":
    main()
