"""Fifty people click in the same moment, on two responders: one transition each, and everybody is told what happened.

On both databases, from threads of this process and from processes of their own.
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.catalog import Person
from fireline.domain.configuration import Configuration
from fireline.domain.outcomes import Done
from fireline.domain.runbooks import RunStatus
from fireline.engine.approvals import Reply
from tests.engine.runs_world import Fixed, World, runbook, shipped

PEOPLE = [f"p{n:02}" for n in range(50)]
PATIENCE = 240.0
REPOSITORY = Path(__file__).parents[2]
BOOK = """\
name: raced
owner: payments-ml
start: {mode: approve, approval: {count: COUNT, timeout: 10m}}
steps:
  - {id: one, uses: http.request, with: {url: "https://a.example/1"}, undo: {uses: notify, with: {text: never}}}
  - {id: two, uses: http.request, with: {url: "https://a.example/2"}, undo: {uses: notify, with: {text: never}}}
"""
CLICKS = """
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
from tests.integration.test_approval_races import house
from fireline.adapters.database import open_store
made = house(open_store(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
people = sys.argv[3:]
with ThreadPoolExecutor(len(people)) as pool:
    replies = list(pool.map(lambda person: made.runs.approve(1, "start", person, True), people))
print(json.dumps([[person, bool(reply.done), str(reply)] for person, reply in zip(people, replies)]), flush=True)
made.store.close()
"""


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclass
class Target:
    """Something that keeps idempotency keys, and counts how often each was asked for."""

    mutates: bool = True
    calls: list[str] = field(default_factory=list)

    async def perform(self, options: object, context) -> Done:
        self.calls.append(context.key)
        await asyncio.sleep(0)
        return Done({"status": 200})


def _crowd() -> Configuration:
    """The shipped configuration, with fifty more in the owning team."""
    found = shipped()
    people = {**found.catalog.people, **{name: Person(name, name.upper()) for name in PEOPLE}}
    team = found.catalog.teams["payments-ml"]
    teams = {**found.catalog.teams, "payments-ml": replace(team, members=(*team.members, *PEOPLE))}
    return replace(found, catalog=replace(found.catalog, people=people, teams=teams))


def house(store: DatabaseStore, owner: str, clock: FakeClock | None = None, target: Target | None = None) -> World:
    """One responder on the database."""
    made = World(store, clock or FakeClock(), Fixed(_crowd()), owner=owner)
    made.actions = {**made.actions, "http.request": target or Target()}
    made.options = {**made.options, "http.request": Anything}
    made.runs = made.build()
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    shared = request.param == "postgresql"
    return request.getfixturevalue("postgres_url") if shared else f"sqlite:///{tmp_path / 'races.db'}"


@pytest.fixture
def two(url: str) -> Iterator[tuple[World, World]]:
    clock, target = FakeClock(), Target()
    made = house(open_store(url), "one", clock, target), house(open_store(url), "two", clock, target)
    yield made
    for each in made:
        each.store.close()


def want(w: World, count: int = 1) -> None:
    w.want(runbook(BOOK.replace("COUNT", str(count))), person="ann")


def at_once(*acts: Callable[[], Reply]) -> list[Reply]:
    """All of them in the same moment, each in a thread of its own."""
    ready = threading.Barrier(len(acts))

    def act(one: Callable[[], Reply]) -> Reply:
        ready.wait(PATIENCE)
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def click(w: World, person: str, approved: bool = True) -> Callable[[], Reply]:
    return lambda: w.runs.approve(1, "start", person, approved)


def driven(*worlds: World) -> None:
    """All responders drive, each in a thread and an event loop of its own."""
    with ThreadPoolExecutor(len(worlds)) as pool:
        for each in [pool.submit(lambda w=w: asyncio.run(_until_over(w))) for w in worlds]:
            each.result(PATIENCE)


async def _until_over(w: World) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(run.over for run in _runs(w)):
            await w.runs.run_once()
            w.runs._due.clear()  # time stands still here: look again at what the other one had
            await asyncio.sleep(0.01)


def _runs(w: World):
    with w.store.reading() as tx:
        return tx.runs()


def target(w: World) -> Counter[str]:
    return Counter(w.actions["http.request"].calls)


@pytest.mark.parametrize("count", [1, 3])
def test_fifty_click_and_as_many_count_as_it_takes(two: tuple[World, World], count: int) -> None:
    want(two[0], count)
    replies = at_once(*(click(two[n % 2], person) for n, person in enumerate(PEOPLE)))
    heard = [person for person, reply in zip(PEOPLE, replies, strict=True) if reply.done]
    assert len(heard) == count, replies
    assert sorted(two[0].run().approved_by.split(", ")) == heard
    late = [reply for reply in replies if not reply.done]
    assert all("Already approved by" in reply and heard[0].upper() in reply for reply in late), late
    assert two[0].run().version == 1 + count, "one transition each"
    driven(*two)
    assert two[0].run().status is RunStatus.SUCCEEDED
    assert target(two[0]) == Counter({"run-1.one": 1, "run-1.two": 1})


def test_one_person_who_clicks_many_times_counts_once(two: tuple[World, World]) -> None:
    want(two[0], 2)
    replies = at_once(*(click(two[n % 2], "p00") for n in range(16)))
    assert sorted(reply.done for reply in replies) == [False] * 15 + [True]
    assert all("counts once: 1 of 2" in reply for reply in replies if not reply.done)
    assert two[0].run().status is RunStatus.WAITING


def test_half_approve_and_half_reject(two: tuple[World, World]) -> None:
    want(two[0])
    replies = at_once(*(click(two[n % 2], person, n % 4 < 2) for n, person in enumerate(PEOPLE)))
    [(first, reply)] = [(n, reply) for n, reply in enumerate(replies) if reply.done]
    run, approved = two[0].run(), first % 4 < 2
    assert ("approved" if approved else "rejected") in reply
    assert (run.approved_by == PEOPLE[first]) is approved
    assert (run.status is RunStatus.REFUSED) is not approved
    told = f"Already {'approved' if approved else 'rejected'} by P{first:02}"
    assert all(told in reply for n, reply in enumerate(replies) if n != first), replies
    driven(*two)
    assert sum(target(two[0]).values()) == (2 if approved else 0)


def test_approving_and_aborting_at_once_ends_aborted(two: tuple[World, World]) -> None:
    want(two[0])
    clicks = [click(two[n % 2], person) for n, person in enumerate(PEOPLE[:20])]
    *replies, aborted = at_once(*clicks, lambda: two[1].runs.abort(1, "ben", "no"))
    assert aborted.done
    assert sum(reply.done for reply in replies) <= 1
    assert two[0].run().status is RunStatus.ABORTED
    assert all("Already approved" in reply or "aborted by ben" in reply for reply in replies if not reply.done)
    driven(*two)
    assert not target(two[0]), "an aborted run begins nothing"


def test_approving_while_it_expires(two: tuple[World, World]) -> None:
    """Either somebody was in time, and it starts; or nobody was, and it does not. Nobody is told otherwise."""
    want(two[0])
    clock = two[0].clock
    clock.advance(599.0)

    def expire() -> Reply:
        clock.advance(1.0)
        asyncio.run(two[1].runs.run_once())
        return Reply("looked")

    *replies, _ = at_once(*(click(two[n % 2], person) for n, person in enumerate(PEOPLE[:20])), expire)
    driven(*two)
    in_time = [reply for reply in replies if reply.done]
    assert len(in_time) <= 1
    assert two[0].run().status is (RunStatus.SUCCEEDED if in_time else RunStatus.REFUSED)
    assert sum(target(two[0]).values()) == (2 if in_time else 0)
    assert all("Already" in reply or "Too late" in reply for reply in replies if not reply.done), replies


def test_clicks_in_flight_when_its_time_is_over_start_nothing(two: tuple[World, World]) -> None:
    want(two[0])
    two[0].clock.advance(600.0)
    replies = at_once(*(click(two[n % 2], person) for n, person in enumerate(PEOPLE[:20])))
    assert all(not reply.done and "Too late: it expired" in reply for reply in replies), replies
    driven(*two)
    assert two[0].run().status is RunStatus.REFUSED
    assert not target(two[0])


def test_two_responders_race_for_runs_and_each_effect_is_once(two: tuple[World, World]) -> None:
    book = runbook(BOOK.replace("COUNT", "1").replace("mode: approve", "mode: auto"))
    for n in range(6):
        two[n % 2].want(book, f"k{n}", person="ann")
    driven(*two)
    assert {run.status for run in _runs(two[0])} == {RunStatus.SUCCEEDED}
    assert target(two[0]) == Counter({f"run-{n}.{step}": 1 for n in range(1, 7) for step in ("one", "two")})


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_clicks_from_processes_of_their_own(two: tuple[World, World], url: str) -> None:
    want(two[0], 2)
    groups = [PEOPLE[:10], PEOPLE[10:20]]
    command = [sys.executable, "-c", CLICKS, url]
    started = [
        subprocess.Popen(
            [*command, f"process-{n}", *people],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        for n, people in enumerate(groups)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outputs = [json.loads(process.communicate("go\n", timeout=PATIENCE)[0]) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    replies = [said for output in outputs for said in output]
    assert sum(done for _, done, _ in replies) == 2, replies
    assert sorted(person for person, done, _ in replies if done) == sorted(two[0].run().approved_by.split(", "))
    assert all("Already approved by" in reply for _, done, reply in replies if not done)
