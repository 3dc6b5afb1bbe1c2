"""Starting and stopping clients of aiokafka without leaving a connection behind.

aiokafka forgets its first connection where `start` is cancelled in the middle of it, and all of them where `stop` is.
So neither is: who has waited long enough goes on, and what was begun is ended beside it.
"""

import asyncio
import contextlib
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

C = TypeVar("C", AIOKafkaProducer, AIOKafkaConsumer)


class Life(Generic[C]):
    """Of one client: `client` is to be used once `start` has returned, and until `stop`."""

    def __init__(self, client: C) -> None:
        self.client = client
        self._begun: asyncio.Task[None] | None = None

    async def start(self, within: float) -> None:
        """Start it; raises what aiokafka raises, or TimeoutError after `within` seconds."""
        self._begun = asyncio.create_task(self.client.start())
        async with asyncio.timeout(within):
            await asyncio.shield(self._begun)

    async def stop(self, within: float) -> None:
        """Stop it, started or not. Each part of it has `within` seconds, then it is cut off; nothing is raised."""
        ending = asyncio.create_task(self._stop(within))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(ending)

    async def _stop(self, within: float) -> None:
        if self._begun is not None:
            await _ended(self._begun, within)
        stopping = asyncio.create_task(self.client.stop())
        await asyncio.wait({stopping}, timeout=within)
        with contextlib.suppress(KafkaError, TimeoutError, OSError):  # what waits for an answer hears that none comes
            await asyncio.wait_for(_connections(self.client).close(), within)
        for connection in [*_connections(self.client)._conns.values()]:  # left where that took longer than it may
            connection.close()
        await _ended(stopping, within)


async def _ended(task: asyncio.Task[None], within: float) -> None:
    """Wait for the end of it, however it ends, and make one after a while."""
    await asyncio.wait({task}, timeout=within)
    if not task.done():
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _connections(client: AIOKafkaProducer | AIOKafkaConsumer) -> AIOKafkaClient:
    return client.client if isinstance(client, AIOKafkaProducer) else client._client
