"""Brokers for tests: the embedded one, and Apache Kafka (one KRaft node) in a process of its own."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from fireline.adapters.embedded_broker import EmbeddedBroker
from fireline.adapters.kafka_connection import Connection
from tests.servers.last_words import remember
from tests.servers.ports import free_port

REPOSITORY = Path(__file__).parent.parent.parent
JARS = REPOSITORY / ".tools" / "kafka"
PROPERTIES = REPOSITORY / "deploy" / "kafka" / "server.properties"
PATIENCE = 300.0
"""Seconds that a start or an end may take on a machine that has much else to do."""


class ApacheKafka:
    """One KRaft node on loopback that a test may stop, kill, pause and start again on the same ports and data.

    `listeners` are names and ports beside the plain one, `extra` more properties, `users` what SCRAM is to know.
    """

    def __init__(
        self,
        directory: Path,
        heap: str = "400m",
        *,
        listeners: Mapping[str, int] | None = None,
        extra: Mapping[str, str] | None = None,
        users: Sequence[str] = (),
    ) -> None:
        self.directory, self.heap = directory, heap
        self.port, self._controller_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.connection = Connection(self.bootstrap)
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = directory / "server.properties"
        named = {"PLAINTEXT": self.port, **(listeners or {})}
        advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in named.items())
        self._properties.write_text(
            PROPERTIES.read_text()
            + "".join(f"{name}={value}\n" for name, value in (extra or {}).items())
            + f"listeners={advertised},CONTROLLER://127.0.0.1:{self._controller_port}\n"
            + f"advertised.listeners={advertised}\n"
            + f"controller.quorum.voters=1@127.0.0.1:{self._controller_port}\n"
            + f"log.dirs={directory / 'data'}\n"
        )
        known = [word for user in users for word in ("--add-scram", user)]
        self._java("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._properties), *known)

    def start(self, within: float = PATIENCE) -> None:
        remember(f"Kafka at {self.bootstrap}", lambda: self.log()[-3000:])
        with (self.directory / "kafka.log").open("ab") as said:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", str(self._properties)), stdout=said, stderr=said, cwd=self.directory
            )
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended with {self._process.returncode}:\n{self.log()[-3000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"Kafka did not listen within {within:.0f} s:\n{self.log()[-3000:]}")

    def stop(self) -> None:
        """In good order."""
        self._signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._wait()

    def pause(self) -> None:
        """It hangs: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Lose all data, while it is stopped: the next start is another cluster on the same port."""
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        self._java("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._properties))

    def delete(self, topic: str) -> None:
        """Delete a topic and wait until it is gone."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        admin.delete_topics([topic], operation_timeout=60)[topic].result(90)
        while topic in admin.list_topics(timeout=60).topics:
            time.sleep(0.05)

    def log(self) -> str:
        return (self.directory / "kafka.log").read_text(errors="replace")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(PATIENCE)

    def _java(self, *words: str) -> None:
        done = subprocess.run(self._command(*words), capture_output=True, text=True, cwd=self.directory, check=False)
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def _command(self, main: str, *words: str) -> list[str]:
        options = [f"-Xmx{self.heap}", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return ["java", *options, *quiet, "-cp", f"{JARS}/*", main, *words]


def _cluster_id() -> str:
    return urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")


def start_apache_kafka(heap: str = "400m") -> ApacheKafka:
    """A started node in a new directory; the caller closes it and removes the directory."""
    if not JARS.is_dir() or shutil.which("java") is None:
        raise RuntimeError("Apache Kafka for tests is not installed: run `bash deploy/test-tools.sh`")
    kafka = ApacheKafka(Path(tempfile.mkdtemp(prefix="fireline-kafka-")), heap)
    try:
        kafka.start()
    except BaseException:
        kafka.close()
        raise
    return kafka


@contextmanager
def _running() -> Iterator[ApacheKafka]:
    kafka = start_apache_kafka()
    try:
        yield kafka
    finally:
        kafka.close()
        shutil.rmtree(kafka.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """Apache Kafka for the whole session: use topics and groups of your own, and leave it running."""
    with _running() as kafka:
        yield kafka


@pytest.fixture
def own_apache_kafka() -> Iterator[ApacheKafka]:
    """Apache Kafka of one test, to be stopped, killed, paused or wiped."""
    with _running() as kafka:
        yield kafka


@pytest.fixture
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def embedded(embedded_broker: EmbeddedBroker) -> Connection:
    """How to reach the embedded broker of this test."""
    return Connection(embedded_broker.bootstrap, embedded=True)
