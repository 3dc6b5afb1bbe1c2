"""A whole Fireline of real processes for tests: `fireline up` on free ports and a database of its own."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

from confluent_kafka import Producer

from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.up import ROLES
from fireline.apps.web_health import RESPOND_FACT, STREAM_FACT
from fireline.domain.incidents import Incident
from fireline.domain.routes import Route
from fireline.domain.runbooks import Run
from fireline.engine.ports import Unavailable
from tests.servers.last_words import remember, tail
from tests.servers.ports import free_port

PATIENCE = 4.0
"""How many times as long as a test expects is waited: machines are shared, and only what fails takes that long."""
LEAST = 240.0
"""Seconds that are waited at least."""


def eventually(what: str, found: Callable[[], object], seconds: float = 30.0, every: float = 0.1) -> object:
    """The first truthy answer of `found`; fails naming `what`, and saying how things stand, when there is none in time.

    A server or a database that does not answer yet, and something that is not there yet, are waited for as well.
    """
    limit, fault = max(LEAST, PATIENCE * seconds), None
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            answer = found()
        except (OSError, HTTPException, LookupError, Unavailable) as now:
            fault = now
        else:
            if answer:
                return answer
        time.sleep(every)
    stand = "\n".join(fireline.standing() for fireline in Fireline.running)
    raise AssertionError(f"not within {limit:.0f} s: {what} (last fault: {fault!r})\n{stand}")


def put(path: Path, text: str) -> None:
    """Write a file as a whole: nobody ever sees half of it."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def patient(source: Path, target: Path) -> Path:
    """A copy of the runbooks whose verification waits longer: a killed worker takes a while on a busy machine."""
    shutil.copytree(source, target)
    book = target / "route-to-fallback.yaml"
    text = book.read_text()
    hasty = "verify_within: {type: string, default: 30s}"
    assert hasty in text
    text = re.sub(r"(?m)^reviewed: .*$", f"reviewed: {datetime.now(UTC).date()}", text)  # not due, whenever this runs
    book.write_text(text.replace(hasty, hasty.replace("30s", "600s")))
    return target


class Fireline:
    """`fireline up` and a look into its database."""

    running: ClassVar[list["Fireline"]] = []

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
            "FIRELINE_BLIND_AFTER": "600",  # a slow machine is none of what these tests are about
            "FIRELINE_STALL_AFTER": "600",
            **(environment or {}),
        }
        if "FIRELINE_DATABASE" in (environment or {}):
            self.database = self.environment["FIRELINE_DATABASE"]
        self.log = home / "up.log"
        self._began = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._store: DatabaseStore | None = None
        self._producer: Producer | None = None

    def __enter__(self) -> "Fireline":
        remember(f"the log of {self.home.name}", lambda: tail(self.log))
        self._began = time.time()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fireline.apps", "up"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually("all roles run", lambda: len(self.roles()) == len(ROLES), 30)
            self._store = open_store(self.database)
            self.running.append(self)
            eventually("each role is at work", self.at_work, 200)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self in self.running:
            self.running.remove(self)
        if self._store is not None:
            self._store.close()
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)

    @property
    def store(self) -> DatabaseStore:
        assert self._store is not None
        return self._store

    def audited(self) -> str:
        """What `fireline audit verify` says; raises when it finds damage."""
        command = [sys.executable, "-m", "fireline.apps", "audit", "verify"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def standing(self) -> str:
        """Incidents, runs, what the roles report and the end of the log, in a few lines: for a failure in CI."""
        try:
            known = [f"{i.id} {i.service} {i.severity} {i.status.value}" for i in self.incidents()]
            known += [f"run {run.id} {run.status.value} {run.reason}" for run in self.runs()]
            with self.store.reading() as tx:
                known.append(f"stream: {tx.fact(STREAM_FACT)}")
        except (Unavailable, AssertionError) as fault:
            known = [f"the database does not say: {fault}"]
        return "\n".join([*known, tail(self.log)])

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
        return {role: found[role] for role in ROLES if role in found}  # one that is just being made has no name yet

    def kill(self, role: str) -> int:
        """kill -9 of a role; its process id."""
        pid = self.roles()[role]
        os.kill(pid, signal.SIGKILL)
        return pid

    def at_work(self) -> bool:
        """Whether, since the last start, stream worker and responder have said that they run, and the web answers."""
        self.roles()  # raises when `fireline up` is over
        with self.store.reading() as tx:
            told = [tx.fact(STREAM_FACT), tx.fact(RESPOND_FACT)]
        if not all(fact is not None and fact[1] >= self._began for fact in told):
            return False
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            return bool(answer.status == 200)

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
            assert self._producer.flush(120) == 0, "the broker did not take all events"

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
    """The model gateway of the demo as a process of its own: real requests, real events, routes followed over OFREP.

    Its primary model breaks after a while, and is well again when a test says so: not before others have seen it.
    """

    def __init__(self, fireline: Fireline, *, rate: float = 100, break_after: float = 4) -> None:
        self._port = free_port()
        self._command = [sys.executable, "-m", "fireline.apps.gateway", "--kafka", fireline.bootstrap]
        self._command += ["--fireline", f"http://127.0.0.1:{fireline.port}", "--rate", str(rate)]
        self._command += ["--break-after", str(break_after), "--heal-after", "100000", "--port", str(self._port)]
        self._environment = fireline.environment
        self._log = fireline.home / "gateway.log"

    def __enter__(self) -> "Gateway":
        remember("the log of the gateway", lambda: tail(self._log))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        return self

    def heal(self) -> None:
        """Mend the primary; only its probes can show it."""
        urllib.request.urlopen(f"http://127.0.0.1:{self._port}/heal", data=b"", timeout=120).close()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(60)
