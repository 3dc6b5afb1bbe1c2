"""The respond role in parts: a real database, a responder, channels that do as the test says, many performers."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from fireline.adapters.clock import FakeClock, SystemClock
from fireline.adapters.database import open_store
from fireline.adapters.memory import MemoryPublisher
from fireline.domain.configuration import Configuration, Response
from fireline.domain.effects import StartRun
from fireline.domain.incidents import Acknowledge, Incident, SignalArrived
from fireline.domain.oncall import OnCall
from fireline.domain.outcomes import Done, Outcome
from fireline.engine.outward import Message
from fireline.engine.perform import Performer
from fireline.engine.ports import Unavailable
from fireline.engine.respond import Responder
from tests.domain import deciding_world
from tests.domain.deciding_world import policy, signal, target
from tests.engine.runs_world import Fixed
from tests.servers.ready import ready


def configuration(**changes) -> Configuration:
    """The small world of the tests of deciding: ann and bob at slack U1 and U2, ann at email too, cards in C1."""
    policies = {
        "payments": policy("payments", [target("person", "ann")], [target("person", "bob")]),
        "platform": policy("platform", [target("person", "cyd")]),
    }
    world = deciding_world.world(**{"oncall": OnCall({}, policies), **changes})
    return Configuration({}, {}, world.catalog, world.oncall, Response(settle=60.0, storm=0.0))


@dataclass
class Scripted:
    """A channel: `plans` are the next outcomes by address, `hangs` what an address waits for before it answers."""

    name: str
    plans: dict[str, list[Outcome | Exception]] = field(default_factory=lambda: defaultdict(list))
    hangs: dict[str, asyncio.Event] = field(default_factory=dict)
    tried: list[Message] = field(default_factory=list)
    came: list[Message] = field(default_factory=list)
    before: Callable[[Message], None] = lambda message: None

    async def deliver(self, message: Message) -> Outcome:
        self.tried.append(message)
        self.before(message)
        if message.address in self.hangs:
            await self.hangs[message.address].wait()
        if self.plans[message.address]:
            outcome = self.plans[message.address].pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            if not isinstance(outcome, Done):
                return outcome
        self.came.append(message)
        return Done({"id": len(self.came)})

    async def close(self) -> None:
        """Nothing to let go of."""

    def pages(self, address: str = "") -> list[Message]:
        return [m for m in self.came if m.kind == "page" and m.edit is None and address in (m.address, "")]

    def new(self, address: str = "") -> list[Message]:
        return [m for m in self.came if m.edit is None and address in (m.address, "")]


ASKED = {"claim_effects", "finish_effect", "postpone_effect", "next_due", "next_timer", "changed", "claim_timers"}


class Broken:
    """A store that is away as often as `away` says, by the name of what is asked of it."""

    def __init__(self, store) -> None:
        self.store, self.away, self.asked = store, defaultdict(int), []

    def __getattr__(self, name: str):
        found = getattr(self.store, name)
        if name not in ASKED:
            return found

        def ask(*given, **named):
            self._check(name)
            return found(*given, **named)

        return ask

    def _check(self, name: str) -> None:
        self.asked.append(name)
        if self.away[name] > 0:
            self.away[name] -= 1
            raise Unavailable(f"{name}: away")

    @contextmanager
    def transaction(self) -> Iterator[object]:
        self._check("transaction")
        with self.store.transaction() as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[object]:
        self._check("reading")
        with self.store.reading() as tx:
            yield tx


class Desk:
    """One database, and what works on it."""

    def __init__(self, path, *, real_time: bool = False, **changes) -> None:
        self.clock = SystemClock() if real_time else FakeClock()
        self.store = Broken(open_store(ready(path / "fireline.db")))
        self.settings = Fixed(configuration(**changes))
        self.slack, self.email = Scripted("slack"), Scripted("email")
        self.channels = {"slack": self.slack, "email": self.email}
        self.publisher = MemoryPublisher()
        self.started: list[StartRun] = []
        self.responder = Responder(self.store, self.settings, self.clock, self.channels)

    def performer(self, owner: str = "one", **options) -> Performer:
        async def start(effect: StartRun) -> Outcome:
            self.started.append(effect)
            return Done()

        return Performer(
            self.store,
            self.channels,
            self.publisher,
            start_run=start,
            clock=self.clock,
            owner=owner,
            responder=self.responder,
            **options,
        )

    def fires(self, **given) -> Incident:
        found = self.responder.handle(SignalArrived(signal(at=self.clock.now(), **given))).incident
        assert found is not None
        return found

    def clears(self, **given) -> Incident:
        return self.fires(state="clear", **given)

    def takes(self, number: int = 1, person: str = "ann") -> str:
        return self.responder.handle(Acknowledge(number, person, "slack")).reply

    def incident(self, number: int = 1) -> Incident:
        with self.store.store.reading() as tx:
            found = tx.incident(number)
        assert found is not None
        return found

    def texts(self, number: int = 1) -> list[str]:
        return [entry.text for entry in self.responder.explain(number)]

    def backlog(self) -> int:
        with self.store.store.reading() as tx:
            return tx.backlog()

    async def drain(self, performer: Performer | None = None) -> None:
        """Perform until nothing is due."""
        chosen = performer or self.performer()
        while await chosen.run_once():
            pass


@asynccontextmanager
async def running(*workers):
    """Let performers or sweepers run in the background, in real time."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
    try:
        yield
        assert not [task for task in tasks if task.done()], "a loop ended by itself"
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 120)


async def eventually(holds: Callable[[], bool], within: float = 60.0) -> None:
    """Wait in real time until `holds`."""
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.005)
