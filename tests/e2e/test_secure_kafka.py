"""From event to page where Kafka demands TLS and SCRAM, and what every process says when the proof is wrong."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import LogEnds
from fireline.adapters.kafka_topics import INCIDENTS
from tests.e2e.harness import Fireline, eventually
from tests.servers.kafka_secure import PASSWORD, USER, SecureKafka

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.timeout(1800)]

WRONG = "a-Wrong.password"


def settings(kafka: SecureKafka, password: str = PASSWORD) -> dict[str, str]:
    return {
        "FIRELINE_KAFKA": f"127.0.0.1:{kafka.ports['SASL_SSL']}",
        "FIRELINE_KAFKA_PROTOCOL": "SASL_SSL",
        "FIRELINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "FIRELINE_KAFKA_USER": USER,
        "FIRELINE_KAFKA_PASSWORD": password,
        "FIRELINE_KAFKA_SSL_CA": str(kafka.papers.ca),
    }


def slow_predictions(connection: Connection, count: int) -> None:
    producer = Producer({**connection.for_librdkafka(), "log_level": 0})
    for number in range(count):
        event = {"type": "prediction", "service": "fraud-scoring", "probe": "false", "latency_ms": 2500}
        producer.produce(
            "fireline.predictions",
            json.dumps({**event, "request_id": f"r{number}", "ts": time.time()}).encode(),
            f"r{number}",
        )
    assert producer.flush(120) == 0


def published(connection: Connection) -> int:
    async def ask() -> int:
        ends = LogEnds(connection)
        try:
            return (await ends.ends([(INCIDENTS, 0)]))[INCIDENTS, 0]
        finally:
            await ends.close()

    return asyncio.run(ask())


SHOWN = {
    "fireline_stream_events_total 60.0",
    "fireline_stream_lag_records{partition=0,topic=fireline.predictions} 0.0",
    "fireline_stream_lag_seconds{partition=0,topic=fireline.partials} 0.0",
    "fireline_stream_starts_total 1.0",
}
COUNTED = ("fireline_stream_rebalances_total ", "fireline_stream_producer_retries_total ")
"""How many there are is a matter of speed."""


def metrics(fireline: Fireline) -> set[str]:
    """The samples of /metrics, without the name of the one worker."""
    with urllib.request.urlopen(f"http://127.0.0.1:{fireline.port}/metrics", timeout=120) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {sample.name + shown(sample.labels) + f" {sample.value}" for family in families for sample in family.samples}


def shown(labels: Mapping[str, str]) -> str:
    kept = ",".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "worker")
    return f"{{{kept}}}" if kept else ""


def run(command: str, environment: dict[str, str]) -> tuple[int, str]:
    words = [sys.executable, "-m", "fireline.apps", command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def said_by_stream(environment: dict[str, str], log: Path) -> str:
    """What a stream worker says that is not let in: it goes on trying, until it is ended."""
    with log.open("wb") as file:
        words = [sys.executable, "-m", "fireline.apps", "stream"]
        process = subprocess.Popen(words, env=environment, stdout=file, stderr=file)
    try:
        mend = "user 'fireline' is not accepted by PLAIN; mend FIRELINE_KAFKA_USER"
        eventually("it says what to mend", lambda: mend in " ".join(log.read_text().split()), 15)
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(240)
    return log.read_text()


def test_an_event_becomes_a_page_over_tls_and_scram(tmp_path: Path, repository: Path, secure_kafka: SecureKafka):
    connection = secure_kafka.by("SASL_SSL", "SCRAM-SHA-512")
    with Fireline(tmp_path, repository, settings(secure_kafka)) as fireline:
        slow_predictions(connection, 60)

        def paged() -> bool:
            return any(a.state == "delivered" for i in fireline.incidents() for p in i.pages for a in p.attempts)

        eventually("somebody is paged", paged, 40)
        eventually("its worker shows what it read", lambda: metrics(fireline) >= SHOWN, 10)
        assert all(any(told.startswith(name) for told in metrics(fireline)) for name in COUNTED)
        outages = "fireline_stream_signals_total{severity=outage,state=firing} "
        eventually("and what it told", lambda: any(told.startswith(outages) for told in metrics(fireline)), 10)
        eventually("the incident is published", lambda: published(connection), 20)
        code, said = run("doctor", fireline.environment)
        assert f"Kafka at {connection.bootstrap} answers, all topics are there" in said, said
        wrong = {**fireline.environment, **settings(secure_kafka, WRONG), "FIRELINE_LOG_LEVEL": "debug"}
        code, said = run("doctor", wrong)
        assert code == 1
        assert "user 'fireline' is not accepted by SCRAM-SHA-512; mend FIRELINE_KAFKA_USER" in " ".join(said.split())
        wrong["FIRELINE_KAFKA_SASL_MECHANISM"] = "PLAIN"
        told = said_by_stream(wrong, tmp_path / "stream.log")
        assert WRONG not in said + told
    assert PASSWORD not in fireline.log.read_text()
