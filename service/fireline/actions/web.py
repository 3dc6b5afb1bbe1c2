"""http.get and http.request: ask another system, or have it act.

Only hosts of the allow-list are reached (`FIRELINE_HTTP_ALLOW`), the address is checked when the connection is made,
and redirects are not followed. A header may hold `secret:NAME`: it is filled in at the last moment, and taken out of
what comes back. The runbook must say so itself, in a header without `{{ }}`; what an event says is never filled in.
`http.request` sends the step's idempotency key as `Idempotency-Key` unless the step sets one. 408, 425, 429 and 5xx
are tried again as the step's `retry` says; any status outside `expect_status` fails.
"""

import json
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue, field_validator

from fireline.actions.schema import ActionKind, Options, Ports
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response
from fireline.engine.outward import StepContext
from fireline.spec.durations import PositiveDuration

GET_EXAMPLE = """\
id: version
uses: http.get
with: {url: "https://registry.example/models/fraud", headers: {Authorization: "Bearer secret:REGISTRY"}}
"""

REQUEST_EXAMPLE = """\
id: rollback
uses: http.request
with:
  method: POST
  url: https://deploy.example/rollback
  headers: {Authorization: "Bearer secret:DEPLOY"}
  json: {service: fraud-scoring}
  expect_status: [200, 202]
irreversible: true
"""

AGAIN = frozenset({408, 425, 429, *range(500, 600)})
KEPT = 8_192
"""Characters of an answer that are kept in the journal."""


class GetOptions(Options):
    """What to ask for."""

    url: str = Field(pattern=r"^https?://", max_length=2000, description="on a host of the allow-list")
    headers: dict[str, str] = Field(default_factory=dict, description="without `{{ }}` one may hold `secret:NAME`")
    expect_status: list[int] = Field(default_factory=list, description="empty: any from 200 to 299")
    timeout: PositiveDuration = Field(10.0, description="how long one attempt may take")

    @field_validator("headers")
    @classmethod
    def _one_line(cls, value: dict[str, str]) -> dict[str, str]:
        if any(mark in text for pair in value.items() for text in pair for mark in "\r\n\0"):
            raise ValueError("a header is one line")
        return value


class RequestOptions(GetOptions):
    """What to have done."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="the HTTP method")
    body: JsonValue = Field(None, alias="json", description="sent as JSON")


class _Http:
    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Send it; the answer's status decides."""
        assert isinstance(options, GetOptions)
        if context.dry_run:
            return Done({"status_code": 200, "body": "", "json": None})
        if self._fetch is None:
            return Failed("HTTP actions are not set up in this process")
        return _outcome(options, await self._fetch(_request(options, context)))


class HttpGet(_Http):
    """Reads."""


class HttpRequest(_Http):
    """Has something done."""

    mutates = True


def _request(options: GetOptions, context: StepContext) -> Request:
    secret = _with_secrets(options.headers, context.written)
    if not isinstance(options, RequestOptions):
        return Request("GET", options.url, options.headers, timeout=options.timeout, secret_headers=secret)
    headers = dict(options.headers)
    if not any(name.lower() == "idempotency-key" for name in headers):
        headers["Idempotency-Key"] = context.key
    return Request(options.method, options.url, headers, options.body, options.timeout, secret_headers=secret)


def _with_secrets(headers: Mapping[str, str], written: object) -> frozenset[str]:
    """The headers that are to the letter what the author wrote: only there does `secret:NAME` stand for a secret."""
    given = written.get("headers") if isinstance(written, Mapping) else None
    if not isinstance(given, Mapping):
        return frozenset()
    return frozenset(name for name, text in headers.items() if given.get(name) == text and "{{" not in text)


def _outcome(options: GetOptions, answer: Response | NotSent | MaybeSent) -> Outcome:
    match answer:
        case NotSent(reason=reason, final=True):
            return Failed(reason)
        case NotSent(reason=reason):
            return RetryLater(1.0, reason)
        case MaybeSent(reason=reason):
            return Failed(reason, unknown=isinstance(options, RequestOptions))
        case Response():
            return _judged(options, answer)


def _judged(options: GetOptions, answer: Response) -> Outcome:
    expected = options.expect_status or range(200, 300)
    output = {"status_code": answer.status, "body": answer.text[:KEPT], "json": _json(answer.text)}
    if answer.status in expected:
        return Done(output)
    reason = f"status {answer.status}, expected {_told(options)}"
    if answer.status in AGAIN:
        return RetryLater(_retry_after(answer), reason)
    return Failed(reason, output=output)


def _told(options: GetOptions) -> str:
    return ", ".join(map(str, options.expect_status)) if options.expect_status else "200 to 299"


def _retry_after(answer: Response) -> float:
    value = next((v for name, v in answer.headers.items() if name.lower() == "retry-after"), "")
    return min(float(value), 300.0) if value.isdecimal() else 1.0


def _json(text: str) -> object:
    if len(text) > KEPT:
        return None
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


_OUTPUTS = {"status_code": "the HTTP status", "body": "the start of the answer", "json": "the answer, where it is JSON"}
KINDS = {
    "http.get": ActionKind(
        options=GetOptions, outputs=_OUTPUTS, mutates=False, build=HttpGet, page=__doc__, example=GET_EXAMPLE
    ),
    "http.request": ActionKind(
        options=RequestOptions, outputs=_OUTPUTS, mutates=True, build=HttpRequest, page=__doc__, example=REQUEST_EXAMPLE
    ),
}
