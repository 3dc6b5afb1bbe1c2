"""Handing signals on: in order, one at a time, each repeated until it was handled."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable

from fireline.domain.rules import Signal
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.watching import Claim

log = logging.getLogger("fireline.stream")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
ATTEMPTS = 20
"""How often a signal is tried that meets a fault of ours, about half a minute; then the others have their turn."""
MANY = 10_000
"""So many signals that wait, because the database is away, stop judging: what is not read stays in Kafka."""


class SignalLane:
    """Signals on their way to `on_signal`, which runs in a thread and may raise: then it is called again, later.

    Nothing overtakes. A checkpoint waits for `reached(lane.accepted)`, so a signal is derived again after a crash
    unless it was handled. `on_signal` is also given the claim on the partition a signal comes from. `counts` is how
    many were handled, by state and severity. A database that is away is waited for without end; a signal on which the
    deciding itself fails again and again is set aside (`aside` counts them), for it must not hold up all others.
    """

    def __init__(self, on_signal: Callable[[Signal, Claim | None], object]) -> None:
        self._on_signal = on_signal
        self._queue: deque[tuple[Signal, Claim | None]] = deque()
        self._arrived = asyncio.Event()
        self._progress = asyncio.Condition()
        self.accepted = 0
        self.handled = 0
        self.aside = 0
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def waiting(self) -> int:
        """Signals not handled yet."""
        return self.accepted - self.handled

    @property
    def full(self) -> bool:
        """Whether no more should be put for now; one that is put all the same is not lost."""
        return self.waiting >= MANY

    def put(self, signal: Signal, claim: Claim | None = None) -> None:
        """Accept a signal."""
        self._queue.append((signal, claim))
        self.accepted += 1
        self._arrived.set()

    async def reached(self, number: int) -> None:
        """Wait until the first `number` accepted signals were handled."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.handled >= number)

    async def run(self) -> None:
        """Handle signals until cancelled."""
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            done = await self._handle(*self._queue[0])
            signal, _ = self._queue.popleft()
            if done:
                self.counts[signal.state, signal.severity or ""] += 1
            else:
                self.aside += 1
            async with self._progress:
                self.handled += 1
                self._progress.notify_all()

    async def _handle(self, signal: Signal, claim: Claim | None) -> bool:
        """Whether it was handled in the end; False when it was set aside."""
        pause, faults = FIRST_PAUSE, 0
        while True:
            try:
                await asyncio.to_thread(self._on_signal, signal, claim)
            except Exception as fault:
                faults += not isinstance(fault, Unavailable | StaleVersion)
                if faults >= ATTEMPTS:
                    log.critical("nobody hears of this signal, for deciding on it failed: %r", signal, exc_info=fault)
                    return False
                log.warning("signal %s of %s not handled, again in %.1f s: %r", signal.id, signal.rule, pause, fault)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return True
