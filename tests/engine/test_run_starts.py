"""A run that an incident asks for: its effect is done in the write of the start, and it is driven as it was begun."""

import asyncio
from contextlib import suppress

import pytest

from fireline.domain.effects import StartRun
from fireline.domain.outcomes import Done, RetryLater
from fireline.domain.runbooks import RunStatus
from fireline.engine.laying import conditional
from fireline.engine.ports import StaleVersion
from tests.engine.respond_world import eventually
from tests.engine.runs_world import Scripted, runbook, world

BOOK = """\
name: one-step
owner: payments-ml
start: {mode: auto}
steps:
  - {id: only, uses: notify, with: {text: hello}}
"""


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def claimed(w, owner):
    """The starts that wait and are leased now to `owner`; whatever else waits is done."""
    found = []
    while queued := w.store.claim_effects(owner, w.clock.now(), 1.0, 100):
        found += [each.effect for each in queued if isinstance(each.effect, StartRun)]
        for each in queued:
            if not isinstance(each.effect, StartRun):
                w.store.finish_effect(each.effect.key, owner, "done", w.clock.now())
    return found


def test_a_start_and_that_its_effect_is_done_are_one_write(w):
    w.fire()
    (effect,) = claimed(w, w.owner)
    assert isinstance(w.runs.start(effect), Done)
    w.clock.advance(60)
    assert claimed(w, "another") == [], "nobody asks for it again, though this responder was killed right then"


def test_a_start_that_came_to_nothing_leaves_its_effect_to_be_asked_again(w, monkeypatch):
    w.fire()
    (effect,) = claimed(w, w.owner)

    def stale(*_):
        raise StaleVersion("somebody else")

    monkeypatch.setattr(w.responder, "handle_in", stale)
    assert isinstance(w.runs.start(effect), RetryLater)
    monkeypatch.undo()
    w.clock.advance(60)
    assert claimed(w, "another") == [effect]


async def test_a_run_that_is_aborted_before_it_is_first_driven_does_nothing(w, monkeypatch):
    told = Scripted(last=Done())
    w.actions["notify"] = told
    w.runs = w.build()
    begin = w.runs._take_on

    def aborted(number, begun=None):
        assert begun is not None
        w.runs.abort(number, "ann", "not now")
        begin(number, begun)

    monkeypatch.setattr(w.runs, "_take_on", aborted)
    stop = asyncio.Event()
    driving = asyncio.create_task(w.runs.run(stop))
    await eventually(lambda: w.runs._loop is not None, 60)
    await asyncio.to_thread(w.want, runbook(BOOK), person="ann")
    await eventually(lambda: not w.runs._driving and w.runs._leases == {}, 60)
    stop.set()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(driving, 60)
    assert w.run().status is RunStatus.ABORTED
    assert told.calls == []


# conditions that say stop
def test_only_a_runbook_with_a_condition_is_asked_about_before_a_step():
    plain = runbook(BOOK)
    guarded = runbook(BOOK.replace("steps:", "guards: {stop_if: runs_active > 3}\nsteps:"))
    assert not conditional(plain, "only")
    assert conditional(guarded, "only")
