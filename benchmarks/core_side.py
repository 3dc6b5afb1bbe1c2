"""The core of the stream without Kafka, in a process of its own: prints one line of JSON about what it did.

Ingest and evaluate take batches as a poll gives them, one partition after the other; then everything is saved to a
new SQLite database, as the checkpoint of a worker is. Times are of this process's processor.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fireline.adapters.database import open_store
from fireline.domain.rules import Rule
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.engine.watching import Checkpoint
from fireline.engine.windows_checkpoint import packed
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from stream_world import PARTITIONS, TOPIC, World, memory

START = 1_763_683_200.0
RATE = 20_000
"""Events a second of event time."""
CHUNK = 4096
"""Offsets that ingest aggregates together."""


def snug(value: bytes) -> bytes:
    """A copy: what orjson writes lies in a buffer of a kilobyte, and the holes would count as our memory."""
    return bytes(memoryview(value))


def batches(world: World, events: int, size: int) -> Iterator[tuple[SourceRef, list[Record]]]:
    """So many events in batches of `size`, on partitions in turn; made when they are asked for."""
    sources = [SourceRef(TOPIC, partition) for partition in range(PARTITIONS)]
    offsets = [0] * PARTITIONS
    for place, first in enumerate(range(0, events, size)):
        partition = place % PARTITIONS
        numbers = range(first, min(first + size, events))
        records = [
            Record(offsets[partition] + i, START + n / RATE, None, snug(world.event(n, START + n / RATE)))
            for i, n in enumerate(numbers)
        ]
        offsets[partition] += len(records)
        yield sources[partition], records


def fed(world: World, ingest: Ingest, evaluations: Sequence[Evaluation], events: int, size: int) -> dict[str, float]:
    """Processor seconds of both halves; each partition of partials has an evaluation of its own, as in a worker."""
    ingested = evaluated = 0.0
    for source, records in batches(world, events, size):
        begin = time.process_time()
        done = ingest.batch(source, records)
        middle = time.process_time()
        now = records[-1].timestamp + 0.1
        for partition, payloads in done.partials.items():
            for payload in payloads:
                evaluations[partition].apply(payload, now)
            evaluations[partition].judge(now)
        ingested += middle - begin
        evaluated += time.process_time() - middle
    return {"ingest": ingested, "evaluate": evaluated}


def saved(evaluations: Sequence[Evaluation], home: Path) -> dict[str, float]:
    """Processor seconds of a checkpoint of everything: the snapshot, for which events wait; packing it; writing it."""
    store = open_store(f"sqlite:///{home}/core.db")
    begin = time.process_time()
    snapshots = [(evaluation.header(), evaluation.snapshot()) for evaluation in evaluations]
    taken = time.process_time()
    ready = [Checkpoint("fireline.partials", n, "", 1, h, packed(s)) for n, (h, s) in enumerate(snapshots)]
    done = time.process_time()
    with store.transaction() as tx:
        for checkpoint in ready:
            tx.save_checkpoint(checkpoint)
    written = time.process_time()
    store.close()
    size = sum(len(window) for checkpoint in ready for window in checkpoint.windows.values() if window is not None)
    return {"snapshot": taken - begin, "pack": done - taken, "write": written - done, "checkpoint_mb": size / 1e6}


def fresh(rules: Sequence[Rule]) -> tuple[Ingest, list[Evaluation]]:
    """Both halves, with nothing in them."""
    return Ingest(rules, FAMILIES, Native(), PARTITIONS), [Evaluation(rules, FAMILIES) for _ in range(PARTITIONS)]


def first_sight(world: World, rules: Sequence[Rule], sets: int = 2_000) -> float:
    """Microseconds that an event costs more when its label set was never seen: what it takes to find its rules."""
    source, ingest = SourceRef(TOPIC, 0), Ingest(rules, FAMILIES, Native(), PARTITIONS)
    times = []
    for turn in range(2):
        records = [
            Record(turn * CHUNK + n, START, None, world.event(n, START).replace(b'"svc-', b'"new-%d-' % n))
            for n in range(sets)
        ]
        begin = time.process_time()
        ingest.batch(source, records)
        times.append(time.process_time() - begin)
    return 1e6 * (times[0] - times[1]) / sets


def main() -> None:
    """Feed the core and print what came out; started by the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--turns", type=int, default=1, help="feed so often, and tell of the quickest")
    parser.add_argument("--batch", type=int, default=20_000)
    parser.add_argument("--home", type=Path, required=True)
    given = parser.parse_args()
    world = World.of(given.world)
    rules = [world.rule(number) for number in range(world.rules)]
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)  # as the worker has it
    fed(world, *fresh(rules), 1_000, given.batch)  # warm
    found = []
    for _ in range(given.turns):
        ingest, evaluations = fresh(rules)
        found.append(fed(world, ingest, evaluations, given.events, given.batch))
    told = {"events": given.events, "entities": sum(one.entities for one in evaluations), "mb": memory()["rss"]}
    told.update(min(found, key=lambda times: times["ingest"] + times["evaluate"]))
    told.update(saved(evaluations, given.home))
    told["first_sight_us"] = min(first_sight(world, rules) for _ in range(given.turns))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
