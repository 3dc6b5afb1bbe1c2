"""`fireline stream`: one Faust worker that ingests, aggregates and judges. As many as there are partitions may run.

Faust does not start inside another framework's loop, so its worker is a process of its own.
"""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fireline.adapters.faust_batches import BatchApp, work
from fireline.adapters.kafka import Producer
from fireline.adapters.kafka_connection import Barred, Connection
from fireline.adapters.kafka_ends import UNKNOWN, LogEnds, LogNames
from fireline.adapters.kafka_group import GroupShares
from fireline.adapters.kafka_logs import spare_logs
from fireline.adapters.kafka_topics import PARTIALS, REPLAY, ensure_topics, topic_generation, topics_of_fireline
from fireline.apps.stream_evaluate import SLICE, EvaluateSide
from fireline.apps.stream_group import see_that_all_is_read
from fireline.apps.stream_ingest import IngestSide
from fireline.apps.stream_signals import SignalLane
from fireline.apps.stream_watchdog import Pulse
from fireline.apps.stream_worker import Outside, Replaced, Rhythm, Sides, Stalled, StreamWorker
from fireline.domain.configuration import Configuration
from fireline.domain.events import Source
from fireline.domain.rules import Signal
from fireline.domain.traffic import rules_of
from fireline.domain.windows import Family
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import LIVE, Ingest
from fireline.engine.ports import JudgingClock, Store, Unavailable
from fireline.engine.watching import Claim

T = TypeVar("T")
_LOOKS, _PAUSE = 50, 0.2
"""How often, and seconds apart, a topic that was just made is asked for."""

log = logging.getLogger("fireline.stream")

STALLED = 70
"""Exit code of a worker that cannot go on; a new process takes its place."""
_END_WITHIN = 10.0
_END_SOON = 1.0
"""Seconds for an end in good order where it may hang, and nothing would come of it: what was read is read again."""
_ASK_AGAIN = 0.5
_KNOCK_AGAIN = 5.0
"""Seconds until a broker that did not let us in is asked again: some lock users out who try too often."""
_CRASH_WITHIN = 3.0
_LOOK_FOR_CHANGES = 1.0


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What one worker needs to know. `topics` are those that events come on, `fireline.replay` always beside them.

    `generation` is the embedded broker's, empty for a real one, whose topics tell their own. `directory` is where
    Faust may keep files (it keeps none of ours). `instance` names a worker that is started again under the same name,
    never twice at once: after a crash it has its partitions back at once, where others wait for the session to end.
    `allowed_lateness` and `future_bound` are in seconds, as in `Ingest`.
    """

    connection: Connection
    name: str
    topics: Sequence[str]
    generation: str = ""
    group: str = "fireline"
    instance: str | None = None
    partitions: int = 4
    chunk: int = 4096
    allowed_lateness: float = 30.0
    future_bound: float = 300.0
    directory: Path = Path(".fireline")
    rhythm: Rhythm = field(default_factory=Rhythm)


@dataclass(frozen=True, slots=True)
class Flow:
    """What happens to events: the rules, the measures they name, and how each topic is read.

    `formats` is asked anew for each configuration; when it names other topics than before, the worker ends, to be
    started again. `on_signal` is called in a thread, in order, again and again until it does not raise, with the claim
    under which the signal is told: an outdated one is to be refused. `refresh` reads the configuration anew now and
    then.
    """

    configuration: Configuration
    families: Mapping[str, Family]
    decode: Source
    on_signal: Callable[[Signal, Claim | None], object]
    formats: Callable[[Configuration], Mapping[str, Source]] = lambda configuration: {}
    refresh: Callable[[], Configuration] | None = None


async def run_stream(options: StreamOptions, flow: Flow, store: Store, clock: JudgingClock) -> int:
    """Work until SIGTERM; the exit code: 0, or 70 when the worker could not go on and is to be started again.

    A broker that does not answer is waited for: who starts us again and again would wait longer each time.
    """
    names = LogNames(options.connection)
    generations, logs = await _patiently(lambda: _prepare(options, names))
    _spare_the_collector()
    spare_logs()
    end = _End()
    pulse = Pulse(options.rhythm.patience, end.at_once)
    producer, ends = Producer(options.connection, client_id=options.name), LogEnds(options.connection)
    try:
        partitions = await _patiently(lambda: producer.partitions(PARTIALS))
        lane = SignalLane(flow.on_signal)
        evaluate = _evaluate_side(flow, lane, store, clock, (generations[PARTIALS], partitions))
        ingest = _ingest_side(options, flow, producer, clock, partitions=partitions, generations=generations)
        sides = Sides(ingest, evaluate, lane)
        outside = Outside(ends, names, logs, pulse, store, clock, end.doom)
        worker = StreamWorker(options.name, sides, outside, options.rhythm)
        pulse.start()
        await _work(options, flow, worker, end.doom)
    except Exception as fault:  # Faust's own: its threads outlive a crash, and the process must not wait for them
        log.exception("the stream worker crashed")
        end.give_up(fault, _CRASH_WITHIN)
    finally:
        pulse.stop()
        await asyncio.gather(producer.close(), ends.close())
    return end.code


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What Kafka says, as soon as it says anything."""
    while True:
        try:
            return await ask()
        except Unavailable as fault:
            log.warning("waiting for Kafka: %s", fault)
            await asyncio.sleep(_ASK_AGAIN if not isinstance(fault, Barred) else _KNOCK_AGAIN)


async def _work(options: StreamOptions, flow: Flow, worker: StreamWorker, doom: Callable[[Exception], None]) -> None:
    app = BatchApp(
        options.group,
        options.connection,
        worker,
        datadir=str(options.directory / "faust"),
        consumer_group_instance_id=options.instance,
    )
    app.deliver("ingest", list(_sources(options)), worker.take_events)
    app.deliver("evaluate", [PARTIALS], worker.take_partials)
    shares = GroupShares(options.connection, options.group)
    loops = [
        asyncio.create_task(worker.run_loops()),
        asyncio.create_task(_follow(worker, flow, doom)),
        asyncio.create_task(see_that_all_is_read(shares, [*_sources(options), PARTIALS], app.share_anew)),
    ]
    try:
        await work(app)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


def _spare_the_collector() -> None:
    """A batch is 20,000 objects that all die together: looking for cycles among them would cost a third of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


def _sources(options: StreamOptions) -> dict[str, str]:
    """The timeline of each topic that events come on."""
    return dict.fromkeys(options.topics, LIVE) | {REPLAY: "replay"}


async def _prepare(options: StreamOptions, names: LogNames) -> tuple[dict[str, str], Mapping[str, str]]:
    """See that all topics exist; the generation of each that is read, and which log is behind it."""
    read = [*_sources(options), PARTIALS]
    await asyncio.to_thread(_ensure, options)
    logs = await _logs(names, read)
    if options.generation:
        return dict.fromkeys(read, options.generation), logs
    if UNKNOWN in logs.values() or not all(logs.values()):
        return await asyncio.to_thread(_generations, options, read), logs
    return dict(logs), logs


async def _logs(names: LogNames, topics: Sequence[str]) -> Mapping[str, str]:
    """Which log is behind each topic; a broker may know one that was just made a moment later."""
    logs = await names.names(topics)
    for _ in range(_LOOKS):
        if all(logs.values()):
            break
        await asyncio.sleep(_PAUSE)
        logs = await names.names(topics)
    return logs


def _ensure(options: StreamOptions) -> None:
    for fault in ensure_topics(options.connection, topics_of_fireline(list(_sources(options)), options.partitions)):
        log.warning("%s", fault)


def _generations(options: StreamOptions, read: Sequence[str]) -> dict[str, str]:
    """Where brokers are too old to know ids of topics."""
    return {topic: topic_generation(options.connection, topic) for topic in read}


def _ingest_side(
    options: StreamOptions,
    flow: Flow,
    producer: Producer,
    clock: JudgingClock,
    *,
    partitions: int,
    generations: Mapping[str, str],
) -> IngestSide:
    ingest = Ingest(
        rules_of(flow.configuration),
        flow.families,
        flow.decode,
        partitions,
        chunk=options.chunk,
        formats=flow.formats(flow.configuration),
        allowed_lateness=options.allowed_lateness,
        future_bound=options.future_bound,
    )
    sources = {topic: (timeline, generations[topic]) for topic, timeline in _sources(options).items()}
    return IngestSide(ingest, producer, sources, clock)


def _evaluate_side(
    flow: Flow, lane: SignalLane, store: Store, clock: JudgingClock, log_: tuple[str, int]
) -> EvaluateSide:
    return EvaluateSide(
        lambda rules: Evaluation(rules, flow.families, SLICE),
        rules_of(flow.configuration),
        lane=lane,
        store=store,
        clock=clock,
        generation=log_[0],
        partitions=log_[1],
    )


class TopicsChanged(Exception):  # noqa: N818 - a reason to begin anew, not a fault
    """Other topics are to be read than this worker was started with."""


async def _follow(worker: StreamWorker, flow: Flow, doom: Callable[[Exception], None]) -> None:
    """Put a changed configuration in force; one that cannot be read leaves the last one in force."""
    known, topics = flow.configuration, flow.formats(flow.configuration).keys()
    while flow.refresh is not None:
        await asyncio.sleep(_LOOK_FOR_CHANGES)
        try:
            current = await asyncio.to_thread(flow.refresh)
        except Exception:
            log.exception("the configuration could not be read anew")
            continue
        if current.hash != known.hash:
            formats = flow.formats(current)
            if formats.keys() != topics:
                told = ", ".join(sorted(formats.keys() ^ topics))
                doom(TopicsChanged(f"the topics that events come on have changed ({told}): to be started again"))
                return
            worker.reload(current, formats)
            known = current


class _End:
    """Ends this process in good order when its worker is doomed, and in any order when that takes too long."""

    def __init__(self) -> None:
        self.code = 0

    def doom(self, fault: Exception) -> None:
        """Called once or more; the first counts."""
        if not self.code:
            self.give_up(fault, _END_SOON if isinstance(fault, Stalled | Replaced) else _END_WITHIN)
            os.kill(os.getpid(), signal.SIGTERM)

    def at_once(self, why: str) -> None:
        """Called in another thread, because the event loop does not run."""
        log.critical("ending with exit code %d: %s", STALLED, why)
        logging.shutdown()
        os._exit(STALLED)

    def give_up(self, fault: Exception, within: float) -> None:
        """Make sure that this process ends `within` so many seconds, whatever its threads wait for."""
        level = logging.WARNING if isinstance(fault, TopicsChanged) else logging.CRITICAL
        log.log(level, "ending with exit code %d: %s", STALLED, fault)
        self.code = STALLED
        hurry = threading.Timer(within, os._exit, [STALLED])
        hurry.daemon = True
        hurry.start()
