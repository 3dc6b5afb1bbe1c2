"""Deadlines that come due together, on either database: two sweepers hear each once, whatever fails beside it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.catalog import Service
from fireline.domain.configuration import Configuration
from fireline.domain.deciding import Decision
from fireline.domain.effects import Timer
from fireline.domain.incidents import Input, SignalArrived, TimerDue
from fireline.domain.oncall import OnCall
from fireline.engine.ports import Transaction
from fireline.engine.respond import Responder
from fireline.engine.timers import HANDS, LEASE, Sweeper
from tests.domain.deciding_world import policy, signal, target, world
from tests.engine.runs_world import Fixed

COUNT = 12
WAIT = 300.0


class Watched(Responder):
    """Notes what it hears of which incident, and fails where the test says so; deciding is that of the responder."""

    def __init__(self, store: DatabaseStore, clock: FakeClock, heard: list[tuple[int, str]]) -> None:
        super().__init__(store, Fixed(_configuration()), clock)
        self.heard, self.fails = heard, set[int]()
        self.inside = Counter[int]()
        self.guard = threading.Lock()

    def handle_in(self, tx: Transaction, what: Input) -> Decision:
        if not isinstance(what, TimerDue):
            return super().handle_in(tx, what)
        with self._alone(what.incident):
            if what.incident in self.fails:
                raise RuntimeError(f"a fault of ours with INC-{what.incident}")
            decision = super().handle_in(tx, what)
            with self.guard:
                self.heard.append((what.incident, what.key))
            return decision

    @contextmanager
    def _alone(self, incident: int) -> Iterator[None]:
        with self.guard:
            self.inside[incident] += 1
            assert self.inside[incident] == 1, f"two at once decide on INC-{incident}"
        try:
            yield
        finally:
            with self.guard:
                self.inside[incident] -= 1


def _configuration() -> Configuration:
    policies = {"payments": policy("payments", [target("person", "ann")], [target("person", "bob")])}
    known = world(oncall=OnCall({}, policies))
    services = {f"s{n}": Service(f"s{n}", "payments-ml") for n in range(COUNT)}
    return Configuration({}, {}, replace(known.catalog, services=services), known.oncall)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def responder(shared_url: str, clock: FakeClock) -> Iterator[Callable[[], Watched]]:
    """Responders with a database connection of their own, as in two processes; they note what they hear together."""
    stores: list[DatabaseStore] = []
    heard: list[tuple[int, str]] = []

    def one() -> Watched:
        stores.append(open_store(shared_url))
        return Watched(stores[-1], clock, heard)

    yield one
    for store in stores:
        store.close()


def _sweeper(responder: Watched, clock: FakeClock, owner: str) -> Sweeper:
    store = responder._store
    assert isinstance(store, DatabaseStore)
    return Sweeper(store, responder, clock, owner, hands=HANDS if store.writes_at_once else 1)


def _sweep(*sweepers: Sweeper) -> int:
    """All hear at the same time until nothing is due; how many deadlines there were."""

    async def work() -> int:
        total = 0
        while heard := sum(await asyncio.gather(*(sweeper.run_once() for sweeper in sweepers))):
            total += heard
        return total

    return asyncio.run(work())


def _open(responder: Watched, clock: FakeClock, count: int = COUNT) -> None:
    for number in range(count):
        responder.handle(SignalArrived(signal(service=f"s{number}", at=clock.now())))


def _levels(responder: Watched) -> dict[int, list[int]]:
    return {each.number: [page.level for page in each.pages] for each in responder.incidents()}


def test_two_sweepers_hear_each_deadline_once(responder: Callable[[], Watched], clock: FakeClock) -> None:
    first, second = responder(), responder()
    _open(first, clock)
    clock.advance(WAIT - 0.001)
    assert _sweep(_sweeper(first, clock, "one"), _sweeper(second, clock, "two")) == 0, "none is heard early"
    clock.advance(0.001)
    assert _sweep(_sweeper(first, clock, "one"), _sweeper(second, clock, "two")) == COUNT
    assert _levels(first) == {number: [0, 1] for number in range(1, COUNT + 1)}
    assert Counter(number for number, _ in first.heard) == dict.fromkeys(range(1, COUNT + 1), 1)
    clock.advance(LEASE)
    assert _sweep(_sweeper(second, clock, "two")) == 0


def test_a_fault_with_one_incident_loses_no_other(responder: Callable[[], Watched], clock: FakeClock) -> None:
    only = responder()
    _open(only, clock, 7)
    clock.advance(WAIT)
    only.fails = {2, 6}
    assert _sweep(_sweeper(only, clock, "one")) == 7
    assert {number for number, levels in _levels(only).items() if levels == [0]} == {2, 6}
    clock.advance(LEASE)
    only.fails = {2}
    _sweep(_sweeper(only, clock, "one"))
    assert {number for number, levels in _levels(only).items() if levels == [0]} == {2}
    clock.advance(LEASE)
    only.fails = set()
    _sweep(_sweeper(only, clock, "one"))
    assert _levels(only) == {number: [0, 1] for number in range(1, 8)}, "each once, also where one came again"


def test_two_deadlines_of_an_incident_keep_their_order(responder: Callable[[], Watched], clock: FakeClock) -> None:
    first, second = responder(), responder()
    _open(first, clock, 4)
    with first._store.transaction() as tx:
        for number in range(1, 5):
            for place in range(6):
                tx.arm(Timer(f"inc-{number}/t{place}", clock.now() - 10.0 + place, "remind", incident=number))
    _sweep(*(_sweeper(each, clock, f"s{n}") for n, each in enumerate((first, second))))
    for number in range(1, 5):
        assert _order(first, number) == [f"inc-{number}/t{place}" for place in range(6)]


def _order(responder: Watched, number: int) -> list[str]:
    """Each of them as it was heard for the first time."""
    return list(dict.fromkeys(key for heard, key in responder.heard if heard == number))


def test_while_one_has_a_deadline_the_others_of_its_incident_wait(responder: Callable[[], Watched]) -> None:
    store = responder()._store
    with store.transaction() as tx:
        tx.arm(Timer("inc-1/a", 10.0, "escalate", incident=1))
        tx.arm(Timer("inc-1/b", 11.0, "settle", incident=1))
        tx.arm(Timer("inc-11/a", 12.0, "settle", incident=11))
    assert [t.key for t in store.claim_timers("one", 13.0, LEASE, 1)] == ["inc-1/a"]
    assert [t.key for t in store.claim_timers("two", 13.0, LEASE, 10)] == ["inc-11/a"]
    with store.transaction() as tx:
        tx.disarm("inc-1/a")
    assert [t.key for t in store.claim_timers("two", 13.0, LEASE, 10)] == ["inc-1/b"]
    with store.transaction() as tx:
        tx.arm(Timer("inc-1/c", 12.0, "settle", incident=1))
    assert store.claim_timers("one", 13.0 + LEASE - 0.1, LEASE, 10) == [], "of one that died no longer than its lease"
    assert [t.key for t in store.claim_timers("one", 13.0 + LEASE, LEASE, 10)] == ["inc-1/b", "inc-1/c", "inc-11/a"]
