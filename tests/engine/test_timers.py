"""Deadlines: never early, due ones after a downtime at once and once, whoever wakes the sweeper or does not."""

import asyncio

import pytest

from fireline.domain.effects import Timer
from fireline.engine.ports import StaleVersion
from fireline.engine.timers import BEAT, LEASE, Sweeper
from tests.engine.respond_world import Desk, eventually, running

LEVELS = [("ann", 0), ("bob", 1)]


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


def sweeper(desk, owner="one", **options):
    return Sweeper(desk.store, desk.responder, desk.clock, owner, **options)


def asked(desk):
    return [(page.person, page.level) for page in desk.incident().pages]


def arm(desk, *timers):
    with desk.store.store.transaction() as tx:
        for timer in timers:
            tx.arm(timer)


class Hearing:
    """Hears the deadlines that are no incident's, and when."""

    def __init__(self, clock, fault=None):
        self.clock, self.fault, self.heard = clock, fault, []

    async def __call__(self, timer):
        self.heard.append((timer.key, self.clock.now() - timer.due_at))
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault


async def test_a_deadline_is_never_heard_early(desk):
    desk.fires()
    desk.clock.advance(299.999)
    assert await sweeper(desk).run_once() == 0
    assert asked(desk) == LEVELS[:1]
    desk.clock.advance(0.001)
    assert await sweeper(desk).run_once() == 1
    assert asked(desk) == LEVELS


async def test_what_came_due_while_nothing_ran_is_heard_at_once_and_once(desk):
    desk.fires()
    desk.clock.advance(86_400)
    assert await sweeper(desk).run_once() == 1
    assert asked(desk) == LEVELS, "one level at a time: the second has its wait"
    assert await sweeper(desk, "two").run_once() == 0
    desk.clock.advance(299.9)
    assert await sweeper(desk).run_once() == 0


async def test_a_deadline_is_given_to_one_of_several_sweepers(desk):
    for each in range(5):
        desk.fires(service=f"s{each}")
    desk.clock.advance(300)
    heard = await asyncio.gather(*(sweeper(desk, f"s{n}").run_once() for n in range(4)))
    assert sum(heard) == 5


async def test_a_deadline_in_the_hands_of_a_dead_process_is_heard_when_its_lease_ends(desk):
    desk.fires()
    desk.clock.advance(300)
    assert len(desk.store.claim_timers("dead", desk.clock.now(), LEASE, 10)) == 1
    assert await sweeper(desk).run_once() == 0
    desk.clock.advance(LEASE)
    assert await sweeper(desk).run_once() == 1
    assert asked(desk) == LEVELS


async def test_a_deadline_that_no_longer_applies_is_heard_and_gone(desk):
    desk.fires()
    arm(desk, Timer("inc-99/escalate", desk.clock.now(), "escalate", incident=99))
    assert await sweeper(desk).run_once() == 1
    desk.clock.advance(LEASE)
    assert await sweeper(desk).run_once() == 0


@pytest.mark.parametrize("fault", [StaleVersion("busy"), RuntimeError("a fault of ours")])
async def test_a_deadline_that_could_not_be_heard_comes_again_and_delays_no_other(desk, fault):
    now = desk.clock.now()
    arm(desk, Timer("a", now, "lease"), Timer("b", now, "lease"))
    hearing = Hearing(desk.clock, fault)
    hears = sweeper(desk, run_due=hearing)
    assert await hears.run_once() == 2
    desk.clock.advance(LEASE)
    await hears.run_once()
    assert [key for key, _ in hearing.heard][:3] == ["a", "b", "a"]


async def test_the_most_overdue_is_heard_first(desk):
    now = desk.clock.now()
    arm(desk, *(Timer(f"t{n}", now - n, "lease") for n in range(5)))
    hearing = Hearing(desk.clock)
    await sweeper(desk, run_due=hearing).run_once()
    assert [key for key, _ in hearing.heard] == ["t4", "t3", "t2", "t1", "t0"]


class DeadWakes:
    """A scheduler that ended without a word."""

    def __init__(self):
        self.asked, self.closed = [], False

    def start(self, callback):
        self.callback = callback

    def at(self, when):
        self.asked.append(when)

    def close(self):
        self.closed = True


async def test_without_anybody_who_wakes_it_a_deadline_is_late_by_a_look_at_most(live):
    due = live.clock.now() + 0.4
    arm(live, Timer("t", due, "lease"))
    hearing, wakes = Hearing(live.clock), DeadWakes()
    async with running(sweeper(live, wakes=wakes, run_due=hearing)):
        await eventually(lambda: bool(hearing.heard))
    [(_, late)] = hearing.heard
    assert late >= 0
    assert wakes.closed


async def test_who_is_woken_looks_at_once(live, monkeypatch):
    monkeypatch.setattr("fireline.engine.timers.LOOK", 3600.0)
    wakes, hearing = DeadWakes(), Hearing(live.clock)
    far = live.clock.now() + 3600.0
    arm(live, Timer("far", far, "lease"))
    async with running(sweeper(live, wakes=wakes, run_due=hearing)):
        await eventually(lambda: bool(wakes.asked))
        assert wakes.asked[0] == far, "it asks to be woken for the next deadline"
        arm(live, Timer("t", live.clock.now(), "lease"))
        await asyncio.sleep(0.1)
        assert hearing.heard == []
        await wakes.callback()
        await eventually(lambda: bool(hearing.heard))


async def test_more_deadlines_than_fit_a_look_are_heard_without_a_pause(live, monkeypatch):
    monkeypatch.setattr("fireline.engine.timers.LIMIT", 10)
    monkeypatch.setattr("fireline.engine.timers.LOOK", 3600.0)
    arm(live, *(Timer(f"t{n}", live.clock.now(), "route_lease") for n in range(35)))

    async def hear(timer):
        with live.store.store.transaction() as tx:
            tx.disarm(timer.key)
        heard.append(timer.key)

    heard = []
    async with running(sweeper(live, run_due=hear)):
        await eventually(lambda: len(heard) == 35)
    assert len(set(heard)) == 35


@pytest.mark.parametrize("what", ["claim_timers", "next_timer", "transaction"])
async def test_a_database_that_is_away_is_waited_for(live, what):
    live.store.away[what] = 3
    hearing = Hearing(live.clock)
    async with running(sweeper(live, run_due=hearing)):
        arm(live, Timer("t", live.clock.now() + 0.1, "lease"))
        await eventually(lambda: bool(hearing.heard))


async def test_it_beats_so_that_others_see_it_live(desk):
    hears, began, beats = sweeper(desk), desk.clock.now(), []
    for seconds in (0, BEAT - 0.1, 0.1):
        desk.clock.advance(seconds)
        await hears._beat()
        with desk.store.reading() as tx:
            fact, at = tx.fact("heartbeat:timers")
        beats.append(at - began)
    assert beats == pytest.approx([0, 0, BEAT])
    assert fact["owner"] == "one"
