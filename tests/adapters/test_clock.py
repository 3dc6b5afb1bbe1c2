"""Fake time passes in order and only when told; real time is real."""

import asyncio
import time

from fireline.adapters.clock import FakeClock, SystemClock
from fireline.engine.ports import Clock


async def test_the_system_clock_tells_the_time_and_waits() -> None:
    clock: Clock = SystemClock()
    before, now = time.time(), clock.now()
    assert before <= now <= time.time()
    started = time.monotonic()
    await clock.sleep(0.02)
    await clock.sleep(-5.0)
    assert time.monotonic() - started > 0.015


def test_system_tokens_do_not_repeat() -> None:
    clock = SystemClock()
    assert len({clock.token() for _ in range(1000)}) == 1000


def test_fake_time_stands_still_and_names_are_counted() -> None:
    clock: Clock = FakeClock(100.0)
    assert (clock.now(), clock.now()) == (100.0, 100.0)
    assert [clock.token(), clock.token()] == ["token-1", "token-2"]


async def test_advance_wakes_who_is_due_the_earliest_first() -> None:
    clock, woken = FakeClock(0.0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30.0, 10.0, 20.0, 90.0)]
    await asyncio.sleep(0)
    clock.advance(9.9)
    await clock.run(0.0)
    assert woken == []
    clock.advance(20.1)
    await asyncio.gather(*tasks[:3])
    assert woken == [10.0, 20.0, 30.0]
    assert not tasks[3].done()
    assert clock.next_wake() == 90.0
    tasks[3].cancel()
    await asyncio.sleep(0)
    assert clock.next_wake() is None


async def test_run_stops_at_each_wake_so_that_loops_keep_their_beat() -> None:
    clock, seen = FakeClock(0.0), []

    async def beat(every: float) -> None:
        while True:
            await clock.sleep(every)
            seen.append((clock.now(), every))

    tasks = [asyncio.create_task(beat(every)) for every in (10.0, 15.0)]
    await clock.run(30.0)
    assert seen == [(10.0, 10.0), (15.0, 15.0), (20.0, 10.0), (30.0, 15.0), (30.0, 10.0)]
    assert clock.now() == 30.0
    for task in tasks:
        task.cancel()


async def test_fifteen_minutes_pass_at_once() -> None:
    clock = FakeClock(0.0)
    waiting = asyncio.create_task(clock.sleep(900.0))
    async with asyncio.timeout(240):  # fifteen minutes they are not
        await clock.run(900.0)
    assert waiting.done()


async def test_sleeping_for_nothing_lets_others_run() -> None:
    clock, ran = FakeClock(0.0), []
    other = asyncio.create_task(asyncio.sleep(0, ran.append("other")))
    await clock.sleep(0.0)
    await other
    assert ran == ["other"]


async def test_advance_from_another_thread_wakes_this_loop() -> None:
    clock = FakeClock(0.0)
    waiting = asyncio.create_task(clock.sleep(5.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(clock.advance, 5.0)
    await asyncio.wait_for(waiting, 60)
