"""The stop switch: nothing starts and nothing further is changed while a person has pulled it, on both databases."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fireline.adapters.database import open_store
from fireline.domain.effects import Tell, Timer
from fireline.domain.outcomes import Done, Failed
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.domain.stops import Asked
from fireline.engine import stops
from fireline.engine.routes import change_route
from tests.engine.runs_world import SERVICE, Scripted, runbook, world
from tests.engine.test_runs import act, own, scripted

UNDO = "undo: {uses: route.set, with: {service: fraud-scoring, to: {primary: 100}}}"
ACT = "uses: route.set, with: {service: fraud-scoring, to: {fallback: 100}}, " + UNDO
TWO = f"""
name: two
owner: payments-ml
start: {{mode: auto}}
inputs: {{service: {{type: string, default: fraud-scoring}}}}
steps:
  - {{id: one, {ACT}}}
  - {{id: two, {ACT}, on_failure: undo}}
"""


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request, tmp_path):
    made = world(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgres" else "")
    yield made
    made.store.close()


def asked(service="", **more):
    return Asked(service, "ann", "the fallback is worse", "command line", name="Ann Lee", **more)


def pull(w, service="", **more):
    with w.store.transaction() as tx:
        catalog = w.settings.current.catalog
        return stops.pull(tx, catalog, asked(service, **more), w.clock.now(), w.responder.configured)


def lift(w, service=""):
    with w.store.transaction() as tx:
        return stops.lift(tx, w.settings.current.catalog, asked(service), w.clock.now(), w.responder.configured)


async def test_a_run_waits_and_begins_when_the_switch_is_lifted(both):
    w = both
    pull(w)
    run = w.begin()
    assert run.status is RunStatus.WAITING
    assert "pulled by Ann Lee: the fallback is worse" in run.reason
    await w.runs.run_once()
    journal = len(w.journal())
    w.clock.advance(30)
    await w.runs.run_once()
    assert w.run().status is RunStatus.WAITING
    assert len(w.journal()) == journal, "waiting on is no news"
    assert w.route() == {"primary": 100}
    assert "Going on: run 1" in lift(w).text
    w.clock.advance(2)
    await w.runs.run_once()
    assert w.route() == {"fallback": 100}


async def test_a_run_under_way_holds_before_what_changes_something_next(w):
    scripted(w, Done(), Done())
    w.fire()
    pulled = {}

    class Pulls(Scripted):
        async def perform(self, options, context):
            pulled.setdefault("answer", pull(w))
            return await super().perform(options, context)

    action = w.actions["route.set"] = Pulls([Done(), Done()])
    w.runs = w.build()
    run = w.want(runbook(TWO), incident=1).run
    await w.runs.run_once()
    assert "1 run holds (1 two) before what changes something next; begun already: one of run 1" in (
        pulled["answer"].text
    )
    found = w.run(run.id)
    assert step_of(found, "one").status is StepStatus.DONE, "what had begun was finished"
    assert step_of(found, "two").status is StepStatus.PENDING
    assert found.held.startswith("held before do two: the stop switch for everything")
    assert any("held before do two" in line for line in w.texts(1))
    assert any("held before do two" in line for line in w.journal())
    held = len(w.journal())
    w.clock.advance(5)
    await w.runs.run_once()
    assert len(w.journal()) == held
    lift(w)
    w.clock.advance(2)
    await w.runs.run_once()
    assert w.run(run.id).status is RunStatus.SUCCEEDED
    assert len(action.calls) == 2
    assert w.run(run.id).held == ""


@pytest.mark.parametrize("let_undo", [False, True])
async def test_undoing_waits_as_well_unless_it_may_go_on(w, let_undo):
    action = scripted(w, Done(), last=Done())

    class Pulls(Scripted):
        async def perform(self, options, context):
            if context.step == "two":
                pull(w, let_undo=let_undo)
            return await super().perform(options, context)

    action = w.actions["route.set"] = Pulls([Done(), Failed("no")], last=Done())
    w.runs = w.build()
    w.want(runbook(TWO))
    await w.runs.run_once()
    found = w.run()
    if let_undo:
        assert found.status is RunStatus.UNDONE
        return
    assert found.status is RunStatus.UNDOING
    assert found.held.startswith("held before undo one")
    assert len(action.calls) == 2
    pull(w, let_undo=True)
    w.clock.advance(2)
    await w.runs.run_once()
    assert w.run().status is RunStatus.UNDONE, "pulling it again lets undoing go on"


async def test_handing_traffic_back_to_the_primary_counts_as_undoing(w):
    with w.store.transaction() as tx:
        assert change_route(
            tx, w.settings.current, SERVICE, {"fallback": 100}, by="person:ann", reason="before", now=w.clock.now()
        )
    home = own(f"  - {{id: back, uses: route.set, with: {{service: {SERVICE}, to: {{primary: 100}}}}, {UNDO}}}\n")
    w.want(home)
    w.want(own(act()), key="away")
    pull(w, let_undo=True)
    await w.runs.run_once()
    assert w.run().status is RunStatus.SUCCEEDED
    assert w.route() == {"primary": 100}
    assert w.run(2).held.startswith("held before do act")


async def test_of_one_service_it_holds_that_service_alone_by_input_incident_lock_or_step(w):
    scripted(w, last=Done())
    pull(w, "price-direction")
    w.want(runbook(TWO), key="a")
    await w.runs.run_once()
    assert w.run(1).status is RunStatus.SUCCEEDED
    pull(w, SERVICE)
    w.want(runbook(TWO), key="by-input")
    assert w.run(2).status is RunStatus.WAITING
    w.want(own(act()), key="by-step")
    await w.runs.run_once()
    assert w.run(3).held, "the runbook has no service, but its step names one"
    w.want(own(act(), head='guards: {lock: "service:fraud-scoring"}'), key="by-lock")
    assert w.run(4).status is RunStatus.WAITING


def test_pulling_and_lifting_twice_is_told_and_survives_a_restart(both):
    w = both
    assert pull(w).done
    again = pull(w)
    assert not again.done
    assert "everything is stopped already by Ann Lee" in again.text
    assert pull(w, SERVICE).done
    if w.store._engine.dialect.name == "sqlite":
        w.store.close()
        w.store = open_store(str(w.store._engine.url))
    with w.store.reading() as tx:
        assert [stop.scope for stop in tx.stops()] == ["everything", SERVICE]
    lifted = lift(w)
    assert f"{SERVICE} is still stopped by Ann Lee" in lifted.text
    assert not lift(w).done
    assert lift(w, SERVICE).done
    with w.store.reading() as tx:
        assert tx.stops() == []
        assert [stop.lifted_by for stop in tx.stops(pulled_only=False)] == ["ann", "ann"]
        acts = [sealed.body for sealed in tx.audit_chain()]
    assert sum('"stop.pulled"' in body for body in acts) == 2
    assert sum('"stop.lifted"' in body for body in acts) == 2
    assert all('"ann"' in body for body in acts)


async def test_rooms_and_open_incidents_are_told_once(w):
    w.fire()
    pull(w)
    for _ in range(2):
        stops.tell(w.store, w.responder, Timer("stop/1/v1", w.clock.now(), "stop"))
    said = [line for line in w.texts(1) if "stop switch" in line]
    assert len(said) == 1
    assert said[0].endswith("pulled the stop switch for everything: the fallback is worse; runs hold")
    rooms = [effect for effect in w.effects(Tell) if "stop switch" in effect.text]
    assert rooms
    assert len({(each.channel, each.address) for each in rooms}) == len(rooms)


async def test_a_held_run_can_be_aborted_and_still_ends_at_its_deadline(w):
    scripted(w, last=Done())
    pull(w)
    w.want(own(act()), key="a")
    w.want(own(act()), key="b")
    assert w.runs.abort(1, "ann", "enough").done
    w.clock.advance(5 * 3600)
    await w.runs.run_once()
    assert w.run(1).status is RunStatus.ABORTED
    assert w.run(2).status is RunStatus.REFUSED
    assert "the stop switch" in w.run(2).reason


@pytest.mark.parametrize("turn", range(2))
async def test_once_a_pull_is_committed_nothing_begins_that_it_covers(both, turn):
    """Runs are driven by two responders while somebody pulls: after the pull no act begins."""
    w = both
    book = replace(runbook(TWO), name="many")
    began = []

    class Notes(Scripted):
        async def perform(self, options, context):
            began.append(context.key)
            return Done()

    w.actions["route.set"] = Notes()
    w.runs = w.build()
    two = w.again()
    for number in range(3):
        w.want(book, key=f"{number}")

    def pulled():
        return pull(w), None

    with ThreadPoolExecutor(1) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(w.runs.run_once(), two.runs.run_once(), loop.run_in_executor(pool, pulled))
    done = list(began)
    with w.store.reading() as tx:
        marked = {f"run-{run.id}.{s.id}" for run in tx.runs(limit=10) for s in run.steps if s.started_at is not None}
    assert set(done) == marked
    for _ in range(2):
        w.clock.advance(2)
        await asyncio.gather(w.runs.run_once(), two.runs.run_once())
    assert began == done
    lift(w)
    while not all(w.run(number).over for number in range(1, 4)):
        w.clock.advance(2)
        await asyncio.gather(w.runs.run_once(), two.runs.run_once())
    assert set(began) == {f"run-{number}.{step}" for number in range(1, 4) for step in ("one", "two")}
