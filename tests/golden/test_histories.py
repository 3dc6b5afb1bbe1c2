"""Golden histories: runs as earlier versions journaled them are read, planned and ended by the code of today.

A file is the text that a run was pinned to and every state that was journaled, with what was next then. Files are
never written anew; `python -m tests.golden.record NAME` adds one of today's version.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.codec import decode, encode
from fireline.adapters.database import open_store
from fireline.apps.bootstrap import plugins
from fireline.domain import running
from fireline.domain.run_places import fits
from fireline.domain.runbooks import TERMINAL, Run, RunStatus
from fireline.domain.running import Do, GiveUp, Settle
from fireline.spec.loading import read_runbook
from tests.engine.test_runs_composites import TOLERANT
from tests.faults.test_composite_crashes import Target, responder, until_over

FOLDER = Path(__file__).parent / "histories"


def known(text):
    """Actions as the history knew them: of a test's own, or those that are shipped."""
    return read_runbook(text, TOLERANT if "do: " in text else plugins())


def moment(run: Run) -> float:
    """The latest instant that a state knows of."""
    times = [t for step in run.steps for t in (step.started_at, step.ended_at)]
    return max(t for t in (run.created_at, run.started_at, *times) if t is not None)


def planned(run: Run, text: str) -> list[list[str]]:
    """What is next in it, plainly."""
    told = []
    for plan in running.next_steps(run, known(text), moment(run)):
        match plan:
            case Do():
                told.append(["do", plan.kind, plan.step, plan.key])
            case GiveUp() | Settle():
                told.append([type(plan).__name__, plan.todo.step])
            case _:
                told.append([type(plan).__name__])
    return told


def states_of(history) -> list[tuple[Run, list[list[str]]]]:
    found = []
    for state in history["states"]:
        tag, fields = state["run"]
        run = decode(Run, json.dumps([tag, {**fields, "text": history["text"]}]).encode())
        found.append((run, state["next"]))
    return found


HISTORIES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(params=HISTORIES)
def history(request):
    return json.loads((FOLDER / f"{request.param}.json").read_text())


def test_every_state_is_read_and_what_was_next_is_next(history):
    for run, expected in states_of(history):
        assert fits(run, known(history["text"]))
        assert planned(run, history["text"]) == expected, run.version
        assert decode(Run, encode(run)) == run


@pytest.mark.parametrize("name", [name for name in HISTORIES if name.startswith("own-")])
async def test_every_state_is_taken_to_the_end_that_it_had(tmp_path, name):
    history = json.loads((FOLDER / f"{name}.json").read_text())
    states = [run for run, _ in states_of(history)]
    wanted = states[-1]
    begun = [run for run in states[:-1] if run.status not in (RunStatus.WAITING, *TERMINAL) and run.paused is None]
    for run in begun[:: 1 if os.environ.get("FIRELINE_FAULTS") == "long" else 4]:
        store, clock, target = open_store(f"sqlite:///{tmp_path / f'{run.version}.db'}"), FakeClock(), Target()
        clock.advance(max(0.0, moment(run) - clock.now()))
        w, _ = responder(store, clock, target)
        with store.transaction() as tx:
            tx.next_number("run")
            for version in range(1, run.version + 1):
                tx.save_run(replace(run, version=version), "as it was")
        ended = await until_over(w, store, clock)
        assert (ended.status, ended.reason) == (wanted.status, wanted.reason), run.version
        store.close()
