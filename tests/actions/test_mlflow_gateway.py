"""mlflow.get_weights and mlflow.set_weights: what is refused, what counts as observed, and what comes in between."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from fireline.actions.mlflow_gateway import KINDS, shares
from fireline.actions.schema import Ports
from fireline.domain.oscillation import coming_of
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.engine.outgoing import MaybeSent, NotSent, Response
from fireline.engine.outward import StepContext
from tests.actions.gateway_double import Gateway, mapping, said

WHERE = {"url": "https://mlflow.example", "endpoint": "chat"}
CONTEXT = StepContext("run-1.act", 1, "act", None, 1000.0, {}, 1000.0)


async def perform(fetch, name="set_weights", given=CONTEXT, looks=400, stop=lambda _: False, **options):
    """The outcome, and the time that it took by the clock of the run."""
    kind = KINDS[f"mlflow.{name}"]
    action = kind.build(Ports(None, None, None, None, fetch))
    model = kind.options.model_validate({**WHERE, **options})
    outcome = await action.perform(model, given)
    while isinstance(outcome, Waiting) and looks and not stop(outcome):
        looks -= 1
        given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=given.now + max(outcome.delay, 0.01))
        outcome = await action.perform(model, given)
    return outcome, given.now - CONTEXT.now


async def test_shares_are_read_whatever_their_scale():
    found, _ = await perform(Gateway(stable=0.9, candidate=0.1), "get_weights")
    assert found.output == {
        "weights": {"stable": 90, "candidate": 10},
        "splits": True,
        "summary": "chat is set to candidate 10 %, stable 90 %",
    }
    assert shares({"a": 1.0, "b": 1.0, "c": 1.0}) == {"a": 33.3333, "b": 33.3333, "c": 33.3333}
    assert shares({"a": 0.0, "b": 0.0}) == {"a": 0, "b": 0}, "all zero is told as it is"


async def test_an_endpoint_that_does_not_split_is_told_and_not_set():
    gateway = Gateway(stable=1.0, candidate=1.0)
    gateway.splits = False
    found, _ = await perform(gateway, "get_weights")
    assert found.output["splits"] is False
    assert "does not split traffic" in found.output["summary"]
    outcome, _ = await perform(gateway, to={"stable": 100})
    assert isinstance(outcome, Failed)
    assert "REQUEST_BASED_TRAFFIC_SPLIT" in outcome.reason
    assert gateway.updates == []


async def test_weights_move_are_watched_until_servers_have_forgotten_and_come_back():
    gateway = Gateway(stable=0.9, candidate=0.1)
    outcome, took = await perform(gateway, to={"stable": 100})
    assert isinstance(outcome, Done), outcome
    assert gateway.weights == {"stable": 100, "candidate": 0}
    assert took >= 60, "what is read back is not what the servers route by"
    assert outcome.output == {
        "before": {"weights": {"stable": 90, "candidate": 10}},
        "weights": {"stable": 100, "candidate": 0},
        "answers": {},
        "observed": "read back for 63 s",
        "summary": "chat is set to candidate 0 %, stable 100 %, it was candidate 10 %, stable 90 %; read back for 63 s",
    }
    back, _ = await perform(
        gateway, given=replace(CONTEXT, key="run-1.act.undo"), to=outcome.output["before"]["weights"]
    )
    assert isinstance(back, Done)
    assert gateway.weights == {"stable": 90, "candidate": 10}


async def test_a_probe_waits_until_the_model_without_a_share_is_silent():
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.stale = 7
    outcome, _ = await perform(gateway, to={"stable": 100}, settles="0s", probe={"answers": 4})
    assert isinstance(outcome, Done), outcome
    assert outcome.output["answers"] == {"stable": 4}, "those before the last of the other do not count"
    assert outcome.output["observed"] == "4 answers in a row by stable (4), none by candidate"
    assert len(gateway.probes) > 7
    (body,) = {json.dumps(request.json) for request in gateway.probes}
    assert "messages" in body


async def test_a_probe_waits_until_the_new_model_answers():
    gateway = Gateway(stable=1.0, candidate=0.0)
    gateway.stale = 9
    outcome, _ = await perform(gateway, to={"stable": 50, "candidate": 50}, settles="0s", probe={"answers": 2})
    assert isinstance(outcome, Done), outcome
    assert outcome.output["answers"]["candidate"] == 1
    assert outcome.output["answers"]["stable"] >= 9


async def test_a_probe_that_cannot_tell_says_so():
    gateway = Gateway(stable=0.5, candidate=0.5)
    outcome, _ = await perform(gateway, to={"stable": 90, "candidate": 10}, probe={"answers": 2})
    assert "which tell nothing of the shares, after 63 s" in outcome.output["observed"]


async def test_what_still_answers_at_the_end_fails_the_step_and_says_what_was_there():
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.stale = 10**6
    outcome, _ = await perform(gateway, to={"stable": 100}, settles="0s", probe={}, within="20s")
    assert isinstance(outcome, Failed)
    assert "not observed within 20 s: probe: " in outcome.reason
    assert outcome.output["before"] == {"weights": {"stable": 50, "candidate": 50}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(200, {}, '{"model": "somebody-else"}'), "'somebody-else', none of"),
        (Response(200, {}, "[]"), "none of"),
        (Response(429, {}, "slow down"), "status 429: slow down"),
        (MaybeSent("time-out"), "time-out"),
    ],
)
async def test_a_probe_that_fails_is_sent_again(answer, reason):
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.plan = [None, None, None, None, answer]
    seen = []
    outcome, _ = await perform(
        gateway, to={"stable": 100}, settles="0s", probe={"answers": 1}, stop=lambda o: seen.append(o.reason)
    )
    assert isinstance(outcome, Done), outcome
    assert any(reason in each for each in seen), seen


async def test_a_probe_that_is_refused_fails_the_step():
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.plan = [None, None, None, None, said(400, {"message": "no such parameter: max_tokens"})]
    outcome, _ = await perform(gateway, to={"stable": 100}, settles="0s", probe={})
    assert isinstance(outcome, Failed)
    assert outcome.reason == "probe: status 400: no such parameter: max_tokens"


async def test_models_that_answer_by_one_name_are_refused_with_a_probe():
    gateway = Gateway(stable=0.5)
    gateway.models.append(mapping("other key", 0.5, model="stable-model"))
    outcome, _ = await perform(gateway, to={"stable": 100}, probe={})
    assert isinstance(outcome, Failed)
    assert "answers cannot tell stable and other key, both are stable-model" in outcome.reason
    assert isinstance((await perform(gateway, to={"stable": 100}))[0], Done)
    both = {"stable": 50, "other key": 50}
    first, _ = await perform(gateway, to=both, probe={})
    assert isinstance(first, Failed), "nobody could tell that the other answers for the first time"
    assert isinstance((await perform(gateway, to=both))[0], Done)
    assert isinstance((await perform(gateway, to={"stable": 90, "other key": 10}, probe={}))[0], Done)


async def test_a_longer_name_of_a_model_is_not_taken_for_a_shorter():
    gateway = Gateway()
    gateway.models = [mapping("big", 0.0, model="gpt-4o"), mapping("small", 1.0, model="gpt-4o-mini")]
    outcome, _ = await perform(gateway, to={"small": 100}, settles="0s", probe={"answers": 3})
    assert outcome.output["answers"] == {"small": 3}


async def test_fallbacks_and_their_order_are_kept():
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.models.append(mapping("spare", 1.0, "FALLBACK", fallback_order=0))
    gateway.fallback = {"strategy": "SEQUENTIAL", "max_attempts": 2}
    assert isinstance((await perform(gateway, to={"candidate": 100}))[0], Done)
    (update,) = gateway.updates
    assert update["fallback_config"] == {"strategy": "SEQUENTIAL", "max_attempts": 2}
    spare = {"model_definition_id": "d-spare", "linkage_type": "FALLBACK", "fallback_order": 0, "weight": 1.0}
    assert spare in update["model_configs"]


async def test_a_model_that_is_not_there_is_refused_before_anything_changes():
    gateway = Gateway(stable=0.5, candidate=0.5)
    outcome, _ = await perform(gateway, to={"stabel": 60, "candidate": 40})
    assert outcome == Failed("chat: it has no model `stabel`: did you mean `stable`?")
    assert gateway.updates == []
    gone, _ = await perform(gateway, to={"stable": 100, "removed": 0})
    assert isinstance(gone, Done), "a model that went, whose share was 0, does not bar the way back"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": {"stable": 60, "candidate": 30}}, "add up to 90, not to 100"),
        ({"to": {"stable": 0, "candidate": 0}}, "add up to 0, not to 100"),
        ({"to": {"stable": 110, "candidate": -10}}, "greater than or equal to 0"),
        ({"to": {"stable": 100}, "settles": "60s", "within": "60s"}, "over before `settles` is"),
        ({"to": {}}, "at least 1 item"),
    ],
)
def test_shares_that_cannot_be_are_faults_of_the_runbook(options, message):
    with pytest.raises(ValidationError, match=message):
        KINDS["mlflow.set_weights"].options.model_validate({**WHERE, **options})


async def test_thirds_are_written_as_they_were_read():
    gateway = Gateway(a=1.0, b=1.0, c=1.0)
    before = (await perform(gateway, "get_weights"))[0].output["weights"]
    assert isinstance((await perform(gateway, to={"a": 100}))[0], Done)
    assert isinstance((await perform(gateway, to=before))[0], Done)
    assert (await perform(gateway, "get_weights"))[0].output["weights"] == before


async def test_an_endpoint_whose_weights_are_all_zero_is_set_right():
    gateway = Gateway(stable=0.0, candidate=0.0)
    outcome, _ = await perform(gateway, to={"stable": 100}, settles="0s", probe={"answers": 1})
    assert isinstance(outcome, Done)
    assert outcome.output["before"] == {"weights": {"stable": 0, "candidate": 0}}


async def test_a_repetition_after_a_crash_writes_once():
    gateway = Gateway(stable=0.5, candidate=0.5)
    crashed = {"before": {"weights": {"stable": 50, "candidate": 50}}}
    for _ in range(2):
        outcome, _ = await perform(gateway, given=replace(CONTEXT, memory=crashed), to={"stable": 100})
        assert isinstance(outcome, Done)
        assert outcome.output["before"] == crashed["before"]
    assert len(gateway.updates) == 1


@pytest.mark.parametrize("change", ["weights", "models"])
async def test_what_somebody_else_changes_meanwhile_is_left_alone(change):
    gateway = Gateway(stable=0.5, candidate=0.5)
    read, _ = await perform(gateway, looks=0, to={"stable": 100})
    if change == "weights":
        gateway.models[0]["weight"] = 0.1
    else:
        gateway.models.append(mapping("newer", 0.5))
    outcome, _ = await perform(gateway, given=replace(CONTEXT, memory=read.memory), to={"stable": 100})
    assert isinstance(outcome, Failed)
    assert "somebody else changed chat meanwhile" in outcome.reason
    assert gateway.updates == []


async def test_what_is_changed_while_it_settles_is_not_observed():
    gateway = Gateway(stable=0.5, candidate=0.5)
    settling, _ = await perform(gateway, to={"stable": 100}, stop=lambda o: "since" in o.memory)
    gateway.models = [m for m in gateway.models if m["model_definition"]["name"] == "stable"] + [mapping("newer", 9.0)]
    outcome, _ = await perform(gateway, given=replace(CONTEXT, memory=settling.memory), to={"stable": 100})
    assert isinstance(outcome, Failed)
    assert "is still set to newer 8.2569 %, stable 91.7431 %" in outcome.reason


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (NotSent("no connection"), RetryLater),
        (NotSent("not on the allow-list", final=True), Failed),
        (Response(503, {}, "busy"), RetryLater),
        (Response(404, {}, '{"message": "GatewayEndpoint not found"}'), Failed),
        (Response(200, {}, "[]"), Failed),
        (Response(200, {}, '{"endpoint": {"endpoint_id": "e", "model_mappings": 3}}'), Failed),
        (Response(200, {}, '{"endpoint": {"endpoint_id": "e", "model_mappings": [1, {"weight": "x"}]}}'), Done),
    ],
)
async def test_whatever_is_answered_is_an_outcome(answer, wanted):
    gateway = Gateway(stable=1.0)
    gateway.plan = [answer]
    assert isinstance((await perform(gateway, "get_weights"))[0], wanted)


async def test_a_write_without_an_answer_is_in_doubt():
    gateway = Gateway(stable=0.5, candidate=0.5)
    gateway.on_write = MaybeSent("time-out")
    outcome, _ = await perform(gateway, to={"stable": 100})
    before = {"weights": {"stable": 50, "candidate": 50}}
    assert outcome == Failed("time-out", unknown=True, output={"before": before})


def test_runs_that_take_it_to_and_fro_are_told_by_the_endpoint():
    coming = coming_of({**WHERE, "to": {"stable": 100, "candidate": 0}})
    assert (coming.target, coming.after) == ("weights of chat of https://mlflow.example", "stable 100 %")
    assert coming_of(WHERE) is None, "it only reads"
