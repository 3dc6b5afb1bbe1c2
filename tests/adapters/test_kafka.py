"""Reaching Kafka: topics, a producer that comes back, the publisher of the outbox, and where logs end."""

import asyncio
import json
import logging
import time
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import KafkaError, KafkaException

from fireline.adapters.embedded_broker import PARTITIONS, EmbeddedBroker
from fireline.adapters.kafka import KafkaPublisher, Outgoing, Producer, Refused
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import LogEnds, LogNames
from fireline.adapters.kafka_logs import Sparing
from fireline.adapters.kafka_topics import Topic, ensure_topics, topic_generation, topics_of_fireline
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.ports import Unavailable
from tests.servers.ports import free_port


async def read_all(connection: Connection, topic: str, partition: int = 0) -> list[tuple[bytes | None, bytes | None]]:
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(**connection.for_aiokafka(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        found: list[tuple[bytes | None, bytes | None]] = []
        while await consumer.position(place) < end:
            found += [(r.key, r.value) for rs in (await consumer.getmany(timeout_ms=500)).values() for r in rs]
        return found
    finally:
        await consumer.stop()


def test_the_embedded_broker_has_four_partitions_and_a_name_for_each_start():
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.bootstrap.startswith("127.0.0.1:")
        assert one.generation != other.generation
        one.create(["a"])
        assert PARTITIONS == 4
        assert asyncio.run(_partitions(Connection(one.bootstrap, embedded=True), "a")) == PARTITIONS
    one.close()
    with pytest.raises(RuntimeError, match="closed"):
        one.create(["b"])


async def _partitions(connection: Connection, topic: str) -> int:
    producer = Producer(connection)
    try:
        return await producer.partitions(topic)
    finally:
        await producer.close()


async def test_what_is_sent_is_there_in_order_with_its_place(embedded_broker, embedded):
    embedded_broker.create(["t"])
    producer = Producer(embedded)
    places = await producer.send([Outgoing("t", b"%d" % i, key=b"k%d" % i, partition=i % 2) for i in range(6)])
    await producer.close()
    assert places == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    assert await read_all(embedded, "t", 1) == [(b"k1", b"1"), (b"k3", b"3"), (b"k5", b"5")]


async def test_a_record_that_no_broker_takes_is_refused_and_the_next_one_is_not(embedded_broker, embedded):
    embedded_broker.create(["t"])
    producer = Producer(embedded)
    with pytest.raises(Refused):
        await producer.send([Outgoing("t", b"fits", partition=0), Outgoing("t", b"x" * 2_000_000, partition=0)])
    assert await producer.send([Outgoing("t", b"next", partition=1)]) == [(1, 0)]
    await producer.close()


async def test_a_broker_that_is_away_is_unavailable(monkeypatch):
    producer = Producer(Connection(f"127.0.0.1:{free_port()}"))
    with pytest.raises(Unavailable):
        await producer.send([Outgoing("t", b"x")])
    ends = LogEnds(Connection(f"127.0.0.1:{free_port()}"))
    with pytest.raises(Unavailable):
        await ends.ends([("t", 0)])
    await producer.close()
    await ends.close()


async def test_the_publisher_tells_outcomes_and_never_raises(embedded_broker, embedded):
    embedded_broker.create(["fireline.routes"])
    publisher = KafkaPublisher(embedded)
    done = await publisher.publish("fireline.routes", "fraud", {"weights": {"primary": 100}})
    assert isinstance(done, Done)
    assert done.output["topic"] == "fireline.routes"
    assert isinstance(await publisher.publish("fireline.routes", "fraud", {"x": "y" * 2_000_000}), Failed)
    assert isinstance(await publisher.publish("no such name!", "fraud", {}), Failed)
    assert isinstance(await publisher.publish("fireline.routes", "fraud", {"x": object()}), Failed)
    await publisher.close()
    ((key, value),) = await read_all(embedded, "fireline.routes", int(str(done.output["partition"])))
    assert (key, json.loads(value or b"")) == (b"fraud", {"weights": {"primary": 100}})

    away = KafkaPublisher(Connection(f"127.0.0.1:{free_port()}"))
    assert isinstance(await away.publish("fireline.routes", "fraud", {}), RetryLater)
    await away.close()


def test_a_connection_says_the_same_to_each_library():
    plain = Connection("a:1, b:2")
    assert plain.for_aiokafka() == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}
    secured = Connection("a:1", protocol="SASL_SSL", mechanism="SCRAM-SHA-512", user="u", password="p")
    ours = secured.for_aiokafka()
    assert ours["sasl_mechanism"] == "SCRAM-SHA-512"
    assert ours["sasl_plain_password"] == "p"
    assert ours["ssl_context"] is not None
    assert secured.for_librdkafka()["sasl.password"] == "p"
    assert "password" not in repr(secured)


def test_the_same_complaint_is_heard_once_in_a_while():
    sparing = Sparing(every=10.0)

    def heard(text: str, at: float) -> bool:
        record = logging.LogRecord("aiokafka.conn", logging.ERROR, "", 0, text, ("127.0.0.1",), None)
        record.created = at
        return sparing.filter(record)

    assert [heard("away: %s", at) for at in (0.0, 0.1, 9.9, 10.0, 10.1)] == [True, False, False, True, False]
    assert heard("something else: %s", 10.1)


async def test_ends_and_beginnings_of_logs(embedded_broker, embedded):
    embedded_broker.create(["t"])
    producer = Producer(embedded)
    await producer.send([Outgoing("t", b"x", partition=2)] * 3)
    await producer.close()
    ends = LogEnds(embedded)
    assert await ends.ends([("t", p) for p in range(4)]) == {("t", 0): 0, ("t", 1): 0, ("t", 2): 3, ("t", 3): 0}
    assert await ends.beginnings([("t", 2)]) == {("t", 2): 0}
    assert await ends.ends([]) == {}
    await ends.close()


@pytest.mark.kafka
def test_topics_are_created_as_they_should_be_and_a_wrong_one_is_told(own_apache_kafka):
    connection = own_apache_kafka.connection
    assert ensure_topics(connection, topics_of_fireline(["fireline.metrics"], 3)) == []
    assert ensure_topics(connection, topics_of_fireline(["fireline.metrics"], 3)) == []
    assert asyncio.run(_partitions(connection, "fireline.metrics")) == 3
    assert ensure_topics(connection, [Topic("made-otherwise", 1)]) == []
    deadline, faults = time.monotonic() + 120, list[str]()
    while not faults and time.monotonic() < deadline:  # a broker may know the settings of what it just made a bit later
        faults = ensure_topics(connection, [Topic("made-otherwise", 1, compacted=True)])
    (fault,) = faults
    assert "cleanup.policy=delete" in fault
    (fault,) = ensure_topics(connection, [Topic("not a name", 1)])
    assert "cannot be created" in fault


@pytest.mark.kafka
def test_a_topic_that_was_deleted_and_made_again_has_another_generation(apache_kafka):
    connection = apache_kafka.connection
    ensure_topics(connection, [Topic("short-lived", 1)])
    before = topic_generation(connection, "short-lived")
    assert before == topic_generation(connection, "short-lived")
    apache_kafka.delete("short-lived")
    ensure_topics(connection, [Topic("short-lived", 1)])
    assert topic_generation(connection, "short-lived") not in {before, ""}


@pytest.mark.kafka
async def test_the_producer_comes_back_after_the_broker_does(own_apache_kafka):
    kafka = own_apache_kafka
    ensure_topics(kafka.connection, [Topic("t", 1)])
    producer = Producer(kafka.connection)
    await producer.send([Outgoing("t", b"before")])
    kafka.kill()
    sending = asyncio.create_task(_until_sent(producer, Outgoing("t", b"after")))
    await asyncio.sleep(1.0)
    await asyncio.to_thread(kafka.start)
    await sending
    await producer.close()
    values = [value for _, value in await read_all(kafka.connection, "t")]
    assert values[0] == b"before"
    assert set(values[1:]) == {b"after"}


async def _until_sent(producer: Producer, record: Outgoing) -> None:
    async with asyncio.timeout(300):  # the broker has to start first
        while True:
            try:
                await producer.send([record])
            except Unavailable:
                await asyncio.sleep(0.2)
            else:
                return


class _Unanswered:
    """The answer of a client that waits for a controller that is gone."""

    def result(self, within: float) -> object:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


async def test_a_client_without_an_answer_is_not_asked_for_the_names_of_logs_again(monkeypatch):
    made = []

    class Client:
        def __init__(self, words: object) -> None:
            made.append(self)
            self.dead = len(made) == 1

        def describe_topics(self, topics: object, **_: object) -> dict[str, object]:
            answer = SimpleNamespace(result=lambda _: SimpleNamespace(topic_id="x"))
            return {"t": _Unanswered() if self.dead else answer}

    monkeypatch.setattr("fireline.adapters.kafka_ends.AdminClient", Client)
    names = LogNames(Connection("127.0.0.1:1"))
    with pytest.raises(Unavailable):
        await names.names(["t"])
    assert [await names.names(["t"]) for _ in range(2)] == [{"t": "x"}] * 2
    assert len(made) == 2, "one that answers is kept"
