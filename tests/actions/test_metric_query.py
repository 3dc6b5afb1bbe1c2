"""metric.query and wait_for: what is unknown is never a success."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from pydantic import ValidationError

from fireline.actions.metric import MetricOptions, MetricQuery
from fireline.actions.schema import Ports
from fireline.actions.wait_for import WaitFor, WaitForOptions
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.domain.targets import Prometheus, Targets
from fireline.engine.outward import StepContext
from fireline.engine.watching import WatchAnswer
from tests.engine.runs_world import world

SECRET = "s3cr3t-of-prometheus"
SECRETS = EnvironmentSecrets(environment={"FIRELINE_SECRET_PROM": SECRET})


def vector(*values):
    rows = [{"metric": {"pod": f"p{n}"}, "value": [0, value]} for n, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


@asynccontextmanager
async def prometheus(*answers):
    """A server that speaks the HTTP API of Prometheus, as far as instant queries go; the last answer stays."""
    plan, asked = list(answers), []

    async def query(request):
        asked.append((parse_qs(urlsplit(str(request.url)).query)["query"][0], request.headers.get("Authorization")))
        status, body = plan.pop(0) if len(plan) > 1 else plan[0]
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/api/v1/query", query)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fetch = SafeFetch(["127.0.0.1"], SECRETS)
    server = Prometheus(f"http://127.0.0.1:{runner.addresses[0][1]}/", "PROM")
    yield Ports(None, None, None, None, fetch, targets=Targets(prometheus={"main": server})), asked
    await fetch.close()
    await runner.cleanup()


async def over(action, options, now=100.0, between=None, timeline="live"):
    context = StepContext("run-1.ask", 1, "ask", None, now, {}, now, since=now - 5, timeline=timeline)
    for _ in range(2000):
        outcome = await action.perform(options, context)
        if not isinstance(outcome, Waiting):
            return outcome
        context = replace(context, now=context.now + outcome.delay, memory=json.loads(json.dumps(outcome.memory)))
        if between is not None:
            between(context.now)
    raise AssertionError("never over")


@pytest.mark.parametrize(
    ("answer", "more", "value"),
    [
        (vector("0.25"), {}, 0.25),
        (vector("1", "3", "2"), {"take": "max"}, 3),
        (vector("1", "3", "2"), {"take": "min"}, 1),
        (vector("1", "3", "2"), {"take": "sum"}, 6),
        ({"status": "success", "data": {"resultType": "scalar", "result": [0, "7"]}}, {}, 7),
    ],
)
async def test_a_value_of_prometheus(answer, more, value):
    async with prometheus((200, answer)) as (ports, asked):
        options = MetricOptions(prometheus="main", query="sum(up{a='b'}) & x", when="value > 0.0", **more)
        outcome = await over(MetricQuery(ports), options)
    assert isinstance(outcome, Done)
    assert (outcome.output["value"], outcome.output["holds"], outcome.output["verdict"]) == (value, True, "known")
    assert asked == [("sum(up{a='b'}) & x", f"Bearer {SECRET}")]


@pytest.mark.parametrize(
    ("status", "answer", "more", "reason"),
    [
        (200, vector(), {}, "no data"),
        (200, vector("NaN"), {}, "a series has no value"),
        (200, vector("1", "+Inf"), {"take": "max"}, "a series has no value"),
        (200, vector("1", "2"), {}, "2 series: say which with `take`"),
        (200, vector(*["1"] * 101), {"take": "sum"}, "more than 100 series"),
        (200, {"status": "success", "data": {"resultType": "matrix", "result": []}}, {}, "a matrix"),
        (200, {"status": "success", "data": {"resultType": "vector", "result": [{"value": []}]}}, {}, "status 200"),
        (200, ["x"], {}, "status 200"),
        (400, {"status": "error", "error": "parse error: 1:4"}, {}, "parse error: 1:4"),
        (422, {"status": "error", "error": "query timed out"}, {}, "query timed out"),
        (503, {"status": "error", "error": "not ready"}, {}, "not ready"),
    ],
)
async def test_what_is_unknown_is_never_a_success(status, answer, more, reason):
    async with prometheus((status, answer)) as (ports, _):
        for when in (None, "value < 1000.0", "value >= 0.0 || samples >= 0.0"):
            options = MetricOptions(prometheus="main", query="up", within="2s", when=when, **more)
            outcome = await over(MetricQuery(ports), options)
            assert isinstance(outcome, Failed)
            assert outcome.output["verdict"] == "unknown"
            assert outcome.output["holds"] is None
            assert reason in outcome.reason
            assert SECRET not in str(outcome)


async def test_data_that_comes_late_is_waited_for():
    async with prometheus((200, vector()), (503, {}), (200, vector("4"))) as (ports, _):
        outcome = await over(MetricQuery(ports), MetricOptions(prometheus="main", query="up", when="value > 5.0"))
    assert isinstance(outcome, Done)
    assert outcome.output["holds"] is False


async def test_a_server_that_is_not_listed_is_not_asked():
    async with prometheus((200, vector("1"))) as (ports, asked):
        outcome = await over(MetricQuery(ports), MetricOptions(prometheus="other", query="up"))
    assert isinstance(outcome, Failed)
    assert "there are main" in outcome.reason
    assert asked == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rule": "a"},
        {"rule": "a", "measure": "b", "prometheus": "main", "query": "up"},
        {"rule": "a", "query": "up"},
        {"prometheus": "main", "query": "up", "when": "p99 > 3"},
        {"prometheus": "main", "query": "up", "timeout": "1h"},
    ],
)
def test_a_question_that_cannot_be_asked_is_a_fault_at_load(given):
    with pytest.raises(ValidationError):
        MetricOptions.model_validate(given)


OWN = {"rule": "fraud_latency", "measure": "p99", "entity": {"service": "fraud-scoring"}, "within": "10s"}


def answering(w, samples, value):
    def between(now):
        with w.store.transaction() as tx:
            for watch in tx.watches(now):
                measures = {} if value == "absent" else {"p99": value}
                tx.answer([WatchAnswer(watch.id, "service=fraud-scoring", "clear", samples, measures, "", now)])

    return between


@pytest.mark.parametrize(
    ("samples", "value", "known"), [(40, 90.0, True), (3, 90.0, False), (40, None, False), (40, "absent", False)]
)
async def test_a_measure_of_ours_needs_samples(tmp_path, samples, value, known):
    w = world(tmp_path)
    action = MetricQuery(Ports(w.store, w.settings, w.clock, w.responder))
    outcome = await over(action, MetricOptions(**OWN, when="value < 100.0"), between=answering(w, samples, value))
    assert isinstance(outcome, Done if known else Failed)
    assert outcome.output["value"] == (90.0 if known else None)
    assert outcome.output["holds"] is (True if known else None)
    with w.store.reading() as tx:
        (watch,) = tx.watches(100.0)
    assert watch.since >= 100.0 - 5, "never on events before the last change"
    w.store.close()


async def test_nothing_at_all_is_unknown(tmp_path):
    w = world(tmp_path)
    outcome = await over(MetricQuery(Ports(w.store, w.settings, w.clock, w.responder)), MetricOptions(**OWN))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "unknown: no event was seen since the last change"
    w.store.close()


# wait_for
async def test_it_waits_for_a_metric():
    async with prometheus((200, vector("9")), (200, vector()), (200, vector("2"))) as (ports, asked):
        metric = {"prometheus": "main", "query": "up", "when": "value < 5.0"}
        outcome = await over(WaitFor(ports), WaitForOptions(metric=metric, within="1m", every="5s"))
        assert isinstance(outcome, Done)
        assert outcome.output["waited"] == 10
        assert len(asked) == 3


async def test_a_metric_without_data_is_not_so():
    async with prometheus((200, vector())) as (ports, _):
        metric = {"prometheus": "main", "query": "up", "when": "value < 5.0 || value >= 5.0"}
        outcome = await over(WaitFor(ports), WaitForOptions(metric=metric, within="20s"))
    assert outcome.reason == "not so within 20 s: no data"


async def test_it_waits_for_an_answer():
    async with prometheus((503, {}), (200, {"ready": False}), (200, {"ready": True})) as (ports, asked):
        url = f"{ports.targets.prometheus['main'].url}api/v1/query?query=x"
        outcome = await over(WaitFor(ports), WaitForOptions(http={"url": url, "until": "json.ready == true"}))
    assert isinstance(outcome, Done)
    assert len(asked) == 3


async def test_it_waits_for_a_time():
    ports = Ports(None, None, None, None)
    at = "2026-11-21T12:00:00+01:00"
    noon = 1795258800.0
    outcome = await over(WaitFor(ports), WaitForOptions(at=at), now=noon - 90)
    assert outcome.output["waited"] == 90
    assert isinstance(await over(WaitFor(ports), WaitForOptions(at=at), now=noon + 90), Done)
    assert isinstance(await over(WaitFor(ports), WaitForOptions(at=at), now=noon - 9000), Failed)


async def test_it_waits_for_a_signal_and_one_that_never_came_has_not_cleared(tmp_path):
    w = world(tmp_path)
    ports = Ports(w.store, w.settings, w.clock, w.responder)
    firing = {"rule": "fraud_latency", "entity": {"service": "fraud-scoring"}, "state": "firing"}
    cleared = {**firing, "state": "cleared"}
    never = await over(WaitFor(ports), WaitForOptions(signal=cleared, within="10s"), now=w.clock.now())
    assert "has no signal" in never.reason
    fired = []

    def fires(_):
        if not fired:
            fired.append(w.fire())

    came = await over(WaitFor(ports), WaitForOptions(signal=firing), now=w.clock.now(), between=fires)
    assert isinstance(came, Done)
    still = await over(WaitFor(ports), WaitForOptions(signal=cleared, within="10s"), now=w.clock.now())
    assert "is firing" in still.reason
    elsewhere = await over(
        WaitFor(ports), WaitForOptions(signal=firing, within="6s"), now=w.clock.now(), timeline="past"
    )
    assert isinstance(elsewhere, Failed)
    w.store.close()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"at": "tomorrow"},
        {"at": "2026-11-21T12:00:00"},
        {"at": "2026-11-21T12:00:00+01:00", "http": {"url": "https://x", "until": "status_code == 200"}},
        {"metric": {"prometheus": "main", "query": "up"}},
        {"http": {"url": "https://x", "until": "p99 > 3"}},
        {"signal": {"rule": "x", "state": "odd"}},
    ],
)
def test_what_cannot_be_waited_for_is_a_fault_at_load(given):
    with pytest.raises(ValidationError):
        WaitForOptions.model_validate(given)
