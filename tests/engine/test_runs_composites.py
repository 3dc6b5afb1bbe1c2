"""Steps within steps, end to end on a real database: items, branches, runbooks within runbooks, what comes last."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import BaseModel

from fireline.apps.bootstrap import plugins
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.spec.loading import read_runbook
from tests.engine.runs_world import world


class Anything(BaseModel):
    """Any option."""

    model_config = {"extra": "allow"}


class Recorder:
    """Does what it is told by key or name, and writes down what it did."""

    mutates = True

    def __init__(self, outcomes=None):
        self.outcomes = outcomes or {}
        self.log = []
        self.keys = []
        self.busy = self.most = 0
        self.together = 1

    async def perform(self, options, context):
        what = f"undo {options.undo}" if hasattr(options, "undo") else str(options.do)
        self.log.append(what)
        self.keys.append(context.key)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            async with asyncio.timeout(60):
                while self.most < self.together:
                    await asyncio.sleep(0.005)
        finally:
            self.busy -= 1
        outcome = self.outcomes.get(what, Done({"did": what}))
        return outcome.pop(0) if isinstance(outcome, list) else outcome


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def with_actions(w, outcomes=None):
    action = Recorder(outcomes)
    w.settings.current = replace(w.settings.current, autonomy=())  # nobody has to be asked
    for name in ("route.set", "notify"):
        w.actions[name] = action
        w.options[name] = Anything
    w.runs = w.build()
    return action


TOLERANT = replace(
    plugins(),
    actions={
        name: replace(schema, options=Anything, outputs={**schema.outputs, "did": "it"})
        if name in ("route.set", "notify")
        else schema
        for name, schema in plugins().actions.items()
    },
)


def book(steps, head=""):
    return read_runbook(f"name: own\nowner: payments-ml\nstart: {{mode: auto}}\n{head}\nsteps:\n{steps}", TOLERANT)


def one(name, more="", undo=True):
    back = f", undo: {{uses: route.set, with: {{undo: {name}}}}}" if undo else ", irreversible: false"
    return f"{{id: {name}, uses: {'route.set' if undo else 'notify'}, with: {{do: {name}}}{back}{more}}}"


async def test_items_are_done_so_many_at_a_time_and_give_a_list(w):
    action = with_actions(w)
    action.together = 2
    own = book(
        "- {id: each, uses: route.set, foreach: [a, b, c, d, e], concurrency: 2, with: {do: '{{ item }}{{ index }}'},\n"
        "   undo: {uses: route.set, with: {undo: '{{ steps.each.did }}'}}}\n"
        "- {id: told, uses: notify, if: 'steps.each.count == 5.0 && steps.each.failed == 0.0',"
        " with: {do: \"{{ steps['each']['items'] | map(attribute='did') | join(',') }}\"}}\n".replace(
            "{{ steps['each']['items'] | map(attribute='did') | join(',') }}", "{{ steps.each['items'] | length }}"
        )
    )
    w.want(own)
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    assert sorted(action.log[:5]) == ["a0", "b1", "c2", "d3", "e4"]
    assert action.log[5] == "5"
    assert action.most == 2
    assert set(action.keys[:5]) == {f"run-1.each[{n}]" for n in range(5)}
    assert [item["did"] for item in step_of(run, "each").output["items"]] == ["a0", "b1", "c2", "d3", "e4"]


async def test_a_failed_item_undoes_the_others_in_reverse(w):
    action = with_actions(w, {"c": Failed("no c")})
    own = book(
        "- {id: each, uses: route.set, foreach: [a, b, c, d], with: {do: '{{ item }}'}, on_failure: undo,\n"
        "   undo: {uses: route.set, with: {undo: '{{ steps.each.did }}'}}}\n"
    )
    w.want(own)
    run = await w.drive(30)
    assert run.status is RunStatus.UNDONE
    assert run.reason == "each: 1 of 4 failed; each[2]: no c"
    assert action.log == ["a", "b", "c", "undo b", "undo a"]
    assert step_of(run, "each[3]").status is StepStatus.SKIPPED


async def test_too_many_items_do_nothing(w):
    action = with_actions(w)
    w.want(book("- {id: each, uses: notify, foreach: [1, 2, 3], max_items: 2, with: {do: '{{ item }}'}}\n"))
    run = await w.drive(30)
    assert run.reason == "each: foreach: 3 items are more than 2; nothing was done"
    assert action.log == []


PARALLEL = (
    """\
- id: both
  join: JOIN
  parallel:
    eu: [{A}, {B}]
    us: [{C}]
  on_failure: undo
- {D}
""".replace("{A}", one("a"))
    .replace("{B}", one("b"))
    .replace("{C}", one("c"))
    .replace("{D}", one("d", undo=False))
)


async def test_branches_go_on_side_by_side_and_are_joined(w):
    action = with_actions(w)
    action.together = 2
    w.want(book(PARALLEL.replace("JOIN", "all")))
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    assert sorted(action.log[:2]) == ["a", "c"]
    assert action.log[2:] == ["b", "d"]
    assert action.most == 2
    assert step_of(run, "both").output["done"] == ["eu", "us"]


async def test_a_branch_that_fails_undoes_all_of_them(w):
    action = with_actions(w, {"b": Failed("no b")})
    w.want(book(PARALLEL.replace("JOIN", "all")))
    run = await w.drive(30)
    assert run.status is RunStatus.UNDONE
    assert "branches done; eu: no b" in run.reason
    assert sorted(action.log[3:]) == ["undo a", "undo c"]


@pytest.mark.postgres
async def test_branches_are_undone_on_postgresql_too(tmp_path, postgres_url):
    w = world(tmp_path, postgres_url)
    action = with_actions(w, {"b": Failed("no b")})
    action.together = 2
    w.want(book(PARALLEL.replace("JOIN", "all")))
    run = await w.drive(30)
    assert run.status is RunStatus.UNDONE
    assert sorted(action.log) == ["a", "b", "c", "undo a", "undo c"]
    w.store.close()


async def test_any_branch_is_enough_and_what_waits_is_let_go(w):
    action = with_actions(w, {"a": Waiting(50.0, "not yet"), "c": Done({"did": "c"})})
    w.want(book(PARALLEL.replace("JOIN", "any")))
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    assert step_of(run, "a").status is StepStatus.SKIPPED
    assert step_of(run, "a").uncertain
    assert step_of(run, "b").status is StepStatus.SKIPPED
    assert "b" not in action.log


async def test_needs_start_a_step_before_others_are_over(w):
    action = with_actions(w, {"slow": [Waiting(5.0, "slow"), Done()]})
    steps = (
        f"- {one('slow', undo=False)}\n- {one('quick', ', needs: []', undo=False)}\n"
        f"- {one('after', ', needs: [quick]', undo=False)}\n- {one('last', undo=False)}\n"
    )
    w.want(book(steps))
    await w.runs.run_once()
    assert "after" in action.log
    assert "last" not in action.log
    assert (await w.drive(30)).status is RunStatus.SUCCEEDED
    assert action.log[-1] == "last"


SUB = """\
--- # runbook move
name: move
owner: payments-ml
inputs: {to: {type: string, pattern: "[a-z]+"}, times: {type: int, default: 2, max: 3}}
outputs: {moved: "{{ steps.go.did }}", times: "{{ inputs.times }}"}
steps:
- {id: go, uses: route.set, with: {do: "{{ inputs.to }}"}, undo: {uses: route.set, with: {undo: "{{ steps.go.did }}"}}}
- {id: see, uses: notify, with: {do: "see {{ inputs.to }}"}, on_failure: FAILS}
"""


def calling(steps, fails="stop"):
    return book(steps + "\n" + SUB.replace("FAILS", fails))


MOVE = "- {id: one, uses: runbook.run, with: {runbook: move, inputs: {to: x}}}\n"


async def test_a_runbook_runs_another_with_inputs_and_outputs_and_undoes_it(w):
    action = with_actions(w, {"bad": Failed("no")})
    w.want(calling(MOVE + f"- {one('bad', ', on_failure: undo')}\n- {one('never')}"))
    run = await w.drive(30)
    assert run.status is RunStatus.UNDONE, run.reason
    assert step_of(run, "one").output == {"moved": "x", "times": 2}
    assert action.log == ["x", "see x", "bad", "undo x"]
    assert action.keys[0] == "run-1.one/go"


async def test_a_runbook_within_may_be_undone_by_itself(w):
    action = with_actions(w, {"see x": Failed("blind")})
    steps = MOVE.replace("}}}", "}}, on_failure: continue}") + f"- {one('on', undo=False)}"
    w.want(calling(steps, "undo"))
    run = await w.drive(30)
    assert action.log == ["x", "see x", "undo x", "on"]
    assert run.status is RunStatus.SUCCEEDED
    assert step_of(run, "one").error == "one/see: blind; was undone"


async def test_an_abort_reaches_what_runs_within_and_undoes_it(w):
    action = with_actions(w, {"see x": Waiting(600.0, "looks")})
    w.want(calling(MOVE))
    await w.runs.run_once()
    w.runs.abort(1, "ann", undo=True)
    run = await w.drive(30)
    assert run.status is RunStatus.UNDONE
    assert action.log[-1] == "undo x"


async def test_a_runbook_within_an_item(w):
    action = with_actions(w, {"b": Failed("no b")})
    steps = "- {id: all, uses: runbook.run, foreach: [a, b], with: {runbook: move, inputs: {to: '{{ item }}'}}}"
    w.want(calling(steps + "\n"))
    run = await w.drive(30)
    assert run.status is RunStatus.FAILED
    assert run.reason == "all: 1 of 2 failed; all[1]: all[1]/go: no b"
    assert step_of(run, "all[0]").output["moved"] == "a"
    assert action.log == ["a", "see a", "b"]


async def test_a_locked_runbook_within_waits_for_its_lock_and_gives_it_back(w):
    action = with_actions(w)
    locked = calling(MOVE).text.replace("outputs: {moved", "guards: {lock: 'it:{{ inputs.to }}'}\noutputs: {moved")
    with w.store.transaction() as tx:
        tx.take_lock("it:x", 99)
    w.want(read_runbook(locked, TOLERANT))
    await w.runs.run_once()
    before = w.run().version
    w.clock.advance(5)
    await w.runs.run_once()
    assert w.run().version == before, "waiting is not journaled again and again"
    assert step_of(w.run(), "one").error == "waits for it:x, which run 99 holds"
    assert action.log == []
    with w.store.transaction() as tx:
        tx.release_lock("it:x", 99)
    assert (await w.drive(30)).status is RunStatus.SUCCEEDED
    with w.store.reading() as tx:
        assert tx.lock_holder("it:x") is None


FINALLY = f"finally:\n- {one('clean', undo=False)}\n- {one('tell', undo=False)}\n"


@pytest.mark.parametrize(
    ("outcome", "status"), [(Done(), RunStatus.SUCCEEDED), (Failed("no"), RunStatus.FAILED)], ids=["done", "failed"]
)
async def test_what_comes_last_is_done_whatever_happened(w, outcome, status):
    action = with_actions(w, {"a": outcome, "clean": Failed("dirty")})
    w.want(book(f"- {one('a')}\n", FINALLY))
    run = await w.drive(30)
    assert action.log == ["a", "clean", "tell"]
    assert run.status is status
    assert run.reason.endswith("finally clean failed: dirty")


async def test_what_comes_last_is_done_after_an_abort_too_and_a_second_abort_ends_it(w):
    action = with_actions(w, {"a": Waiting(60.0, "waits"), "clean": Waiting(60.0, "waits")})
    w.want(book(f"- {one('a')}\n", FINALLY))
    await w.runs.run_once()
    assert w.runs.abort(1, "ann", "enough").done
    assert w.run().status is RunStatus.FINISHING
    await w.runs.run_once()
    assert action.log == ["a", "clean"]
    assert "comes last" in w.runs.pause(1, "ann")
    assert w.runs.abort(1, "ann", "really").done
    assert w.run().status is RunStatus.ABORTED


async def test_what_comes_last_is_given_up_after_its_time(w):
    with_actions(w, {"clean": Waiting(60.0, "waits")})
    w.want(book(f"- {one('a')}\n", FINALLY.replace("do: clean}", "do: clean}, timeout: 4h")))
    run = await w.drive(2000)
    assert run.status is RunStatus.SUCCEEDED
    assert "the last steps were not finished in time" in run.reason


@pytest.mark.parametrize(
    "step",
    [
        f"{{id: all, timeout: 5s, parallel: {{one: [{one('a')}], two: [{one('b')}]}}}}",
        "{id: all, timeout: 5s, foreach: [a, b], uses: notify, with: {do: '{{ item }}'}}",
        f"{{id: all, timeout: 5s, parallel: {{one: [{{id: in, timeout: 1h, parallel: {{two: [{one('a')}]}}}}]}}}}",
    ],
)
async def test_the_time_of_a_step_ends_what_waits_within_it(w, step):
    with_actions(w, {"a": Waiting(900.0, "waits long")})
    began = w.clock.now()
    w.want(book(f"- {step}\n"))
    run = await w.drive(600)
    assert run.status is RunStatus.FAILED
    assert "not finished within 5 s" in run.reason
    assert w.clock.now() - began < 10
