"""One reader of the database for all who follow it: it keeps the route table and wakes streams at changes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from fireline.apps.web_table import Table, table_of
from fireline.domain.routes import Route
from fireline.engine.ports import Clock, Settings, Store, Unavailable

log = logging.getLogger(__name__)


class Changes:
    """Follows the store by asking cheaply and often. While it is away the last table stands, and `away` says why."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._seen: object = object()
        self._stored: tuple[Route, ...] = ()
        self._catalog = settings.current.catalog
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.table = table_of(self._catalog, ())
        self.away = ""
        self.count = 0
        self.closed = False

    async def start(self) -> None:
        """Read once, so that the first answer is right, and follow from then on."""
        await self._look()
        self._task = asyncio.create_task(self._follow(), name="changes")

    async def stop(self) -> None:
        """End the streams and stop reading."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def close(self) -> None:
        """Let every stream end at its next turn."""
        self.closed = True
        self._wake()

    async def _follow(self) -> None:
        every = 0.01 if self._store.changed_at_once else 0.02
        while not self.closed:
            await asyncio.sleep(every if not self.away else 0.5)
            await self._look()

    async def _look(self) -> None:
        try:
            changed = await self._news()
        except Unavailable as error:
            self.away = str(error) or "the database does not answer"
            return
        except Exception:  # whatever a driver raises, gateways keep their table and the loop its life
            log.exception("reading the route table failed")
            self.away = "the database could not be read"
            return
        self.away = ""
        catalog = self._settings.current.catalog
        if changed or catalog is not self._catalog:
            self._catalog = catalog
            self.table = table_of(catalog, self._stored)
            self._wake()

    async def _news(self) -> bool:
        """Read what changed; where the store answers at once, most looks need no thread."""
        if self._store.changed_at_once and self._store.changed() == self._seen:
            return False
        return await asyncio.to_thread(self._read)

    def _read(self) -> bool:
        seen = self._store.changed()
        if seen == self._seen:
            return False
        with self._store.reading() as tx:
            self._stored = tuple(tx.routes())
        self._seen = seen
        return True

    def _wake(self) -> None:
        self.count += 1
        self._woken.set()
        self._woken = asyncio.Event()

    async def _turn(self, patience: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), patience)

    async def tables(self, gone: Callable[[], bool] = lambda: False) -> AsyncIterator[tuple[Table, Table]]:
        """(before, now) pairs: at once from an empty table, then at each change of any route."""
        before = Table()
        while not self.closed and not gone():
            now = self.table
            if now.etag != before.etag:
                yield before, now
                before = now
            if self.table.etag == before.etag and not self.closed:
                await self._turn(15.0)

    async def counts(self) -> AsyncIterator[int]:
        """A number at every change of anything in the database."""
        before = -1
        while not self.closed:
            now = self.count
            if now != before:
                yield now
                before = now
            if self.count == before and not self.closed:
                await self._turn(15.0)
