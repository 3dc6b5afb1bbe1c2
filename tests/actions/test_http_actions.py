"""http.get and http.request: what each answer means for a step."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from fireline.actions.schema import Ports
from fireline.actions.web import GetOptions, HttpGet, HttpRequest, RequestOptions
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.outgoing import MaybeSent, NotSent, Response
from fireline.engine.outward import StepContext

CONTEXT = StepContext("run-1.call", 1, "call", None, 100.0, {}, 100.0)


class Answers:
    def __init__(self, answer):
        self.answer = answer
        self.request = None

    async def __call__(self, request):
        self.request = request
        return self.answer


async def perform(answer, options=None, kind=HttpRequest):
    fetch = Answers(answer)
    options = options or RequestOptions(url="https://api.example/x", json={"a": 1})
    outcome = await kind(Ports(None, None, None, None, fetch)).perform(options, CONTEXT)
    return outcome, fetch.request


async def test_a_good_status_gives_the_answer():
    outcome, request = await perform(Response(201, {}, '{"id": 5}'))
    assert outcome == Done({"status_code": 201, "body": '{"id": 5}', "json": {"id": 5}, "values": {}})
    assert request.method == "POST"
    assert request.json == {"a": 1}
    assert request.headers == {"Idempotency-Key": "run-1.call"}


async def test_an_own_idempotency_key_is_kept():
    options = RequestOptions(url="https://api.example/x", headers={"idempotency-key": "mine"})
    _, request = await perform(Response(200, {}, ""), options)
    assert request.headers == {"idempotency-key": "mine"}


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Response(503, {"retry-after": "7"}, ""), RetryLater(7.0, "status 503, expected 200 to 299")),
        (Response(429, {}, ""), RetryLater(1.0, "status 429, expected 200 to 299")),
        (NotSent("no connection"), RetryLater(1.0, "no connection")),
        (NotSent("not allowed", final=True), Failed("not allowed")),
        (MaybeSent("time-out"), Failed("time-out", unknown=True)),
    ],
)
async def test_what_may_work_later_is_tried_again_and_what_may_have_happened_says_so(answer, wanted):
    outcome, _ = await perform(answer)
    assert outcome == wanted


async def test_reading_again_is_never_in_doubt():
    outcome, request = await perform(MaybeSent("time-out"), GetOptions(url="https://api.example"), HttpGet)
    assert outcome == RetryLater(1.0, "time-out")
    assert request.method == "GET"
    assert request.headers == {}


async def test_another_status_fails_with_what_was_expected():
    options = RequestOptions(url="https://api.example/x", expect_status=[202])
    outcome, _ = await perform(Response(200, {}, "{}"), options)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "status 200, expected 202"
    assert outcome.output["status_code"] == 200


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "//x", ""])
def test_other_schemes_are_refused(url):
    with pytest.raises(ValueError, match="url"):
        GetOptions(url=url)


def test_a_header_cannot_smuggle_another():
    with pytest.raises(ValueError, match="one line"):
        GetOptions(url="https://x", headers={"A": "b\r\nC: d"})


async def test_without_a_way_out_nothing_is_sent():
    outcome = await HttpGet(Ports(None, None, None, None)).perform(GetOptions(url="https://x"), CONTEXT)
    assert isinstance(outcome, Failed)


WRITTEN = {
    "url": "https://x",
    "headers": {"Authorization": "Bearer secret:DEPLOY", "X-Title": "{{ incident.title }}", "{{ inputs.name }}": "v"},
}


@pytest.mark.parametrize(
    ("headers", "written", "wanted"),
    [
        ({"Authorization": "Bearer secret:DEPLOY"}, WRITTEN, {"Authorization"}),
        ({"Authorization": "Bearer secret:DEPLOY", "X-Title": "secret:DEPLOY"}, WRITTEN, {"Authorization"}),
        ({"Authorization": "Bearer secret:OTHER"}, WRITTEN, set()),
        ({"X-Title": "{{ incident.title }}"}, WRITTEN, set()),
        ({"Cookie": "secret:DEPLOY"}, WRITTEN, set()),
        ({"Authorization": "secret:DEPLOY"}, {"headers": "{{ steps.ask.json }}"}, set()),
        ({"Authorization": "secret:DEPLOY"}, "{{ steps.ask.json }}", set()),
        ({"Authorization": "secret:DEPLOY"}, None, set()),
    ],
)
async def test_a_secret_is_filled_in_only_where_the_author_wrote_it_to_the_letter(headers, written, wanted):
    fetch = Answers(Response(200, {}, ""))
    options = GetOptions(url="https://x", headers=headers)
    context = replace(CONTEXT, written=written)
    await HttpGet(Ports(None, None, None, None, fetch)).perform(options, context)
    assert fetch.request.secret_headers == wanted


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "host", "X Y", ""])
def test_headers_that_belong_to_the_connection_are_refused(name):
    with pytest.raises(ValidationError, match=r"header"):
        RequestOptions(url="https://api.example/x", headers={name: "3"})
