"""Where logs begin and end, and whether they are still the same ones.

Asked on connections of their own: the consumer that is watched is not the one to ask.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaError as Fault
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._topic import TopicDescription

from fireline.adapters.kafka_access import told
from fireline.adapters.kafka_clients import Life
from fireline.adapters.kafka_connection import Connection
from fireline.engine.ports import Unavailable

UNKNOWN = "unknown"
"""The id of every log on a broker that knows none."""
_WITHIN = 8.0
_LET_GO_WITHIN = 4.0


class LogEnds:
    """Asks for the first and the next offset of partitions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: Life[AIOKafkaConsumer] | None = None
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
            await client.stop(_LET_GO_WITHIN)

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
                why = await told(self._connection, fault)
                raise type(why)(f"Kafka did not tell where its logs end: {why}") from fault
        return {(tp.topic, tp.partition): offset for tp, offset in answer.items()}

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = Life(AIOKafkaConsumer(**self._connection.for_aiokafka(), client_id="fireline-ends"))
            self._client = client
            await client.start(_WITHIN)
        return self._client.client


class Asking:
    """A client of Kafka's that is kept from one question to the next, by one asker at a time.

    One that got no answer is not asked again: a client that knew a cluster may wait for ever for the controller of
    the cluster that took its place.
    """

    def __init__(self, connection: Connection) -> None:
        self._words = {
            **connection.for_librdkafka(),
            "log_level": 0,
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1000,
        }
        self._admin: AdminClient | None = None

    @contextmanager
    def admin(self) -> Iterator[AdminClient]:
        """The client, for one question; an exception means that it is of no more use."""
        admin, self._admin = self._admin or AdminClient(self._words), None
        yield admin
        self._admin = admin


class LogNames:
    """Asks which logs are behind topics: a topic that was made anew, or whose cluster was wiped, has another id."""

    def __init__(self, connection: Connection) -> None:
        self._asking, self._embedded = Asking(connection), connection.embedded

    async def names(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The id of each topic's log, empty for one that does not exist; raises `Unavailable`.

        All are alike on a broker too old to know ids, and on the embedded one.
        """
        return await asyncio.to_thread(self._ask, list(topics))

    def _ask(self, topics: list[str]) -> Mapping[str, str]:
        if self._embedded:
            return dict.fromkeys(topics, "embedded")
        with self._asking.admin() as admin:
            asked = admin.describe_topics(TopicCollection(topics), request_timeout=_WITHIN)
            return {topic: _named(topic, answer) for topic, answer in asked.items()}


def _named(topic: str, answer: Future[TopicDescription]) -> str:
    try:
        return str(answer.result(2 * _WITHIN).topic_id)
    except KafkaException as fault:
        if fault.args[0].code() in {Fault.UNKNOWN_TOPIC_OR_PART, Fault.UNKNOWN_TOPIC_ID}:
            return ""
        if fault.args[0].code() == Fault._UNSUPPORTED_FEATURE:
            return UNKNOWN
        raise Unavailable(f"Kafka did not describe {topic}: {fault}") from fault
    except TimeoutError as fault:
        raise Unavailable(f"Kafka did not describe {topic} in time") from fault
