"""The runbooks that come with Fireline as whole runs with real effects: the way they are meant to go, and back."""

import json
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from fireline.actions import build_actions
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.catalog import Target
from fireline.domain.effects import Say
from fireline.domain.incidents import Resolve
from fireline.domain.rules import State
from fireline.domain.runbooks import Autonomy, RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.engine.outgoing import Response
from fireline.engine.permitting import Asked, permitted
from fireline.engine.routes import change_route
from tests.contracts.reach import Reach
from tests.engine.runs_world import REPOSITORY, SERVICE, runbook, shipped, world
from tests.servers.flags import Flags
from tests.servers.kubernetes import template

HOUR = 3600.0
QUICK = {"within": "10s", "stable_for": "2s"}
"""So that little of the made-up time is looked at: verification looks twice a second."""


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    made.actions.update(build_actions(Reach().ports(made)))
    made.runs = made.build()
    yield made
    made.store.close()


def text_of(name):
    return (REPOSITORY / "runbooks" / f"{name}.yaml").read_text()


def wanted(w, name, *inner, incident=None, fetch=None, reach=None, **inputs):
    """A run of the shipped runbook, with leave to act."""
    if fetch or reach:
        w.actions.update(build_actions((reach or Reach()).ports(w, fetch)))
        w.runs = w.build()
    text = text_of(name).replace("mode: approve", "mode: auto")
    for other in inner:
        text += f"--- # runbook {other}\n" + text_of(other)
    started = w.want(runbook(text), inputs={"service": SERVICE, **inputs}, incident=incident, person="ann")
    assert started.run is not None, started
    assert started.run.status is RunStatus.RUNNING, started.reason
    return started.run


def moved(w, **weights):
    """Traffic as a person set it."""
    with w.store.transaction() as tx:
        change_route(tx, w.settings.current, SERVICE, weights, by="person:ann", reason="a trial", now=w.clock.now())


def said(w):
    return [effect.text for effect in w.effects(Say)]


async def until_step(w, name, status=StepStatus.WAITING, seconds=HOUR, most=0.5):
    """Drive until the step is there."""
    end = w.clock.now() + seconds
    while not any(step.id == name and step.status is status for step in w.run().steps):
        assert w.clock.now() < end, w.run()
        assert not w.run().over, w.run().reason
        await w.drive(most, most=most)
    return w.run()


# canary-abort
ARMS = {"rule": "fraud_errors", "target": "fallback", "within": "10s"}


def arms(w, canary, beside):
    w.measured = {"fallback": {"errors": canary}, "primary": {"errors": beside}}
    w.verdicts = {"fraud_errors": "clear"}
    moved(w, primary=90, fallback=10)


async def test_a_canary_that_does_worse_loses_its_traffic(w):
    incident = w.fire("fraud_errors").number
    arms(w, canary=0.3, beside=0.01)
    wanted(w, "canary-abort", incident=incident, **ARMS)
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run
    assert w.route() == {"primary": 100}
    assert [task.text for task in w.incident(1).tasks] == [
        "Find out why fallback of fraud-scoring does worse before it gets traffic again."
    ]
    assert any("fallback of fraud-scoring is out: its errors was 0.3, that of primary 0.01" in text for text in said(w))
    assert step_of(run, "call").status is StepStatus.SKIPPED


async def test_when_both_arms_are_as_bad_the_traffic_stays_and_somebody_is_called(w):
    incident = w.fire("fraud_errors").number
    arms(w, canary=0.3, beside=0.29)
    wanted(w, "canary-abort", incident=incident, **ARMS)
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run
    assert w.route() == {"primary": 90, "fallback": 10}
    assert any("it is no worse than the other" in text for text in w.texts(1))


async def test_a_canary_without_samples_is_left_alone_and_somebody_is_called(w):
    incident = w.fire("fraud_errors").number
    arms(w, canary=0.3, beside=0.01)
    w.verdicts["fraud_errors/fallback"] = "unknown"
    wanted(w, "canary-abort", incident=incident, **ARMS)
    run = await w.drive(most=5.0)
    assert run.status is RunStatus.FAILED, run
    assert "0 samples" in run.reason
    assert w.route() == {"primary": 90, "fallback": 10}


async def test_a_canary_that_was_taken_out_comes_back_when_a_person_says_so(w):
    arms(w, canary=0.3, beside=0.01)
    w.verdicts["fraud_errors/primary"] = "firing"
    w.measured["primary"] = {"errors": 0.01}
    wanted(w, "canary-abort", **ARMS)
    await until_step(w, "verify")
    assert w.route() == {"primary": 100}
    assert w.runs.abort(1, "ben", "it was the network", undo=True).done
    run = await w.drive()
    assert run.status is RunStatus.UNDONE, run
    assert w.route() == {"primary": 90, "fallback": 10}


# throttle-spender: the limiter is a server on loopback, the requests are real
@pytest.fixture
async def limiter():
    made = Flags({"acme": 600}, token="of-the-limiter")
    async with TestServer(made.app()) as server:
        made.url = f"http://{server.host}:{server.port}"
        yield made


@pytest.fixture
async def fetch():
    made = SafeFetch(["127.0.0.1"], EnvironmentSecrets(environment={"FIRELINE_SECRET_LIMITER": "of-the-limiter"}))
    yield made
    await made.close()


def throttled(w, limiter, fetch, verdict):
    w.verdicts = {"fraud_errors": verdict}
    given = {"rule": "fraud_errors", "tenant": "acme", "limiter": limiter.url, "lease": "10m", **QUICK}
    return wanted(w, "throttle-spender", fetch=fetch, **given)


async def test_a_spender_is_throttled_and_the_limit_goes_back_by_itself(w, limiter, fetch):
    throttled(w, limiter, fetch, "clear")
    began = w.clock.now()
    await until_step(w, "hold", most=5.0)
    assert limiter.values == {"acme": 60}
    run = await w.drive(most=30.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert limiter.writes == [("acme", 60), ("acme", 600)]
    assert w.clock.now() - began >= 600.0


async def test_a_spender_is_stopped_only_when_somebody_says_so(w, limiter, fetch):
    throttled(w, limiter, fetch, "firing")
    await until_step(w, "ask", most=20.0)
    assert limiter.writes == [("acme", 60)], "nobody said anything yet"
    assert w.runs.approve(1, "ask", "ben", True).done
    run = await w.drive(most=30.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert limiter.writes == [("acme", 60), ("acme", 0), ("acme", 600)]


async def test_a_limit_that_somebody_set_meanwhile_is_left_alone(w, limiter, fetch):
    throttled(w, limiter, fetch, "clear")
    await until_step(w, "hold", most=5.0)
    limiter.values["acme"] = 300
    run = await w.drive(most=30.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert limiter.values == {"acme": 300}


async def test_a_throttle_is_taken_back_when_a_person_says_so(w, limiter, fetch):
    throttled(w, limiter, fetch, "firing")
    await until_step(w, "ask", most=20.0)
    assert w.runs.approve(1, "ask", "ben", True).done
    await until_step(w, "hold", most=5.0)
    assert limiter.values == {"acme": 0}
    assert w.runs.abort(1, "ben", "it is their launch day", undo=True).done
    run = await w.drive(most=5.0)
    assert run.status is RunStatus.UNDONE, run
    assert limiter.writes == [("acme", 60), ("acme", 0), ("acme", 60), ("acme", 600)]


# fail-over-region
REGION = {"region": "primary", "into": "fallback", "services": [SERVICE], "health": "primary_health", "every": "5s"}


def failing_over(w, verdict="clear"):
    w.verdicts = {"primary_health": verdict}
    moved(w, primary=60, fallback=40)
    given = {**REGION, "window": "5s", **QUICK}
    w.settings.current = replace(w.settings.current, autonomy=())  # nobody has to let it start
    text = text_of("fail-over-region").replace("mode: approve", "mode: auto")
    text += "--- # runbook drain-target\n" + text_of("drain-target")
    started = w.want(runbook(text), inputs=given, person="ann")
    assert started.run is not None, started
    assert started.run.status is RunStatus.RUNNING, started.reason


async def test_a_region_is_drained_and_comes_back_when_somebody_agrees(w):
    failing_over(w)
    await until_step(w, "ask", most=2.0)
    assert w.route() == {"fallback": 100}
    with w.store.reading() as tx:
        assert tx.route(SERVICE).version >= 5, "in stages"
    assert w.runs.approve(1, "ask", "ben", True).done
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert w.route() == {"primary": 60, "fallback": 40}


async def test_what_the_other_region_does_not_bear_is_taken_back(w):
    failing_over(w)
    await until_step(w, "out[0]/drain")
    await w.drive(7.0)
    assert w.route()["fallback"] > 40
    w.verdicts["primary_health"] = "firing"
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.FAILED, run
    assert w.route() == {"primary": 60, "fallback": 40}


async def test_a_region_that_is_not_well_enough_to_take_more_gets_nothing(w):
    failing_over(w, "firing")
    run = await w.drive(most=5.0)
    assert run.status is RunStatus.FAILED, run
    assert w.route() == {"primary": 60, "fallback": 40}


async def test_a_drained_region_gets_its_traffic_back_when_a_person_says_so(w):
    failing_over(w)
    await until_step(w, "ask", most=2.0)
    assert w.runs.abort(1, "ben", "wrong region", undo=True).done
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.UNDONE, run
    assert w.route() == {"primary": 60, "fallback": 40}


def test_an_ill_target_loses_traffic_in_stages_and_gets_no_more_of_it(w):
    catalog = w.settings.current.catalog
    service = catalog.services[SERVICE]
    third = replace(service, targets=(*service.targets, Target("canary")))
    changed = replace(catalog, services={**catalog.services, SERVICE: third})
    w.settings.current = replace(w.settings.current, catalog=changed)
    moved(w, primary=60, canary=40)
    incident = w.fire("fraud_errors")
    (attached,) = incident.signals.values()
    ill = replace(attached, signal=replace(attached.signal, entity=(("service", SERVICE), ("target", "canary"))))
    assert ill.signal.state is State.FIRING
    with w.store.transaction() as tx:
        tx.save_incident(replace(w.incident(1), version=incident.version + 1, signals={ill.signal.fingerprint: ill}))
    moved(w, primary=80, canary=20)
    assert w.route() == {"primary": 80, "canary": 20}
    moved(w, primary=70, canary=30)
    assert w.route() == {"primary": 80, "canary": 20}


# gather-evidence
async def test_evidence_is_written_down_and_nothing_is_changed(w):
    reach = Reach()
    incident = w.fire("fraud_errors").number
    w.verdicts, w.measured = {"fraud_errors": "clear"}, {"": {"n": 40.0}}
    wanted(w, "gather-evidence", incident=incident, reach=reach, namespace="ml")
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run
    (note,) = [text for text in w.texts(1) if "Looked up by gather-evidence" in text]
    assert 'traffic {"primary": 100}' in note
    assert "n of fraud_errors 40" in note
    assert "CPU 0.25" in note
    assert "open orders 1" in note
    assert "pods not known" not in note
    assert [link.title for link in w.incident(1).links] == ["dashboard of fraud-scoring"]
    assert reach.done == []
    assert w.route() == {"primary": 100}


@pytest.mark.parametrize("name", ["gather-evidence", "communicate", "status-update"])
def test_what_changes_nothing_asks_nobody_at_any_hour_and_for_any_severity(w, name):
    w.settings.current = shipped()
    book = w.settings.current.runbooks[name]
    for severity in [each.name for each in w.settings.current.catalog.severities]:
        incident = replace(w.fire(severity=severity), severity=severity)
        for hour in (0, 13, 50, 100):
            with w.store.reading() as tx:
                asked = Asked(book, {"service": SERVICE}, incident, mode=Autonomy.AUTO)
                found = permitted(tx, w.settings.current, asked, w.clock.now() + hour * HOUR)
            assert found.mode is Autonomy.AUTO or "irreversible" in found.line, found


# communicate
async def test_people_are_told_at_once_at_intervals_and_at_the_end(w):
    number = w.fire("fraud_errors").number
    wanted(w, "communicate", "status-update", incident=number, every="2m")
    await w.drive(60.0, most=5.0)
    (first,) = [text for text in said(w) if "Not mitigated yet" in text and "Next update" in text][:1]
    assert "Owner: Payments ML, nobody has acknowledged it" in first
    assert "Scores card payments" in first
    await w.drive(180.0, most=5.0)
    assert any("Not mitigated yet" in text for text in said(w))
    w.responder.handle(Resolve(number, "ann", "cli"))
    run = await w.drive(most=5.0)
    assert run.status is RunStatus.SUCCEEDED, run
    told = [text for text in said(w) if "This was the last update" in text]
    assert told
    assert all(text.startswith("Mitigated: INC-1") for text in told)
    assert step_of(run, "call").status is StepStatus.SKIPPED


async def test_the_public_is_told_what_somebody_has_read(w):
    reach = Reach()
    number = w.fire("fraud_errors").number
    wanted(w, "status-update", incident=number, reach=reach, public=True, words="Payments are slow.")
    await until_step(w, "ask")
    assert reach.done == [], "nobody has read it yet"
    assert w.runs.approve(1, "ask", "ben", True).done
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run
    assert len(reach.done) == 1


# the others
async def test_a_share_goes_to_the_fallback_and_back_when_it_does_not_help(w):
    w.verdicts = {"fraud_errors": "clear"}
    wanted(w, "degrade-gracefully", rule="fraud_errors", share=30, **QUICK)
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert w.route() == {"primary": 70, "fallback": 30}


async def test_a_share_that_does_not_help_goes_back(w):
    w.verdicts = {"fraud_errors": "firing"}
    wanted(w, "degrade-gracefully", rule="fraud_errors", share=30, **QUICK)
    run = await w.drive(most=5.0)
    assert run.status is RunStatus.UNDONE, run
    assert w.route() == {"primary": 100}


async def test_a_model_is_paused_until_somebody_lets_it_go_on(w):
    reach = Reach(flags=Flags({SERVICE: True}))
    wanted(w, "pause-model", reach=reach)
    await until_step(w, "ask", most=2.0)
    assert reach.flags.values == {SERVICE: False}
    assert w.runs.approve(1, "ask", "ben", True).done
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert reach.flags.values == {SERVICE: True}


async def test_a_pause_is_taken_back_when_a_person_says_so(w):
    reach = Reach(flags=Flags({SERVICE: True}))
    wanted(w, "pause-model", reach=reach)
    await until_step(w, "ask", most=2.0)
    assert w.runs.abort(1, "ben", "it was the labels", undo=True).done
    run = await w.drive(most=2.0)
    assert run.status is RunStatus.UNDONE, run
    assert reach.flags.values == {SERVICE: True}


@pytest.mark.parametrize(("verdict", "status", "replicas"), [("clear", "succeeded", 6), ("firing", "undone", 3)])
async def test_pods_stay_when_they_help_and_go_when_they_do_not(w, verdict, status, replicas):
    reach = Reach()
    w.verdicts = {"fraud_errors": verdict}
    wanted(w, "restart-and-scale", reach=reach, rule="fraud_errors", namespace="ml", **QUICK)
    run = await w.drive(most=5.0)
    assert run.status.value == status, run
    assert reach.deployments.get()["spec"]["replicas"] == replicas
    if verdict == "firing":
        assert reach.deployments.get()["spec"]["template"] == template("scorer:2")


class Pipeline:
    """Is asked to train, and says how far it is."""

    def __init__(self, *states):
        self.states = list(states)
        self.asked = []

    async def __call__(self, request):
        if request.method == "POST":
            self.asked.append((request.json, request.headers["Idempotency-Key"]))
            return Response(202, {}, '{"url": "https://pipelines.example/jobs/1"}')
        return Response(200, {}, json.dumps({"state": self.states.pop(0)}))


async def trained(w, pipeline, said):
    number = w.fire("fraud_errors").number
    wanted(w, "retrain", incident=number, fetch=pipeline, pipeline="https://pipelines.example/train")
    await until_step(w, "ask")
    assert pipeline.asked == [], "nobody said anything yet"
    assert w.runs.approve(1, "ask", "ben", said).done
    run = await w.drive(most=30.0)
    assert run.status is RunStatus.SUCCEEDED, run.reason
    return run


async def test_a_model_is_trained_anew_once_when_somebody_agrees(w):
    pipeline = Pipeline("running", "running", "done")
    run = await trained(w, pipeline, True)
    assert [asked for asked, _ in pipeline.asked] == [{"model": SERVICE, "reason": "drift"}]
    assert step_of(run, "tell").status is StepStatus.DONE
    assert step_of(run, "call").status is StepStatus.SKIPPED


async def test_a_training_that_the_pipeline_gives_up_is_told_and_not_begun_again(w):
    pipeline = Pipeline("running", "failed")
    run = await trained(w, pipeline, True)
    assert len(pipeline.asked) == 1
    assert step_of(run, "tell").status is StepStatus.SKIPPED
    assert any("has failed, as the pipeline says" in text for text in w.texts(1))


async def test_a_model_is_not_trained_when_somebody_says_no(w):
    pipeline = Pipeline()
    await trained(w, pipeline, False)
    assert pipeline.asked == []
