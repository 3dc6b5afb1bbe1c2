"""A small world in which runs happen: a real database, responder and actions, a fake clock, a scripted evaluate."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Effect, StartRun
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.outcomes import Outcome
from fireline.domain.rules import Evidence, Signal, State
from fireline.domain.runbooks import Run, Runbook
from fireline.engine.outward import Action
from fireline.engine.respond import Responder
from fireline.engine.runs import LEASE, Runs
from fireline.engine.starting import Started, Wanted
from fireline.engine.watching import WatchAnswer
from fireline.spec.loading import load, read_runbook
from tests.servers.ready import ready

REPOSITORY = Path(__file__).parents[2]
SERVICE = "fraud-scoring"
FORM = """\
name: form
owner: payments-ml
start: {mode: auto}
steps:
  - id: how
    uses: ask
    with:
      ask: How far may it go?
      fields:
        percent: {type: integer, min: 1, max: 100}
        target: {type: enum, choices: [primary, fallback], default: fallback}
"""
"""A runbook that begins with a form; what is put behind it goes on with its fields."""


@cache
def shipped() -> Configuration:
    """The repository's own rules and runbooks."""
    loaded = load(REPOSITORY / "rules", REPOSITORY / "runbooks", plugins())
    assert loaded.configuration is not None, loaded.problems
    return loaded.configuration


def runbook(text: str) -> Runbook:
    """A runbook of a test."""
    return read_runbook(text, plugins())


@dataclass
class Fixed:
    """Settings that do not change by themselves."""

    current: Configuration


@dataclass
class World:
    """One responder's view; `again()` is another process on the same database."""

    store: DatabaseStore
    clock: FakeClock
    settings: Fixed
    actions: dict[str, Action] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    behind: float = 0.0
    owner: str = "one"
    channels: frozenset[str] | None = None
    measured: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.responder = Responder(self.store, self.settings, self.clock, self.channels)
        ports = Ports(self.store, self.settings, self.clock, self.responder)
        self.actions = {**build_actions(ports), **self.actions}
        self.options = dict(OPTIONS)
        self.runs = self.build()

    def build(self, lease: float = LEASE) -> Runs:
        return Runs(
            store=self.store,
            settings=self.settings,
            clock=self.clock,
            actions=self.actions,
            options=self.options,
            read_runbook=runbook,
            responder=self.responder,
            owner=self.owner,
            lease=lease,
        )

    def again(self, owner: str = "two") -> "World":
        world = World(self.store, self.clock, self.settings, {}, self.verdicts, owner, self.channels)
        world.actions.update(self.actions)
        world.options.update(self.options)
        world.runs = world.build()
        return world

    # incidents
    def fire(self, rule: str = "fraud_latency", severity: str = "outage", timeline: str = "live") -> Incident:
        """A signal of a rule for the fraud service; the incident it belongs to."""
        now = self.clock.now()
        evidence = Evidence({"p99": 2500.0}, 40, now - 10, now, "p99 > 800", "p99 is 2500")
        signal = Signal(
            id=f"{rule}/{severity}/{now}/{timeline}",
            rule=rule,
            entity=(("service", SERVICE),),
            service=SERVICE,
            state=State.FIRING,
            severity=severity,
            at=now,
            started=now - 5,
            episode=now - 5,
            summary="p99 of fraud-scoring is 2500 ms",
            evidence=evidence,
            runbooks=("route-to-fallback",),
            timeline=timeline,
        )
        incident = self.responder.handle(SignalArrived(signal)).incident
        assert incident is not None
        return incident

    def incident(self, number: int) -> Incident:
        with self.store.reading() as tx:
            found = tx.incident(number)
        assert found is not None
        return found

    def texts(self, number: int) -> list[str]:
        with self.store.reading() as tx:
            return [entry.text for entry in tx.timeline(number)]

    def effects(self, kind: type[Effect]) -> list[Effect]:
        """What is queued, of one kind (claimed and finished, so that the next one of its lane comes)."""
        found = []
        while queued := self.store.claim_effects("test", self.clock.now(), 1.0, 100):
            for each in queued:
                if isinstance(each.effect, kind):
                    found.append(each.effect)
                self.store.finish_effect(each.effect.key, "test", "done", self.clock.now())
        return found

    def requested(self) -> list[StartRun]:
        return [effect for effect in self.effects(StartRun) if isinstance(effect, StartRun)]

    # runs
    def begin(self, **inputs: object) -> Run:
        """An outage, and the run it asks for, with quick inputs."""
        self.fire()
        (effect,) = self.requested()
        outcome = self.runs.start(replace(effect, inputs={**effect.inputs, **inputs}))
        return self.run(int(str(outcome.output["run"])))

    def want(self, book: Runbook, key: str = "k", **more: object) -> Started:
        """A run of a test's own runbook, asked for by a person where `person` is given."""
        current = self.settings.current
        self.settings.current = replace(current, runbooks={**current.runbooks, book.name: book})
        incident, inputs = more.pop("incident", None), more.pop("inputs", {})
        return self.runs.request(Wanted(key, book.name, incident, inputs, **more))

    def run(self, number: int = 1) -> Run:
        with self.store.reading() as tx:
            found = tx.run(number)
        assert found is not None
        return found

    def journal(self, number: int = 1) -> list[str]:
        with self.store.reading() as tx:
            return [what for _, what, _ in tx.journal(number)]

    def route(self) -> Mapping[str, int]:
        with self.store.reading() as tx:
            route = tx.route(SERVICE)
        return {"primary": 100} if route is None else route.weights

    def evaluate(self) -> None:
        """Answer all open watches by `verdicts`: rule -> clear, firing, unknown; none without an entry.

        `rule/target` is asked before `rule`; `measured` has the measures of a target.
        """
        now = self.clock.now()
        with self.store.transaction() as tx:
            for watch in tx.watches(now):
                target = watch.entity.get("target", "")
                state = self.verdicts.get(f"{watch.rule}/{target}", self.verdicts.get(watch.rule))
                if state is not None and now > watch.since:
                    entity = ",".join(f"{k}={v}" for k, v in watch.entity.items())
                    samples = 0 if state == "unknown" else watch.min_samples
                    found = self.measured.get(target, {"p99": 90.0})
                    said = WatchAnswer(watch.id, entity, state, samples, found, f"it is {state}", now)
                    tx.answer([replace(said, behind=self.behind)])

    async def drive(self, seconds: float = 3600.0, number: int = 1, most: float = 0.5) -> Run:
        """Let time pass, `most` seconds at a time, until the run is over or the seconds are."""
        until = self.clock.now() + seconds
        while self.clock.now() <= until:
            self.evaluate()
            due = await self.runs.run_once()
            if self.run(number).over or due is None:
                break
            self.clock.advance(min(max(due - self.clock.now(), 0.01), most))
        return self.run(number)


def world(path: Path, url: str = "") -> World:
    """A world on a new database: a file in `path`, or the one at `url`."""
    store = open_store(url or ready(path / "fireline.db"))
    return World(store, FakeClock(), Fixed(shipped()))


@dataclass
class Scripted:
    """An action that ends as the test says, and counts its effects by key."""

    plan: list[Outcome] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    mutates: bool = True
    last: Outcome | None = None

    async def perform(self, options, context) -> Outcome:
        self.calls.append(context.key)
        outcome = self.plan.pop(0) if self.plan else self.last
        assert outcome is not None
        return outcome
