"""Woken at the deadline, never early, once; also after the scheduler died and after a callback failed."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from apscheduler.jobstores.memory import MemoryJobStore

from fireline.adapters.clock import SystemClock
from fireline.adapters.wakes import Wakes

CLOCK = SystemClock()
PATIENCE = 240.0
"""Seconds for what should happen soon."""
LONG = 3600.0
"""Seconds until what must not be waited for."""


class Woken:
    """Counts wakes, and can fail or dawdle."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.happened = asyncio.Event()
        self.failures = 0
        self.dawdle = 0.0

    async def __call__(self) -> None:
        self.at.append(CLOCK.now())
        self.happened.set()
        await asyncio.sleep(self.dawdle)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")

    async def wait(self) -> float:
        await asyncio.wait_for(self.happened.wait(), PATIENCE)
        self.happened.clear()
        return self.at[-1]


@pytest.fixture
async def woken() -> Woken:
    return Woken()


@pytest.fixture
async def wakes(woken: Woken) -> AsyncIterator[Wakes]:
    made = Wakes(CLOCK, late=1.5)
    made.start(woken)
    yield made
    made.close()
    await asyncio.sleep(0)


async def test_it_wakes_at_the_time_and_not_before(wakes: Wakes, woken: Woken) -> None:
    due = CLOCK.now() + 0.2
    wakes.at(due)
    assert await woken.wait() >= due
    await asyncio.sleep(0.1)
    assert len(woken.at) == 1


async def test_the_past_means_now(wakes: Wakes, woken: Woken) -> None:
    wakes.at(CLOCK.now() - LONG)
    await woken.wait()
    assert len(woken.at) == 1


async def test_an_earlier_deadline_wins_and_a_later_one_waits_its_turn(wakes: Wakes, woken: Woken) -> None:
    now = CLOCK.now()
    wakes.at(now + LONG)
    wakes.at(now + 0.2)
    wakes.at(now + 2 * LONG)
    assert await woken.wait() >= now + 0.2
    wakes.at(now + 0.4)
    assert await woken.wait() >= now + 0.4


async def test_a_blocked_loop_delays_a_wake_and_does_not_drop_it(wakes: Wakes, woken: Woken) -> None:
    wakes.at(CLOCK.now() + 0.05)
    time.sleep(1.6)
    await woken.wait()
    assert len(woken.at) == 1
    await asyncio.sleep(0.5)
    assert wakes.restarts == 0


async def test_a_failed_callback_is_woken_again(wakes: Wakes, woken: Woken, caplog: pytest.LogCaptureFixture) -> None:
    woken.failures = 1
    wakes.at(CLOCK.now())
    await woken.wait()
    await woken.wait()
    assert len(woken.at) == 2
    assert "the database is away" in caplog.text


async def test_a_deadline_that_comes_while_the_callback_is_busy_is_not_lost(wakes: Wakes, woken: Woken) -> None:
    woken.dawdle = 0.3
    wakes.at(CLOCK.now())
    first = await woken.wait()
    wakes.at(first + 0.05)
    assert await woken.wait() - first >= 0.29


async def test_a_scheduler_that_died_is_started_anew_with_its_deadline(
    wakes: Wakes, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.sleep(0.05)
    began, broken = CLOCK.now(), [True]
    get_due_jobs = MemoryJobStore.get_due_jobs

    def break_once(store: MemoryJobStore, now: object) -> object:
        if broken:
            broken.pop()
            raise RuntimeError("out of order")
        return get_due_jobs(store, now)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    monkeypatch.setattr(MemoryJobStore, "get_due_jobs", break_once)
    wakes.at(CLOCK.now() + 0.1)
    await woken.wait()
    assert wakes.restarts == 1
    age = wakes.age
    assert CLOCK.now() - age >= began, "it has beaten since"


async def test_a_closed_one_wakes_nobody(wakes: Wakes, woken: Woken) -> None:
    wakes.at(CLOCK.now() + 0.05)
    wakes.close()
    await asyncio.sleep(0.2)
    assert woken.at == []
