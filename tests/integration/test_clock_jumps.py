"""The wall clock of a stream worker jumps by an hour: nothing is lost, what is bad fires, and nothing else does."""

import logging
import math
import time
from types import SimpleNamespace

import pytest

from fireline.adapters.clock_steady import SteadyClock
from fireline.adapters.database import open_store
from fireline.adapters.faust_batches import Batch
from fireline.apps.stream_evaluate import EvaluateSide
from fireline.apps.stream_signals import SignalLane
from fireline.domain.rules import Level, NoData
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, above, metric, rule
from tests.integration.streams import Streams

T = 1_763_683_200.0
HOUR = 3600.0
RULE = rule(levels=(Level("outage", above("top", 100.0), for_=10.0),), no_data=NoData(20.0, "degraded"))


class Worker:
    """Both sides of a stream worker on a machine whose wall clock anybody may set; time passes second by second."""

    def __init__(self, store, monkeypatch) -> None:
        self.wall, self.steady, self.slept, self.true = T, 1000.0, 0.0, T
        monkeypatch.setattr("fireline.apps.stream_evaluate.time", SimpleNamespace(monotonic=lambda: self.steady))
        self.clock = SteadyClock(math.inf, wall=lambda: self.wall, steady=lambda: self.steady, slept=lambda: self.slept)
        self.lane = SignalLane(lambda *_: None)
        self.ingest = Ingest((RULE,), FAMILIES, Native(), 1)
        self.side = EvaluateSide(
            lambda rules: Evaluation(rules, FAMILIES),
            (RULE,),
            lane=self.lane,
            store=store,
            clock=self.clock,
            generation="g",
            partitions=1,
        )
        self.values = {"good": 1.0, "bad": 1.0, "silent": 1.0}
        self.offset = self.sent = 0

    async def pass_by(self, seconds: int, *, reads: bool = True) -> None:
        """Senders, whose clocks are right, send an event a second each; brokers stamp them with the true time."""
        for _ in range(seconds):
            self.true, self.wall, self.steady = self.true + 1, self.wall + 1, self.steady + 1
            if reads:
                await self.read()
            self.side.judge_due()

    async def read(self) -> None:
        records = []
        for service, value in self.values.items():
            records.append(metric(self.offset, self.true, value, service, timestamp=self.true))
            self.offset += 1
        taken = self.ingest.batch(SOURCE, records)
        assert not taken.dead
        self.clock.witness(records[-1].timestamp)
        payloads = [payload for sent in taken.partials.values() for payload in sent]
        stored = [
            SimpleNamespace(offset=self.sent + place, value=payload, timestamp=self.true * 1000.0, key=None, headers=())
            for place, payload in enumerate(payloads)
        ]
        self.sent += len(stored)
        await self.side.handle(Batch("fireline.partials", 0, stored))

    def said(self):
        """Signals so far: service, severity, and the seconds that truly had passed since they could be told."""
        return [(dict(s.entity)["service"], s.severity) for s, _ in self.lane._queue]


@pytest.fixture
async def worker(tmp_path, monkeypatch):
    store = open_store(f"sqlite:///{tmp_path / 'db'}")
    made = Worker(store, monkeypatch)
    await made.side.resume({0: (0, 0)})
    await made.pass_by(30)
    assert made.said() == []
    yield made
    store.close()


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 45.0, -45.0])
async def test_a_clock_that_is_set_wrong_and_right_again_changes_no_verdict(worker, jump):
    worker.wall += jump
    await worker.pass_by(30)
    assert worker.said() == [], "nobody is silent, and nothing fires"
    worker.values["bad"] = 500.0
    await worker.pass_by(9)
    assert worker.said() == [], "`for` takes its ten seconds"
    await worker.pass_by(3)
    assert worker.said() == [("bad", "outage")]
    del worker.values["silent"]
    await worker.pass_by(22)
    assert worker.said() == [("bad", "outage"), ("silent", "degraded")]
    worker.wall -= jump
    await worker.pass_by(60)
    assert len(worker.said()) == 2, "what fires goes on to fire"
    worker.values |= {"bad": 1.0, "silent": 1.0}
    await worker.pass_by(75)
    assert worker.said()[2:] == [("silent", None), ("bad", None)]


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_a_clock_that_was_wrong_from_the_start_is_judged_by_once_it_is_set_right(tmp_path, monkeypatch, ahead):
    """Before that it sees windows of another hour; afterwards records confirm the new time."""
    with_store = open_store(f"sqlite:///{tmp_path / 'db'}")
    worker = Worker(with_store, monkeypatch)
    worker.wall += ahead
    worker.clock = worker.side._clock = SteadyClock(
        math.inf, wall=lambda: worker.wall, steady=lambda: worker.steady, slept=lambda: 0.0
    )
    await worker.side.resume({0: (0, 0)})
    await worker.pass_by(30)
    worker.wall -= ahead
    await worker.pass_by(30)
    assert worker.clock.leapt == -ahead
    worker.values["bad"] = 500.0
    await worker.pass_by(15)
    assert ("bad", "outage") in worker.said()
    assert not [service for service, _ in worker.said() if service == "good"]
    with_store.close()


async def test_a_machine_that_slept_reports_nobody_silent_before_it_has_read_what_was_said(worker, caplog):
    worker.values["bad"] = 500.0
    await worker.pass_by(15)
    assert worker.said() == [("bad", "outage")]
    worker.true, worker.wall, worker.slept = worker.true + HOUR, worker.wall + HOUR, worker.slept + HOUR
    with caplog.at_level(logging.WARNING):
        await worker.pass_by(10, reads=False)  # nothing has arrived yet
        assert worker.said() == [("bad", "outage")], "it was us who did not look"
    assert "3600" in caplog.text
    await worker.pass_by(30)
    assert worker.said() == [("bad", "outage")]
    worker.values = {"good": 1.0, "silent": 1.0}
    await worker.pass_by(25)
    assert worker.said()[1:] == [], "it fires already"
    del worker.values["silent"]
    await worker.pass_by(25)
    assert worker.said()[-1] == ("silent", "degraded")


async def test_a_process_that_was_stopped_reports_nobody_silent_either(worker):
    """Stopped and continued, as a debugger or a frozen container does: all its clocks went on."""
    for _ in range(int(HOUR)):
        worker.true, worker.wall, worker.steady = worker.true + 1, worker.wall + 1, worker.steady + 1
    worker.side.judge_due()
    await worker.pass_by(10, reads=False)
    assert worker.said() == []
    await worker.pass_by(30)
    assert worker.said() == []
    del worker.values["silent"]
    await worker.pass_by(25)
    assert worker.said() == [("silent", "degraded")]


async def test_a_real_worker_goes_on_to_judge_while_the_clock_of_its_machine_is_an_hour_ahead(
    embedded_broker, embedded, tmp_path
):
    embedded_broker.create(["fireline.metrics", "fireline.replay", "fireline.partials", "fireline.dead-letter"])
    streams = Streams(embedded, embedded_broker.generation, tmp_path, {"ten": 10, "twenty": 20, "thirty": 30})
    try:
        worker = streams.start()
        await streams.ready(worker)
        await streams.feed(12)
        await streams.until(lambda: "ten" in streams.fired())
        streams.set_ahead(3600.0)
        await streams.until(lambda: streams.fact().get("clock_doubted") == pytest.approx(HOUR, abs=60.0))
        await streams.feed(10)
        await streams.until(lambda: "twenty" in streams.fired())
        await streams.until(lambda: streams.fact().get("clock_sure") is True)
        streams.set_ahead(0.0)
        await streams.until(lambda: streams.fact().get("clock_doubted") == 0.0)
        await streams.feed(10)
        await streams.until(lambda: "thirty" in streams.fired())
        assert [signal["state"] for signal in streams.signals()] == ["firing"] * 3
        assert all(abs(float(str(signal["at"])) - time.time()) < HOUR / 2 for signal in streams.signals())
        assert streams.end(worker) == 0
    finally:
        streams.close()
