"""Faust, made to deliver batches: what its public settings do not offer, in one place.

Faust spends about 55 us on each message that it delivers, so it is given few: one message carries all records that a
poll returned of the topics of an agent. Offsets are ours: Faust is told what may be committed and where to resume,
because a finished message does not mean a finished chunk, and a checkpoint in the database wins over what Kafka
remembers. Every fact about Faust's inside that this file stands on has a test in
`tests/contracts/test_faust.py`.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types.transports import SchedulingStrategyT, TransportT
from yarl import URL

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka_connection import Connection

log = logging.getLogger(__name__)

_BEHIND = 0.25
"""How old, in seconds, a newest record is when a reader counts as being behind."""

_LONGEST_GATHERING = 1.0

_CLOCK = SystemClock()

Place = tuple[str, int]
"""A topic and a partition of it."""


class Record(Protocol):
    """One record as aiokafka's reader made it; `timestamp` in milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll returned of one partition, oldest first, never empty; `end` is the offset after the last."""

    topic: str
    partition: int
    records: Sequence[Record]

    @property
    def end(self) -> int:
        """The next offset to read."""
        return self.records[-1].offset + 1


class Positions(Protocol):
    """Who owns offsets. All methods are called in the worker's event loop."""

    async def resume(self, committed: Mapping[Place, int | None]) -> Mapping[Place, int]:
        """Where to go on for newly assigned partitions, which is told to those not in the answer by Kafka."""
        ...

    def committable(self, place: Place) -> int | None:
        """The offset that may be committed now, None for none."""
        ...

    def flowing(self, flows: bool) -> None:
        """Delivery stops (a rebalance, the end: whatever is at work should end soon) or goes on."""
        ...

    async def release(self) -> None:
        """Nothing is at work and the partitions are about to go: the last moment to save what belongs to them."""
        ...


class BatchScheduling(SchedulingStrategyT):
    """Replaces the polled records of an agent by one that carries them all, a list for each partition.

    `agents` names the agent of each topic; a topic without one is carried by itself.
    """

    def __init__(self, agents: Mapping[str, str] | None = None) -> None:
        self._agents = agents or {}

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """One carrier an agent, in the place of its last record: what follows from a poll can then be sent at once."""
        agents: dict[str, list[TP]] = {}
        for tp, found in records.items():
            if found:
                agents.setdefault(self._agents.get(tp.topic, tp.topic), []).append(tp)
        for tps in agents.values():
            yield tps[-1], _carrier([Batch(tp.topic, tp.partition, records[tp]) for tp in tps])


def _carrier(batches: Sequence[Batch]) -> ConsumerRecord[Any, Any]:
    """A record that has the place and the time of the last one, and all batches for its value."""
    at, last = batches[-1], batches[-1].records[-1]
    return ConsumerRecord(at.topic, at.partition, last.offset, last.timestamp, 0, None, batches, None, -1, -1, ())


class _AsRead(OrderedDict[Any, Any]):
    """What was fetched, by partition, whose records come as the client's reader made them.

    Making another object of each, with the topic and the sizes, takes the client longer than reading it.
    """

    def __setitem__(self, tp: Any, fetched: Any) -> None:
        unpacking = getattr(fetched, "_partition_records", None)  # a fetch that failed has none
        if unpacking is not None:
            unpacking._consumer_record = _as_read
        super().__setitem__(tp, fetched)


def _as_read(tp: Any, record: Any) -> Any:
    return record


class _Schema(faust.Schema[Any, Any]):
    """No decoding: a decode error inside Faust would acknowledge and lose the record."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


class _Thread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        """Faust fixes a wait of 1.5 s, in which a partition that joins the fetch late waits for the others."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _ours(self.app).fetch_wait_ms
        return consumer

    def close(self) -> None:
        """Faust would close the client in the thread of the app, while `on_thread_stop` does in this one."""

    async def share_anew(self) -> None:
        """Join the group again: when its leader does, all partitions that there are now are shared out."""
        consumer = self._ensure_consumer()
        await consumer._client.force_metadata_update()
        consumer._coordinator.request_rejoin()

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        """What the embedded broker has, gathered while its newest record is old.

        It answers a fetch with what one send of a producer brought, often a single record, however far a reader is
        behind; each poll then costs as much as one of thousands, and a slow machine never catches up.
        """
        if not isinstance(consumer._fetcher._records, _AsRead):
            consumer._fetcher._records = _AsRead(consumer._fetcher._records)
        fetch = super()._fetch_records
        polled = dict(await fetch(consumer, active_partitions, timeout, max_records))
        began = _CLOCK.now()
        while _ours(self.app).embedded and self.consumer.flow_active:
            left = began + _gathering(polled) - _CLOCK.now()
            room = (max_records or 0) - sum(map(len, polled.values()))
            if left <= 0 or room <= 0 or not (more := await fetch(consumer, active_partitions, left, room)):
                break
            for tp, records in more.items():
                polled.setdefault(tp, []).extend(records)
        return polled


def _gathering(polled: Mapping[TP, Sequence[Any]]) -> float:
    """For how many seconds more records should join these: a tenth of the age of the newest, none if that is young."""
    newest = max((records[-1].timestamp for records in polled.values()), default=None)
    if newest is None:
        return 0.0
    age = _CLOCK.now() - newest / 1000
    return min(age / 10, _LONGEST_GATHERING) if age > _BEHIND else 0.0


class BatchConsumer(Consumer):
    """Faust's consumer with offsets that are not its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.scheduler = BatchScheduling(_ours(self.app).agent_of)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        self._reading = _Thread(self, loop=self.loop, beacon=self.beacon)
        return self._reading

    def share_anew(self) -> None:
        """As `BatchApp.share_anew`."""
        asyncio.run_coroutine_threadsafe(self._reading.share_anew(), self._reading.thread_loop)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Faust takes the offsets inside a carrier for a gap; what may be committed is not derived from gaps here."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(tp for tp in self.assignment() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return _ours(self.app).positions.committable((tp.topic, tp.partition))

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called whenever partitions were assigned: seeks to where `Positions` says, else to what Kafka knows."""
        committed = await super().seek_to_committed()
        known = {(tp.topic, tp.partition): offset for tp, offset in committed.items()}
        resume = {TP(*place): offset for place, offset in (await _ours(self.app).positions.resume(known)).items()}
        if resume:
            await self.seek_wait(resume)
        # an aiokafka TopicPartition equals a TP, both being tuples; None says that Kafka knows none
        return {TP(*tp): resume.get(TP(*tp), at) for tp, at in committed.items()}

    async def verify_all_partitions_active(self) -> None:
        """Faust only logs what it finds here, and crashes where a position is unknown: our watchdog looks instead."""

    def stop_flow(self) -> None:
        """Before a rebalance and at the end."""
        super().stop_flow()
        _ours(self.app).positions.flowing(False)

    def resume_flow(self) -> None:
        """After a rebalance."""
        super().resume_flow()
        _ours(self.app).positions.flowing(True)


class _Transport(Transport):
    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


class BatchApp(faust.App):
    """A Faust app of one worker process that reads batches."""

    def __init__(self, group: str, connection: Connection, positions: Positions, **settings: Any) -> None:
        self.positions = positions
        self.agent_of: dict[str, str] = {}
        self.embedded = connection.embedded
        # the embedded broker does not wake a waiting fetch when data arrives
        self.fetch_wait_ms = 10 if connection.embedded else 25
        super().__init__(
            group,
            broker=[URL(f"kafka://{server}") for server in connection.servers],
            broker_credentials=_credentials(connection),
            ConsumerScheduler=BatchScheduling,
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=False,
            store="memory://",
            table_standby_replicas=0,
            consumer_auto_offset_reset="earliest",
            # after a crash this is how long partitions wait for a new owner; the embedded broker has one worker only
            broker_session_timeout=6.0 if connection.embedded else 10.0,
            broker_heartbeat_interval=2.0,
            broker_request_timeout=40.0,
            broker_max_poll_records=20_000,
            broker_commit_interval=1.0,
            broker_commit_livelock_soft_timeout=3600.0,
            stream_wait_empty=True,
            # about 20,000 records of 200 bytes: large batches are cheap ones; and few of them wait, being memory
            consumer_max_fetch_size=4 * 1024 * 1024,
            stream_buffer_maxsize=4,
            **settings,
        )
        self.on_partitions_revoked.connect(self._release)
        self.on_before_shutdown.connect(self._release)

    def share_anew(self) -> None:
        """Have the group share out the partitions that there are now; only its leader is heard."""
        assert isinstance(self.consumer, BatchConsumer)
        self.consumer.share_anew()

    async def _release(self, *_: Any, **__: Any) -> None:
        await self.positions.release()

    def _new_transport(self) -> TransportT:
        return _Transport(self.conf.broker_consumer, self)

    def deliver(self, name: str, topics: Sequence[str], handle: Callable[[Sequence[Batch]], Awaitable[None]]) -> None:
        """Give `handle` what each poll returned of the topics, one at a time. It must not raise: that would be lost."""
        self.agent_of.update(dict.fromkeys(topics, name))

        async def agent(stream: Any) -> None:
            async for event in stream.events():
                if event.message.generation_id != self.consumer_generation_id:
                    continue  # fetched before a rebalance that sought elsewhere
                await handle(event.message.value)

        self.agent(self.topic(*topics, schema=_Schema()), name=name)(agent)


def _ours(app: Any) -> BatchApp:
    """Faust types its parts against a protocol of its own; ours are only ever made by a `BatchApp`."""
    assert isinstance(app, BatchApp)
    return app


async def work(app: BatchApp) -> None:
    """Run the app's worker until SIGTERM or SIGINT; raises what crashed it."""
    worker = faust.Worker(
        app,
        loop=asyncio.get_running_loop(),
        quiet=True,
        override_logging=False,
        redirect_stdouts=False,
        loglevel="WARN",
    )
    worker.spinner = None
    try:
        await worker.start()
    finally:
        if worker._signal_stop_future is not None:
            await worker._signal_stop_future
        else:
            await worker.stop()
    if worker.crash_reason is not None:
        raise worker.crash_reason


def _credentials(connection: Connection) -> object | None:
    if connection.authenticated:
        return faust.SASLCredentials(
            username=connection.user,
            password=connection.password,
            mechanism=connection.mechanism or "PLAIN",
            ssl_context=connection.tls(),
        )
    return faust.SSLCredentials(connection.tls()) if connection.encrypted else None
