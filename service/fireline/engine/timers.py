"""The sweeper: deadlines are rows in the database, and this hears them when they are due, never early.

Whoever wakes it (`Wakes`) only makes it punctual; a plain look every quarter of a second makes it sure. A deadline that
was claimed by a process that died is claimed again when the lease ends.

Deadlines of incidents have threads of their own, so that none waits behind deliveries: several where the database lets
several write at once, each for another incident; one where it does not, and there a few share one transaction. All
others run beside them, as some take long: after a change of silences every open incident is decided on anew.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from fireline.domain.effects import Timer
from fireline.domain.incidents import TimerDue
from fireline.engine import silences, stops
from fireline.engine.ports import Clock, StaleVersion, Store, Unavailable
from fireline.engine.respond import Responder

LOG = logging.getLogger(__name__)
T = TypeVar("T")
K = TypeVar("K", int, str)

LEASE = 5.0
"""Seconds that a claimed deadline is ours: for so long it waits when we die. Heard twice, it is decided on once."""
LOOK = 0.25
"""Seconds between two looks when nobody wakes us."""
SOON = 0.02
"""Seconds until the next look when something is due that could not be claimed."""
BEAT = 5.0
"""Seconds between two heartbeats in the facts."""
LIMIT = 10
"""Incidents whose deadlines are in hand at most: heard long before the lease ends, also on a slow machine."""
TOGETHER = 5
"""So many incidents share a transaction where one writes at a time: with more, somebody who acknowledges would wait."""

HANDS = 4
"""So many incidents are decided on at once where the database lets several write: more wait for each other anyway."""


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

    Deadlines of incidents go to the responder, `hands` incidents at once, those of one incident in the order they are
    due; others to `run_due`, which is called in the event loop.
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
        hands: int = 1,
    ) -> None:
        self._store = store
        self._responder = responder
        self._clock = clock
        self._owner = owner
        self._wakes = wakes
        self._run_due = run_due
        self._hands = hands
        self._threads = ThreadPoolExecutor(hands, "deadlines")
        self._deciding: dict[int, asyncio.Task[None]] = {}
        self._beside: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._beat_at = 0.0

    async def run_once(self) -> int:
        """Hear what is due now, to the end; how many deadlines there were."""
        due = await self._begin(LIMIT)
        while tasks := {*self._deciding.values(), *self._beside.values()}:
            await asyncio.wait(tasks)
        return due

    async def run(self, stop: asyncio.Event) -> None:
        """Hear deadlines until `stop`. A database that is away is waited for: the rows are there when it is back."""

        async def wake() -> None:
            self._woken.set()

        if self._wakes is not None:
            self._wakes.start(wake)
        try:
            while not stop.is_set():
                self._woken.clear()
                await _either(self._woken, stop, await self._sweep())
        finally:
            if self._wakes is not None:
                self._wakes.close()
            if tasks := {*self._deciding.values(), *self._beside.values()}:
                await asyncio.wait(tasks, timeout=LEASE)

    async def _sweep(self) -> float:
        """Begin to hear what is due; seconds to wait until the next look, unless something wakes us."""
        if self._full():
            return LOOK  # woken when there is room again
        room = LIMIT - len(self._deciding)
        try:
            begun = await self._begin(room)
            await self._beat()
            if self._full():
                return LOOK
            due = await self._in_thread(self._store.next_timer)
        except (Unavailable, StaleVersion) as fault:
            LOG.warning("deadlines cannot be read now: %s", fault)
            return LOOK
        if begun == room:
            return 0.0
        if due is not None and due <= self._clock.now():
            return 0.0 if begun else SOON  # it came due meanwhile; one that cannot be had is in somebody's hands
        if due is not None and self._wakes is not None:
            self._wakes.at(due)
        return LOOK

    def _full(self) -> bool:
        """Whether every hand has work and more waits: nothing is claimed then, lest leases end unheard."""
        return len(self._deciding) > self._hands

    async def _begin(self, room: int) -> int:
        """Claim deadlines and begin to hear them; how many were claimed.

        What is in hand still when its lease ends is not begun again, nor is anything else of that incident.
        """
        now = self._clock.now()
        due = await self._in_thread(lambda: self._store.claim_timers(self._owner, now, LEASE, room))
        of_incidents: dict[int, list[Timer]] = defaultdict(list)
        for timer in due:
            if timer.incident is None and timer.key not in self._beside:
                self._take(self._beside, [timer.key], self._hear(timer))
            elif timer.incident is not None and timer.incident not in self._deciding:
                of_incidents[timer.incident].append(timer)
        numbers, step = list(of_incidents), TOGETHER if self._hands == 1 else 1
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            self._take(self._deciding, some, self._decide([timer for each in some for timer in of_incidents[each]]))
        return len(due)

    def _take(self, where: dict[K, asyncio.Task[None]], keys: Sequence[K], work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)

        def ended(_task: asyncio.Task[None]) -> None:
            for key in keys:
                del where[key]
            if not self._full():
                self._woken.set()

        where.update(dict.fromkeys(keys, task))
        task.add_done_callback(ended)

    async def _decide(self, some: Sequence[Timer]) -> None:
        """Decide on deadlines of incidents: in one transaction, or each apart when one of them fails."""
        if len(some) == 1 or not await self._in_thread(lambda: self._together(some)):
            for timer in some:
                await self._hear(timer)

    def _together(self, some: Sequence[Timer]) -> bool:
        try:
            with self._store.transaction() as tx:
                for timer in some:
                    self._responder.handle_in(tx, _told(timer))
        except Exception as fault:  # whose it is shows when each is heard apart
            LOG.info("%d deadlines are heard one by one: %s", len(some), fault)
            return False
        return True

    async def _hear(self, timer: Timer) -> None:
        try:
            if timer.incident is not None:
                await self._in_thread(lambda: self._responder.handle(_told(timer)))
            elif timer.kind == silences.KIND:
                await asyncio.to_thread(silences.review, self._store, self._responder, timer)
            elif timer.kind == stops.KIND:
                await asyncio.to_thread(stops.tell, self._store, self._responder, timer)
            elif self._run_due is not None:
                await self._run_due(timer)
        except (Unavailable, StaleVersion) as fault:
            LOG.warning("%s comes again when its lease ends: %s", timer.key, fault)
        except Exception:
            LOG.exception("hearing %s failed; it comes again when its lease ends", timer.key)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _beat(self) -> None:
        now = self._clock.now()
        if now - self._beat_at < BEAT:
            return
        self._beat_at = now

        def put() -> None:
            with self._store.transaction() as tx:
                tx.put_fact("heartbeat:timers", {"owner": self._owner, "at": now}, now)

        await self._in_thread(put)


def _told(timer: Timer) -> TimerDue:
    assert timer.incident is not None
    return TimerDue(timer.incident, timer.kind, timer.key, timer.due_at)


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Wait for one of two events, or for `seconds`."""
    waits = [asyncio.ensure_future(one.wait()), asyncio.ensure_future(other.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
