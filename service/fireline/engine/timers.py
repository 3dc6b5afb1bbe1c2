"""The sweeper: deadlines are rows in the database, and this hears them when they are due, never early.

Whoever wakes it (`Wakes`) only makes it punctual; a plain look every quarter of a second makes it sure. A deadline that
was claimed by a process that died is claimed again when the lease ends.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from fireline.domain.effects import Timer
from fireline.domain.incidents import TimerDue
from fireline.engine import silences
from fireline.engine.ports import Clock, StaleVersion, Store, Unavailable
from fireline.engine.respond import Responder

LOG = logging.getLogger(__name__)

LEASE = 5.0
"""Seconds that a claimed deadline is ours: for so long it waits when we die. Heard twice, it is decided on once."""
LOOK = 0.25
"""Seconds between two looks when nobody wakes us."""
SOON = 0.02
"""Seconds until the next look when something is due that could not be claimed."""
BEAT = 5.0
"""Seconds between two heartbeats in the facts."""
LIMIT = 10
"""So many are claimed at a time: no more than are heard long before the lease ends, also on a slow machine."""


class Wakes(Protocol):
    """Wakes the sweeper at a time it asked for."""

    def start(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Begin to wake."""
        ...

    def at(self, when: float) -> None:
        """Wake at `when` (seconds since the epoch)."""
        ...

    def close(self) -> None:
        """Stop waking."""
        ...


class Sweeper:
    """Hears deadlines. Several may run; the store gives each deadline to one of them.

    Deadlines of incidents go to the responder, those of runs to `run_due`, which is called in the event loop.
    """

    def __init__(
        self,
        store: Store,
        responder: Responder,
        clock: Clock,
        owner: str,
        *,
        wakes: Wakes | None = None,
        run_due: Callable[[Timer], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._responder = responder
        self._clock = clock
        self._owner = owner
        self._wakes = wakes
        self._run_due = run_due
        self._beat_at = 0.0

    async def run_once(self) -> int:
        """Hear what is due now; how many deadlines there were."""
        due = await asyncio.to_thread(self._store.claim_timers, self._owner, self._clock.now(), LEASE, LIMIT)
        for timer in due:
            await self._hear(timer)
        return len(due)

    async def run(self, stop: asyncio.Event) -> None:
        """Hear deadlines until `stop`. A database that is away is waited for: the rows are there when it is back."""
        woken = asyncio.Event()

        async def wake() -> None:
            woken.set()

        if self._wakes is not None:
            self._wakes.start(wake)
        try:
            while not stop.is_set():
                woken.clear()
                await _either(woken, stop, await self._sweep())
        finally:
            if self._wakes is not None:
                self._wakes.close()

    async def _sweep(self) -> float:
        """Hear what is due; seconds to wait until the next look, unless something wakes us."""
        try:
            heard = await self.run_once()
            await self._beat()
            due = await asyncio.to_thread(self._store.next_timer)
        except (Unavailable, StaleVersion) as fault:
            LOG.warning("deadlines cannot be read now: %s", fault)
            return LOOK
        if heard == LIMIT:
            return 0.0
        if due is not None and due <= self._clock.now():
            return 0.0 if heard else SOON  # it came due meanwhile; one that cannot be had is in somebody's hands
        if due is not None and self._wakes is not None:
            self._wakes.at(due)
        return LOOK

    async def _hear(self, timer: Timer) -> None:
        try:
            if timer.incident is not None:
                what = TimerDue(timer.incident, timer.kind, timer.key, timer.due_at)
                await asyncio.to_thread(self._responder.handle, what)
            elif timer.kind == silences.KIND:
                await asyncio.to_thread(silences.review, self._store, self._responder, timer)
            elif self._run_due is not None:
                await self._run_due(timer)
        except (Unavailable, StaleVersion) as fault:
            LOG.warning("%s comes again when its lease ends: %s", timer.key, fault)
        except Exception:
            LOG.exception("hearing %s failed; it comes again when its lease ends", timer.key)

    async def _beat(self) -> None:
        now = self._clock.now()
        if now - self._beat_at < BEAT:
            return
        self._beat_at = now

        def put() -> None:
            with self._store.transaction() as tx:
                tx.put_fact("heartbeat:timers", {"owner": self._owner, "at": now}, now)

        await asyncio.to_thread(put)


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Wait for one of two events, or for `seconds`."""
    waits = [asyncio.ensure_future(one.wait()), asyncio.ensure_future(other.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
