"""Putting records on Kafka: a producer that comes back by itself, and the publisher of the outbox on top of it."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)

from fireline.adapters.kafka_access import told
from fireline.adapters.kafka_clients import Life
from fireline.adapters.kafka_connection import Connection
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.engine.ports import Unavailable

log = logging.getLogger(__name__)

MAX_RECORD_BYTES = 1_000_000
"""What a broker with default settings accepts, less some room for headers and the batch's frame."""

_REFUSALS = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    UnsupportedForMessageFormatError,
)
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_ANSWER_WITHIN_MS = 10_000
_GIVE_UP_AFTER = 20.0
_TRY_AGAIN_AFTER = 2.0


class Refused(Exception):  # noqa: N818 - the broker's word on this record, not a fault of ours
    """The broker will never take this record: it is too large, or its topic cannot have such a name."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to put. `partition` None lets the key decide; `at_ms` None is the time of sending."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    at_ms: int | None = None


class Producer:
    """An idempotent producer that awaits all in-sync replicas, replaced by a new one after any failure.

    aiokafka's keeps raising OutOfOrderSequence once a sequence is broken, so a failed one is never used again. It
    belongs to the event loop of its first `send`.
    """

    def __init__(self, connection: Connection, *, client_id: str = "fireline", linger_ms: int = 0) -> None:
        self._connection = connection
        self._options = {"client_id": client_id, "linger_ms": linger_ms}
        self._current: Life[AIOKafkaProducer] | None = None
        self._starting = asyncio.Lock()
        self._burying: set[asyncio.Task[None]] = set()

    async def send(self, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Put the records and await the broker's word on each: their (partition, offset), in order.

        Raises `Unavailable` when it is not known that all arrived (some may have), `Refused` when one never will.
        """
        producer = await self._ready()
        try:
            async with asyncio.timeout(_GIVE_UP_AFTER):
                return await self._put(producer.client, records)
        except _REFUSALS as fault:
            raise Refused(f"{type(fault).__name__}: {fault}") from fault
        except (KafkaError, TimeoutError, OSError) as fault:
            self._bury(producer)
            raise Unavailable(f"Kafka did not confirm the records: {fault!r}") from fault

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; raises `Unavailable`."""
        producer = await self._ready()
        try:
            async with asyncio.timeout(_GIVE_UP_AFTER):
                return len(await producer.client.partitions_for(topic))
        except (KafkaError, TimeoutError, OSError) as fault:
            self._bury(producer)
            raise Unavailable(f"Kafka did not describe {topic}: {fault!r}") from fault

    async def close(self) -> None:
        """Let go of the connections."""
        if self._current is not None:
            self._bury(self._current)
        await asyncio.gather(*self._burying)

    async def _put(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[tuple[int, int]]:
        await self._know(producer, records)
        words = []
        try:
            for r in records:
                options = {"key": r.key, "partition": r.partition, "headers": list(r.headers), "timestamp_ms": r.at_ms}
                words.append(await producer.send(r.topic, r.value, **options))
        except BaseException:
            await asyncio.gather(*words, return_exceptions=True)
            raise
        answers = await asyncio.gather(*words)
        return [(answer.partition, answer.offset) for answer in answers]

    async def _know(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        """See that named partitions are known, before anything is sent: a topic just made shows them one by one."""
        wanted: dict[str, int] = {}
        for r in records:
            if r.partition is not None:
                wanted[r.topic] = max(r.partition, wanted.get(r.topic, 0))
        for topic, highest in wanted.items():
            if highest not in await producer.partitions_for(topic):
                raise UnknownTopicOrPartitionError(f"{topic}/{highest} is not known yet")

    async def _ready(self) -> Life[AIOKafkaProducer]:
        async with self._starting:
            if self._current is None:
                self._current = await self._start()
            return self._current

    async def _start(self) -> Life[AIOKafkaProducer]:
        producer = Life(
            AIOKafkaProducer(
                **self._connection.for_aiokafka(),
                **self._options,
                acks="all",
                enable_idempotence=True,
                max_request_size=MAX_RECORD_BYTES + 40_000,
                max_batch_size=256 * 1024,
                request_timeout_ms=_ANSWER_WITHIN_MS,
            )
        )
        try:
            await producer.start(_GIVE_UP_AFTER)
        except (KafkaError, TimeoutError, OSError) as fault:
            self._bury(producer)
            raise await told(self._connection, fault) from fault
        except asyncio.CancelledError:
            self._bury(producer)  # who waited had less patience: half a producer would keep its sockets for ever
            raise
        return producer

    def _bury(self, producer: Life[AIOKafkaProducer]) -> None:
        if self._current is producer:
            self._current = None
        task = asyncio.create_task(producer.stop(_TRY_AGAIN_AFTER))
        self._burying.add(task)
        task.add_done_callback(self._burying.discard)


class KafkaPublisher:
    """The outbox's way onto Kafka (`engine.outward.Publisher`): outcomes are values, nothing is raised."""

    def __init__(self, connection: Connection) -> None:
        self._producer = Producer(connection, client_id="fireline-publisher")

    async def publish(
        self, topic: str, key: str, value: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Outcome:
        """Put `value` as JSON under `key` and await the broker's word.

        A record whose fate is unknown is to be put again: readers of these topics keep the last of a key.
        """
        if not _TOPIC.fullmatch(topic):
            return Failed(f"{topic!r} cannot be a topic: letters, digits, dots, dashes and underscores, at most 249")
        try:
            shown = tuple((name, text.encode()) for name, text in (headers or {}).items())
            content = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
            record = Outgoing(topic, content, key=key.encode(), headers=shown)
            ((partition, offset),) = await self._producer.send([record])
        except (Refused, TypeError) as fault:
            return Failed(f"{topic}: {fault}")
        except Unavailable as fault:
            return RetryLater(_TRY_AGAIN_AFTER, str(fault))
        except Exception as fault:  # a fault inside the client must not end the process that performs effects
            log.exception("publishing to %s failed in a way nobody thought of", topic)
            return RetryLater(10 * _TRY_AGAIN_AFTER, repr(fault))
        return Done({"topic": topic, "partition": partition, "offset": offset})

    async def close(self) -> None:
        """Let go of the connections."""
        await self._producer.close()
