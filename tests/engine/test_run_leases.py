"""Two responders drive one run for a while, since a lease ran out unseen: what is journaled, and done, is done by one.

The first is held inside an action by a gate. Meanwhile its lease ends, a second takes over, and does the step again
with the same key, which is what at least once means. Then the first comes back.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from pydantic import BaseModel, ConfigDict

from fireline.domain.outcomes import Done
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.engine.journal import Lease, LeaseLost
from fireline.engine.ports import Unavailable
from tests.engine.respond_world import eventually
from tests.engine.runs_world import runbook, world

PATIENCE = 120.0
LEASE = 4 * PATIENCE
"""Seconds on the fake clock. A lease is renewed after a third of it in real time: never while a test of it runs."""
BOOK = """\
name: gated
owner: payments-ml
start: {mode: auto}
steps:
  - {id: first, uses: http.request, with: {url: "https://a.example/one"}, undo: {uses: notify, with: {text: never}}}
  - {id: second, uses: http.request, with: {url: "https://a.example/two"}, undo: {uses: notify, with: {text: never}}}
"""


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclass
class Target:
    """A target that records idempotency keys, and holds who calls it at the gates that the test opens."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def effects(self) -> Counter[str]:
        """What it did: one of each key."""
        return Counter({key for _, key in self.calls})

    def of(self, responder: str, step: str) -> int:
        """How often this responder called for this step."""
        return sum(1 for who, key in self.calls if who == responder and key.endswith(f".{step}"))


@dataclass
class Call:
    """The action as one responder has it."""

    target: Target
    responder: str
    mutates: bool = True

    async def perform(self, options: object, context) -> Done:
        self.target.calls.append((self.responder, context.key))
        gate = self.target.gates.get(f"{self.responder}/{context.step}")
        if gate is not None:
            await gate.wait()
        return Done({"status": 200})


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def w(request, tmp_path):
    shared = request.param == "postgresql"
    made = world(tmp_path, request.getfixturevalue("postgres_url") if shared else "")
    yield made
    made.store.close()


def two(w, target):
    """The same database from two responders."""
    book = runbook(BOOK)
    for each, name in ((w, "one"), (other := w.again("two"), "two")):
        each.owner = name
        each.actions = {**each.actions, "http.request": Call(target, name)}
        each.options = {**each.options, "http.request": Anything}
        each.runs = each.build(LEASE)
    w.want(book, person="ann")
    return w, other


async def test_who_lost_the_lease_journals_nothing_and_begins_nothing(w):
    target = Target(gates={"one/first": asyncio.Event(), "two/first": asyncio.Event()})
    one, two_ = two(w, target)
    slow = asyncio.create_task(one.runs.drive(1))
    await eventually(lambda: target.of("one", "first") == 1, PATIENCE)
    w.clock.advance(LEASE + 1)
    quick = asyncio.create_task(two_.runs.drive(1))
    await eventually(lambda: target.of("two", "first") == 1, PATIENCE)
    before = w.run()
    target.gates["one/first"].set()
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(slow, PATIENCE)
    assert w.run() == before, "what it found out too late is not journaled"
    assert target.of("one", "second") == 0
    target.gates["two/first"].set()
    await asyncio.wait_for(quick, PATIENCE)
    assert w.run().status is RunStatus.SUCCEEDED
    assert [step.status for step in w.run().steps] == [StepStatus.DONE, StepStatus.DONE]
    assert target.of("two", "second") == 1
    assert sorted(target.effects.values()) == [1, 1], "one effect of each step where keys are kept"
    assert len(target.calls) == 3, "only what was under way is asked for twice, with the same key"


async def test_the_other_is_done_before_the_first_comes_back(w):
    target = Target(gates={"one/first": asyncio.Event()})
    one, two_ = two(w, target)
    slow = asyncio.create_task(one.runs.drive(1))
    await eventually(lambda: target.of("one", "first") == 1, PATIENCE)
    w.clock.advance(LEASE + 1)
    await asyncio.wait_for(two_.runs.drive(1), PATIENCE)
    ended = w.run()
    assert ended.status is RunStatus.SUCCEEDED
    journal = w.journal()
    target.gates["one/first"].set()
    with suppress(LeaseLost):  # unless it has looked meanwhile, and seen that the run is over
        await asyncio.wait_for(slow, PATIENCE)
    assert (w.run(), w.journal()) == (ended, journal)
    assert target.of("one", "second") == 0


async def test_one_responder_does_not_drive_a_run_twice_at_once(w):
    target = Target(gates={"one/first": asyncio.Event()})
    one, _ = two(w, target)
    slow = asyncio.create_task(one.runs.drive(1))
    await eventually(lambda: target.of("one", "first") == 1, PATIENCE)
    assert await one.runs.drive(1) is None, "it has the lease, and this is another driving"
    target.gates["one/first"].set()
    await asyncio.wait_for(slow, PATIENCE)
    assert len(target.calls) == 2
    assert w.run().status is RunStatus.SUCCEEDED


async def test_what_is_written_under_a_lease_that_is_gone_is_not_written(w):
    one, _ = two(w, Target())
    journal = one.runs._driver.journal
    assert w.store.claim_run(1, "one/7", w.clock.now(), LEASE)
    ours = journal.under(Lease(1, "one/7"))
    await ours.change(1, lambda _, run: replace(run, held="ours"))
    w.clock.advance(LEASE)
    assert w.store.claim_run(1, "two/1", w.clock.now(), LEASE)
    with pytest.raises(LeaseLost, match="driven by two/1"):
        await ours.change(1, lambda _, run: replace(run, held="too late"))
    assert w.run().held == "ours"
    assert one.runs.pause(1, "ann").done, "people need no lease"


class Away:
    """A store that is away when it is asked for news, for so many times."""

    def __init__(self, store, times):
        self._store, self.left = store, times

    def __getattr__(self, name):
        return getattr(self._store, name)

    def changed(self):
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("away")
        return self._store.changed()


async def test_a_database_that_is_away_breaks_off_nothing_that_is_being_done(w):
    target, stop = Target(gates={"one/first": asyncio.Event()}), asyncio.Event()
    one, _ = two(w, target)
    one.runs._store = away = Away(w.store, 2)
    loop = asyncio.create_task(one.runs.run(stop))
    await eventually(lambda: target.of("one", "first") == 1 and away.left < 0, PATIENCE)
    target.gates["one/first"].set()
    await eventually(lambda: w.run().over, PATIENCE)
    stop.set()
    await loop
    assert sorted(target.calls) == [("one", f"run-1.{step}") for step in ("first", "second")], "each once"
