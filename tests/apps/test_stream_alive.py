"""A stream worker that cannot go on says so and ends: a blocked loop, a log that was made anew, too many signals."""

import asyncio
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.faust_batches import Batch
from fireline.apps import stream_signals
from fireline.apps.stream_signals import SignalLane
from fireline.apps.stream_watchdog import Pulse
from fireline.apps.stream_worker import Outside, Replaced, Rhythm, Sides, Stalled, StreamWorker
from fireline.engine.ports import Unavailable

HERE = ("t", 0)
PATIENCE = 240.0


# the pulse
class Looks:
    """Stands in for the pause between two looks: each is allowed by the test, so that no machine is too slow."""

    def __init__(self) -> None:
        self._allowed, self._waits, self._over = threading.Semaphore(0), threading.Semaphore(0), False

    def wait(self, _: float) -> bool:
        self._waits.release()
        assert self._allowed.acquire(timeout=PATIENCE)
        return self._over

    def set(self) -> None:
        self._over = True
        self._allowed.release()

    def let(self, before=lambda: None) -> None:
        """One more look, once the last one is over; what is to come before it is done in between."""
        assert self._waits.acquire(timeout=PATIENCE)
        before()
        self._allowed.release()


def watched(monkeypatch, end):
    """A pulse that looks when it is let; the interpreter's own timer, which ends processes, has its own test below."""
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda *_, **__: None)
    pulse = Pulse(0.5, end)
    pulse._stopped = looks = Looks()
    pulse.start()
    return pulse, looks


def test_a_loop_that_is_blocked_is_found_with_where_it_stands(monkeypatch):
    ended: list[str] = []
    found, blocked = threading.Event(), threading.Event()

    def look_on(looks):
        blocked.wait(PATIENCE)
        for _ in range(Pulse.LOOKS):
            looks.let()

    async def work():
        pulse, looks = watched(monkeypatch, lambda why: (ended.append(why), found.set()))
        for _ in range(2 * Pulse.LOOKS):
            looks.let(before=pulse.feed)
        assert not ended, "it was fed"
        looking = threading.Thread(target=look_on, args=[looks])
        looking.start()
        busy_until(found, blocked)
        looking.join(PATIENCE)

    asyncio.run(work())
    assert "stood still for 0.5 s" in ended[0]
    assert "busy_until" in ended[0]


def busy_until(found: threading.Event, blocked: threading.Event) -> None:
    blocked.set()
    end = time.monotonic() + PATIENCE
    while not found.is_set() and time.monotonic() < end:
        time.sleep(0.01)


def test_a_pulse_that_was_stopped_blames_nobody(monkeypatch):
    ended: list[str] = []
    pulse, looks = watched(monkeypatch, ended.append)
    (watching,) = [thread for thread in threading.enumerate() if thread.name == "pulse"]
    for _ in range(Pulse.LOOKS - 1):
        looks.let()
    pulse.stop()
    watching.join(PATIENCE)
    assert not watching.is_alive()
    assert ended == []


def test_a_call_that_holds_the_interpreter_ends_the_process_too():
    script = (
        "import ctypes, threading\n"
        "from fireline.apps.stream_watchdog import Pulse\n"
        "pulse = Pulse(0.3, print)\n"
        "pulse.start(); pulse.feed()\n"
        "ctypes.PyDLL(None).sleep(3600)\n"  # PyDLL keeps the lock, as a C extension may
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "Timeout" in done.stderr


# the worker
class Names:
    """What is behind topics, and whether Kafka tells."""

    def __init__(self):
        self.names_, self.away = {"t": "one"}, False

    async def names(self, topics):
        if self.away:
            raise Unavailable("gone")
        return {topic: self.names_[topic] for topic in topics}


class Ends:
    """Where a log begins and ends."""

    def __init__(self):
        self.end, self.away = 10, False

    async def ends(self, places):
        if self.away:
            raise Unavailable("gone")
        return dict.fromkeys(places, self.end)

    async def beginnings(self, places):
        return dict.fromkeys(places, 0)


class Made:
    """A worker of stubs that reads one partition of events."""

    def __init__(self):
        self.dooms: list[Exception] = []
        self.taken: list[Batch] = []
        self.ends, self.names = Ends(), Names()
        self.resumed: dict = {}
        ingest = SimpleNamespace(positions={}, commits={HERE: 4}, flows=True, read_until={}, resume=self.resumed.update)
        self.lane = SignalLane(lambda *_: None)

        async def handle(batch):
            self.taken.append(batch)

        async def resume(bounds):
            return {}

        self.judged = 0

        def judge_due():
            self.judged += 1

        evaluate = SimpleNamespace(parts={}, handle=handle, resume=resume, behind=None, judge_due=judge_due)
        clock = FakeClock(1000.0)
        fields = dict.fromkeys(Outside.__dataclass_fields__)
        fields |= {"ends": self.ends, "names": self.names, "logs": {"t": "one"}, "clock": clock}
        fields |= {"doom": self.dooms.append, "store": SimpleNamespace(transaction=_no_store)}
        self.ingest = ingest
        self.worker = StreamWorker("w", Sides(ingest, evaluate, self.lane), Outside(**fields), Rhythm(patience=0.2))


def _no_store():
    raise Unavailable("no database")


async def test_a_log_that_was_made_anew_ends_the_worker_and_nothing_of_the_old_one_is_committed():
    made = Made()
    await made.worker.resume({HERE: 4})
    assert made.resumed == {HERE: 4}
    assert made.worker.committable(HERE) == 4
    made.ends.away = True
    with pytest.raises(Unavailable):
        await made.worker._look_at_ends()
    assert made.worker.committable(HERE) is None, "what comes back may be another log"
    made.ends.away = False
    await made.worker._look_at_ends()
    await made.worker._look_when_in_doubt()
    assert made.worker.committable(HERE) == 4
    made.ingest.positions[HERE] = 11
    await made.worker._look_at_ends()
    assert made.worker.committable(HERE) is None, "the log is shorter than what was read of it"
    made.names.names_["t"] = "two"
    assert await asyncio.wait_for(made.worker.resume({HERE: 4}), PATIENCE) == {}
    (doom,) = made.dooms
    assert isinstance(doom, Replaced)
    assert "t" in str(doom)


async def test_an_offset_beyond_the_end_of_its_log_is_not_gone_on_at():
    made = Made()
    await made.worker.resume({HERE: 11})
    assert made.resumed == {HERE: 0}


async def test_a_partition_that_stands_still_while_it_grows_is_a_stall():
    made = Made()
    made.ingest.positions[HERE] = 5
    await made.worker._look_at_ends()
    await asyncio.sleep(0.3)
    made.ends.end = 12
    with pytest.raises(Stalled, match="'t', 0"):
        await made.worker._look_at_ends()


async def test_too_many_signals_that_wait_hold_up_judging_and_are_no_stall(monkeypatch):
    monkeypatch.setattr(stream_signals, "MANY", 2)
    made = Made()
    for _ in range(3):
        made.lane.put(SimpleNamespace(id="s", rule="r", state="firing", severity=None))
    batch = Batch("fireline.partials", 0, [SimpleNamespace(offset=0, timestamp=0, value=b"")])
    taking = asyncio.create_task(made.worker.take_partials([batch]))
    made.ingest.positions[HERE] = 5
    await made.worker._look_at_ends()
    await asyncio.sleep(0.3)
    made.ends.end = 12
    await made.worker._look_at_ends()
    await made.worker._judge()
    assert made.taken == []
    assert made.judged == 0
    lane = asyncio.create_task(made.lane.run())
    await asyncio.wait_for(taking, PATIENCE)
    assert made.taken == [batch], "it goes on as soon as there is room"
    lane.cancel()


async def test_who_waits_for_room_lets_go_when_delivery_stops(monkeypatch):
    monkeypatch.setattr(stream_signals, "MANY", 1)
    made = Made()
    made.lane.put(SimpleNamespace(id="s"))
    batch = Batch("fireline.partials", 0, [SimpleNamespace(offset=0, timestamp=0, value=b"")])
    taking = asyncio.create_task(made.worker.take_partials([batch]))
    await asyncio.sleep(0.05)
    assert not taking.done()
    made.ingest.flows = False
    await asyncio.wait_for(taking, PATIENCE)
    assert made.taken == [], "it is read again by whoever gets the partition"
