"""A whole Fireline of real processes for tests: `fireline up` on free ports and a database of its own."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer

from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.web_health import STREAM_FACT
from fireline.domain.incidents import Incident
from fireline.domain.routes import Route
from fireline.domain.runbooks import Run

PATIENCE = 4.0
"""How many times as long as a test expects is waited: machines are shared, and only what fails takes that long."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: str, found: Callable[[], object], seconds: float = 30.0, every: float = 0.1) -> object:
    """The first truthy answer of `found`; fails naming `what` when there is none in time."""
    end = time.monotonic() + PATIENCE * seconds
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def patient(source: Path, target: Path) -> Path:
    """A copy of the runbooks whose verification waits longer: a killed worker takes a while on a busy machine."""
    shutil.copytree(source, target)
    book = target / "route-to-fallback.yaml"
    text = book.read_text()
    hasty = "verify_within: {type: string, default: 30s}"
    assert hasty in text
    text = re.sub(r"(?m)^reviewed: .*$", f"reviewed: {datetime.now(UTC).date()}", text)  # not due, whenever this runs
    book.write_text(text.replace(hasty, hasty.replace("30s", "100s")))
    return target


class Fireline:
    """`fireline up` and a look into its database."""

    def __init__(
        self, home: Path, repository: Path, environment: Mapping[str, str] | None = None, settle: str = "4s"
    ) -> None:
        self.home = home
        rules = home / "rules"
        shutil.copytree(repository / "rules", rules)
        severities = rules / "severities.yaml"
        severities.write_text(severities.read_text().replace("settle: 60s", f"settle: {settle}"))
        self.port = free_port()
        self.database = f"sqlite:///{home / 'fireline.db'}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("FIRELINE_")},
            "FIRELINE_DATABASE": self.database,
            "FIRELINE_STATE_DIR": str(home),
            "FIRELINE_WEB_PORT": str(self.port),
            "FIRELINE_RULES": str(rules),
            "FIRELINE_RUNBOOKS": str(patient(repository / "runbooks", home / "patient-runbooks")),
            **(environment or {}),
        }
        if "FIRELINE_DATABASE" in (environment or {}):
            self.database = self.environment["FIRELINE_DATABASE"]
        self.log = home / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._store: DatabaseStore | None = None
        self._producer: Producer | None = None

    def __enter__(self) -> "Fireline":
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fireline.apps", "up"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually("all roles run", lambda: len(self.roles()) == 3, 30)
            self._store = open_store(self.database)
            eventually("the stream worker says that it runs", self.streaming, 45)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._store is not None:
            self._store.close()
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    @property
    def store(self) -> DatabaseStore:
        assert self._store is not None
        return self._store

    def audited(self) -> str:
        """What `fireline audit verify` says; raises when it finds damage."""
        command = [sys.executable, "-m", "fireline.apps", "audit", "verify"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def roles(self) -> dict[str, int]:
        """The running roles and their process ids."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(
                f"`fireline up` ended with {self._process.returncode}:\n{self.log.read_text()[-4000:]}"
            )
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if parent == self._process.pid and b"fireline.apps" in words:
                    found[words[words.index(b"fireline.apps") + 1].decode()] = int(entry.name)
        return found

    def kill(self, role: str) -> int:
        """kill -9 of a role; its process id."""
        pid = self.roles()[role]
        os.kill(pid, signal.SIGKILL)
        return pid

    def streaming(self) -> bool:
        with self.store.reading() as tx:
            return tx.fact(STREAM_FACT) is not None

    @property
    def bootstrap(self) -> str:
        with self.store.reading() as tx:
            fact = tx.fact(BROKER_FACT)
        assert fact is not None
        return str(fact[0]["bootstrap"])

    def produce(self, topic: str, key: str, value: bytes) -> None:
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, "linger.ms": 1})
        self._producer.produce(topic, value, key)
        self._producer.poll(0)

    def flush(self) -> None:
        if self._producer is not None:
            self._producer.flush(10)

    def runs(self) -> list[Run]:
        with self.store.reading() as tx:
            return list(tx.runs())

    def route(self, service: str) -> Route | None:
        with self.store.reading() as tx:
            return tx.route(service)

    def incidents(self) -> list[Incident]:
        with self.store.reading() as tx:
            return list(tx.incidents())


class Gateway:
    """The model gateway of the demo as a process of its own: real requests, real events, routes followed over OFREP."""

    def __init__(
        self, fireline: Fireline, *, rate: float = 100, break_after: float = 4, heal_after: float = 12
    ) -> None:
        self._command = [sys.executable, "-m", "fireline.apps.gateway", "--kafka", fireline.bootstrap]
        self._command += ["--fireline", f"http://127.0.0.1:{fireline.port}", "--rate", str(rate)]
        self._command += ["--break-after", str(break_after), "--heal-after", str(heal_after)]
        self._environment = fireline.environment
        self._log = fireline.home / "gateway.log"

    def __enter__(self) -> "Gateway":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
