"""All of Fireline that speaks to Kafka, over every kind of proof that a broker may ask for, and with wrong ones."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

import pytest

from fireline.adapters.faust_batches import Batch, BatchApp, Place, work
from fireline.adapters.kafka import KafkaPublisher, Outgoing, Producer
from fireline.adapters.kafka_connection import Barred, Connection, unusable_files
from fireline.adapters.kafka_ends import LogEnds
from fireline.adapters.kafka_topics import Topic, ensure_topics, known_topics, topic_generation
from fireline.apps.replay import replay
from fireline.domain.outcomes import Done, RetryLater
from fireline.engine.ports import Unavailable
from tests.servers.kafka_secure import KEY_PASSWORD, NOBODY, PASSWORD, USER, Papers, SecureKafka
from tests.servers.ports import free_port

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    # Faust's own code warns of its own use of deprecated calls
    pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning"),
]

WAYS = {
    "tls": ("SSL", None),
    "tls, plain": ("SASL_SSL", "PLAIN"),
    "tls, scram": ("SASL_SSL", "SCRAM-SHA-512"),
    "scram": ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
    "client certificate": ("MUTUAL", None),
}
WRONG = "a-Wrong.password"


@pytest.mark.parametrize("way", WAYS)
async def test_all_that_speaks_to_kafka_works_over(way: str, secure_kafka: SecureKafka, tmp_path: Path):
    connection = secure_kafka.by(*WAYS[way])
    topic, recorded = (f"{name}-{tmp_path.name}" for name in ("events", "recorded"))
    assert await asyncio.to_thread(ensure_topics, connection, [Topic(topic, 2)]) == []
    assert topic in await asyncio.to_thread(known_topics, connection)
    assert len(await asyncio.to_thread(topic_generation, connection, topic)) > 8
    await _send(connection, topic)
    published = await _published(connection, topic)
    assert isinstance(published, Done), published
    ends = LogEnds(connection)
    assert sum((await ends.ends([(topic, 0), (topic, 1)])).values()) == 3
    await ends.close()
    recording = tmp_path / "slow.ndjson"
    recording.write_text(json.dumps({"type": "prediction", "service": "fraud", "latency_ms": 1, "ts": 1.0}) + "\n")
    assert (await replay(recording, connection, topic=recorded)).sent == 1
    assert sorted(await _read_by_faust(connection, topic, 3, tmp_path)) == [b"0", b"1", b'{"n":2}']


async def test_a_key_that_is_locked_is_opened_by_its_password(secure_kafka: SecureKafka):
    connection = secure_kafka.by("MUTUAL", key=secure_kafka.papers.locked_key, key_password=KEY_PASSWORD)
    await asyncio.to_thread(ensure_topics, connection, [Topic("none", 1)])
    assert await _ends_of(connection) == {("none", 0): 0}


FAULTS = {
    "wrong password, scram": (("SASL_SSL", "SCRAM-SHA-512"), {"password": WRONG}, "FIRELINE_KAFKA_PASSWORD"),
    "wrong password, plain": (("SASL_PLAINTEXT", "PLAIN"), {"password": WRONG}, "FIRELINE_KAFKA_PASSWORD"),
    "unknown user": (("SASL_SSL", "SCRAM-SHA-512"), {"user": "who"}, "user 'who' is not accepted by SCRAM-SHA-512"),
    "wrong authority": (("SSL",), {"ca": "other"}, "signed by nobody we trust"),
    "the system's authorities": (("SSL",), {"ca": None}, "FIRELINE_KAFKA_SSL_CA is to name"),
    "certificate that is over": (("EXPIRED",), {}, "certificate has expired; renew it"),
    "certificate of another host": (("ELSEWHERE",), {}, "not valid for '127.0.0.1'"),
    "plain text against TLS": (("SSL",), {"protocol": "PLAINTEXT"}, "may want TLS"),
    "TLS against plain text": (("SASL_PLAINTEXT",), {"protocol": "SASL_SSL", "ca": "right"}, "may speak no TLS"),
    "no user where one is asked": (("SASL_PLAINTEXT",), {"protocol": "PLAINTEXT"}, "or a user (SASL_PLAINTEXT)"),
    "a user where none is asked": (("SSL",), {"protocol": "SASL_SSL", "user": USER, "password": WRONG}, "asks for no"),
    "no client certificate": (("MUTUAL",), {"cert": None, "key": None}, "FIRELINE_KAFKA_SSL_CERT"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_wrong_is_said_and_never_the_password(
    fault: str, secure_kafka: SecureKafka, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    way, changes, said = FAULTS[fault]
    papers = secure_kafka.papers
    files = {"other": papers.other_ca, "right": papers.ca}
    changes = {name: files.get(str(value), value) if name == "ca" else value for name, value in changes.items()}
    connection = secure_kafka.by(*way, **changes)
    texts = [await _refusal(_send(connection, "t")), await _refusal(_ends_of(connection))]
    texts += [await _refusal(asyncio.to_thread(known_topics, connection))]
    published = await _published(connection, "t")
    assert isinstance(published, RetryLater), "it goes on as soon as somebody mended it"
    for text in (*texts, published.reason):
        assert said in text
        assert f"Kafka at 127.0.0.1:{secure_kafka.ports[way[0]]}" in text
    for secret in (WRONG, PASSWORD):
        assert secret not in caplog.text + repr((texts, published))


async def test_rights_that_are_missing_are_named(secure_kafka: SecureKafka):
    connection = secure_kafka.by("SASL_SSL", user=NOBODY)
    said = await _refusal(_send(connection, "fireline.metrics"))
    assert f"'{NOBODY}' may not write" in said
    assert "operate.md" in said
    (fault,) = await asyncio.to_thread(ensure_topics, connection, [Topic("new", 1)])
    assert "cannot be created: Authorization failed" in fault.replace("Topic a", "A")


async def test_a_broker_that_is_away_is_not_taken_for_one_that_refuses():
    connection = Connection(f"127.0.0.1:{free_port()}", protocol="SSL")
    with pytest.raises(Unavailable) as caught:
        await _ends_of(connection)
    assert not isinstance(caught.value, Barred)
    said = str(caught.value)
    assert "no answer" in said
    assert "Connect call failed" in said or "Connection refused" in said


def test_files_that_cannot_be_used_are_told(secure_kafka: SecureKafka, tmp_path: Path):
    papers, empty = secure_kafka.papers, tmp_path / "empty.pem"
    empty.write_text("nothing")

    def fault(**changes: object) -> str:
        return str(unusable_files(secure_kafka.by("MUTUAL", **changes)))

    assert fault() == "None"
    assert f"{empty} holds no certificates" in fault(ca=empty)
    assert "is not the key of" in fault(key=another_papers(tmp_path).key)
    assert "needs FIRELINE_KAFKA_SSL_KEY_PASSWORD" in fault(key=papers.locked_key)
    assert "cannot be used" in fault(key=papers.locked_key, key_password=WRONG)
    assert WRONG not in fault(key=papers.locked_key, key_password=WRONG)


def another_papers(directory: Path) -> Papers:
    papers = Papers(directory)
    papers.write()
    return papers


async def _send(connection: Connection, topic: str) -> None:
    producer = Producer(connection)
    try:
        await producer.send([Outgoing(topic, b"%d" % number, partition=number) for number in range(2)])
    finally:
        await producer.close()


async def _published(connection: Connection, topic: str) -> object:
    publisher = KafkaPublisher(connection)
    try:
        return await publisher.publish(topic, "key", {"n": 2})
    finally:
        await publisher.close()


async def _ends_of(connection: Connection) -> Mapping[Place, int]:
    ends = LogEnds(connection)
    try:
        return await ends.ends([("none", 0)])
    finally:
        await ends.close()


async def _refusal(doing: Awaitable[object]) -> str:
    with pytest.raises(Barred) as caught:
        await doing
    return str(caught.value)


class _FromTheBeginning:
    """Positions of a reader that keeps none."""

    async def resume(self, committed: Mapping[Place, int | None]) -> Mapping[Place, int]:
        return dict.fromkeys(committed, 0)

    def committable(self, place: Place) -> int | None:
        return None

    def flowing(self, flows: bool) -> None:
        pass

    async def release(self) -> None:
        pass


async def _read_by_faust(connection: Connection, topic: str, count: int, directory: Path) -> list[bytes | None]:
    app = BatchApp(f"group-{topic}", connection, _FromTheBeginning(), datadir=str(directory))
    found: list[bytes | None] = []
    enough = asyncio.Event()

    async def take(batches: Sequence[Batch]) -> None:
        found.extend(record.value for batch in batches for record in batch.records)
        if len(found) >= count:
            enough.set()

    async def end() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), 240)
        os.kill(os.getpid(), signal.SIGTERM)

    app.deliver("agent", [topic], take)
    ending = asyncio.create_task(end())
    await work(app)
    await ending
    return found
