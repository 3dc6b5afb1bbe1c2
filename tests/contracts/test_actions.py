"""What every action promises: a page, an example that validates, JSON-like outputs it names, idempotence by key, no
effect in a rehearsal, no exception for anybody's fault, no secret in anything it says.

A new action is held to it by being listed in `fireline.actions.SCHEMAS`.
"""

import asyncio
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

import pytest
import yaml
from pydantic import ValidationError

from fireline.actions import OPTIONS, SCHEMAS, Output, build_actions
from fireline.apps.action_contract import mistyped
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.domain.runbooks import Autonomy, Run, RunStatus, StepRun
from fireline.engine.outgoing import MaybeSent, NotSent, Response
from fireline.engine.outward import StepContext
from fireline.engine.ports import Unavailable
from fireline.engine.stepping import _limited
from fireline.spec.loading import UnreadableRunbook, read_runbook
from fireline.spec.plugins import type_of
from fireline.spec.runbook_forms import OutputType
from tests.contracts.reach import Reach
from tests.engine.runs_world import plugins, world

NAMES = sorted(SCHEMAS)
SECRET = "s3cr3t-v4lue"


class Fetches:
    """Answers every request with a plan, or 200; keeps what was asked."""

    def __init__(self, *plan):
        self.plan = list(plan)
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        return self.plan.pop(0) if self.plan else Response(200, {}, '{"ok": true}')


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    made.fire()
    now = made.clock.now()
    with made.store.transaction() as tx:
        number = tx.next_number("run")
        step = (StepRun("step"),)
        run = Run(number, "example", "", "", {}, 1, Autonomy.AUTO, RunStatus.RUNNING, step, now, now + 3600, version=1)
        tx.save_run(run, "begun")
    yield made
    made.store.close()


def example(name):
    (document,) = yaml.safe_load_all(SCHEMAS[name].example)
    return document


def built(w, name, fetch=None, reach=None):
    ports = (reach or Reach()).ports(w, fetch)
    return build_actions(ports)[name], OPTIONS[name].model_validate(example(name)["with"])


def context(w, name="", **more):
    now = w.clock.now()
    written = example(name)["with"] if name else None
    return StepContext("run-1.step", 1, "step", 1, now, {}, now, written=written, **more)


async def finished(w, action, options, given, looks=60):
    """Perform until it is over, letting time pass and remembering as a run does."""
    outcome = await action.perform(options, given)
    while isinstance(outcome, Waiting) and looks:
        looks -= 1
        w.clock.advance(max(outcome.delay, 0.01))
        w.evaluate()
        given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=w.clock.now())
        outcome = await action.perform(options, given)
    return outcome


def state(w):
    """Everything an action may change, watches and first times aside."""
    with w.store.reading() as tx:
        return tx.routes(), tx.incident(1), list(tx.timeline(1)), list(tx.watches(0.0))


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page_and_says_what_it_gives(name):
    kind = SCHEMAS[name]
    assert name in kind.page
    assert len(kind.page) > 100
    assert kind.outputs
    assert {type_of(each) for each in kind.outputs.values()} <= {*get_args(OutputType), "any"}
    assert all(isinstance(each, Output) for each in kind.outputs.values()), "types are declared with them"
    assert "outcome" not in kind.outputs, "that name is taken by the step's own state"
    assert kind.options.model_config.get("extra") == "forbid"
    schema = kind.options.model_json_schema()
    assert schema["properties"]


@pytest.mark.parametrize("name", NAMES)
def test_its_example_is_a_step_of_a_sound_runbook(name):
    step = example(name)
    assert step["uses"] == name
    text = yaml.safe_dump({"name": "example", "owner": "payments-ml", "steps": [step]})
    assert read_runbook(text, plugins()).steps[0].uses == name


@pytest.mark.parametrize("name", NAMES)
def test_options_it_does_not_know_are_faults(name):
    with pytest.raises(ValidationError, match="nonsense"):
        OPTIONS[name].model_validate({**example(name)["with"], "nonsense": 1})


@pytest.mark.parametrize("name", NAMES)
async def test_its_outputs_are_those_it_names(w, name):
    w.verdicts = {"fraud_latency": "clear"}
    action, options = built(w, name)
    outcome = await finished(w, action, options, context(w, name))
    assert isinstance(outcome, Done), outcome
    assert set(outcome.output) <= set(SCHEMAS[name].outputs)
    assert mistyped(SCHEMAS[name], outcome.output) == []
    json.dumps(outcome.output)


@pytest.mark.parametrize("name", NAMES)
async def test_a_rehearsal_has_no_effect(w, name):
    fetch, reach = Fetches(), Reach()
    action, options = built(w, name, fetch, reach)
    before = state(w)
    outcome = await action.perform(options, context(w, name, dry_run=True))
    assert isinstance(outcome, Done), outcome
    assert set(outcome.output) <= set(SCHEMAS[name].outputs)
    assert mistyped(SCHEMAS[name], outcome.output) == []
    assert state(w) == before
    assert [r for r in fetch.requests if r.method != "GET"] == []
    assert reach.done == []
    assert not [e for e in w.store.claim_effects("x", w.clock.now(), 1, 99) if e.effect.key.startswith("run-1.")]


@pytest.mark.parametrize("name", NAMES)
async def test_doing_it_again_with_the_same_key_changes_nothing_more(w, name):
    w.verdicts = {"fraud_latency": "clear"}
    reach = Reach()
    action, options = built(w, name, reach=reach)
    given = context(w, name)
    first = await finished(w, action, options, given)
    after, done = state(w), set(reach.done)
    again = await finished(w, action, options, replace(given, now=w.clock.now()))
    assert isinstance(again, Done)
    assert state(w) == after
    assert again.output.get("route") == first.output.get("route")
    assert set(reach.done) == done


@pytest.mark.parametrize("name", NAMES)
async def test_it_ends_when_it_is_cancelled_and_when_its_time_is_over(w, name):
    action, options = built(w, name, reach=Reach(hangs=True))
    doing = asyncio.create_task(action.perform(options, context(w, name)))
    await asyncio.wait([doing], timeout=0.05)
    doing.cancel()
    (outcome,) = await asyncio.wait_for(asyncio.gather(doing, return_exceptions=True), 60)
    assert isinstance(outcome, (Done, Waiting, asyncio.CancelledError)), outcome
    late = await asyncio.wait_for(_limited(action, options, replace(context(w, name), key="run-1.other"), 0.05), 60)
    assert isinstance(late, (Done, Waiting, Failed)), late


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_in_its_options_is_told_where_it_is(name):
    step = example(name)
    step["with"] = {**step["with"], "nonsense": 1}
    text = yaml.safe_dump({"name": "example", "owner": "payments-ml", "steps": [step]}, sort_keys=False)
    with pytest.raises(UnreadableRunbook) as caught:
        read_runbook(text, plugins())
    (problem,) = caught.value.problems
    assert problem.path == "steps[0].with.nonsense"
    assert "nonsense" in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize("name", NAMES)
async def test_a_database_that_is_away_is_waited_for(w, name):
    class Away:
        def __getattr__(self, name):
            @contextmanager
            def away(*_, **__):
                raise Unavailable("away")
                yield

            return away

    ports = Reach().ports(w, store=Away())
    options = OPTIONS[name].model_validate(example(name)["with"])
    outcome = await build_actions(ports)[name].perform(options, replace(context(w, name), memory={"kept": 1}))
    assert isinstance(outcome, (Waiting, Done)), outcome
    if isinstance(outcome, Waiting):
        assert outcome.delay >= 0
        assert outcome.memory.items() >= {"kept": 1}.items()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "answer",
    [
        NotSent("not on the allow-list", final=True),
        NotSent("no connection"),
        MaybeSent("time-out"),
        Response(503, {"Retry-After": "7"}, ""),
        Response(404, {}, "<html>" * 10_000),
        Response(200, {"Retry-After": "never"}, "[" * 100_000),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_whatever_the_other_side_answers_is_an_outcome(w, name, answer):
    fetch = Fetches(answer)
    action, options = built(w, name, fetch)
    outcome = await action.perform(options, context(w, name))
    assert isinstance(outcome, (Done, Failed, RetryLater, Waiting))
    assert len(str(outcome)) < 20_000


@pytest.mark.parametrize("name", ["http.get", "http.request"])
async def test_a_secret_stays_a_name(w, name):
    fetch = Fetches()
    action, options = built(w, name, fetch)
    outcome = await action.perform(options, context(w, name))
    assert "secret:" in fetch.requests[0].headers["Authorization"], "filled in by the adapter only"
    assert SECRET not in str(outcome)


@pytest.mark.parametrize("name", NAMES)
def test_an_action_says_whether_it_changes_anything(w, name):
    action, _ = built(w, name)
    assert action.mutates is SCHEMAS[name].mutates
