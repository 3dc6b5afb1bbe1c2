"""Several responders race for runs and are killed, and the database goes away in mid-run: none lost, each act once.

Real processes on real databases and a target over HTTP that counts by key, as in production but for the clock's hurry.
`make faults` races for 100 runs and takes the database away for longer than anybody waits for it.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.runbooks import Run, RunStatus
from fireline.engine.ports import Unavailable
from fireline.engine.starting import Wanted
from tests.faults.run_racers import KEYS, Racers, book, racing, responder, workshop
from tests.faults.run_target import Target, serving
from tests.servers.postgres import running_postgres

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
RUNS = 100 if LONG else 8
EVERY = 15 if LONG else 8
"""A responder is killed each time the target was asked so many times more."""
PATIENCE = 300.0
"""Seconds within which anything that is waited for has to come."""
LATE = 2.0
"""Seconds of a lease where responders are killed; where they only race it is so long that nobody loses one."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def shop() -> Iterator["Popen[str]"]:
    with workshop() as process:
        yield process


@pytest.fixture
def target() -> Iterator[Target]:
    with serving() as made:
        yield made


def ask(store: DatabaseStore, many: int) -> None:
    """So many runs are wanted, by a person."""
    w = responder(store, 0, LATE)
    for n in range(1, many + 1):
        wanted = Wanted(f"race-{n}", book().name, None, {"n": n}, person="somebody")
        assert w.runs.request(wanted).run is not None


def until_over(store: DatabaseStore, many: int) -> list[Run]:
    """All runs, once they are over. A database that is away is waited for."""
    end = time.monotonic() + PATIENCE
    runs: list[Run] = []
    while time.monotonic() < end:
        try:
            with store.reading() as tx:
                runs = list(tx.runs(limit=1000))
        except Unavailable:
            runs = []
        if len(runs) == many and all(run.over for run in runs):
            return runs
        time.sleep(0.05)
    raise AssertionError([(run.id, run.status.value, [s.status.value for s in run.steps]) for run in runs])


def check(store: DatabaseStore, target: Target, runs: list[Run]) -> None:
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}, [run.reason for run in runs]
    assert dict(target.done) == {f"run-{run.id}.{step}": 1 for run in runs for step in KEYS}
    with store.reading() as tx:
        for run in runs:
            assert len(tx.journal(run.id)) == run.version
            assert tx.lock_holder(run.lock) is None


class Kills:
    """Kills a responder when the target was asked often enough: before it answers, so that no run is over by then."""

    def __init__(self, racers: Racers, target: Target) -> None:
        self.count = 0
        self._racers, self._target, self._lock = racers, target, threading.Lock()

    def look(self) -> None:
        with self._lock:
            if sum(self._target.seen.values()) >= EVERY * (self.count + 1):
                self.count += 1
                self._racers.kill()

    def none(self) -> None:
        """Nobody is to be killed."""


@pytest.mark.postgres
@pytest.mark.parametrize("killed", [True, False] if LONG else [True], ids=["with kills", "nobody dies"][: 1 + LONG])
def test_two_responders_race_for_runs(postgres_url: str, shop: "Popen[str]", target: Target, killed: bool):
    store = open_store(postgres_url)
    with racing(shop, postgres_url, target.port, many=2, lease=LATE if killed else 300.0) as racers:
        kills = Kills(racers, target)
        target.before_answer = kills.look if killed else kills.none
        ask(store, RUNS)
        runs = until_over(store, RUNS)
        target.before_answer = kills.none
    check(store, target, runs)
    twice = [key for key, times in target.seen.items() if times > 1]
    acts = f"{len(target.done)} acts, {len(twice)} asked for twice"
    print(f"{RUNS} runs, two responders, {kills.count} kills: lost 0, {acts}")
    if killed:
        assert kills.count > 0
    else:
        assert not twice, "two responders did the same step"
    store.close()


class Away:
    """A database that can be taken away: its URL, and how."""

    def __init__(self, url: str, go: Callable[[], None], come_back: Callable[[], None]) -> None:
        self.url, self.go, self.come_back = url, go, come_back


@contextmanager
def stopped(_: Path) -> Iterator[Away]:
    with running_postgres() as server:
        yield Away(server.new_database(), server.stop, server.start)


@contextmanager
def hanging(_: Path) -> Iterator[Away]:
    with running_postgres() as server:
        yield Away(server.new_database(), server.hang, server.unhang)


@contextmanager
def locked(home: Path) -> Iterator[Away]:
    path, held = home / "fireline.db", ExitStack()

    def lock() -> None:
        connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE, check_same_thread=False)
        held.callback(connection.close)
        connection.execute("BEGIN EXCLUSIVE")

    yield Away(f"sqlite:///{path}", lock, held.close)


CASES = {
    "SQLite locked": (locked, 30.0 if LONG else 1.0),
    "PostgreSQL stopped": (stopped, 15.0 if LONG else 2.0),
    **({"PostgreSQL hanging": (hanging, 30.0)} if LONG else {}),
}


@pytest.mark.postgres
@pytest.mark.parametrize("case", CASES)
def test_the_database_is_away_in_mid_run(tmp_path: Path, shop: "Popen[str]", target: Target, case: str):
    how, seconds = CASES[case]
    with how(tmp_path) as away:
        store = open_store(away.url)
        ask(store, 1)
        gone = threading.Event()

        def go() -> None:
            """While the target is at the first act: what comes of it cannot be written down."""
            if not gone.is_set():
                away.go()
                gone.set()

        target.before_answer = go
        with racing(shop, away.url, target.port, many=1, lease=LATE):
            assert gone.wait(PATIENCE)
            store.close()
            time.sleep(seconds)
            away.come_back()
            began = SystemClock().now()
            runs = until_over(store, 1)
        check(store, target, runs)
        assert runs[0].ended_at is not None
        print(f"{case} for {seconds:g} s: over {runs[0].ended_at - began:.1f} s after its return, {dict(target.seen)}")
        store.close()


def test_databases_are_taken_away_for_good_measure(tmp_path: Path):
    """A lock that locks nobody out would prove nothing."""
    with locked(tmp_path) as away:
        open_store(away.url).close()
        away.go()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(tmp_path / "fireline.db", isolation_level=None, timeout=0.1).execute("BEGIN IMMEDIATE")
        away.come_back()
