"""The sides of the stream's benchmarks, each a process of its own that prints one line of JSON about what it did.

`worker` is the real stream worker: ingest, partials over Kafka and back, evaluate, checkpoints to SQLite. `agent` is
a plain Faust agent that is handed one event at a time, keeps a count, a sum and a maximum for what a rule groups by,
and asks the rule's condition on every event. `bare` reads with aiokafka, decodes JSON and does nothing else.
"""

import argparse
import asyncio
import json
import os
import threading
import time
from pathlib import Path

import faust
import orjson
from aiokafka import AIOKafkaConsumer

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import open_store
from fireline.adapters.kafka_connection import Connection
from fireline.apps import stream
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.oncall import OnCall
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from fireline.spec.conditions import compile_condition
from stream_profile import Stopwatch, instrument
from stream_world import PARTITIONS, TOPIC, World, memory

QUIET = 1.0
"""Seconds without a partial after which the last one is taken for the last."""


class Meter:
    """Time from the first event to the last, and the processor time of all threads in between."""

    def __init__(self) -> None:
        self.seen = 0
        self.empty: dict[str, float] = {}
        self.began = self.ended = self.cpu_began = self.cpu_ended = self.read = 0.0

    def done(self, events: int) -> bool:
        """Whether so many were read, and nothing that followed from them came for a while."""
        return self.seen >= events and self.ended > self.read and time.time() - self.ended > QUIET

    def begin(self) -> None:
        """Called at the first event, and again."""
        if not self.began:
            self.empty = memory()
            self.began, self.cpu_began = time.time(), time.process_time()

    def mark(self) -> None:
        """Called at the last event, and before."""
        self.ended, self.cpu_ended = time.time(), time.process_time()

    def tell(self, **more: object) -> None:
        """Print what came out."""
        times = {"began": self.began, "ended": self.ended, "seconds": self.ended - self.began}
        used = {"cpu": self.cpu_ended - self.cpu_began, "empty_rss": self.empty.get("rss", 0.0), **memory()}
        print(json.dumps({"events": self.seen, **times, **used, **more}), flush=True)


def watched(meter: Meter) -> None:
    """Put the meter on both halves of the worker."""

    class TimedIngest(stream.Ingest):
        def batch(self, source, records, unit=1.0):
            meter.begin()
            done = super().batch(source, records, unit)
            meter.seen += done.events
            meter.read = time.time()
            return done

    class TimedEvaluation(stream.Evaluation):
        fed = False

        def apply(self, payload, now):
            self.fed = True
            super().apply(payload, now)

        def judge(self, now, behind=0.0):
            done = super().judge(now, behind)
            if self.fed:  # what time alone brings is not part of the work that is measured
                self.fed = False
                meter.mark()
            return done

    stream.Ingest, stream.Evaluation = TimedIngest, TimedEvaluation


def worker(given: argparse.Namespace) -> None:
    """The real stream worker; it works on until it is ended."""
    world, meter = World.of(given.world), Meter()
    watched(meter)
    watch = Stopwatch()
    missing = instrument(watch, meter) if given.profile else []

    def tell() -> None:
        while not meter.done(given.events):
            time.sleep(0.05)
        watch.stop()
        meter.tell(parts=watch.seconds, calls=watch.calls, missing=missing)

    threading.Thread(target=tell, daemon=True).start()
    rules = {f"rule_{number}": world.rule(number) for number in range(world.rules)}
    options = stream.StreamOptions(
        Connection(given.kafka, embedded=bool(given.generation)),
        given.name,
        (TOPIC,),
        given.generation,
        group=given.group,
        partitions=PARTITIONS,
        directory=given.home / given.name,
    )
    configuration = Configuration(rules, {}, Catalog({}, {}, {}, ()), OnCall())
    flow = stream.Flow(configuration, FAMILIES, FORMATS["native"], lambda signal: None)
    store = open_store(f"sqlite:///{given.home}/{given.group}.db")
    asyncio.run(stream.run_stream(options, flow, store, SystemClock()))


def agent(given: argparse.Namespace) -> None:
    """A plain Faust agent that is handed one event at a time."""
    world, meter = World.of(given.world), Meter()
    by_name: dict[str, list[tuple[int, object]]] = {}
    for number in range(world.rules):
        by_name.setdefault(f"metric_{number % world.names}", []).append(
            (number, compile_condition(world.condition(number)))
        )
    app = faust.App(
        given.group,
        broker=f"kafka://{given.kafka}",
        web_enabled=False,
        topic_disable_leader=True,
        store="memory://",
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        datadir=str(given.home / given.name),
    )
    windows: dict[tuple[object, ...], tuple[int, float, float]] = {}
    by, pane, high_name = world.by, world.pane, "high" if world.measures == "plain" else "p99"

    @app.agent(app.topic(TOPIC, value_serializer="raw", value_type=bytes))
    async def judge(stream):
        async for raw in stream:
            meter.begin()
            event = orjson.loads(raw)
            labels, value = event["labels"], event["value"]
            for number, condition in by_name.get(event["name"], ()):
                if labels["env"] != "prod":
                    continue
                key = (number, *[labels[name] for name in by], int(event["ts"] // pane))
                n, total, high = windows.get(key, (0, 0.0, 0.0))
                windows[key] = n + 1, total + value, max(high, value)
                condition.holds({high_name: max(high, value), "n": float(n + 1), "mean": (total + value) / (n + 1)})
            meter.seen += 1
            if meter.seen == given.events:
                meter.mark()
                meter.tell()
                os._exit(0)  # an orderly end would take Faust seconds

    running = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True)
    running.spinner = None
    running.execute_from_commandline()


def bare(given: argparse.Namespace) -> None:
    """A consumer that decodes and does nothing else."""

    async def read() -> None:
        consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=given.kafka, auto_offset_reset="earliest")
        await consumer.start()
        meter = Meter()
        while meter.seen < given.events:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                meter.begin()
                for record in records:
                    orjson.loads(record.value)
                meter.seen += len(records)
        meter.mark()
        meter.tell()
        await consumer.stop()

    asyncio.run(read())


def end_with(parent: int) -> None:
    """End when the benchmark that started us is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def main() -> None:
    """Run one side; started by the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("worker", "agent", "bare"))
    for required in ("--kafka", "--world", "--group"):
        parser.add_argument(required, required=True)
    parser.add_argument("--events", type=int, required=True, help="how many events are this process's share")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True, help="the benchmark, which may be gone before we look")
    parser.add_argument("--name", default="worker")
    parser.add_argument("--generation", default="", help="of the embedded broker")
    parser.add_argument("--profile", action="store_true", help="time the parts of the worker")
    given = parser.parse_args()
    threading.Thread(target=end_with, args=(given.parent,), daemon=True).start()
    (given.home / given.name).mkdir()  # of their own, or two workers would share what Faust keeps
    {"worker": worker, "agent": agent, "bare": bare}[given.side](given)


if __name__ == "__main__":
    main()
