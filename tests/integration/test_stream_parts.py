"""Parts of the stream worker one by one: the watchdog, the lane of signals, dead letters, checkpoints."""

import asyncio
import os
from types import SimpleNamespace
from typing import ClassVar

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.faust_batches import Batch
from fireline.adapters.kafka import MAX_RECORD_BYTES
from fireline.apps import stream
from fireline.apps.stream_evaluate import EvaluateSide, Missing
from fireline.apps.stream_ingest import IngestSide, dead_letter
from fireline.apps.stream_signals import SignalLane
from fireline.apps.stream_watchdog import Watchdog
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.judging import EntityState
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.ingest import DeadLetter, Record, SourceRef
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.windows import Series
from fireline.engine.windows_taking import Taking
from fireline.sources import FORMATS
from tests.engine.streams import rule

HERE = ("t", 0)


def signal(name: str) -> Signal:
    evidence = Evidence({}, 1, 0.0, 1.0, "", "")
    return Signal(name, "r", (), "s", State.FIRING, "outage", 1.0, 1.0, 1.0, "", evidence)


# the watchdog
def test_a_log_that_grows_while_we_stand_still_is_a_stall():
    dog = Watchdog(patience=30.0)
    assert dog.observe(0.0, {HERE: 5}, {HERE: 10}) == []
    assert dog.observe(29.0, {HERE: 5}, {HERE: 11}) == []
    assert dog.observe(30.0, {HERE: 5}, {HERE: 11}) == [HERE]


def test_progress_a_quiet_log_and_having_read_all_are_no_stall():
    dog = Watchdog(patience=30.0)
    dog.observe(0.0, {HERE: 5}, {HERE: 10})
    assert dog.observe(100.0, {HERE: 6}, {HERE: 20}) == []  # it moved
    assert dog.observe(200.0, {HERE: 6}, {HERE: 20}) == []  # the log did not
    assert dog.observe(300.0, {HERE: 20}, {HERE: 20}) == []  # all is read
    assert dog.observe(400.0, {HERE: 20}, {}) == []  # nobody knows the end


def test_after_a_rebalance_or_an_outage_nobody_is_to_blame():
    dog = Watchdog(patience=30.0)
    dog.observe(0.0, {HERE: 5}, {HERE: 10})
    dog.forgive()
    assert dog.observe(40.0, {HERE: 5}, {HERE: 11}) == []
    assert dog.observe(80.0, {HERE: 5}, {HERE: 12}) == [HERE]


# the lane of signals
async def test_signals_are_handled_in_order_and_one_that_fails_is_handled_again_before_the_next(monkeypatch):
    monkeypatch.setattr("fireline.apps.stream_signals.FIRST_PAUSE", 0.01)
    handled, failures = [], [Unavailable("away"), RuntimeError("a fault")]

    def handle(one: Signal, _: object) -> None:
        if one.id == "a" and failures:
            raise failures.pop()
        handled.append(one.id)

    lane = SignalLane(handle)
    running = asyncio.create_task(lane.run())
    for name in "abc":
        lane.put(signal(name))
    assert lane.waiting == 3
    async with asyncio.timeout(60):
        await lane.reached(lane.accepted)
    assert handled == ["a", "b", "c"]
    assert lane.waiting == 0
    running.cancel()


async def test_a_signal_on_which_deciding_fails_for_ever_does_not_hold_up_the_others(monkeypatch, caplog):
    monkeypatch.setattr("fireline.apps.stream_signals.FIRST_PAUSE", 0.0)
    asked, away = [], [Unavailable("away")] * 30

    def handle(one: Signal, _: object) -> None:
        asked.append(one.id)
        if one.id == "b" and away:
            raise away.pop()
        if one.id == "a":
            raise RuntimeError("a fault of ours")

    lane = SignalLane(handle)
    running = asyncio.create_task(lane.run())
    for name in "ab":
        lane.put(signal(name))
    async with asyncio.timeout(120):
        await lane.reached(2)
    assert (asked.count("a"), asked.count("b")) == (20, 31), "a database that is away is waited for as long as it takes"
    assert (lane.aside, sum(lane.counts.values()), lane.waiting) == (1, 1, 0)
    (told,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert "id='a'" in told.getMessage()
    running.cancel()


# dead letters
SOURCE = SourceRef("fireline.metrics", 3)


def test_a_dead_letter_is_the_record_with_its_place_and_the_reason_beside_it():
    record = Record(17, 1_700_000_000.5, b"key", b"\xff", [("trace", b"1")])
    sent = dead_letter(SOURCE, DeadLetter(record, "not-json", "found no JSON"))
    assert (sent.topic, sent.key, sent.value) == ("fireline.dead-letter", b"key", b"\xff")
    assert dict(sent.headers) == {
        "trace": b"1",
        "fireline-reason": b"not-json",
        "fireline-detail": b"found no JSON",
        "fireline-topic": b"fireline.metrics",
        "fireline-partition": b"3",
        "fireline-offset": b"17",
        "fireline-timestamp": b"1700000000.500",
    }


@pytest.mark.parametrize("headers", [[], [("big", b"h" * 400_000)], [("absent", None)]])
def test_a_dead_letter_fits_a_record_and_says_when_it_was_cut(headers):
    record = Record(1, 0.0, None, b"x" * 3_000_000, headers)
    sent = dead_letter(SOURCE, DeadLetter(record, "too-large", "d" * 100_000))
    size = len(sent.value or b"") + sum(len(k) + len(v or b"") for k, v in sent.headers)
    assert size < MAX_RECORD_BYTES
    assert dict(sent.headers)["fireline-truncated"] == b"3000000"


# ingest
class FlakyProducer:
    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    async def send(self, records):
        self.calls += 1
        if self.calls <= self.failures:
            raise Unavailable("away")
        return []


class CountingIngest:
    def __init__(self):
        self.seen, self.forgotten = [], []

    def batch(self, source, records, unit):
        self.seen += [r.offset for r in records]
        newest = 1.0
        return SimpleNamespace(
            partials={0: (b"p",)}, dead=[], commit=0, events=len(records), newest=newest, refused={}, refusals=()
        )

    def forget(self, source):
        self.forgotten.append(source)


def batch(*offsets: int, topic: str = "t") -> Batch:
    records = [SimpleNamespace(offset=o, timestamp=1000 * o, key=None, value=b"v", headers=()) for o in offsets]
    return Batch(topic, 0, records)


def side(failures: int, monkeypatch) -> IngestSide:
    monkeypatch.setattr("fireline.apps.stream_ingest.FIRST_PAUSE", 0.01)
    made = IngestSide(CountingIngest(), FlakyProducer(failures), {"t": ("live", "g")}, FakeClock())
    made.flows = True
    return made


async def test_a_batch_is_done_when_kafka_confirmed_it_however_often_it_must_be_asked(monkeypatch):
    ingest = side(3, monkeypatch)
    await ingest.handle(batch(0, 1, 2))
    assert ingest.positions == {HERE: 3}
    assert ingest.commits == {HERE: 0}
    assert ingest.tally.events == 3


async def test_what_follows_from_batches_that_came_together_is_sent_at_once(monkeypatch):
    ingest = side(0, monkeypatch)
    one = batch(0, 1)
    await ingest.handle(one, Batch("t", 1, one.records), Batch("t", 2, batch(5).records))
    assert ingest._producer.calls == 1
    assert ingest.positions == {HERE: 2, ("t", 1): 2, ("t", 2): 6}
    assert ingest.tally.events == 5


async def test_a_batch_is_given_up_when_delivery_stops_and_nothing_of_it_may_be_committed(monkeypatch):
    ingest = side(10_000, monkeypatch)
    handling = asyncio.create_task(ingest.handle(batch(0, 1, 2)))
    await asyncio.sleep(0.05)
    ingest.flows = False
    await asyncio.wait_for(handling, 60)
    assert ingest.commits == {}
    assert ingest.tally.events == 0


async def test_records_that_were_deleted_before_they_were_read_are_counted(monkeypatch, caplog):
    ingest = side(0, monkeypatch)
    ingest.resume({HERE: 5})
    await ingest.handle(batch(8, 9))
    await ingest.handle(batch(10))
    assert ingest.tally.skipped == 3
    assert "3 offsets before 8" in caplog.text


async def test_records_that_were_read_already_are_left_out_and_taking_over_starts_afresh(monkeypatch):
    ingest = side(0, monkeypatch)
    await ingest.handle(batch(0, 1, 2))
    await ingest.handle(batch(1, 2, 3))
    await ingest.handle(batch(0, 1))
    assert ingest.ingest.seen == [0, 1, 2, 3]
    ingest.resume({HERE: 0})
    assert ingest.ingest.forgotten == [SourceRef("t", 0, "live", "g")]
    assert ingest.commits == {}
    await ingest.handle(batch(0, 1))
    assert ingest.ingest.seen[-2:] == [0, 1]


# evaluate
def window(name: str) -> Series:
    return Series(rule(measures=()), (), (name,), EntityState((("service", name),)))


class Counting:
    """An evaluation that remembers payloads and fires once for each."""

    entities = 0
    left_out: ClassVar[dict[str, int]] = {"expired": 1}
    untold = False

    def __init__(self):
        self.payloads, self.restored, self.dirty, self.saves = [], {}, {}, 0

    def apply(self, payload, now):
        self.payloads.append(payload)
        self.dirty[str(len(self.payloads))] = payload

    def pass_some(self, now):
        return False

    def judge(self, now, behind):
        return [signal(f"{len(self.payloads)}")]

    def next_wake(self):
        return None

    def take(self):
        keys = [("live", "latency", (name,)) for name in self.dirty]
        return Taking(keys, lambda key: window(key[2][0]), {}, self.header())

    def header(self):
        return b"h"

    def saved(self):
        self.dirty, self.saves = {}, self.saves + 1

    def begin(self, now):
        pass

    def restore(self, windows, header):
        self.restored = dict(windows)

    def adopt(self, signals):
        self.adopted = list(signals)


@pytest.fixture
def store(tmp_path):
    made = open_store(f"sqlite:///{tmp_path / 'db'}")
    yield made
    made.close()


def evaluate(store: DatabaseStore, lane: SignalLane, generation: str = "g") -> EvaluateSide:
    return EvaluateSide(
        lambda rules: Counting(), (), lane=lane, store=store, clock=FakeClock(), generation=generation, partitions=4
    )


async def test_others_have_their_turn_while_a_recording_is_judged(store):
    held, turns = evaluate(store, SignalLane(lambda *_: None)), []
    await held.resume({0: (0, 10)})
    evaluation, left = held.parts[0].evaluation, [5]

    def some(now):
        left[0] -= 1
        return left[0] > 0

    async def other():
        while left[0] > 0:
            turns.append((left[0], held.parts[0].offset))
            await asyncio.sleep(0)

    evaluation.pass_some = some
    beside = asyncio.create_task(other())
    await held.handle(batch(0, 1, topic="fireline.partials"))
    await beside
    assert turns == [(4, 1), (3, 1), (2, 1), (1, 1)]
    assert held.parts[0].offset == 2

    def gone(now):
        held.drop()
        return True

    evaluation.pass_some = gone
    await held.handle(batch(2, 3, topic="fireline.partials"))
    assert len(evaluation.payloads) == 3


@pytest.mark.usefixtures("at_once")
async def test_judging_that_takes_long_leaves_half_of_the_time_to_the_rest(store, monkeypatch):
    clock, judged = [100.0], []
    monkeypatch.setattr("fireline.apps.stream_evaluate.time.monotonic", lambda: clock[0])
    held = evaluate(store, SignalLane(lambda *_: None))
    await held.resume({0: (0, 10)})
    evaluation = held.parts[0].evaluation

    def slow(now, behind):
        judged.append(list(evaluation.payloads))
        clock[0] += 0.1
        return []

    monkeypatch.setattr(evaluation, "judge", slow)
    monkeypatch.setattr(evaluation, "next_wake", lambda: 0.0)
    await held.handle(batch(0, topic="fireline.partials"))
    await held.handle(batch(1, topic="fireline.partials"))
    held.judge_due()
    assert len(judged) == 1
    clock[0] += 0.1
    held.judge_due()
    assert len(judged) == 2
    assert len(judged[1]) == 2, "what arrived meanwhile is judged together"


@pytest.mark.usefixtures("at_once")
async def test_quick_judging_happens_at_once_however_often(store, monkeypatch):
    monkeypatch.setattr("fireline.apps.stream_evaluate.time.monotonic", lambda: 100.0)
    held = evaluate(store, SignalLane(lambda *_: None))
    await held.resume({0: (0, 10)})
    for offset in range(5):
        await held.handle(batch(offset, topic="fireline.partials"))
    assert held._lane.accepted == 5


@pytest.fixture
def at_once(monkeypatch):
    """A partition is judged although its log was never read to the end."""
    monkeypatch.setattr("fireline.apps.stream_evaluate.CATCH_UP", 0.0)


async def test_windows_that_are_filled_again_are_neither_judged_nor_saved_nor_asked(store, monkeypatch):
    lane = SignalLane(lambda *_: None)
    held = evaluate(store, lane)
    monkeypatch.setattr(Counting, "watches", lambda self, watches, now, behind: ["an answer"], raising=False)
    await held.resume({0: (0, 3)})
    await held.handle(batch(0, 1, topic="fireline.partials"))
    held.judge_due()
    assert lane.accepted == 0
    assert await held.checkpoint() == 0
    assert held.answer([]) == []
    await held.handle(batch(2, topic="fireline.partials"))
    assert lane.accepted == 1
    assert held.answer([]) == ["an answer"]


@pytest.mark.usefixtures("at_once")
async def test_a_checkpoint_waits_until_the_signals_it_holds_were_handled(store):
    lane = SignalLane(lambda *_: None)
    held = evaluate(store, lane)
    assert await held.resume({0: (0, 10)}) == {0: 0}
    await held.handle(batch(0, 1, topic="fireline.partials"))
    saving = asyncio.create_task(held.checkpoint())
    await asyncio.sleep(0.1)
    assert not saving.done()
    assert held.parts[0].saved == 0
    running = asyncio.create_task(lane.run())
    assert await asyncio.wait_for(saving, 60) == 1
    assert held.parts[0].saved == 2
    assert await held.checkpoint() == 0
    running.cancel()

    after = evaluate(store, lane)
    assert await after.resume({0: (0, 10)}) == {0: 2}
    restored = set(after.parts[0].evaluation.restored)
    assert restored == {'["live","latency",["1"]]', '["live","latency",["2"]]'}


@pytest.mark.usefixtures("at_once")
async def test_rows_left_out_are_counted_on_when_partitions_go(store):
    held = evaluate(store, SignalLane(lambda *_: None))
    await held.resume({0: (0, 10), 1: (0, 10)})
    assert held.left_out == {"expired": 2}
    await held.resume({0: (0, 10)})
    assert held.left_out == {"expired": 3}
    held.drop()
    assert held.left_out == {"expired": 3}


@pytest.mark.parametrize(("generation", "end"), [("another", 10), ("g", 1)])
@pytest.mark.usefixtures("at_once")
async def test_a_checkpoint_of_a_log_that_is_gone_is_not_used_and_the_new_log_gets_its_own(store, generation, end):
    lane = SignalLane(lambda *_: None)
    running = asyncio.create_task(lane.run())
    held = evaluate(store, lane)
    await held.resume({0: (0, 10)})
    await held.handle(batch(0, 1, 2, topic="fireline.partials"))
    await held.checkpoint()

    fresh = evaluate(store, lane, generation)
    assert await fresh.resume({0: (0, end)}) == {0: 0}
    assert fresh.parts[0].evaluation.restored == {}
    await fresh.handle(batch(0, topic="fireline.partials"))
    assert await fresh.checkpoint() == 1
    again = evaluate(store, lane, generation)
    assert await again.resume({0: (0, end)}) == {0: 1}
    running.cancel()


@pytest.mark.usefixtures("at_once")
async def test_a_worker_that_lost_its_partition_cannot_overwrite_what_the_next_one_saved(store):
    lane = SignalLane(lambda *_: None)
    running = asyncio.create_task(lane.run())
    old, new = evaluate(store, lane), evaluate(store, lane)
    await old.resume({0: (0, 10)})
    await old.handle(batch(0, topic="fireline.partials"))
    await new.resume({0: (0, 10)})
    await new.handle(batch(0, 1, 2, topic="fireline.partials"))
    await new.checkpoint()
    with pytest.raises(StaleVersion):
        await old.checkpoint()
    running.cancel()


@pytest.mark.usefixtures("at_once")
async def test_partials_that_were_skipped_are_noticed_and_those_seen_are_left_out(store):
    held = evaluate(store, SignalLane(lambda *_: None))
    await held.resume({0: (3, 10)})
    await held.handle(batch(3, 4, topic="fireline.partials"))
    await held.handle(batch(4, 5, topic="fireline.partials"))
    assert len(held.parts[0].evaluation.payloads) == 3
    with pytest.raises(Missing):
        await held.handle(batch(7, topic="fireline.partials"))
    held.drop()
    await held.handle(batch(8, topic="fireline.partials"))  # somebody else's now


async def test_a_crash_inside_faust_ends_the_process_whose_threads_would_wait_for_ever(embedded, store, monkeypatch):
    hurried: list[tuple[float, list[int]]] = []

    class Timer:
        def __init__(self, within: float, act: object, words: list[int]) -> None:
            assert act is os._exit
            hurried.append((within, words))

        def start(self) -> None:
            hurried.append((0.0, []))

    async def crash(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(stream, "_work", crash)
    monkeypatch.setattr(stream.threading, "Timer", Timer)
    flow = stream.Flow(Configuration({}, {}, Catalog({}, {}, {}, ()), OnCall()), {}, FORMATS["native"], print)
    options = stream.StreamOptions(embedded, "w0", ["t"], generation="g")
    assert await stream.run_stream(options, flow, store, FakeClock()) == stream.STALLED
    assert hurried == [(3.0, [stream.STALLED]), (0.0, [])]
