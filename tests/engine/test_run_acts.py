"""What people do to runs: hold, resume, pass over, try again, abort; each audited, none on a run that has changed."""

import asyncio
import json
import threading

import pytest

from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from tests.engine.runs_world import world
from tests.engine.test_runs_composites import book, one, with_actions


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.postgres)])
def both(request, tmp_path):
    url = request.getfixturevalue("postgres_url") if request.param == "PostgreSQL" else ""
    made = world(tmp_path, url)
    yield made
    made.store.close()


TWO = f"- {one('a')}\n- {one('b')}\n"


def audited(w, kind):
    with w.store.reading() as tx:
        acts = [json.loads(sealed.body) for sealed in tx.audit_chain()]
    return [(act["actor"], act["text"]) for act in acts if act["kind"] == kind]


async def test_a_paused_run_begins_nothing_and_goes_on_where_it_was(w):
    action = with_actions(w, {"a": [Waiting(5.0, "not yet"), Done()]})
    w.want(book(TWO.replace("do: a}", "do: a}, timeout: 20s", 1)))
    await w.runs.run_once()
    assert w.runs.pause(1, "ann", "looking").done
    assert "paused already, by ann" in w.runs.pause(1, "ben")
    w.clock.advance(60)
    await w.runs.run_once()
    assert action.log == ["a"]
    assert w.runs.resume(1, "ben").done
    assert "not paused" in w.runs.resume(1, "ben")
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED, "the time of a step does not pass while people look"
    assert action.log == ["a", "a", "b"]
    assert [line for line in w.journal() if "paused by ann" in line] == ["paused by ann: looking"]


async def test_a_paused_run_still_ends_at_its_deadline(w):
    action = with_actions(w, {"a": Waiting(5.0, "not yet")})
    w.want(book(TWO, f"deadline: 1m\nfinally: [{one('clean', undo=False)}]"))
    await w.runs.run_once()
    w.runs.pause(1, "ann")
    w.clock.advance(61)
    await w.runs.run_once()
    assert w.run().status is RunStatus.FAILED
    assert action.log == ["a", "clean"], "what comes last is not held back"


async def test_an_act_on_a_run_that_has_changed_does_nothing(both):
    w = both
    with_actions(w, {"a": Waiting(5.0, "not yet")})
    w.want(book(TWO))
    await w.runs.run_once()
    seen = w.run().version
    assert w.runs.pause(1, "ann", version=seen).done
    for reply in (
        w.runs.resume(1, "ben", version=seen),
        w.runs.skip(1, "a", "ben", "no need", version=seen),
        w.runs.retry(1, "a", "ben", version=seen),
    ):
        assert not reply.done
        assert "has changed since you looked" in reply
    assert w.runs.abort(1, "ben").done, "an abort always wins"


async def test_a_step_that_waits_is_passed_over_with_a_reason(w):
    action = with_actions(w, {"a": Waiting(600.0, "hangs")})
    w.want(book(TWO))
    await w.runs.run_once()
    assert "Say why" in w.runs.skip(1, "a", "ann", " ")
    assert "no step x" in w.runs.skip(1, "x", "ann", "because")
    assert w.runs.skip(1, "a", "ann", "done by hand").done
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED
    assert step_of(run, "a").error == "passed over by ann: done by hand"
    assert action.log == ["a", "b"]
    assert "over already" in w.runs.skip(1, "b", "ann", "late")


async def test_a_failed_run_is_tried_again_from_a_step_under_a_new_key(both):
    w = both
    action = with_actions(w, {"b": [Failed("no"), Done()]})
    w.want(book(TWO + f"- {one('c')}\n", "guards: {lock: it}"))
    await w.drive(30)
    assert w.run().status is RunStatus.FAILED
    assert "is done" in w.runs.retry(1, "a", "ann")
    assert "no step x" in w.runs.retry(1, "x", "ann")
    assert w.runs.retry(1, "b", "ann", "mended").done
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED
    assert action.keys == ["run-1.a", "run-1.b", "run-1.b.r1", "run-1.c"]
    with w.store.reading() as tx:
        assert tx.lock_holder("it") is None


async def test_a_step_that_may_have_acted_is_repeated_with_the_same_key(w):
    action = with_actions(w, {"a": [Failed("no answer", unknown=True)] * 3 + [Done()]})
    w.want(book(TWO.replace("do: a}", "do: a}, retry: {backoff: 0s}", 1)))
    await w.drive(30)
    assert step_of(w.run(), "a").uncertain
    w.runs.retry(1, "a", "ann")
    assert (await w.drive(30)).status is RunStatus.SUCCEEDED
    assert set(action.keys) == {"run-1.a", "run-1.b"}


async def test_only_what_failed_of_many_items_is_tried_again(w):
    action = with_actions(w, {"2": [Failed("no"), Done()]})
    w.want(book("- {id: each, uses: notify, foreach: [1, 2, 3], with: {do: '{{ item }}'}}\n"))
    await w.drive(30)
    w.runs.retry(1, "each", "ann")
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    assert action.log == ["1", "2", "2", "3"]
    assert action.keys == ["run-1.each[0]", "run-1.each[1]", "run-1.each[1].r1", "run-1.each[2]"]


async def test_an_item_that_acted_and_was_not_waited_for_keeps_its_key(w):
    working = [Waiting(5.0, "works"), Done()]
    action = with_actions(w, {"1": [*working], "2": [Failed("no"), Done()], "3": [*working]})
    items = "- {id: each, uses: notify, foreach: [1, 2, 3], concurrency: 3, with: {do: '{{ item }}'}"
    w.want(book(f"{items}, undo: {{uses: notify, with: {{do: 'undo {{{{ item }}}}'}}}}}}\n"))
    assert (await w.drive(30)).status is RunStatus.FAILED
    assert step_of(w.run(), "each[0]").uncertain
    w.runs.retry(1, "each", "ann")
    assert (await w.drive(30)).status is RunStatus.SUCCEEDED
    assert set(action.keys) == {"run-1.each[0]", "run-1.each[1]", "run-1.each[1].r1", "run-1.each[2]"}


async def test_an_undo_that_names_what_a_step_did_not_give_says_so(w):
    with_actions(w, {"a": Done(), "b": Failed("no")})
    back = "{uses: route.set, with: {undo: '{{ steps.a.did }}'}}"
    w.want(book(f"- {{id: a, uses: route.set, with: {{do: a}}, undo: {back}}}\n- {one('b', ', on_failure: undo')}\n"))
    run = await w.drive(30)
    assert run.status is RunStatus.UNDO_FAILED
    assert "undo.with: `{{ steps.a.did }}` cannot be filled: `steps.a.did` is not there" in run.reason


async def test_an_undo_that_failed_is_tried_again(w):
    action = with_actions(w, {"b": Failed("no"), "undo a": [Failed("stuck"), Done()]})
    w.want(book(TWO.replace("with: {do: b}", "with: {do: b}, on_failure: undo")))
    await w.drive(30)
    assert w.run().status is RunStatus.UNDO_FAILED
    assert w.runs.retry(1, "a", "ann").done
    assert (await w.drive(30)).status is RunStatus.UNDONE
    assert action.keys[-2:] == ["run-1.a.undo", "run-1.a.undo"]


async def test_a_lock_that_another_run_has_keeps_a_run_from_going_on(w):
    with_actions(w, {"b": Failed("no")})
    w.want(book(TWO, "guards: {lock: it}"))
    await w.drive(30)
    with w.store.transaction() as tx:
        tx.take_lock("it", 9)
    assert w.runs.retry(1, "b", "ann") == "Run 9 holds it now; wait until it is over."
    assert w.run().over


async def test_a_run_that_succeeded_or_goes_on_is_not_tried_again(w):
    with_actions(w, {"a": [Waiting(5.0, "w"), Done()]})
    w.want(book(TWO))
    await w.runs.run_once()
    assert not w.runs.retry(1, "a", "ann").done
    await w.drive(30)
    assert "start a new one" in w.runs.retry(1, "a", "ann")
    for reply in (w.runs.pause(1, "ann"), w.runs.resume(1, "ann"), w.runs.skip(1, "a", "ann", "x")):
        assert "over already" in reply


async def test_an_abort_stops_an_action_that_hangs(w):
    stopped = asyncio.Event()

    class Hangs:
        mutates = True

        async def perform(self, options, context):
            try:
                await asyncio.sleep(3600)
            finally:
                stopped.set()

    with_actions(w)
    w.actions["route.set"] = Hangs()
    w.runs = w.build()
    w.want(book(TWO))
    driving = asyncio.create_task(w.runs.run_once())
    while step_of(w.run(), "a").status is not StepStatus.STARTED:
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(w.runs.abort, 1, "ann")).done
    async with asyncio.timeout(60):
        await driving
    assert stopped.is_set()
    assert w.run().status is RunStatus.ABORTED


async def test_what_an_abort_takes_back_comes_after_the_act_that_was_under_way(w):
    log, may_end = [], threading.Event()

    class Slow:
        mutates = True

        async def perform(self, options, context):
            if hasattr(options, "undo"):
                log.append("undone")
                return Done()
            await asyncio.to_thread(may_end.wait, 60)
            log.append("done")
            return Done()

    with_actions(w)
    w.actions["route.set"] = Slow()
    w.runs = w.build()
    w.want(book(TWO))
    driving = asyncio.create_task(w.runs.run_once())
    while step_of(w.run(), "a").status is not StepStatus.STARTED:
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(w.runs.abort, 1, "ann", undo=True)).done
    await asyncio.sleep(0.7)  # long enough for the driver to have seen it
    may_end.set()
    async with asyncio.timeout(60):
        await driving
    assert log == ["done", "undone"]
    assert w.run().status is RunStatus.UNDONE


async def test_each_act_is_in_the_audit_with_who_did_it(w):
    with_actions(w, {"a": Waiting(600.0, "hangs"), "b": Failed("no")})
    w.want(book(TWO))
    await w.runs.run_once()
    w.runs.pause(1, "ann")
    w.runs.resume(1, "ben")
    w.runs.skip(1, "a", "cleo", "by hand")
    await w.drive(30)
    w.runs.retry(1, "b", "dana")
    w.runs.abort(1, "emil")
    assert audited(w, "run.answered") == [
        ("ann", "paused by ann"),
        ("ben", "resumed by ben"),
        ("cleo", "a passed over by cleo: by hand"),
        ("dana", "tried again from b by dana"),
        ("emil", "aborted by emil"),
    ]
