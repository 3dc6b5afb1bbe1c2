"""incident.get: the incident as it is now; and `notify` to every room of an incident."""

from dataclasses import replace

import pytest

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.domain.effects import Say
from fireline.domain.incidents import Acknowledge, Resolve, RunRef
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.engine.outward import StepContext
from tests.engine.runs_world import world


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    made.fire()
    yield made
    made.store.close()


async def do(w, name, *, started=None, incident=1, **given):
    now = w.clock.now()
    context = StepContext("run-7.step", 7, "step", incident, now, {}, now if started is None else started)
    action = build_actions(Ports(w.store, w.settings, w.clock, w.responder))[name]
    return await action.perform(OPTIONS[name].model_validate(given), context)


def changed(w, **fields):
    with w.store.transaction() as tx:
        found = tx.incident(1)
        tx.save_incident(replace(found, version=found.version + 1, **fields))


async def test_it_says_who_has_it_what_is_impaired_and_what_was_done(w):
    first = await do(w, "incident.get", next_in="30m")
    assert isinstance(first, Done), first
    assert first.output["taken_by"] == ""
    assert first.output["done"] == "nothing by a runbook so far"
    assert first.output["owner"] == "Payments ML"
    assert "card payments" in str(first.output["impact"])
    assert str(first.output["next"]).endswith(" UTC")
    w.responder.handle(Acknowledge(1, "ann", "cli"))
    changed(
        w,
        runs={"a": RunRef(3, "roll-back-model", "undone"), "own": RunRef(7, "communicate", "running")},
        leases=("fraud-scoring",),
    )
    then = await do(w, "incident.get")
    assert isinstance(then, Done), then
    assert then.output["taken_by"] == "Ann Keller"
    assert then.output["done"] == "roll-back-model undone; fraud-scoring is on its fallback"
    assert then.output["next"] == ""
    assert then.output["mitigated"] is False


async def test_it_waits_until_nothing_fires_any_more_and_no_longer_than_it_may(w):
    began = w.clock.now()
    assert isinstance(await do(w, "incident.get", until="mitigated", within="10m"), Waiting)
    late = began - 601.0
    over = await do(w, "incident.get", until="mitigated", within="10m", started=late)
    assert isinstance(over, Done), "it goes on all the same"
    assert over.output["mitigated"] is False
    w.responder.handle(Resolve(1, "ann", "cli"))
    done = await do(w, "incident.get", until="mitigated", within="10m")
    assert isinstance(done, Done), done
    assert (done.output["mitigated"], done.output["over"]) == (True, True)


async def test_a_run_without_an_incident_has_none_to_look_at(w):
    assert isinstance(await do(w, "incident.get", incident=None), Failed)


async def test_every_room_of_an_incident_is_told_once(w):
    changed(w, rooms=(("slack", "C0MANAGEMENT"), ("slack", "C0INCIDENTS")))
    only = await do(w, "notify", text="hello")
    every = await do(w, "notify", text="hello", to="incident")
    assert isinstance(only, Done)
    assert isinstance(every, Done)
    assert set(every.output["told"]) - set(only.output["told"]) == {"slack:C0MANAGEMENT"}
    assert len(every.output["told"]) == len(set(every.output["told"]))
    rooms = [effect.address for effect in w.effects(Say) if effect.text == "hello"]
    assert rooms.count("C0MANAGEMENT") == 1
