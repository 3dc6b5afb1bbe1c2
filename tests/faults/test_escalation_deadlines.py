"""Escalations are asked on time, each once, whoever is killed meanwhile and for how long: never early, none lost.

Deadlines are rows: a responder that was killed in the middle of one leaves it to the next, and what became due while
none ran is asked at once when one is back. Responders are real processes, ended by SIGKILL at any moment; with
PostgreSQL the long form runs two of them, and sometimes both are gone. It arms 200 escalations that come due over three
minutes, and nobody runs for 0, 5 or 60 seconds; the short form 24 over ten seconds, for 0 or 3.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.escalation_trials import Trial, tally, write_house

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
CASES, WAITS = (200, [float(5 + 4 * step) for step in range(50)]) if LONG else (24, [4.0 + step for step in range(6)])
DOWN = (0.0, 5.0, 60.0, 0.0, 5.0, 0.0) if LONG else (3.0, 0.0)
EVERY = 15.0 if LONG else 6.0
RESPONDERS = 2 if LONG else 1
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def trial(request: pytest.FixtureRequest, tmp_path: Path, embedded_broker) -> Iterator[Trial]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if shared else f"sqlite:///{tmp_path / 'fireline.db'}"
    write_house(tmp_path, WAITS)
    made = Trial(tmp_path, url, embedded_broker.bootstrap)
    made.start(RESPONDERS if shared else 1)
    try:
        made.wait_until_it_beats()
        yield made
    finally:
        made.close()


def test_each_is_asked_once_and_none_early_whoever_is_killed(trial: Trial) -> None:
    dice, count = random.Random(7), len(trial.processes)
    trial.arm(CASES, len(WAITS))
    stays = DOWN if LONG or trial.database.startswith("sqlite") else DOWN[:1]  # each costs a start
    for down in stays:
        time.sleep(EVERY * dice.uniform(0.3, 1.0))
        gone = count if down else 1  # while nobody is to run, all of them go
        trial.kill(gone)
        time.sleep(down)
        trial.start(gone)
        trial.wait_until_it_beats()
    trial.wait_until_fired()
    seen = tally(trial)
    print(f"\n{trial.database.partition(':')[0]}, {len(stays)} kills, down for {sorted({*stays})} s: {seen}")
    assert (seen.fired, seen.once, seen.early) == (CASES, CASES, 0)
