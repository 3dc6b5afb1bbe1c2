"""The wall clock of a responder is set by an hour while escalations are armed: none is asked early, none is lost.

A real responder, on a machine whose wall clock the test sets (`wall_process.py`), forward and back, before anything is
due and while it falls due. When each was asked is seen from outside, by the true clock, and read from the page.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import put
from tests.faults.escalation_trials import PATIENCE, Trial, tally, write_house

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
HOUR = 3600.0
CASES, WAITS = (100, [float(10 + step) for step in range(25)]) if LONG else (12, [5.0, 6.0, 7.0])
HELD = 45.0 if LONG else 8.0
"""Seconds for which the clock stays wrong: less than the minute after which a jump that lasts is believed."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def trial(request: pytest.FixtureRequest, tmp_path: Path, embedded_broker) -> Iterator[Trial]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if shared else f"sqlite:///{tmp_path / 'fireline.db'}"
    write_house(tmp_path, WAITS)
    program = [sys.executable, str(Path(__file__).with_name("wall_process.py")), str(tmp_path / "off")]
    made = Trial(tmp_path, url, embedded_broker.bootstrap, program)
    made.start()
    try:
        made.wait_until_it_beats()
        yield made
    finally:
        made.close()


def watch(trial: Trial, seen: dict[int, float], seconds: float) -> None:
    """Keep when each escalation was first seen to be asked, by the true clock."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number, fired in trial.fired().items():
            if fired:
                seen.setdefault(number, time.time())
        time.sleep(0.1)


def jumps(trial: Trial) -> int:
    """How often the responder has said that its clock was set."""
    return (trial.folder / "respond.log").read_text().count("the wall clock jumped")


def test_none_is_asked_early_or_lost_when_the_clock_is_set_by_an_hour_and_back(trial: Trial) -> None:
    off, seen, deadline = trial.folder / "off", dict[int, float](), time.monotonic() + PATIENCE
    for turn, jump in enumerate((HOUR, -HOUR)):
        trial.arm(CASES, len(WAITS), first=turn * CASES)
        watch(trial, seen, 1.0)
        before = jumps(trial)
        put(off, str(jump))
        while jumps(trial) == before and time.monotonic() < deadline:
            watch(trial, seen, 0.1)
        watch(trial, seen, HELD)
        put(off, "0")
        trial.wait_until_fired()
    watch(trial, seen, 0.5)
    found = tally(trial)
    print(f"\n{trial.database.partition(':')[0]}, clock set by an hour, forward and back: {found}")
    assert (found.fired, found.once, found.early) == (2 * CASES, 2 * CASES, 0)
    assert [number for number, at in seen.items() if at < trial.due[number]] == []
    assert max(found.late) < HOUR / 2
    assert jumps(trial) >= 2, "it was set indeed"
