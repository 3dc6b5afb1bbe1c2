"""Writing together: what comes while a transaction is under way waits for it anyway, and shares the next one.

On a database that takes one writer at a time each of them would wait for the disk by itself, and so would whoever
comes after them: a run that is to move traffic, behind the notes of pages that have arrived.
"""

import asyncio
import logging
from collections.abc import Callable

from fireline.engine.ports import Store, Transaction

LOG = logging.getLogger(__name__)

MOST = 5
"""So many share a transaction: others want their turn, too."""

Work = Callable[[Transaction], None]


class Together:
    """Does pieces of work in transactions, at least one piece in each; those that were asked for first come first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Work, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def do(self, work: Work) -> None:
        """Do it in a transaction, with or without others, and be done when that is committed.

        Raises what the work raised, and Unavailable or StaleVersion as `Store.transaction` does. The work may be done
        again after one that came to nothing.
        """
        if self._store.writes_at_once:
            await asyncio.to_thread(self._alone, work)
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="writes")
        await done

    async def _write(self) -> None:
        """Work off what waits. It ends only when nothing does, whoever asked is gone by then."""
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                for fault, (_, done) in zip(await asyncio.to_thread(self._done, some), some, strict=True):
                    if done.cancelled():
                        continue
                    if fault is None:
                        done.set_result(None)
                    else:
                        done.set_exception(fault)
        finally:
            self._writer = None

    def _done(self, some: list[tuple[Work, "asyncio.Future[None]"]]) -> list[Exception | None]:
        """What each of them raised: in one transaction, or each apart when one of them fails."""
        if len(some) > 1:
            try:
                with self._store.transaction() as tx:
                    for work, _ in some:
                        work(tx)
                return [None] * len(some)
            except Exception as fault:  # whose it is shows when each is done apart
                LOG.info("%d writes are done one by one: %s", len(some), fault)
        return [self._raised(work) for work, _ in some]

    def _raised(self, work: Work) -> Exception | None:
        try:
            self._alone(work)
        except Exception as fault:  # whoever asked for it hears of it
            return fault
        return None

    def _alone(self, work: Work) -> None:
        with self._store.transaction() as tx:
            work(tx)
