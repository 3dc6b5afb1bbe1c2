"""Where the processor time of a stream worker goes: named functions are timed, each without those inside it.

What the event loop's thread does beside them (Faust, the loop, the client's answers) is the rest of that thread; the
consumer's thread (fetching, decompressing, taking record batches apart) and all others are taken from the system.
"""

import functools
import os
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from fireline.measures import FAMILIES

DECODING = "decode JSON"
SENDING = "send partials (client)"
FETCHING = "fetch (client, in its thread)"
SAVING = "checkpoint: write, and other threads"
REST = "Faust, event loop, timers of this profile"
FUNCTIONS = (
    (DECODING, "fireline.sources.native", "Native.rows"),
    ("match: find each event's plan", "fireline.engine.ingest", "Ingest._collect"),
    ("draw: times and fields by plan", "fireline.engine.ingest_plans", "Plan.draw"),
    ("late or early", "fireline.engine.ingest", "Ingest._ages"),
    ("late or early", "fireline.engine.ingest", "Ingest._timely"),
    ("fold: by plan and pane", "fireline.engine.ingest", "Ingest._fold_plan"),
    ("encode partials", "fireline.engine.ingest", "Ingest._emit"),
    ("ingest: the rest", "fireline.engine.ingest", "Ingest.batch"),
    ("ingest: the rest", "fireline.apps.stream_ingest", "IngestSide._aggregated"),
    (SENDING, "fireline.adapters.kafka", "Producer.send"),
    (SENDING, "aiokafka.producer.sender", "Sender._sender_routine"),
    (SENDING, "aiokafka.producer.sender", "Sender._send_produce_req"),
    ("decode partials", "fireline.engine.evaluate", "decode"),
    ("apply partials to windows", "fireline.engine.evaluate", "Evaluation.apply"),
    ("judge: read windows, conditions", "fireline.engine.evaluate", "Evaluation.judge"),
    ("checkpoint: snapshot", "fireline.engine.evaluate", "Evaluation.snapshot"),
    ("checkpoint: snapshot", "fireline.engine.evaluate", "Evaluation.header"),
)
"""What is timed under which name. Keep it in step with the engine: a benchmark's test fails on what is not there."""
MEASURES = {"column": "measures: take the column", "fold": "measures: fold (sketch)", "merge": "measures: merge"}


class Began(Protocol):
    """What tells when the first event came."""

    began: float


class Stopwatch:
    """Processor time of the thread that made it, by name, and of the other threads from `begin` to `stop`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: Counter[str] = Counter()
        self._own: Counter[str] = Counter()
        self._stack: list[str] = []
        self._since = 0.0
        self._thread = threading.get_ident()
        self._before: dict[int, float] = {}
        self._begun = False

    def enter(self, name: str) -> bool:
        """From now on time is `name`'s, until `leave`; False in other threads, where nothing is counted."""
        if threading.get_ident() != self._thread:
            return False
        now = time.thread_time()
        if self._stack:
            self._own[self._stack[-1]] += now - self._since  # type: ignore[assignment]  # seconds
        self._stack.append(name)
        self.calls[name] += 1
        self._since = now
        return True

    def leave(self) -> None:
        """Back to what was before `enter`."""
        now = time.thread_time()
        self._own[self._stack.pop()] += now - self._since  # type: ignore[assignment]  # seconds
        self._since = now

    def begin(self) -> None:
        """The first event is there."""
        if not self._begun:
            self._begun = True
            self._before = _by_thread()
            self._own.clear()
            self.calls.clear()

    def stop(self) -> None:
        """Everything is done: `seconds` are complete."""
        if not self._begun:
            return
        threads = {thread.native_id: thread for thread in threading.enumerate()}
        self.seconds = dict(self._own)
        for number, used in _by_thread().items():
            spent, thread = used - self._before.get(number, 0.0), threads.get(number)
            if number == os.getpid():
                name, spent = REST, max(0.0, spent - sum(self._own.values()))
            else:
                name = FETCHING if thread is not None and type(thread).__name__ == "WorkerThread" else SAVING
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


def _by_thread() -> dict[int, float]:
    """The processor seconds of every thread of this process, by its number."""
    found = {}
    for entry in Path("/proc/self/task").iterdir():
        fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        found[int(entry.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def _timed(watch: Stopwatch, name: str, function: Callable[..., object]) -> Callable[..., object]:
    """The function, its time counted under `name`."""

    @functools.wraps(function)
    def call(*given: object, **options: object) -> object:
        counted = watch.enter(name)
        try:
            return function(*given, **options)
        finally:
            if counted:
                watch.leave()

    @types.coroutine
    def steps(coroutine):
        send, given = coroutine.send, None
        while True:
            counted = watch.enter(name)
            try:
                awaited = send(given)
            except StopIteration as done:
                return done.value
            finally:
                if counted:
                    watch.leave()
            try:
                send, given = coroutine.send, (yield awaited)
            except BaseException as fault:
                send, given = coroutine.throw, fault

    @functools.wraps(function)
    async def act(*given: object, **options: object) -> object:
        return await steps(function(*given, **options))

    return act if function.__code__.co_flags & 0x80 else call  # type: ignore[attr-defined]  # CO_COROUTINE


def _places() -> Iterable[tuple[str, object, str]]:
    for name, module, path in FUNCTIONS:
        owner: object = import_module(module)
        *outer, last = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        yield name, owner, last
    for family in {type(family) for family in FAMILIES.values()}:
        for attribute, name in MEASURES.items():
            yield name, family, attribute


def instrument(watch: Stopwatch, meter: Began) -> list[str]:
    """Time all functions named above; the names of those that are not there."""
    missing = []
    for name, owner, attribute in _places():
        function = getattr(owner, attribute, None)
        if function is None:
            missing.append(f"{name}: {attribute}")
        else:
            setattr(owner, attribute, _timed(watch, name, function))
    _begin_with(watch, meter)
    return missing


def _begin_with(watch: Stopwatch, meter: Began) -> None:
    """Count from the moment at which the meter does."""
    begin = meter.begin  # type: ignore[attr-defined]  # the sides' Meter

    def both() -> None:
        watch.begin()
        begin()

    meter.begin = both  # type: ignore[attr-defined]  # as above
