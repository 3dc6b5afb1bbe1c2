"""A stream worker that can be made to die at a named point, and whose signals are decided on and told in one ledger.

`python -m tests.faults.exact_process OPTIONS` with OPTIONS a JSON object; see `tests/faults/exact_streams.py`. Signals
are decided on as `fireline stream` does it; the same transaction writes what was told as facts, in the order of the
database, so that what a test reads is what was done and not what a worker says of itself.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from fireline.adapters.clock_steady import SteadyClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.database_checkpoints import CheckpointRows
from fireline.adapters.kafka import Producer
from fireline.adapters.kafka_connection import Connection
from fireline.apps.stream import Flow, StreamOptions, run_stream
from fireline.apps.stream_evaluate import EvaluateSide
from fireline.apps.stream_signals import SignalLane
from fireline.apps.stream_worker import Rhythm, StreamWorker
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import SignalArrived
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Level, Measure, Rule, Signal
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.engine.respond import Responder
from fireline.engine.watching import Claim
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from tests.engine.streams import Check
from tests.integration.stream_process import rule

POINTS: Mapping[str, tuple[type, str, str]] = {
    "before a batch is decoded": (Ingest, "batch", "before"),
    "after a batch is aggregated": (Ingest, "batch", "after"),
    "before partials are sent": (Producer, "send", "before"),
    "between partials of one send": (AIOKafkaProducer, "send", "before"),
    "after partials are acknowledged": (Producer, "send", "after"),
    "before a commit to Kafka": (AIOKafkaConsumer, "commit", "before"),
    "after a commit to Kafka": (AIOKafkaConsumer, "commit", "after"),
    "before partials are applied": (EvaluateSide, "handle", "before"),
    "after partials are judged": (EvaluateSide, "handle", "after"),
    "before a signal's transaction": (SignalLane, "_handle", "before"),
    "before a signal is decided on": (Responder, "handle_in", "before"),
    "within a signal's transaction": (Responder, "handle_in", "after"),
    "after a signal is told": (object, "told", "after"),
    "before a checkpoint": (EvaluateSide, "_save", "before"),
    "within a checkpoint's transaction": (CheckpointRows, "_merge", "after"),
    "before a checkpoint's commit": (CheckpointRows, "save_checkpoint", "after"),
    "after a checkpoint, before it is known": (EvaluateSide, "_save", "after"),
    "before partitions are taken over": (EvaluateSide, "_load", "before"),
    "within taking over": (CheckpointRows, "claim", "after"),
    "while windows are restored": (Evaluation, "restore", "before"),
    "after windows are restored": (EvaluateSide, "resume", "after"),
    "before letting go": (StreamWorker, "release", "before"),
    "after letting go": (StreamWorker, "release", "after"),
}
"""Where a worker may be struck: what runs there, and whether before or after it."""


OPEN: list[int] = []
"""One entry for each transaction under way in this process."""

GATE = threading.Lock()
"""Held by whoever begins a transaction, and while this process is stopped: none begins in between."""


def count_transactions() -> None:
    original = DatabaseStore.transaction

    @contextmanager
    def counted(store: DatabaseStore) -> Iterator[Any]:
        with GATE:
            OPEN.append(1)
        try:
            with original(store) as tx:
                yield tx
        finally:
            OPEN.pop()

    DatabaseStore.transaction = counted  # type: ignore[method-assign]  # in this process alone


def strike() -> None:
    """As a power cut does: nothing after this line runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    """The machine forgets this process for a while; somebody continues it later, in the middle of everything.

    Not in the middle of a transaction: who holds the database stops everybody, which is another fault.
    """
    while True:
        with GATE:
            if not OPEN:
                os.kill(os.getpid(), signal.SIGSTOP)
                return
        time.sleep(0.001)


def arm(point: str, hits: int, act: Callable[[], None] = strike) -> Callable[[], None]:
    """Act at the point when it is reached for the `hits`-th time; gives what is to be called for points of our own."""
    owner, name, when = POINTS[point]
    left = [hits]

    def reached() -> None:
        left[0] -= 1
        if left[0] == 0:
            act()

    if owner is object:
        return reached
    original: Any = getattr(owner, name)

    async def waiting(*args: object, **options: object) -> object:
        if when == "before":
            reached()
        found = await original(*args, **options)
        if when == "after":
            reached()
        return found

    def calling(*args: object, **options: object) -> object:
        if when == "before":
            reached()
        found = original(*args, **options)
        if when == "after":
            reached()
        return found

    setattr(owner, name, waiting if asyncio.iscoroutinefunction(original) else calling)
    return lambda: None


def rules() -> dict[str, Rule]:
    """One that counts everything and fires early; one that fires and clears as a gauge goes up and down."""
    counted = replace(rule("counted", 20), pane=60.0, window=3600.0)  # longer than any trial on any machine
    high = Check("gauge > 50", "gauge")
    swings = replace(
        rule("swings", 0, "gauge"),
        pane=1.0,
        window=30.0,
        measures=(Measure("gauge", "last", "value"), Measure("n", "count")),
        levels=(Level("outage", high),),
    )
    return {made.name: replace(made, group_by=("service",)) for made in (counted, swings)}


@dataclass
class Fixed:
    current: Configuration


def main(options: Mapping[str, Any]) -> int:
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("faust", "mode", "aiokafka", "asyncio"):
        logging.getLogger(name).setLevel("WARNING")
    act = stop if options.get("stops") else strike
    after_told = arm(options["point"], int(options["hits"]), act) if options.get("point") else int
    count_transactions()
    store, clock = open_store(options["database"]), SteadyClock()
    configuration = Configuration(rules(), {}, Catalog({}, {}, {}, ()), OnCall(), hash="exact")
    responder = Responder(store, Fixed(configuration), clock)

    def decide(found: Signal, claim: Claim | None) -> None:
        with store.transaction() as tx:
            if claim is not None and not tx.holds(claim):
                logging.getLogger("fireline.stream").warning("signal %s refused: %s is outdated", found.id, claim)
                return
            decision = responder.handle_in(tx, SignalArrived(found))
            if "handled before" not in decision.reason:
                tx.put_fact(f"told:{tx.next_number('told'):06}", _said(found, options["name"]), clock.now())
        after_told()

    worker = StreamOptions(
        connection=Connection(options["bootstrap"], embedded=bool(options["generation"])),
        name=options["name"],
        topics=("fireline.metrics",),
        generation=options["generation"],
        instance=options.get("instance"),
        chunk=64,
        directory=Path(options["directory"]),
        rhythm=Rhythm(checkpoint=float(options.get("checkpoint", 0.5))),
    )
    flow = Flow(configuration, FAMILIES, FORMATS["native"], decide)
    return asyncio.run(run_stream(worker, flow, store, clock))


def _said(found: Signal, worker: str) -> dict[str, object]:
    return {
        "id": found.id,
        "rule": found.rule,
        "service": dict(found.entity)["service"],
        "state": found.state.value,
        "episode": found.episode,
        "sequence": found.sequence,
        "at": found.at,
        "worker": worker,
    }


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
