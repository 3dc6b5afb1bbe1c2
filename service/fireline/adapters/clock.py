"""Clocks: the only place that reads the time, sleeps or draws random names.

`FakeClock` moves when it is told to. Tests, rehearsals and stories run on it: fifteen minutes pass in milliseconds.
"""

import asyncio
import heapq
import itertools
import secrets
import threading
import time

SETTLE_ROUNDS = 20
"""Turns of the event loop given to woken tasks before fake time moves on."""


class SystemClock:
    """Wall time as it is, jumps and all; real waiting, real randomness."""

    @property
    def leapt(self) -> float:
        """Nothing: this clock does not know of its jumps."""
        return 0.0

    @property
    def doubted(self) -> float:
        """Nothing: every jump is believed."""
        return 0.0

    @property
    def sure(self) -> bool:
        """Always."""
        return True

    def witness(self, at: float) -> None:
        """Nothing comes of it."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; nothing or less yields once."""
        await asyncio.sleep(max(0.0, seconds))

    def token(self) -> str:
        """A name that nobody else draws or guesses: 128 random bits in hexadecimal."""
        return secrets.token_hex(16)


class FakeClock:
    """Time that stands still until `advance` or `run` moves it; names are counted, so that a test repeats itself."""

    def __init__(self, start: float = 1_763_683_200.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count(1)
        self._tokens = itertools.count(1)
        self._lock = threading.Lock()
        self.leapt = 0.0
        self.doubted = 0.0
        self.sure = True

    def now(self) -> float:
        """Fake seconds since the epoch."""
        return self._now

    def token(self) -> str:
        """`token-1`, `token-2`, ..."""
        return f"token-{next(self._tokens)}"

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of fake time have passed; nothing or less yields once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Move by `seconds` at once and wake who is due, the earliest first; they run when the loop gets its turn.

        May be called from any thread. A task that sleeps again counts from the new time: `run` is for those.
        """
        self._move(self._now + seconds)

    def witness(self, at: float) -> None:
        """Nothing comes of it: this clock is never wrong."""

    def leap(self, seconds: float) -> None:
        """Be set, forward or back: nobody is woken, and `leapt` tells it."""
        self._now += seconds
        self.leapt += seconds

    async def run(self, seconds: float) -> None:
        """Let `seconds` pass as they would: stop at each moment somebody wakes, and let them work before going on."""
        until = self._now + seconds
        await _settle()
        while (due := self.next_wake()) is not None and due <= until:
            self._move(max(due, self._now))
            await _settle()
        self._move(until)
        await _settle()

    def next_wake(self) -> float | None:
        """When the next sleeper is due; None when nobody sleeps."""
        with self._lock:
            self._forget_cancelled()
            return self._sleepers[0][0] if self._sleepers else None

    def _move(self, to: float) -> None:
        with self._lock:
            self._now = max(self._now, to)
            due = []
            while self._sleepers and self._sleepers[0][0] <= self._now:
                due.append(heapq.heappop(self._sleepers)[2])
        for woken in due:
            loop = woken.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, woken)

    def _forget_cancelled(self) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


async def _settle() -> None:
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)
