"""mlflow.*: what is on record, what is refused, and what happens when something comes in between."""

import json
from dataclasses import replace

import pytest

from fireline.actions.mlflow import KINDS, followed
from fireline.actions.schema import Ports
from fireline.adapters.database import open_store
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.engine.outgoing import MaybeSent, NotSent, Response
from fireline.engine.outward import StepContext
from tests.actions.mlflow_double import Registry

WHERE = {"url": "https://mlflow.example", "model": "fraud", "alias": "champion"}


@pytest.fixture
def store():
    made = open_store("sqlite://")
    yield made
    made.close()


def context(step="act", run=1, **more):
    return StepContext(f"run-{run}.{step}", run, step, None, 1000.0, {}, 1000.0, **more)


async def perform(store, fetch, name, given=None, looks=40, stop=lambda _: False, **options):
    kind = KINDS[f"mlflow.{name}"]
    action = kind.build(Ports(store, None, None, None, fetch))
    model, given = kind.options.model_validate({**WHERE, **options}), given or context()
    outcome = await action.perform(model, given)
    while isinstance(outcome, Waiting) and looks and not stop(outcome):
        looks -= 1
        given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=given.now + max(outcome.delay, 0.01))
        outcome = await action.perform(model, given)
    return outcome


async def test_an_alias_is_moved_and_rolled_back_to_what_it_stood_for(store):
    registry = Registry(champion="1")
    moved = await perform(store, registry, "set_alias", version="3")
    assert isinstance(moved, Done)
    assert moved.output == {
        "version": "3",
        "before": {"version": "1"},
        "summary": "fraud@champion is version 3, it was 1",
    }
    back = await perform(store, registry, "roll_back")
    assert isinstance(back, Done)
    assert registry.aliases == {"champion": "1"}


async def test_a_deployment_past_fireline_is_known_by_what_was_seen_last(store):
    registry = Registry(champion="1")
    await perform(store, registry, "get_alias")
    registry.aliases["champion"] = "2"
    assert isinstance(await perform(store, registry, "roll_back"), Done)
    assert registry.aliases == {"champion": "1"}


async def test_rolling_back_twice_goes_further_back_and_not_to_the_bad_one(store):
    registry = Registry(champion="1")
    for version in ("2", "3"):
        await perform(store, registry, "set_alias", version=version)
    for wanted in ("2", "1"):
        assert isinstance(await perform(store, registry, "roll_back"), Done)
        assert registry.aliases == {"champion": wanted}
    outcome = await perform(store, registry, "roll_back")
    assert isinstance(outcome, Failed)
    assert registry.aliases == {"champion": "1"}


async def test_without_a_record_it_does_not_guess(store):
    registry = Registry(champion="3")
    outcome = await perform(store, registry, "roll_back")
    assert isinstance(outcome, Failed)
    assert "no version of fraud@champion before 3 is on record here: say `to`" in outcome.reason
    assert registry.writes == []
    assert isinstance(await perform(store, registry, "roll_back", to="2"), Done)


async def test_what_is_read_names_the_version_before(store):
    registry = Registry(champion="1")
    await perform(store, registry, "get_alias")
    registry.aliases["champion"] = "2"
    found = await perform(store, registry, "get_alias")
    assert (found.output["version"], found.output["previous"]) == ("2", "1")
    gone = await perform(store, Registry(), "get_alias")
    assert (gone.output["version"], gone.output["previous"]) == (None, None)


async def test_an_alias_that_was_not_there_is_removed_again(store):
    registry = Registry()
    made = await perform(store, registry, "set_alias", version="2")
    assert made.output["before"] == {"version": None}
    undone = await perform(store, registry, "set_alias", context("act.undo"), version=made.output["before"]["version"])
    assert isinstance(undone, Done)
    assert registry.aliases == {}


async def test_a_repetition_after_a_crash_writes_once_and_goes_to_the_same_version(store):
    registry = Registry(champion="1")
    await perform(store, registry, "set_alias", version="3")
    registry.requests.clear()
    crashed = await perform(store, registry, "roll_back", stop=lambda outcome: "before" in outcome.memory)
    for _ in range(2):
        outcome = await perform(store, registry, "roll_back", replace(context(), memory=crashed.memory))
        assert isinstance(outcome, Done)
        assert outcome.output["before"] == {"version": "3"}
    assert registry.aliases == {"champion": "1"}
    assert len(registry.writes) == 1
    assert registry.writes[0].headers["Idempotency-Key"] == "run-1.act"


async def test_what_somebody_else_moves_meanwhile_is_left_alone(store):
    registry = Registry(champion="1")
    read = await perform(store, registry, "set_alias", stop=lambda outcome: "before" in outcome.memory, version="3")
    registry.aliases["champion"] = "4"
    outcome = await perform(store, registry, "set_alias", replace(context(), memory=read.memory), version="3")
    assert isinstance(outcome, Failed)
    assert "somebody else moved fraud@champion to version 4 meanwhile" in outcome.reason
    assert registry.aliases == {"champion": "4"}


async def test_it_waits_until_the_alias_is_read_back(store):
    registry = Registry(champion="1")
    sent = await perform(store, registry, "set_alias", stop=lambda o: "applied" in o.memory, version="2")
    registry.seen, registry.slow = {"champion": "1"}, 3
    given = replace(context(), memory=sent.memory)
    assert isinstance(await perform(store, registry, "set_alias", given, version="2"), Done)
    registry.seen, registry.slow = {"champion": "1"}, 10**6
    outcome = await perform(store, registry, "set_alias", given, looks=100, version="2", within="5s")
    assert isinstance(outcome, Failed)
    assert "not observed within 5 s: fraud@champion is still version 1" in outcome.reason


@pytest.mark.parametrize("version", ["9", "2"])
async def test_a_version_that_is_not_there_or_not_ready_is_refused_before_anything_changes(store, version):
    registry = Registry(champion="1")
    registry.versions["2"] = "FAILED_REGISTRATION"
    outcome = await perform(store, registry, "set_alias", version=version)
    assert isinstance(outcome, Failed)
    assert ("not found" if version == "9" else "is FAILED_REGISTRATION") in outcome.reason
    assert registry.writes == []


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (NotSent("no connection"), RetryLater),
        (NotSent("not on the allow-list", final=True), Failed),
        (MaybeSent("time-out"), RetryLater),
        (Response(503, {}, "busy"), RetryLater),
        (Response(401, {}, '{"message": "who are you?"}'), Failed),
        (Response(200, {}, "<html>"), Failed),
        (Response(200, {}, "[]"), Failed),
    ],
)
async def test_whatever_is_answered_is_an_outcome(store, answer, wanted):
    registry = Registry(champion="1")
    registry.plan = [answer]
    assert isinstance(await perform(store, registry, "get_alias"), wanted)


async def test_a_write_without_an_answer_is_in_doubt(store):
    registry = Registry(champion="1")
    registry.on_write = MaybeSent("time-out")
    outcome = await perform(store, registry, "set_alias", version="2")
    assert outcome == Failed("time-out", unknown=True, output={"before": {"version": "1"}})


def test_what_is_on_record_is_bounded_and_has_no_way_forward():
    assert followed(["1", "2", "3"], "2") == ["1", "2"]
    assert followed(["1"], "1") == ["1"]
    assert len(followed([str(n) for n in range(50)], "99")) == 20
