"""The command line inside the test process, as its entry point runs it: exit code, what it printed, on which stream."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps import cli
from fireline.apps.bootstrap import plugins
from fireline.apps.files import Files
from fireline.domain.audit import Keys
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.reviews import day_of
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.respond import Responder
from fireline.engine.runs import Runs
from fireline.engine.starting import Wanted
from tests.servers.ready import ready

SERVICE = "fraud-scoring"
AUDIT_KEY = "a key for commands in tests"
LATE = "9 % of this window came late: 4 events not counted"


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


class House:
    """A database and the shipped files in a directory of the test's own, and `fireline` in front of them."""

    def __init__(self, home: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys
        self.rules, self.runbooks = home / "rules", home / "runbooks"
        for name, folder in (("rules", self.rules), ("runbooks", self.runbooks)):
            folder.mkdir()
            for path in (repository / name).glob("*.yaml"):
                text = path.read_text()
                if name == "runbooks":  # not due, whenever this runs
                    text = re.sub(r"(?m)^reviewed: .*$", f"reviewed: {day_of(SystemClock().now())}", text)
                (folder / path.name).write_text(text)
        self.database = ready(home / "fireline.db")
        self.set(
            AUDIT_KEY=AUDIT_KEY,
            DATABASE=self.database,
            RULES=str(self.rules),
            RUNBOOKS=str(self.runbooks),
            STATE_DIR=str(home),
        )
        self.clock = SystemClock()
        self._store: DatabaseStore | None = None

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(f"FIRELINE_{name}", value)

    def unset(self, name: str) -> None:
        self._monkeypatch.delenv(f"FIRELINE_{name}", raising=False)

    @property
    def store(self) -> DatabaseStore:
        if self._store is None:
            self._store = open_store(self.database, keys=Keys.of((AUDIT_KEY,)))
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def __call__(self, *words: str) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["fireline", *words])
        self._capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)

    def parts(self) -> tuple[Files, Responder]:
        files = Files(self.rules, self.runbooks, plugins(), self.clock)
        return files, Responder(self.store, files, self.clock, frozenset({"console"}))

    def incident(self, text: str = "p99 of fraud-scoring is 2500 ms") -> Incident:
        """An open incident whose event said `text`."""
        now = self.clock.now()
        signal = Signal(
            id=f"signal/{text}",
            rule="fraud_latency",
            entity=(("service", SERVICE),),
            service=SERVICE,
            state=State.FIRING,
            severity="outage",
            at=now,
            started=now - 5,
            episode=now - 5,
            summary=text,
            evidence=Evidence(
                {"p99": 2500.0, "n": None}, 40, now - 10, now, "p99 > 800", f"because {text}", 4, (LATE,)
            ),
            runbooks=("route-to-fallback",),
        )
        made = self.parts()[1].handle(SignalArrived(signal)).incident
        assert made is not None
        return made

    def run(self, incident: int) -> int:
        """A run that waits for its first step."""
        files, responder = self.parts()
        runs = Runs(
            store=self.store,
            settings=files,
            clock=self.clock,
            actions={},
            options={},
            read_runbook=lambda text: None,
            responder=responder,
            owner="test",
        )
        started = runs.request(Wanted("k", "route-to-fallback", incident, {"service": SERVICE}, person="ann"))
        assert started.run is not None, started
        return started.run.id
