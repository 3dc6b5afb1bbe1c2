"""Wakes: "wake me at T", by APScheduler. It remembers nothing that matters: the deadlines are rows in the database.

APScheduler 3 is used where it is sound (`misfire_grace_time=None`, `coalesce`, one instance, memory only) and watched
where it is not: one exception while it looks for due jobs ends it without a word, so a job of its own beats every
second, and a timer of the event loop starts it anew when the beat is late.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from fireline.engine.ports import Clock

LOG = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between two beats; also the longest that a jump of the wall clock goes unnoticed."""
LATE = 5.0
"""Seconds without a beat after which the scheduler counts as dead."""
AGAIN = 0.1
"""Seconds until a wake that failed is repeated."""

Callback = Callable[[], Awaitable[None]]


class Wakes:
    """One scheduler a process. All methods belong to the thread of the event loop."""

    def __init__(self, clock: Clock, *, late: float = LATE) -> None:
        self._clock = clock
        self._late = late
        self._worker: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._scheduler: AsyncIOScheduler | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._beat_at = 0.0
        self._suspected = False
        self._wanted: float | None = None
        self.restarts = 0

    def start(self, callback: Callback) -> None:
        """Begin; `callback` is awaited at each wake, never twice at once. When it raises, it is woken again."""
        self._worker = asyncio.get_running_loop().create_task(self._work(callback))
        self._build()
        self._keep_watch()

    def at(self, when: float) -> None:
        """Wake at `when` (seconds since the epoch; the past means now). An earlier wake that is due stays."""
        if self._wanted is None or when < self._wanted:
            self._wanted = when
            self._schedule(when)

    @property
    def age(self) -> float:
        """Seconds since the last beat: for health checks."""
        return self._clock.now() - self._beat_at

    def close(self) -> None:
        """Stop waking."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None
        self._drop()

    def _build(self) -> None:
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        scheduler.add_listener(self._repeat, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        scheduler.add_job(self._beat, "interval", seconds=BEAT, id="beat")
        self._beat_at = self._clock.now()
        self._scheduler = scheduler
        scheduler.start()
        if self._wanted is not None:
            self._schedule(self._wanted)

    def _drop(self) -> None:
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        self._scheduler = None

    def _schedule(self, when: float) -> None:
        if self._scheduler is not None:
            run_date = datetime.fromtimestamp(when, UTC)
            self._scheduler.add_job(self._wake, "date", run_date=run_date, id="wake", replace_existing=True)

    async def _wake(self) -> None:
        """Only says so: what is woken works in a task of its own, which a new start of the scheduler leaves alone."""
        self._wanted = None
        self._due.set()

    async def _work(self, callback: Callback) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await callback()
            except Exception:
                LOG.exception("what was woken failed; it is woken again in %g s", AGAIN)
                self.at(self._clock.now() + AGAIN)

    async def _beat(self) -> None:
        self._beat_at = self._clock.now()

    def _repeat(self, event: Any) -> None:
        """The deadline is in the database still, so waking again is always right."""
        if event.job_id == "wake":
            self._wanted = None
            self.at(self._clock.now() + AGAIN)

    def _keep_watch(self) -> None:
        """A beat is late twice before it counts: after a blocked loop the scheduler has its turn first."""
        late = self.age > self._late
        if late and self._suspected:
            LOG.warning("the scheduler has not beaten for %.1f s: it is started anew", self.age)
            self.restarts += 1
            self._drop()
            self._build()
        self._suspected = late and not self._suspected
        self._watch = asyncio.get_running_loop().call_later(self._late / 4, self._keep_watch)
