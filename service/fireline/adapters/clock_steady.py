"""A clock whose time does not jump when the machine's does (see ADR 7).

Time passes by the monotonic clock. A wall clock that is set by more than `TOLERANCE` is doubted: until something
confirms it, time goes on as if nothing had happened, so that no deadline passes and no window empties because a clock
was set. What confirms a jump at once: that the machine slept for so long, or that records or processes of others, which
have clocks of their own, tell times nearer to the new wall time than to ours (`witness`).
"""

import logging
import threading
import time
from collections.abc import Callable

from fireline.adapters.clock import SystemClock

log = logging.getLogger(__name__)

TOLERANCE = 2.0
"""Seconds that the wall clock may differ from the steady time and is simply followed."""
WITNESSED = 10.0
"""Seconds for which others must tell times nearer to a wall clock that went back, without one that speaks against it:
records that were written before it went back, or wait in a log, look the same."""
REMEMBERED = 60.0
"""Seconds for which a witness against a jump counts."""
HELD = 0.5
"""Seconds between two readings of the steady clock in which no other clock can be compared with it."""
READINGS = 10
"""Tries to read two clocks at one instant."""


def asleep() -> float:
    """For how many seconds the machine has slept since it started, as far as the system tells (Linux)."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if boot is None else time.clock_gettime(boot) - time.monotonic()


class SteadyClock(SystemClock):
    """Wall time that passes steadily and never goes back by itself. May be read in any thread.

    A forward jump that nobody confirms is believed after `patience` seconds; after one backward time then runs at half
    its pace until the wall clock has caught up. `patience` infinite: only witnesses count.
    """

    def __init__(
        self,
        patience: float = 60.0,
        *,
        wall: Callable[[], float] | None = None,
        steady: Callable[[], float] = time.monotonic,
        slept: Callable[[], float] = asleep,
    ) -> None:
        self._patience = patience
        self._wall = wall if wall is not None else super().now
        self._steady = steady
        self._slept = slept
        self._lock = threading.Lock()
        self._read_at, now = self._readings()
        self._base = now - self._read_at
        self._awake = slept()
        self._last = 0.0
        self._jump: float | None = None
        self._since = 0.0
        self._for_since: float | None = None
        self._against_at = float("-inf")
        self._leapt = 0.0

    @property
    def leapt(self) -> float:
        """Seconds by which the time was set since the start, back ones negative: they passed before nobody's eyes."""
        return self._leapt

    @property
    def doubted(self) -> float:
        """Seconds by which the wall clock differs from the time we go by, 0.0 when it is followed."""
        return self._jump or 0.0

    @property
    def sure(self) -> bool:
        """Whether others may go by this time: the wall clock did not jump, or somebody spoke against its jump."""
        return self._jump is None or self._steady() - self._against_at <= REMEMBERED

    def jumped(self) -> bool:
        """Whether the wall clock is doubted just now."""
        self.now()
        return self._jump is not None

    def now(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._now()

    def witness(self, at: float) -> None:
        """Take note of somebody else's time: that of a record that was just written, or of another process.

        It means something only while a jump is doubted.
        """
        with self._lock:
            ours = self._now()
            if self._jump is None:
                return
            if abs(at - ours) <= abs(at - (ours + self._jump)):
                self._against_at = self._since = self._steady()
                self._for_since = None
                return
            if self._for_since is None:
                self._for_since = self._steady()
            if self._jump > 0 or self._steady() - self._for_since >= WITNESSED:
                self._leap("times that others tell confirm it")

    def _now(self) -> float:
        steady, wall = self._readings()
        passed, self._read_at = steady - self._read_at, steady
        off = wall - (self._base + steady)
        if abs(off) <= TOLERANCE:
            self._follow(off)
        else:
            self._doubt(off, steady, passed)
        self._last = max(self._last, self._base + steady)
        return self._last

    def _readings(self) -> tuple[float, float]:
        """Both clocks at one instant: what was held up between the two (stopped, or behind others) reads again."""
        steady = self._steady()
        for _ in range(READINGS):
            wall, then = self._wall(), self._steady()
            if then - steady <= HELD:
                break
            steady = then
        return steady, wall

    def _follow(self, off: float) -> None:
        self._base += off
        self._awake = self._slept()
        if self._jump is not None:
            log.warning("the wall clock is back where it was; nothing was judged by its jump")
            self._jump = self._for_since = None

    def _doubt(self, off: float, steady: float, passed: float) -> None:
        if self._jump is None or abs(off - self._jump) > TOLERANCE + passed:
            self._since, self._for_since = steady, None
            way = "forward" if off > 0 else "back"
            log.warning("the wall clock jumped %s by %.1f s: time goes on without it until it is confirmed", way, off)
        self._jump = off
        if abs(off - (self._slept() - self._awake)) <= TOLERANCE:
            self._leap("the machine slept for so long")
        elif steady - self._since < self._patience:
            return
        elif off > 0:
            self._leap(f"nothing spoke against it for {self._patience:g} s")
        else:
            self._base -= min(passed / 2, -off)

    def _leap(self, why: str) -> None:
        """Believe the wall clock."""
        assert self._jump is not None
        log.warning("the time is set by %+.1f s: %s", self._jump, why)
        self._base += self._jump
        self._leapt += self._jump
        self._last = self._base + self._steady()
        self._awake = self._slept()
        self._jump = self._for_since = None
