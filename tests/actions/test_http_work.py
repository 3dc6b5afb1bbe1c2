"""http.* against a real server: credentials, picked values, polling, and what is sent again and what is not."""

import json
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from pydantic import ValidationError

from fireline.actions.schema import Ports
from fireline.actions.web import GetOptions, HttpGet, HttpRequest, RequestOptions
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.engine.outgoing import Response
from fireline.engine.outward import StepContext

SECRET = "s3cr3t/v4lue+of the deploy system"
SECRETS = EnvironmentSecrets(environment={"FIRELINE_SECRET_DEPLOY": SECRET})


class Server:
    """Counts what it did by idempotency key, and echoes what it was shown."""

    def __init__(self):
        self.seen = []
        self.done = set()
        self.states = ["running", "running", "done"]

    async def act(self, request):
        self.seen.append(request)
        self.done.add(request.headers.get("Idempotency-Key"))
        said = {"job": {"id": 7, "state": "/jobs/7"}, "shown": dict(request.headers)}
        return web.json_response({**said, "look": f"http://{request.host}/jobs/7"}, status=202)

    async def job(self, request):
        self.seen.append(request)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "error":
            raise web.HTTPBadGateway
        return web.json_response({"state": state, "steps": [{"n": 1}, {"n": 2}]})


@asynccontextmanager
async def running():
    server = Server()
    app = web.Application()
    app.router.add_post("/act", server.act)
    app.router.add_get("/jobs/7", server.job)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fetch = SafeFetch(["127.0.0.1"], SECRETS)
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}", fetch
    await fetch.close()
    await runner.cleanup()


async def until_over(kind, fetch, given, written=None):
    """All outcomes of a step, time passing and memory kept as a run keeps it."""
    model = GetOptions if kind is HttpGet else RequestOptions
    context = StepContext("run-1.call", 1, "call", None, 100.0, {}, 100.0, written=written or given)
    outcomes = []
    while len(outcomes) < 40:
        outcomes.append(await kind(Ports(None, None, None, None, fetch)).perform(model.model_validate(given), context))
        if not isinstance(outcomes[-1], Waiting):
            return outcomes
        memory = json.loads(json.dumps(outcomes[-1].memory))
        context = replace(context, now=context.now + outcomes[-1].delay, memory=memory)
    raise AssertionError("never over")


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"bearer": "secret:DEPLOY"}, "Authorization", f"Bearer {SECRET}"),
        ({"header": {"name": "X-Api-Key", "value": "secret:DEPLOY"}}, "X-Api-Key", SECRET),
        (
            {"basic": {"user": "robot", "password": "secret:DEPLOY"}},
            "Authorization",
            "Basic " + b64encode(f"robot:{SECRET}".encode()).decode(),
        ),
    ],
)
async def test_credentials_go_out_and_do_not_come_back(auth, name, value):
    async with running() as (server, url, fetch):
        (outcome,) = await until_over(HttpRequest, fetch, {"url": f"{url}/act", "auth": auth})
    assert server.seen[0].headers[name] == value
    assert isinstance(outcome, Done)
    for form in (SECRET, b64encode(f"robot:{SECRET}".encode()).decode(), b64encode(SECRET.encode()).decode()):
        assert form not in str(outcome)
    assert "[secret:DEPLOY]" in str(outcome.output)


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"bearer": "the token itself"},
        {"bearer": "secret:A", "header": {"name": "X", "value": "secret:B"}},
        {"basic": {"user": "a:b", "password": "secret:A"}},
        {"basic": {"user": "a", "password": "pasted"}},
        {"header": {"name": "X\r\nY", "value": "secret:A"}},
    ],
)
def test_credentials_are_named_and_one_of_a_kind(auth):
    with pytest.raises(ValidationError):
        GetOptions(url="https://x", auth=auth)


@pytest.mark.parametrize(
    "written", [{"auth": "{{ inputs.auth }}"}, {"auth": {"bearer": "{{ inputs.x }}"}}, {"auth": {"bearer": "secret:B"}}]
)
async def test_data_names_no_secret(written):
    async with running() as (server, url, fetch):
        given = {"url": f"{url}/act", "auth": {"bearer": "secret:DEPLOY"}}
        (outcome,) = await until_over(HttpRequest, fetch, given, written)
    assert isinstance(outcome, Failed)
    assert "write it in the runbook" in outcome.reason
    assert server.seen == []


async def test_values_are_picked_by_path():
    async with running() as (_, url, fetch):
        paths = {"id": "$.job.id", "first": "$.steps[0].n", "all": "$.steps[*].n"}
        (acted,) = await until_over(HttpRequest, fetch, {"url": f"{url}/act", "values": {"id": paths.pop("id")}})
        (read,) = await until_over(HttpGet, fetch, {"url": f"{url}/jobs/7", "values": paths})
        (missing,) = await until_over(HttpGet, fetch, {"url": f"{url}/jobs/7", "values": {"who": "$.owner"}})
    assert acted.output["values"] == {"id": 7}
    assert read.output["values"] == {"first": 1, "all": [1, 2]}
    assert isinstance(missing, Failed)
    assert missing.reason == "values.who: $.owner is not there in the answer"


@pytest.mark.parametrize(
    "path", ["job.id", "$.[", "$..id", "$", "$.a | $.b", "$[?match(@.a, '(a+)+b')]", "$" + "[0]" * 90]
)
def test_a_path_that_cannot_be_read_is_told_at_load(path):
    if path == "$":
        assert GetOptions(url="https://x", values={"all": path})
        return
    with pytest.raises(ValidationError, match=r"values\.it"):
        GetOptions(url="https://x", values={"it": path})


@pytest.mark.parametrize("where", ["/jobs/7", "$.look"])
async def test_it_acts_once_and_looks_until_the_answer_says_so(where):
    async with running() as (server, url, fetch):
        poll = {"url": where if where[0] == "$" else url + where, "until": "json.state == 'done'", "every": "2s"}
        given = {"url": f"{url}/act", "auth": {"bearer": "secret:DEPLOY"}, "poll": poll}
        outcomes = await until_over(HttpRequest, fetch, given)
    assert isinstance(outcomes[-1], Done), outcomes
    assert outcomes[-1].output["json"]["state"] == "done"
    assert [request.method for request in server.seen] == ["POST", "GET", "GET", "GET"]
    assert all(request.headers["Authorization"] == f"Bearer {SECRET}" for request in server.seen)
    assert SECRET not in str(outcomes)


async def test_a_look_that_fails_is_looked_at_again_and_time_ends_it():
    async with running() as (server, url, fetch):
        server.states = ["error", "running"]
        given = {"url": f"{url}/jobs/7", "poll": {"until": "json.state == 'done'", "every": "1s", "within": "4s"}}
        server.states.insert(0, "running")
        *waits, last = await until_over(HttpGet, fetch, given)
    assert len(waits) == 4
    assert isinstance(last, Failed)
    assert last.reason == "poll: not so within 4 s: `json.state == 'done'` does not hold"


async def test_a_look_that_cannot_be_judged_is_never_a_success():
    async with running() as (_, url, fetch):
        given = {"url": f"{url}/jobs/7", "poll": {"until": "json.nothing == 'done'", "every": "1s", "within": "2s"}}
        *_, last = await until_over(HttpGet, fetch, given)
    assert isinstance(last, Failed)
    assert "`json.nothing` is not there" in last.reason


async def test_credentials_do_not_follow_an_answer_elsewhere():
    class Leads:
        def __init__(self):
            self.requests = []

        async def __call__(self, request):
            self.requests.append(request)
            return Response(202, {}, '{"look": "https://evil.example/jobs"}')

    fetch = Leads()
    poll = {"url": "$.look", "until": "json.state == 'done'"}
    given = {"url": "https://api.example/act", "auth": {"bearer": "secret:DEPLOY"}, "poll": poll}
    (outcome,) = await until_over(HttpRequest, fetch, given)
    assert isinstance(outcome, Failed)
    assert "credentials do not go there" in outcome.reason
    assert len(fetch.requests) == 1


@pytest.mark.parametrize("look", ["ftp://x/", "nonsense", 7, None, {"a": 1}, "http://" + "x" * 9000])
async def test_an_answer_that_leads_nowhere_is_no_exception(look):
    fetch = SafeFetch(["api.example"], SECRETS)
    answers = [Response(202, {}, json.dumps({"look": look}))]

    async def first(request):
        return answers.pop() if answers else await fetch(request)

    poll = {"url": "$.look", "until": "json.state == 'done'", "within": "2s", "every": "1s"}
    *_, last = await until_over(HttpRequest, first, {"url": "https://api.example/act", "poll": poll})
    assert isinstance(last, Failed)
    await fetch.close()


@pytest.mark.parametrize(
    "until", ["json.state = 'done'", "state == 'done'", "", "json.all(x, x)", "{{ inputs.until }} == 1"]
)
def test_a_condition_that_cannot_be_told_is_a_fault_at_load(until):
    with pytest.raises(ValidationError, match=r"poll\.until"):
        GetOptions(url="https://x", poll={"until": until})


class Says:
    def __init__(self, answer):
        self.answer = answer

    async def __call__(self, request):
        return self.answer


SURELY_NOT = (
    Response(429, {}, ""),
    Response(425, {}, ""),
    Response(408, {}, ""),
    Response(503, {"Retry-After": "3"}, ""),
)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("answer", SURELY_NOT, ids=lambda answer: answer.status)
async def test_what_was_surely_not_done_is_sent_again(method, answer):
    (outcome,) = await until_over(HttpRequest, Says(answer), {"url": "https://x", "method": method})
    assert isinstance(outcome, RetryLater)


@pytest.mark.parametrize(("method", "safe"), [("POST", False), ("PATCH", False), ("PUT", True), ("DELETE", True)])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_what_may_have_been_done_is_sent_again_only_where_that_is_safe(method, safe, status):
    (outcome,) = await until_over(HttpRequest, Says(Response(status, {}, "")), {"url": "https://x", "method": method})
    if safe:
        assert isinstance(outcome, RetryLater)
    else:
        assert isinstance(outcome, Failed)
        assert outcome.unknown


async def test_the_same_key_is_one_effect():
    async with running() as (server, url, fetch):
        for _ in range(3):
            await until_over(HttpRequest, fetch, {"url": f"{url}/act"})
    assert server.done == {"run-1.call"}
    assert len(server.seen) == 3


def test_bodies_and_times_have_limits():
    with pytest.raises(ValidationError, match="at most"):
        RequestOptions(url="https://x", json="x" * 300_000)
    with pytest.raises(ValidationError, match="timeout"):
        GetOptions(url="https://x", timeout="10m")


async def test_a_value_that_is_too_long_is_not_kept():
    answer = Response(200, {}, json.dumps({"log": "x" * 10_000, "id": 3}))
    (outcome,) = await until_over(HttpGet, Says(answer), {"url": "https://x", "values": {"log": "$.log"}})
    assert isinstance(outcome, Failed)
    (outcome,) = await until_over(HttpGet, Says(answer), {"url": "https://x", "values": {"id": "$.id"}})
    assert outcome.output["values"] == {"id": 3}
    assert outcome.output["json"] is None
