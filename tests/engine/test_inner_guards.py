"""Guards of runbooks within others: their budget counts wherever they run, and no two runs wait for each other."""

from dataclasses import replace

import pytest

from fireline.apps.bootstrap import plugins
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.engine.inner_guards import awaited, spent
from fireline.spec.loading import read_runbook
from tests.engine.runs_world import world

INNER = """\
name: inner
owner: payments-ml
start: {mode: auto}
inputs: {to: {type: string}}
guards: {lock: "it:{{ inputs.to }}", budget: {runs: 2, per: 1h}}
steps:
- {id: look, uses: route.get, with: {service: fraud-scoring}}
"""
OUTER = """\
name: outer
owner: payments-ml
start: {mode: auto}
inputs: {first: {type: string}, second: {type: string}, time: {type: string, default: 2s}}
steps:
- {id: one, uses: runbook.run, with: {runbook: inner, inputs: {to: "{{ inputs.first }}"}}}
- {id: pause, uses: wait, with: {for: "{{ inputs.time }}"}}
- {id: two, uses: runbook.run, with: {runbook: inner, inputs: {to: "{{ inputs.second }}"}}}
"""
EACH = """\
name: each
owner: payments-ml
start: {mode: auto}
steps:
- {id: all, uses: runbook.run, foreach: [x, x, x], with: {runbook: inner, inputs: {to: "{{ item }}"}}}
"""


def read(text):
    return read_runbook(text, plugins())


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    made.settings.current = replace(made.settings.current, autonomy=())  # nobody has to be asked
    yield made
    made.store.close()


def ask(w, key, first, second, text=OUTER + "--- # runbook inner\n" + INNER, **more):
    run = w.want(read(text), key, inputs={"first": first, "second": second}, **more).run
    assert run is not None
    return run.id


async def settled(w, *numbers):
    for number in numbers:
        await w.drive(60, number)
    return [w.run(number) for number in numbers]


async def test_two_runs_that_would_wait_for_each_other_do_not(w):
    one, two = ask(w, "a", "x", "y"), ask(w, "b", "y", "x")
    first, second = await settled(w, one, two)
    failed, done = sorted((first, second), key=lambda run: run.status is not RunStatus.FAILED)
    assert done.status is RunStatus.SUCCEEDED, done.reason
    assert failed.status is RunStatus.FAILED
    mine, theirs = ("x", "y") if failed.id == one else ("y", "x")
    assert failed.reason == (
        f"two: run {done.id} holds it:{theirs}, and would never give it back: "
        f"run {done.id} waits for it:{mine}, which this run holds"
    )
    assert [step_of(done, name).status for name in ("one", "two")] == [StepStatus.DONE] * 2
    with w.store.reading() as tx:
        assert tx.lock_holder("it:x") is None
        assert tx.lock_holder("it:y") is None


async def test_a_circle_of_three_is_seen_too(w):
    numbers = [ask(w, *each) for each in (("a", "x", "y"), ("b", "y", "z"), ("c", "z", "x"))]
    runs = await settled(w, *numbers)
    assert sorted(run.status for run in runs) == [RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.SUCCEEDED]
    (failed,) = [run for run in runs if run.status is RunStatus.FAILED]
    assert failed.reason.count(" waits for ") == 2


async def test_who_waits_without_a_circle_goes_on_when_the_lock_is_free(w):
    long = ask(w, "a", "x", "y")
    await w.runs.run_once()
    short = w.want(read(INNER), "b", inputs={"to": "x"}).run
    assert short is not None
    runs = await settled(w, long, short.id)
    assert [run.status for run in runs] == [RunStatus.SUCCEEDED] * 2


async def test_a_step_that_got_its_lock_remembers_nothing_of_having_waited(w):
    with w.store.transaction() as tx:
        tx.take_lock("it:x", 99)
    number = ask(w, "a", "x", "y")
    await w.runs.run_once()
    assert list(awaited(w.run(number))) == ["it:x"]
    with w.store.transaction() as tx:
        tx.release_lock("it:x", 99)
    (run,) = await settled(w, number)
    assert run.status is RunStatus.SUCCEEDED
    assert list(awaited(run)) == []
    assert step_of(run, "one").error == ""


async def test_runs_within_others_count_in_their_own_budget(w):
    (first,) = await settled(w, ask(w, "a", "x", "x", OUTER + "--- # runbook inner\n" + INNER))
    assert first.status is RunStatus.SUCCEEDED
    with w.store.reading() as tx:
        assert spent(tx, "inner", "it:x", 0.0) == 2
        assert spent(tx, "inner", "it:x", w.clock.now() + 1) == 0
        assert spent(tx, "inner", "it:y", 0.0) == 0
    (again,) = await settled(w, ask(w, "b", "x", "y"))
    assert again.status is RunStatus.FAILED
    assert again.reason == "one: the budget of inner is spent: 2 runs in 3600 s on it:x"
    alone = w.want(read(INNER), "c", inputs={"to": "x"}).run
    assert alone is not None
    assert alone.status is RunStatus.REFUSED
    assert "the budget is spent: 2 runs" in alone.reason
    with w.store.reading() as tx:
        assert tx.lock_holder("it:x") is None, "a refused one gives back what it took for a moment"


async def test_a_budget_counts_every_item(w):
    (run,) = await settled(w, ask(w, "a", "", "", EACH + "--- # runbook inner\n" + INNER))
    assert run.status is RunStatus.FAILED
    assert "1 of 3 failed; all[2]: the budget of inner is spent: 2 runs" in run.reason


async def test_a_person_who_overrules_budgets_overrules_those_within(w):
    await settled(w, ask(w, "a", "x", "x"))
    more = {"person": "ann", "reason": "it has to be", "overrule": ("budget",)}
    (run,) = await settled(w, ask(w, "b", "x", "y", **more))
    assert run.status is RunStatus.SUCCEEDED, run.reason
