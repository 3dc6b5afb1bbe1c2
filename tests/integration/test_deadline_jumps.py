"""The wall clock of a responder jumps by an hour: no deadline of that hour passes at once, and none is lost."""

import asyncio
import contextlib

import pytest

from fireline.adapters.clock_steady import SteadyClock
from fireline.apps.witnesses import follow_witness
from fireline.engine.timers import Sweeper
from tests.engine.respond_world import Desk, eventually

T = 1_763_683_200.0
HOUR = 3600.0
WAIT = 300.0
"""Seconds until the next level of the world's policy is asked."""


class Respond:
    """A responder on a machine whose wall clock anybody may set."""

    def __init__(self, desk: Desk) -> None:
        self.wall, self.steady, self.desk = T, 500.0, desk
        self.clock = SteadyClock(wall=lambda: self.wall, steady=lambda: self.steady, slept=lambda: 0.0)
        desk.clock = desk.responder._clock = self.clock
        self.sweeper = Sweeper(desk.store, desk.responder, self.clock, "one")

    async def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.wall, self.steady = self.wall + 1, self.steady + 1
            self.clock.now()
            if self.steady % 10 == 0:
                await self.desk.drain()
                await self.sweeper.run_once()

    def asked(self) -> int:
        return len(self.desk.incident().pages)


@pytest.fixture
async def respond(tmp_path):
    made = Respond(Desk(tmp_path))
    made.desk.fires()
    await made.passes(20)
    assert made.asked() == 1
    yield made
    made.desk.store.close()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_jump_that_is_taken_back_within_a_minute_escalates_nothing_early_and_nothing_late(respond, jump):
    respond.wall += jump
    await respond.passes(50)
    respond.wall -= jump
    await respond.passes(int(WAIT) - 90)
    assert respond.asked() == 1
    await respond.passes(40)
    assert respond.asked() == 2


async def test_a_jump_forward_that_lasts_is_one_step_of_escalation(respond):
    respond.wall += HOUR
    await respond.passes(50)
    assert respond.asked() == 1
    await respond.passes(30)
    assert respond.asked() == 2, "as after an hour in which it was away"
    await respond.passes(100)
    assert respond.asked() == 2, "and the next level has its time from then on"


async def test_a_jump_back_that_lasts_delays_a_deadline_to_twice_its_time_at_most(respond):
    respond.wall -= HOUR
    await respond.passes(2 * int(WAIT))
    assert respond.asked() == 2


async def test_the_stream_workers_time_speaks_against_a_jump(respond):
    respond.wall += HOUR
    asked: list[float] = []
    witness = respond.clock.witness
    respond.clock.witness = lambda at: (witness(at), asked.append(at))
    looking = asyncio.create_task(follow_witness(respond.desk.store.store, respond.clock, every=0.002))
    try:
        for _ in range(20):
            await respond.passes(10)
            with respond.desk.store.store.transaction() as tx:
                tx.put_fact("stream", {"clock_sure": True}, told := respond.clock.now() - 1)
            await eventually(lambda told=told: asked[-1:] == [told])
        assert respond.asked() == 1
        assert respond.clock.sure
        with respond.desk.store.store.transaction() as tx:
            tx.put_fact("stream", {"clock_sure": True}, respond.wall)
        await eventually(lambda: respond.clock.now() == respond.wall)  # and for it, when its records say so
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
