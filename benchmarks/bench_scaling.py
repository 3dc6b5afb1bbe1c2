"""What a stream costs as it grows: workers 1 to 2, rules 10 to 1,000, entities 100 to 100,000.

Rules: each event matches two, however many are loaded, and the label sets stay the same, so events a second should
stay as they are. Entities: one rule, events spread evenly over so many entities. In the core alone (no Kafka, batches
as a worker gets them that is behind) times are of the processor; a few points are repeated through Apache Kafka with
the real worker. Workers: two processes, the partitions shared evenly, one Apache Kafka on the same machine; the cores
that all three kept busy are printed with it, because on two cores two workers cannot have one each.

python benchmarks/bench_scaling.py [--quick] [--json] [--events N] [--only workers|rules|entities]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import Figure, report
from stream_runs import Broker, Told, broker, options_of, run_sides
from stream_world import World

CORE = Path(__file__).with_name("core_side.py")
GATHER = 5.0
"""Seconds in which both workers have joined the group: then neither ever had the other's partitions."""


def rules_world(loaded: int) -> World:
    """So many rules, of which each event matches two."""
    return World(rules=loaded, names=loaded // 2, sent=5, services=10)


def entities_world(entities: int) -> World:
    """One rule over so many entities."""
    return World(rules=1, names=1, sent=1, services=entities, by=("service",))


def core(world: World, events: int, turns: int) -> dict[str, float]:
    """The core alone, in a process of its own; the quickest of so many turns."""
    with tempfile.TemporaryDirectory(prefix="fireline-bench-") as home:
        command = [sys.executable, str(CORE), "--world", world.text(), "--events", str(events)]
        command += ["--turns", str(turns), "--home", home]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"the core ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def rate(told: dict[str, float]) -> float:
    """Events a second of processor time."""
    return told["events"] / (told["ingest"] + told["evaluate"])


def rules_alone(events: int, loaded: Sequence[int]) -> list[Figure]:
    """The core with more and more rules."""
    found = {number: core(rules_world(number), events, 3) for number in loaded}
    least = found[loaded[0]]
    rows = [
        Figure(f"core, {n:,} rules", rate(told), "events/s", f"{loaded[0]} rules", rate(least))
        for n, told in found.items()
    ]
    name = "first event of a new label set"
    seen = least["first_sight_us"]
    rows += [
        Figure(f"core, {n:,} rules: {name}", told["first_sight_us"], "us", f"{loaded[0]} rules", seen)
        for n, told in found.items()
    ]
    return rows


def entities_alone(events: int, numbers: Iterable[int]) -> list[Figure]:
    """The core with more and more entities: speed, memory, and a checkpoint of everything."""
    rows: list[Figure] = []
    first: float | None = None
    for entities in numbers:
        told = core(entities_world(entities), max(events, 2 * entities), 2 if entities <= 1_000 else 1)
        if told["entities"] != entities:
            raise RuntimeError(f"{told['entities']} entities were judged of {entities}: the figures would say nothing")
        first = first or rate(told)
        name = f"core, {entities:,} entities"
        rows += [
            Figure(name, rate(told), "events/s", "the fewest entities", first),
            Figure(f"{name}: memory of the process", told["mb"], "MB"),
            Figure(f"{name}: checkpoint, snapshot", 1000 * told["snapshot"], "ms"),
            Figure(f"{name}: checkpoint, pack (in a thread)", 1000 * told["pack"], "ms"),
            Figure(f"{name}: checkpoint, write (in a thread)", 1000 * told["write"], "ms"),
            Figure(f"{name}: checkpoint", told["checkpoint_mb"], "MB"),
        ]
    return rows


def through(on: Broker, name: str, worlds: Sequence[tuple[str, World]], events: int) -> list[Figure]:
    """Points through Kafka, each beside the first: by the clock and by the processor."""
    rows: list[Figure] = []
    first: Told | None = None
    for which, world in worlds:
        held = on.fill(world, events)
        (told,) = run_sides(on, "worker", world, held)
        first = first or told
        title = f"worker, {which} {name}"
        rows += [
            Figure(title, told.rate, "events/s", worlds[0][0], first.rate),
            Figure(f"{title}, a second of processor time", told.cpu_rate, "events/s", worlds[0][0], first.cpu_rate),
            Figure(f"{title}: memory at most", told.peak, "MB", worlds[0][0], first.peak),
        ]
    return rows


def together(on: Broker, world: World, events: int, many: int) -> tuple[float, float, float]:
    """Events a second of `many` workers together, by the clock and of their processor, and the cores kept busy."""
    on.fill(world, events)
    with sampled(on) as samples:
        told = run_sides(on, "worker", world, events, many=many)
    seen = [one.events for one in told]
    if sum(seen) != events:
        raise RuntimeError(f"the partitions were not shared evenly: {seen} events of {events}; run it again")
    began, ended = min(one.began for one in told), max(one.ended for one in told)
    used = sum(one.cpu for one in told)
    by_broker = max(cpu for at, cpu in samples if at <= ended) - max(cpu for at, cpu in samples if at <= began)
    return events / (ended - began), events / used, (used + by_broker) / (ended - began)


@contextmanager
def sampled(on: Broker) -> Iterator[list[tuple[float, float]]]:
    """The broker's processor seconds at times, taken all the while."""
    samples, over = [(time.time(), on.processor())], threading.Event()

    def sample() -> None:
        while not over.wait(0.05):
            samples.append((time.time(), on.processor()))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def workers(events: int) -> list[Figure]:
    """One worker and two."""
    world = World()
    with broker("apache", gather=GATHER) as on:
        one, two = together(on, world, events, 1), together(on, world, events, 2)
    cores, beside = float(len(os.sched_getaffinity(0))), "one worker"
    return [
        Figure("two workers", two[0], "events/s", beside, one[0]),
        Figure("two workers, a second of processor time", two[1], "events/s", beside, one[1]),
        Figure("cores kept busy, one worker and Kafka", one[2], "cores", "cores there are", cores),
        Figure("cores kept busy, two workers and Kafka", two[2], "cores", "cores there are", cores),
    ]


def main() -> None:
    """See the module's docstring."""
    parser = options_of(__doc__)
    parser.add_argument("--only", choices=("workers", "rules", "entities"), help="one of the three tables")
    given = parser.parse_args()
    events = given.events or (100_000 if given.quick else 500_000)
    found: list[Figure] = []
    if given.only in (None, "workers"):
        found += workers(4 * events if given.events == 0 else events)
    if given.only in (None, "rules"):
        found += rules_alone(events, (10, 100, 1_000))
    if given.only in (None, "entities"):
        found += entities_alone(events, (100, 1_000, 10_000, 100_000) if events >= 10_000 else (10, 100))
    if given.only != "workers":
        found += in_kafka(given.broker, given.only, events)
    report(f"Scaling, {events:,} events a point", found, in_json=given.json)


def in_kafka(kind: str, only: str | None, events: int) -> list[Figure]:
    """A few of the points again, with the real worker."""
    many = 10_000 if events >= 10_000 else 1_000
    found: list[Figure] = []
    with broker(kind) as on:
        if only != "entities":
            found += through(on, "rules", [(f"{n:,}", rules_world(n)) for n in (10, 1_000)], events)
        if only != "rules":
            found += through(on, "entities", [(f"{n:,}", entities_world(n)) for n in (100, many)], events)
    return found


if __name__ == "__main__":
    main()
