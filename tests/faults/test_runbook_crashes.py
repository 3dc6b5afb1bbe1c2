"""The fallback runbook survives a crash at every write and every effect: the same end, and each effect once.

A crash is simulated by an exception that nothing catches, raised before or after a commit, or around an action; from
then on the crashed responder cannot reach the database, and another one takes over on the same file. Real kills of a
real process follow. The long campaign (`FIRELINE_FAULTS=long`) takes every boundary, the short one every third.
"""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from fireline.adapters.clock import FakeClock, SystemClock
from fireline.adapters.database import open_store
from fireline.domain.effects import Publish, StartRun
from fireline.domain.runbooks import RunStatus, StepStatus
from tests.engine.runs_world import SERVICE, Fixed, World, shipped

REPOSITORY = Path(__file__).parents[2]
LONG = os.environ.get("FIRELINE_FAULTS") == "long"
QUICK = {"stable_for": "0s", "every": "500ms"}
WELL = {"fraud_latency": "clear", "primary_health": "clear"}
ILL = {"fraud_latency": "firing"}


class Crash(BaseException):
    """The process died here."""


class Crashing:
    """A store that dies at its n-th boundary, and stays dead."""

    def __init__(self, store, at=None):
        self.store = store
        self.at = at
        self.count = 0
        self.where = ""
        self.dead = False

    def __getattr__(self, name):
        return getattr(self.store, name)

    def boundary(self, where):
        if self.dead:
            raise Crash("dead already")
        self.count += 1
        if self.count == self.at:
            self.dead, self.where = True, where
            raise Crash(where)

    @contextmanager
    def transaction(self):
        if self.dead:
            raise Crash("dead already")
        with self.store.transaction() as tx:
            yield tx
            self.boundary("before a commit")
        self.boundary("after a commit")

    def claim_run(self, *args):
        self.boundary("before a claim")
        return self.store.claim_run(*args)

    def release_run(self, *args):
        self.boundary("before a release")
        return self.store.release_run(*args)


class Around:
    """An action that may die before or after what it does."""

    def __init__(self, action, store):
        self.action = action
        self.store = store
        self.mutates = action.mutates
        self.at_once = getattr(action, "at_once", False)

    async def perform(self, options, context):
        self.store.boundary(f"before {context.step}")
        outcome = await self.action.perform(options, context)
        self.store.boundary(f"after {context.step}")
        return outcome


def responder(store, clock, at=None, owner="one"):
    crashing = Crashing(store, at)
    made = World(crashing, clock, Fixed(shipped()), owner=owner)
    made.actions = {name: Around(action, crashing) for name, action in made.actions.items()}
    made.runs = made.build()
    return made, crashing


async def until_over(w, plain, verdicts, limit=400):
    """Drive, with verdicts written by somebody who does not crash."""
    plain.verdicts = verdicts
    for _ in range(limit):
        plain.evaluate()
        await w.runs.run_once()
        with plain.store.reading() as tx:
            run = tx.run(1)
        if run is not None and run.over:
            return
        plain.clock.advance(0.5)
    raise AssertionError(f"not over: {plain.run()}")


def start(w, effect, verdicts):
    inputs = {**effect.inputs, **QUICK, **({"verify_within": "2s"} if verdicts is ILL else {})}
    w.runs.start(StartRun(effect.key, effect.incident, effect.runbook, inputs))


async def crashed_at(path, at, verdicts):
    """The world after a run with a crash at boundary `at`; None when there are fewer boundaries."""
    path.mkdir()
    store, clock = open_store(f"sqlite:///{path / 'fireline.db'}"), FakeClock()
    plain = World(store, clock, Fixed(shipped()))
    plain.fire()
    (effect,) = plain.requested()
    w, crashing = responder(store, clock, at)
    try:
        start(w, effect, verdicts)
        await until_over(w, plain, verdicts)
    except Crash:
        clock.advance(16)  # the lease of the dead one runs out
        second, _ = responder(store, clock, owner="two")
        start(second, effect, verdicts)  # its outbox gives the request again
        await until_over(second, plain, verdicts)
    return plain, crashing


def check(w, where, verdicts):
    run, texts = w.run(), w.texts(1)
    published = [effect for effect in w.effects(Publish) if effect.topic == "fireline.routes"]
    route = [effect.value["weights"] for effect in published]
    assert [effect.value["version"] for effect in published] == list(range(1, len(published) + 1)), where
    assert w.route() == {"primary": 100}, (where, run.status, run.reason)
    if verdicts is WELL:
        assert run.status is RunStatus.SUCCEEDED, (where, run.reason)
        assert {s.status for s in run.steps} == {StepStatus.DONE}, where
        assert route == [{"fallback": 100}, {"fallback": 75, "primary": 25}, {"primary": 100}], where
    else:
        assert run.status is RunStatus.UNDONE, (where, run.reason)
        assert route == [{"fallback": 100}, {"primary": 100}], where
    with w.store.reading() as tx:
        assert [r.id for r in tx.runs()] == [1], where
        assert tx.lock_holder(f"service:{SERVICE}") is None, where
        assert len(tx.journal(1)) == run.version, where
    told = Counter(text for text in texts if text.startswith(("Run 1", SERVICE)))
    assert set(told.values()) == {1}, (where, told)
    assert w.incident(1).runs["1"].status == run.status.value, where
    assert w.incident(1).leases == (), where


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("verdicts", [WELL, ILL], ids=["recovers", "is undone"])
async def test_a_crash_at_any_boundary_changes_nothing_in_the_end(tmp_path, verdicts):
    whole, counted = await crashed_at(tmp_path / "whole", None, verdicts)
    check(whole, "no crash", verdicts)
    whole.store.close()
    total = counted.count
    assert total > 40, "the test looks at nothing"
    seen = Counter()
    for at in range(1, total + 1, 1 if LONG else 3):
        w, crashing = await crashed_at(tmp_path / str(at), at, verdicts)
        assert crashing.dead, f"no boundary {at}"
        seen[crashing.where] += 1
        check(w, f"crash {at}, {crashing.where}", verdicts)
        w.store.close()
    assert seen["before a commit"] > 1
    assert seen["after a commit"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12 if LONG else 2))
def test_a_killed_process_is_taken_over_by_the_next(tmp_path, seed):
    path = tmp_path / "fireline.db"
    plain = World(open_store(f"sqlite:///{path}"), SystemClock(), Fixed(shipped()))
    plain.fire()
    chance = random.Random(seed)
    kills = 0
    for _ in range(20):
        # a step whose outcome is unknown three times is given up, and all kills may hit the same
        lives = [] if kills == 2 else [str(chance.uniform(0.001, 0.4))]
        command = [sys.executable, "-m", "tests.faults.run_process", str(path), *lives]
        ended = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
        assert ended in (0, -signal.SIGALRM)
        kills += ended != 0
        with plain.store.reading() as tx:
            run = tx.run(1)
        if run is not None and run.over:
            break
    check(plain, f"seed {seed}, {kills} kills", WELL)
    assert kills > 0
    plain.store.close()
