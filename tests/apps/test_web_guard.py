import asyncio
import base64
import http.client
import logging

import pytest
from starlette.datastructures import Headers

from fireline.adapters.clock import FakeClock
from fireline.apps.web_guard import MAX_BODY, Door, Guard, Problem, Rate
from tests.servers.live_web import incident, live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        running.save(incident(1))
        yield running


@pytest.fixture
def closed(tmp_path):
    with live_web(tmp_path, token="right") as running:
        running.save(incident(1))
        yield running


ACK = "/api/incidents/1/acknowledge"
ANN = {"person": "ann"}


def test_without_a_token_this_machine_may_act(web):
    assert web.request("POST", ACK, ANN)[0] == 200


def test_without_a_token_another_machine_may_not():
    scope = {"client": ("10.0.0.7", 1), "path": "/api/incidents"}
    with pytest.raises(Problem) as refused:
        Door(None).check(scope, Headers({"host": "localhost:8321"}))
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "127.0.0.1.evil"}],
)
def test_a_site_in_a_browser_on_this_machine_reaches_nothing(web, headers):
    assert web.request("POST", ACK, ANN, headers)[0] == 403
    assert web.request("GET", "/api/incidents", None, headers)[0] == 403
    assert web.responder.inputs == []


def test_our_own_page_does(web):
    assert web.request("GET", "/api/incidents", None, {"Origin": web.url})[0] == 200


@pytest.mark.parametrize(
    "given", [None, "Bearer wrong", "Bearer", "right", "Basic !!", "Basic " + "cmlnaHQ=", "Bearer é"]
)
def test_with_a_token_nothing_happens_without_it(closed, given):
    headers = {} if given is None else {"Authorization": given}
    for method, path in (("POST", ACK), ("GET", "/api/incidents"), ("GET", "/"), ("GET", "/changes")):
        status, told, _ = closed.request(method, path, ANN if method == "POST" else None, headers)
        assert status == 401
        assert "Basic" in told["www-authenticate"]
    assert closed.responder.inputs == []


def test_with_the_token_it_does_as_bearer_and_for_a_browser_as_basic(closed):
    basic = base64.b64encode(b"anyone:right").decode()
    for value in ("Bearer right", f"Basic {basic}"):
        assert closed.request("POST", ACK, ANN, {"Authorization": value})[0] == 200
    assert len(closed.responder.inputs) == 2


def test_gateways_and_probes_need_no_token(closed):
    assert closed.request("POST", "/ofrep/v1/evaluate/flags/fraud-scoring")[0] == 200
    assert closed.request("GET", "/metrics")[0] == 200
    assert closed.request("GET", "/healthz")[0] == 503
    assert closed.request("GET", "/livez")[0] == 200


def test_a_large_body_is_refused(web):
    status, _, answer = web.request("POST", ACK, b"x" * (MAX_BODY + 1))
    assert (status, answer["status"]) == (413, 413)


def test_a_large_body_of_unknown_length_is_refused(web):
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=120)
    chunks = iter([b"x" * 30_000] * 4)
    connection.request("POST", ACK, chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/api/incidents", 405)])
def test_what_is_not_there_is_a_problem_too(web, method, path, status):
    found, headers, answer = web.request(method, path)
    assert (found, answer["status"]) == (status, status)
    assert headers["x-content-type-options"] == "nosniff"


class Now:
    at = 0.0

    def now(self):
        return self.at


def test_a_rate_is_for_each_client_and_fills_again():
    clock = Now()
    rate = Rate(clock, 2.0, 2.0, clients=2)
    assert [rate.wait("a"), rate.wait("a")] == [0.0, 0.0]
    assert rate.wait("a") == pytest.approx(0.5)
    assert rate.wait("b") == 0.0
    clock.at = 0.5
    assert rate.wait("a") == 0.0
    assert rate.wait("a") > 0.0


async def test_a_request_that_the_end_of_the_process_cuts_off_is_answered_and_no_fault(caplog):
    at_work, sent = asyncio.Event(), []

    async def app(scope, receive, send):
        at_work.set()
        await asyncio.Event().wait()  # a database that is away

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost")],
    }
    asking = asyncio.create_task(Guard(app, Door(None), Rate(FakeClock(), 10.0, 10))(scope, None, send))
    await at_work.wait()
    asking.cancel("as uvicorn does")
    await asking
    assert sent[0]["status"] == 503
    assert b"this process ends" in sent[1]["body"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
