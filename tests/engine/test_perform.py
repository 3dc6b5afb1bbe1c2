"""Performing: at least once, in order within a lane, no lane waiting for another, nothing lost and nothing twice."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from fireline.adapters.memory import MemoryPublisher
from fireline.domain.effects import Publish, Say, StartRun
from fireline.domain.incidents import PageStatus, Resolve
from fireline.domain.outcomes import Failed, RetryLater, Waiting
from fireline.engine.perform import GIVE_UP, IN_FLIGHT, LEASE, MOST_OF_A_CHANNEL, POLL, backoff
from tests.engine.respond_world import Desk, eventually, running


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def live(tmp_path):
    """In real time."""
    made = Desk(tmp_path, real_time=True)
    yield made
    made.store.close()


def queue(desk, *effects):
    with desk.store.store.transaction() as tx:
        for effect in effects:
            tx.enqueue(effect, desk.clock.now())


def lines(room, *texts, channel="slack"):
    return [Say(f"say/{channel}/{room}/{text}", 1, channel, room, text) for text in texts]


# the whole of a decision
async def test_a_decision_is_performed_on_every_channel_and_told(desk):
    desk.fires(runbooks=("reroute",))
    await desk.drain()
    assert [m.address for m in desk.slack.pages()] == ["U1"]
    assert [m.kind for m in desk.slack.new("C1")][:1] == ["card"]
    assert all(m.thread is not None for m in desk.slack.new("C1") if m.kind == "say")
    assert desk.incident().pages[0].status is PageStatus.DELIVERED
    assert [effect.runbook for effect in desk.started] == ["reroute"]
    assert [topic for topic, _, _ in desk.publisher.published] == ["fireline.incidents"]
    assert desk.backlog() == 0


async def test_a_message_that_is_known_is_edited_and_not_sent_again(desk):
    desk.fires()
    await desk.drain()
    desk.takes()
    await desk.drain()
    edits = [(m.kind, m.address, m.edit.ref) for m in desk.slack.came if m.edit is not None]
    assert {(kind, address) for kind, address, _ in edits} == {("card", "C1"), ("page", "U1")}
    assert all(set(ref) == {"id"} for _, _, ref in edits), "the channel gets back its own reference, nothing of ours"


# lanes
async def test_a_channel_that_hangs_delays_no_other_lane_and_keeps_the_order_of_its_own(live):
    live.fires()
    live.slack.hangs["U1"] = asyncio.Event()
    queue(live, *lines("U1", "first", "second"))
    async with running(live.performer(timeout=60.0)):
        await eventually(lambda: len(live.slack.new("C1")) >= 2 and bool(live.publisher.published))
        assert not live.slack.new("U1")
        live.slack.hangs["U1"].set()
        await eventually(lambda: len(live.slack.new("U1")) == 3)
    assert [m.kind for m in live.slack.new("U1")] == ["page", "say", "say"]
    assert [m.title for m in live.slack.new("U1")[1:]] == ["INC-1: first", "INC-1: second"]


async def test_a_channel_that_hangs_everywhere_delays_no_other_channel(live):
    """More of its lanes hang than effects are claimed at once, all of them older than the page on the other channel."""
    live.fires()
    release = asyncio.Event()
    rooms = [f"C-{n}" for n in range(2 * IN_FLIGHT + 2 * MOST_OF_A_CHANNEL)]
    live.slack.hangs.update(dict.fromkeys((*rooms, "U1", "C1"), release))
    queue(live, *(line for room in rooms for line in lines(room, "one", "two")))
    queue(live, *(line for each in range(3) for line in lines(f"{each}@x.example", "a", "b", channel="email")))
    async with running(live.performer(timeout=60.0)):
        await eventually(lambda: len(live.email.came) == 6)
        assert live.slack.came == [], "all of the other channel still hangs"
        assert len(live.slack.tried) < IN_FLIGHT + MOST_OF_A_CHANNEL, "and what is in flight of it is bounded"
        release.set()
        await eventually(lambda: live.backlog() == 0, within=60)
    for room in rooms:
        assert [m.title for m in live.slack.new(room)] == ["INC-1: one", "INC-1: two"]


async def test_what_is_queued_is_looked_for_every_moment(live, monkeypatch):
    """The benchmarks hold a page to its budget; a machine that runs tests may be busy."""
    pauses, sleep = [], live.clock.sleep

    async def noted(seconds):
        pauses.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(live.clock, "sleep", noted)
    async with running(live.performer()):
        for each in range(3):
            await asyncio.to_thread(live.fires, region=f"r{each}", service=f"s{each}")
            await eventually(lambda n=each: len(live.slack.pages()) > n)
            await eventually(lambda: live.backlog() == 0)
    assert max(pauses) <= POLL


# putting off, doubt, refusal
async def test_a_channels_retry_after_is_honoured_however_long_and_not_shortened(desk):
    queue(desk, *lines("C1", "later"))
    desk.slack.plans["C1"] = [RetryLater(300.0, "ratelimited")]
    await desk.drain()
    desk.clock.advance(299.9)
    await desk.drain()
    assert len(desk.slack.tried) == 1
    desk.clock.advance(0.1)
    await desk.drain()
    assert [m.title for m in desk.slack.came] == ["INC-1: later"]
    assert not desk.slack.came[0].resent, "the channel said that it did not arrive"


async def test_attempts_are_spaced_further_and_further_apart_up_to_a_bound(desk):
    desk.fires()
    desk.slack.plans["U1"] = [RetryLater(0.0, "overloaded")] * 8
    desk.email.plans["ann@x.example"] = [RetryLater(0.0, "overloaded")] * 100
    times = []
    desk.slack.before = lambda m: times.append(desk.clock.now()) if m.address == "U1" else None
    performer = desk.performer()
    while not desk.slack.pages():
        await desk.drain(performer)
        desk.clock.advance(0.25)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:5] == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0])
    assert max(gaps) == pytest.approx(10.0), "a page waits no longer than that"
    assert [backoff(n, 10.0) for n in (0, 1, 1000)] == [0.5, 1.0, 10.0]


async def test_what_may_have_arrived_is_sent_again_and_marked(desk):
    desk.fires()
    desk.slack.plans["U1"] = [Failed("connection dropped", unknown=True)]
    await desk.drain()
    assert desk.slack.pages() == []
    desk.clock.advance(1)
    await desk.drain()
    assert [m.resent for m in desk.slack.pages()] == [True]
    desk.takes()
    await desk.drain()
    assert not desk.slack.came[-1].resent, "an edit is no repetition"


async def test_a_channel_that_does_not_answer_in_time_may_have_delivered(desk):
    desk.fires()
    desk.slack.hangs["U1"] = asyncio.Event()
    await desk.performer(timeout=0.05).run_once()
    desk.slack.hangs.clear()
    desk.clock.advance(1)
    await desk.drain()
    assert [m.resent for m in desk.slack.pages()] == [True]


async def test_a_fault_of_a_channel_is_the_fault_of_one_effect(desk, caplog):
    desk.fires()
    desk.slack.plans["U1"] = [RuntimeError("a bug of a plugin")]
    await desk.drain()
    assert desk.slack.new("C1")
    desk.clock.advance(1)
    await desk.drain()
    assert len(desk.slack.pages()) == 1
    assert "a channel, publisher or run raised" in caplog.text


async def test_a_page_that_is_refused_goes_to_the_next_channel_and_person(desk):
    desk.fires()
    desk.slack.plans["U1"] = [Failed("user_not_found")]
    desk.email.plans["ann@x.example"] = [Failed("550")]
    await desk.drain()
    assert [m.address for m in desk.slack.pages()] == ["U2"]
    assert [(p.person, p.status) for p in desk.incident().pages] == [
        ("ann", PageStatus.EXHAUSTED),
        ("bob", PageStatus.DELIVERED),
    ]


async def test_a_channel_that_nobody_configured_is_a_refusal(desk):
    desk.fires()
    del desk.channels["slack"]
    await desk.drain()
    assert "Page 1 did not reach Ann Berg on slack: channel slack is not configured; trying email" in desk.texts()
    assert len(desk.email.pages()) == 1


async def test_a_page_that_waits_long_is_told_once_and_tried_elsewhere_beside_it(desk):
    desk.fires()
    desk.slack.plans["U1"] = [RetryLater(40.0, "ratelimited")] * 2
    await desk.drain()
    for _ in range(8):
        desk.clock.advance(10)
        await desk.drain()
    assert len(desk.email.pages()) == len(desk.slack.pages()) == 1
    assert len([t for t in desk.texts() if "Delivery pending on slack for Ann Berg" in t]) == 1


async def test_a_rate_limit_is_told_with_its_end(desk):
    desk.fires()
    desk.slack.plans["U1"] = [RetryLater(40.0, "ratelimited", limited=True)]
    desk.email.plans["ann@x.example"] = [RetryLater(40.0, "busy")]
    end = datetime.fromtimestamp(desk.clock.now() + 40, UTC).strftime("%H:%M:%S UTC")
    await desk.drain()
    told = [text for text in desk.texts() if "pending" in text]
    assert told == [
        f"Delivery pending on slack for Ann Berg: rate limited until {end}; trying email as well",
        f"Delivery pending on email for Ann Berg: busy; tried again {end}; still trying",
    ]


async def test_a_room_that_refuses_is_told_once_however_often_it_does(desk):
    desk.slack.plans["C1"] = [Failed("channel_not_found")] * 100
    desk.fires()
    desk.takes()
    desk.fires(region="us")
    await desk.drain()
    refused = [text for text in desk.texts() if "did not succeed" in text]
    assert sorted(refused) == [
        "A line on slack C1 did not succeed: channel_not_found",
        "The card on slack C1 did not succeed: channel_not_found",
    ]
    assert desk.backlog() == 0


async def test_doubt_ends_after_an_hour_for_everything_but_pages(desk):
    desk.fires()
    queue(desk, *lines("C9", "may have arrived"))
    doubt = Failed("no answer", unknown=True)
    desk.slack.plans["C9"], desk.slack.plans["U1"] = [doubt] * 2, [doubt] * 2
    await desk.drain()
    desk.clock.advance(GIVE_UP + 1)
    await desk.drain()
    desk.clock.advance(60)
    await desk.drain()
    assert desk.slack.new("C9") == []
    assert "A line on slack C9 did not succeed: no answer" in desk.texts()
    assert [m.resent for m in desk.slack.pages("U1")] == [True]


async def test_a_card_that_is_gone_is_shown_anew_and_a_page_that_is_gone_is_not(desk):
    desk.fires()
    await desk.drain()
    desk.slack.plans["C1"] = [Failed("message_not_found")]
    desk.slack.plans["U1"] = [Failed("message_not_found")]
    desk.takes()
    await desk.drain()
    assert len([m for m in desk.slack.new("C1") if m.kind == "card"]) == 2
    assert len(desk.slack.pages()) == 1
    desk.responder.handle(Resolve(1, "ann", "cli"))
    await desk.drain()
    assert [m.kind for m in desk.slack.came if m.address == "C1" and m.edit and m.edit.ref["id"] > 1] == ["card"]


# taken back
async def test_a_page_is_not_sent_once_somebody_took_it(desk):
    desk.fires()
    desk.takes()
    await desk.drain()
    assert desk.slack.pages() == []
    assert desk.backlog() == 0


async def test_a_page_in_hand_is_not_sent_once_somebody_took_it(desk):
    """Claimed by a process that died, so that it could not be taken back."""
    desk.fires()
    desk.store.claim_effects("dead", desk.clock.now(), LEASE, 100)
    desk.takes()
    desk.clock.advance(LEASE)
    await desk.drain()
    assert desk.slack.pages() == []


async def test_taking_it_stops_every_channel_whatever_they_are_at(desk):
    """One was put off for long, of one nobody knows: once somebody took it, neither is asked for the page again."""
    desk.fires()
    desk.slack.plans["U1"] = [RetryLater(40.0, "ratelimited", limited=True)]
    desk.email.plans["ann@x.example"] = [Failed("no answer", unknown=True)]
    await desk.drain()
    tried = len(desk.slack.tried), len(desk.email.tried)
    assert [m.kind for m in desk.email.tried] == ["page"]
    desk.takes()
    for _ in range(60):
        await desk.drain()
        desk.clock.advance(1.0)
    fresh = desk.slack.tried[tried[0] :] + desk.email.tried[tried[1] :]
    assert [m for m in fresh if m.kind == "page"] == []
    assert desk.slack.pages() == desk.email.pages() == []
    assert desk.backlog() == 0


# crashes
async def test_what_a_dead_process_had_in_hand_comes_again_marked(desk):
    desk.fires()
    desk.store.claim_effects("dead", desk.clock.now(), LEASE, 100)
    desk.clock.advance(LEASE - 0.1)
    await desk.drain()
    assert desk.slack.tried == []
    desk.clock.advance(0.1)
    await desk.drain()
    assert [m.resent for m in desk.slack.pages()] == [True]


async def test_a_page_that_arrived_and_could_not_be_reported_is_sent_no_more_and_reported_later(desk, monkeypatch):
    desk.fires()
    with monkeypatch.context() as broken:
        broken.setattr(desk.responder, "handle_in", lambda *_: 1 / 0)
        await desk.performer().run_once()
    assert len(desk.slack.pages()) == 1
    assert desk.incident().pages[0].status is PageStatus.SENDING
    desk.clock.advance(LEASE)
    await desk.drain()
    assert len(desk.slack.pages()) == 1
    assert desk.incident().pages[0].status is PageStatus.DELIVERED


async def test_a_stop_lets_what_is_in_flight_come_to_its_end(live):
    live.fires()
    release = asyncio.Event()
    deliver = live.slack.deliver

    async def slow(message):
        await release.wait()
        return await deliver(message)

    live.slack.deliver = slow
    stop = asyncio.Event()
    task = asyncio.create_task(live.performer().run(stop))
    await eventually(lambda: bool(live.publisher.published))
    stop.set()
    await asyncio.sleep(0.1)
    release.set()
    await asyncio.wait_for(task, 60)
    assert len(live.slack.pages()) == 1
    assert live.incident().pages[0].status is PageStatus.DELIVERED


# a database that is away
@pytest.mark.parametrize("what", ["claim_effects", "finish_effect", "next_due", "changed", "reading", "transaction"])
async def test_a_database_that_goes_away_at_any_point_loses_nothing_and_repeats_nothing(live, what):
    live.fires()
    live.store.away[what] = 2
    async with running(live.performer()):
        await eventually(lambda: live.backlog() == 0 and live.incident().pages[0].status is PageStatus.DELIVERED)
    assert len(live.slack.pages()) == 1
    assert len([m for m in live.slack.new("C1") if m.kind == "card"]) == 1
    assert len(live.publisher.published) == 1


async def test_what_a_channel_puts_off_while_the_database_is_away_is_put_off_all_the_same(live):
    queue(live, *lines("C1", "later"))
    live.slack.plans["C1"] = [RetryLater(0.1, "ratelimited")]
    live.store.away["postpone_effect"] = 2
    async with running(live.performer()):
        await eventually(lambda: live.backlog() == 0)
    assert [m.title for m in live.slack.came] == ["INC-1: later"]


# several performers
async def test_two_performers_never_send_anything_twice(live):
    rooms = [f"C-{n}" for n in range(20)]
    queue(live, *(line for room in rooms for line in lines(room, "one", "two", "three")))
    async with running(live.performer("one"), live.performer("two")):
        await eventually(lambda: live.backlog() == 0, within=120)
    for room in rooms:
        assert [m.title for m in live.slack.new(room)] == ["INC-1: one", "INC-1: two", "INC-1: three"]


# runs and Kafka
async def test_a_run_that_cannot_start_now_is_started_later_and_one_that_never_can_is_told(desk):
    desk.fires()
    queue(desk, StartRun("run/a", 1, "reroute"), StartRun("run/b", 1, "other"))
    outcomes = [
        RetryLater(5.0, "the database is busy"),
        Waiting(5.0, "a lock"),
        Failed("no such runbook"),
        Failed("no"),
    ]
    performer = desk.performer()
    tried = []

    async def start(effect):
        tried.append(effect.runbook)
        return outcomes.pop(0)

    performer._start_run = start
    for _ in range(5):
        await desk.drain(performer)
        desk.clock.advance(5)
    assert tried == ["reroute", "reroute", "reroute", "other"]
    assert "Starting reroute did not succeed: no such runbook" in desk.texts()


async def test_a_broker_that_is_away_is_waited_for_and_the_order_kept(desk):
    values = [Publish(f"p{n}", "fireline.incidents", "INC-1", {"n": n}) for n in range(3)]
    queue(desk, *values)
    failures = [Failed("no leader", unknown=True), RetryLater(1.0, "away")]

    class Flaky(MemoryPublisher):
        async def publish(self, topic, key, value):
            return failures.pop(0) if failures else await super().publish(topic, key, value)

    desk.publisher = Flaky()
    for _ in range(6):
        await desk.drain()
        desk.clock.advance(2)
    assert [value["n"] for _, _, value in desk.publisher.published] == [0, 1, 2]
