"""Where a story takes place: a real database, the parts of the respond role on a fake clock, channels in memory."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import yaml

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.memory import MemoryChannel, MemoryPublisher
from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.deciding_draft import LIVE
from fireline.domain.effects import StartRun, Timer
from fireline.domain.incidents import Incident, Input, SignalArrived
from fireline.domain.outcomes import Outcome
from fireline.domain.rules import Signal
from fireline.domain.traffic import rules_of
from fireline.engine.outward import Message
from fireline.engine.perform import Performer
from fireline.engine.respond import Responder
from fireline.engine.routes import Changed, lease_due
from fireline.engine.runs import Runs
from fireline.engine.timers import Sweeper
from fireline.spec.loading import load, read_runbook
from tests.servers.ready import ready
from tests.stories import plain
from tests.stories.explained import unexplained
from tests.stories.stream import Gateway, Stream

REPOSITORY = Path(__file__).parents[2]
CHANNELS = ("slack", "email")
MOST_ROUNDS = 2000


class StoryError(Exception):
    """The story itself cannot be told: its words or its configuration are wrong."""


@cache
def shipped() -> Configuration:
    return _loaded(REPOSITORY / "rules", REPOSITORY / "runbooks")


def configuration(given: object, folder: Path) -> Configuration:
    """`repository`, the name of a file in `configs/`, or inline; `based_on` names a file that inline parts change."""
    if given == "repository":
        return shipped()
    parts = _parts(given)
    rules, runbooks = folder / "rules", folder / "runbooks"
    for each in (rules, runbooks):
        each.mkdir(parents=True, exist_ok=True)
    for name in ("catalog", "oncall", "severities"):
        _write(rules / f"{name}.yaml", parts.get(name, {}))
    if "calendars" in parts:
        _write(rules / "calendars.yaml", {"calendars": parts["calendars"]})
    if "maintenance" in parts:
        _write(rules / "maintenance.yaml", {"maintenance": parts["maintenance"]})
    _write(rules / "rules.yaml", {"rules": parts.get("rules") or [], "slos": parts.get("slos", [])})
    for book in parts.get("runbooks", []):
        _write(runbooks / f"{book['name']}.yaml", book)
    return _loaded(rules, runbooks)


def _parts(given: object) -> dict:
    if isinstance(given, str):
        path = Path(__file__).parent / "configs" / f"{given}.yaml"
        found: dict = plain.read(path.read_text())
        return _parts(found) if "based_on" in found else found
    if not isinstance(given, dict):
        raise StoryError(f"`config` is `repository`, a name of a file in configs/, or a mapping; found {given!r}")
    base = _parts(given["based_on"]) if "based_on" in given else {}
    return _merged(base, {key: value for key, value in given.items() if key != "based_on"})


def _merged(base: dict, change: Mapping) -> dict:
    """Mappings are merged; anything else, lists as well, is replaced; null removes."""
    found = dict(base)
    for key, value in change.items():
        old = found.get(key)
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _loaded(rules: Path, runbooks: Path) -> Configuration:
    known = replace(plugins(), channels=frozenset({*CHANNELS, "console"}))
    loaded = load(rules, runbooks, known)
    if loaded.configuration is None:
        raise StoryError("the configuration has faults:\n" + "\n".join(str(p) for p in loaded.problems))
    return loaded.configuration


@dataclass
class Fixed:
    """Settings that change when the story says so."""

    current: Configuration


@dataclass
class Wire:
    """A memory channel that remembers when each message came, and may end `always` the same way."""

    inner: MemoryChannel
    clock: FakeClock
    arrived: list[tuple[float, Message]] = field(default_factory=list)
    always: dict[str, Outcome] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.inner.name

    async def deliver(self, message: Message) -> Outcome:
        for address in (message.address, "*"):
            if address in self.always:
                return self.always[address]
        before = len(self.inner.delivered)
        outcome = await self.inner.deliver(message)
        if len(self.inner.delivered) > before:
            self.arrived.append((self.clock.now(), message))
        return outcome

    async def close(self) -> None:
        """Nothing to let go of."""


class Respond:
    """One process of the respond role. Killing it is letting go of it: what it claimed stays claimed."""

    def __init__(self, scene: "Scene", owner: str) -> None:
        self.owner = owner
        self.due: float | None = None
        self.seen: object = None
        store, settings, clock = scene.store, scene.settings, scene.clock
        self.responder = Responder(store, settings, clock, scene.channels)
        actions = build_actions(Ports(store, settings, clock, self.responder))
        self.runs = Runs(
            store=store,
            settings=settings,
            clock=clock,
            actions=actions,
            options=dict(OPTIONS),
            read_runbook=lambda text: read_runbook(text, plugins()),
            responder=self.responder,
            owner=owner,
        )

        async def start(effect: StartRun) -> Outcome:
            return await asyncio.to_thread(self.runs.start, effect)

        async def run_due(timer: Timer) -> None:
            self._lease_due(scene, timer)

        self.performer = Performer(
            store,
            scene.channels,
            scene.publisher,
            start_run=start,
            clock=clock,
            owner=owner,
            responder=self.responder,
        )
        self.sweeper = Sweeper(store, self.responder, clock, owner, run_due=run_due)

    def _lease_due(self, scene: "Scene", timer: Timer) -> None:
        with scene.store.transaction() as tx:
            if timer.kind != "route_lease":
                tx.disarm(timer.key)
                return
            service = timer.key.partition("/")[2]
            assert isinstance(lease_due(tx, scene.settings.current, service, scene.clock.now()), Changed | None)

    async def work(self, store: DatabaseStore, now: float) -> bool:
        """Do what is to be done now; whether there was anything."""
        did = await self.sweeper.run_once() + await self.performer.run_once()
        changed = store.changed()
        if changed != self.seen or (self.due is not None and self.due <= now):
            self.seen = changed
            self.due = await self.runs.run_once()
            did += 1
        return did > 0


class Scene:
    """Everything that a story moves, and the time in which it happens."""

    def __init__(self, path: Path, given: object, start: float, channels: tuple[str, ...] = CHANNELS) -> None:
        self.path, self.start = path, start
        self.clock = FakeClock(start)
        self.settings = Fixed(configuration(given, path / "config"))
        self.given = given
        self.store = open_store(ready(path / "fireline.db"))
        self.channels = {name: Wire(MemoryChannel(name), self.clock) for name in channels}
        self.publisher = MemoryPublisher()
        self.door = Responder(self.store, self.settings, self.clock, self.channels)  # clicks, CLI, stream worker
        self.stream = Stream(rules_of(self.settings.current), self.store, self._hear)
        self.gateways: dict[str, Gateway] = {}
        self.signals: dict[str, Signal] = {}
        self.lives = 0
        self.respond: Respond | None = None
        self.bring_up()

    def bring_up(self) -> None:
        self.lives += 1
        self.respond = Respond(self, f"respond-{self.lives}")

    def configure(self, given: object) -> None:
        """Put another configuration in force, as when the files are changed."""
        self.settings.current = configuration(given, self.path / f"config-{self.clock.now()}")
        self.stream.reload(rules_of(self.settings.current))

    def _hear(self, signal: Signal) -> None:
        self.door.handle(SignalArrived(signal))

    @property
    def offset(self) -> float:
        return self.clock.now() - self.start

    async def until(self, offset: float) -> None:
        """Let time pass as it would, stopping wherever something is due."""
        end = self.start + offset
        await self.settle()
        while (due := self._next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), 0.0))
            self._stream_works()
            await self.settle()
        self.clock.advance(max(end - self.clock.now(), 0.0))
        await self.settle()

    async def settle(self) -> None:
        """Let everybody do what there is to do now."""
        for _ in range(MOST_ROUNDS):
            if self.respond is None or not await self.respond.work(self.store, self.clock.now()):
                return
        raise AssertionError("the respond role works for ever without time passing")

    def _stream_works(self) -> None:
        now = self.clock.now()
        for gateway in self.gateways.values():
            if gateway.due <= now:
                with self.store.reading() as tx:
                    route = tx.route(gateway.service)
                weights = {gateway.primary: 100} if route is None else route.weights
                self.stream.feed(gateway.requests(now, weights), now)
        self.stream.judge(now)
        self.stream.answer(now)

    def _next_due(self) -> float | None:
        now = self.clock.now()
        times = [gateway.due for gateway in self.gateways.values()]
        runs = None if self.respond is None else self.respond.due
        times.append(self.stream.next_due(asked=runs is not None))
        if self.respond is not None:
            times += [self.store.next_due(), runs]
        return min((at for at in times if at is not None and at > now), default=None)

    # looking
    def incidents(self) -> list[Incident]:
        """All incidents, the oldest first."""
        with self.store.reading() as tx:
            return list(reversed(tx.incidents(limit=1000)))

    def incident(self, number: int | None = None) -> Incident | None:
        found = self.incidents()
        if number is None:
            return found[-1] if found else None
        return next((each for each in found if each.number == number), None)

    def address(self, channel: str, who: str) -> str:
        """A person's or team's address on a channel; `everyone` is any; otherwise the address itself."""
        if who == "everyone":
            return "*"
        catalog = self.settings.current.catalog
        if who in catalog.people:
            return catalog.people[who].contacts[channel]
        if who in catalog.teams:
            return catalog.teams[who].channels[channel]
        return who

    def timeline(self, number: int | None = None, *, stamped: bool = False) -> list[str]:
        """The lines of an incident's timeline, the oldest first."""
        incident = self.incident(number)
        if incident is None:
            return []
        with self.store.reading() as tx:
            entries = list(tx.timeline(incident.number))
        if not stamped:
            return [entry.text for entry in entries]
        return [f"{self._stamp(entry.at)} {entry.kind:<12} {entry.text}" for entry in entries]

    def arrivals(self) -> list[str]:
        """What newly arrived where, in order, without lines of threads, which the timeline tells."""
        found = [(at, wire.name, m) for wire in self.channels.values() for at, m in wire.arrived]
        return [
            f"{self._stamp(at)} {name} {m.address} {m.kind}{' (resent)' if m.resent else ''}: {m.title}"
            for at, name, m in sorted(found, key=lambda each: each[0])
            if m.edit is None and m.kind != "say"
        ]

    def _stamp(self, at: float) -> str:
        return f"+{at - self.start:>8.2f} s"

    # asking
    def told(self, said: Mapping[str, object], what: Input) -> None:
        """Somebody asks for something; `reply` in the step is a part of what they are told."""
        self.check_reply(said, self.door.handle(what).reply)

    def check_reply(self, said: Mapping[str, object], reply: str) -> None:
        wanted = str(said.get("reply", ""))
        assert wanted in reply, f"the reply is {reply!r}, expected {wanted!r} in it"

    def broken_promises(self) -> list[str]:
        """What no story may end with: a message that came twice unmarked, a page without end or reason."""
        wrong = unexplained(self.store)
        for wire in self.channels.values():
            seen: set[str] = set()
            for _, message in wire.arrived:
                if message.key in seen and not message.resent and message.edit is None:
                    wrong.append(f"{message.key} came twice on {wire.name} and is not marked as resent")
                seen.add(message.key)
        for incident in self.incidents():
            live = [p.number for p in incident.pages if p.status in LIVE]
            closed = incident.resolved_at is not None or incident.acknowledged_by is not None
            if closed and live:
                wrong.append(f"{incident.id} is {incident.status.value}, and its pages {live} still wait")
        return wrong
