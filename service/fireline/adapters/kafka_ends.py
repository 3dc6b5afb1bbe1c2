"""Where logs begin and end, asked on a connection of its own: the consumer that is watched is not the one to ask."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from fireline.adapters.kafka_connection import Connection
from fireline.engine.ports import Unavailable

_WITHIN = 8.0


class LogEnds:
    """Asks for the first and the next offset of partitions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def ends(self, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The offset the next record of each partition will get; raises `Unavailable`."""
        return await self._ask("end_offsets", places)

    async def beginnings(self, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The offset of the oldest record kept of each partition; raises `Unavailable`."""
        return await self._ask("beginning_offsets", places)

    async def close(self) -> None:
        """Let go of the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(client.stop(), _WITHIN)

    async def _ask(self, question: str, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        asked = [TopicPartition(*place) for place in places]
        if not asked:
            return {}
        async with self._turn:
            try:
                async with asyncio.timeout(_WITHIN):
                    client = await self._connected()
                    answer = await getattr(client, question)(asked)
            except (KafkaError, TimeoutError, OSError) as fault:
                await self.close()
                raise Unavailable(f"Kafka did not tell where its logs end: {fault!r}") from fault
        return {(tp.topic, tp.partition): offset for tp, offset in answer.items()}

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = AIOKafkaConsumer(**self._connection.for_aiokafka(), client_id="fireline-ends")
            self._client = client
            await client.start()
        return self._client
