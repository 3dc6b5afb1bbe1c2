"""A stage for runbooks: engine, database and clock as in production, in memory; nothing on it reaches the outside.

The database is one of SQLite in memory, actions have no means to reach anybody, and time passes when it is told to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from fireline.actions import build_actions
from fireline.actions.schema import Ports
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import SignalArrived
from fireline.domain.rules import Evidence, Signal, State
from fireline.domain.runbook_tests import TestedIncident
from fireline.domain.runbooks import Run, Runbook
from fireline.domain.targets import Targets
from fireline.engine.outward import Action
from fireline.engine.respond import Responder
from fireline.engine.runs import Runs
from fireline.spec.loading import read_runbook

IN_MEMORY = "sqlite://"


@dataclass(slots=True)
class Fixed:
    """A configuration that does not change meanwhile."""

    current: Configuration


class Stage:
    """One run's world; close it when the run is over."""

    def __init__(
        self,
        configuration: Configuration,
        dressed: Callable[[str, Action], Action],
        now: float,
        options: Mapping[str, type[BaseModel]] | None = None,
        targets: Targets | None = None,
    ) -> None:
        self.clock = FakeClock(now)
        self.store: DatabaseStore = open_store(IN_MEMORY)
        self.settings = Fixed(configuration)
        self.responder = Responder(self.store, self.settings, self.clock, frozenset())
        ports = Ports(self.store, self.settings, self.clock, self.responder, targets=targets or Targets())
        real = build_actions(ports)
        self.actions = {name: dressed(name, action) for name, action in real.items()}
        self.options = options or {name: schema.options for name, schema in plugins().actions.items()}
        self.runs = Runs(
            store=self.store,
            settings=self.settings,
            clock=self.clock,
            actions=self.actions,
            options=self.options,
            read_runbook=self.read,
            responder=self.responder,
            owner="stage",
        )

    def read(self, text: str) -> Runbook:
        """The runbook of a text."""
        return read_runbook(text, plugins())

    def run(self, number: int) -> Run:
        """The run as it stands."""
        with self.store.reading() as tx:
            found = tx.run(number)
        assert found is not None, f"run {number} vanished"
        return found

    def incident(self, told: TestedIncident) -> int | None:
        """Open an incident as a signal would; its number."""
        opened = self.responder.handle(SignalArrived(signal_of(told, self.clock.now()))).incident
        return None if opened is None else opened.number

    def close(self) -> None:
        """Forget everything."""
        self.store.close()


def signal_of(told: TestedIncident, at: float) -> Signal:
    """The signal that opens the incident of a test, `at` in seconds since the epoch."""
    return Signal(
        id="test",
        rule=told.rule,
        entity=tuple(sorted({"service": told.service, **told.labels}.items())),
        service=told.service,
        state=State.FIRING,
        severity=told.severity,
        at=at,
        started=at,
        episode=at,
        summary=told.summary or f"{told.rule} of {told.service}",
        evidence=Evidence({}, 1, at, at, "", "it is a test"),
    )
