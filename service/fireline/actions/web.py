"""http.get and http.request: ask another system, or have it act.

Only hosts of the allow-list are reached (`FIRELINE_HTTP_ALLOW`), the address is checked when the connection is made,
and redirects are not followed. `auth` names a secret: `{bearer: secret:NAME}`, `{basic: {user, password: secret:NAME}}`
or `{header: {name, value: secret:NAME}}`; a header may hold `secret:NAME` too. It is filled in at the last moment, and
taken out of what comes back. The runbook must say so itself, without `{{ }}`; what an event says is never filled in.

`values` picks parts of a JSON answer by JSON path: later steps find them as `steps.ID.values.NAME`. With `poll`, the
step goes on asking (with GET) `every` so long until `until` holds, a condition over `status_code`, `json` and `values`;
`poll.url` is another address, or a JSON path to one in the first answer, and credentials only go to the first origin.

`http.request` sends the step's idempotency key as `Idempotency-Key` unless the step sets one. What was surely not done
(no connection, 408, 425, 429, 503 with `Retry-After`) is tried again as the step's `retry` says, and so are any 5xx of
GET, PUT and DELETE, and `http.get` without an answer. Another 5xx of POST and PATCH, and a time-out after sending,
leave in doubt whether it was done: `if_unknown` decides. Any other status outside `expect_status` fails.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, field_validator

from fireline.actions.answers import JsonPath, condition, pick, told
from fireline.actions.credentials import Auth, as_written, shown
from fireline.actions.schema import ActionKind, Options, Output, Ports
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.outgoing import Fetch, MaybeSent, NotSent, Request, Response, header_fault
from fireline.engine.outward import StepContext
from fireline.spec.durations import PositiveDuration

GET_EXAMPLE = """\
id: version
uses: http.get
with:
  url: https://registry.example/models/fraud
  auth: {bearer: secret:REGISTRY}
  values: {version: $.ok}
"""

REQUEST_EXAMPLE = """\
id: rollback
uses: http.request
with:
  method: POST
  url: https://deploy.example/rollback
  auth: {bearer: secret:DEPLOY}
  json: {service: fraud-scoring}
  expect_status: [200, 202]
  poll: {url: https://deploy.example/rollback/state, until: "json.ok", every: 5s, within: 5m}
irreversible: true
"""

REFUSED = frozenset({408, 425, 429})
"""What a server says that has not begun to act."""
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
"""Methods whose repetition does what was done already (RFC 9110, 9.2.2)."""
KEPT = 8_192
"""Characters of an answer that are kept in the journal."""
READ = 262_144
"""Bytes of an answer that are read, to pick values out of."""
SENT = 262_144
"""Bytes of a body that is sent."""
GRACE = 5.0
KNOWN = frozenset({"status_code", "json", "values"})


def _until(text: str) -> str:
    condition(text, KNOWN)
    return text


class Poll(Options):
    """Ask until it is so."""

    until: Annotated[str, AfterValidator(_until)] = Field(
        max_length=1000, description="a condition over `status_code`, `json` and `values`"
    )
    every: PositiveDuration = Field(5.0, description="seconds between two looks")
    within: PositiveDuration = Field(300.0, description="how long to go on; then the step fails")
    url: str = Field(
        "", max_length=2000, pattern=r"^(https?://|\$|$)", description="where to look; empty: the step's own `url`"
    )

    @field_validator("url")
    @classmethod
    def _path(cls, value: str) -> str:
        if value.startswith("$"):
            pick({"url": value}, {})
        return value


class AskOptions(Options):
    """What to ask for, once."""

    url: str = Field(pattern=r"^https?://", max_length=2000, description="on a host of the allow-list")
    headers: dict[str, str] = Field(default_factory=dict, description="without `{{ }}` one may hold `secret:NAME`")
    auth: Auth | None = Field(None, description="who asks: `bearer`, `basic` or `header`, by the name of a secret")
    expect_status: list[int] = Field(default_factory=list, description="empty: any from 200 to 299")
    timeout: PositiveDuration = Field(10.0, le=300, description="how long one attempt may take")
    values: dict[str, JsonPath] = Field(default_factory=dict, max_length=20, description="names for JSON paths")

    @field_validator("headers")
    @classmethod
    def _one_line(cls, value: dict[str, str]) -> dict[str, str]:
        if fault := next(
            (fault for pair in value.items() if "{{" not in pair[0] and (fault := header_fault(*pair))), ""
        ):
            raise ValueError(fault)
        return value


class GetOptions(AskOptions):
    """What to ask for."""

    poll: Poll | None = Field(None, description="go on asking until the answer says so")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return 0.0 if self.poll is None else self.poll.within + self.timeout + GRACE


class RequestOptions(GetOptions):
    """What to have done."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="the HTTP method")
    body: JsonValue = Field(None, alias="json", description="sent as JSON")

    @field_validator("body")
    @classmethod
    def _bounded(cls, value: JsonValue) -> JsonValue:
        if len(json.dumps(value)) > SENT:
            raise ValueError(f"a body has at most {SENT} bytes")
        return value


class _Http:
    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Send it; the answer's status decides. What polls looks again until the answer says so."""
        assert isinstance(options, GetOptions)
        if context.dry_run:
            return Done({"status_code": 200, "body": "", "json": None, "values": dict.fromkeys(options.values)})
        if self._fetch is None:
            return Failed("HTTP actions are not set up in this process")
        if not as_written(options.auth, context.written):
            return Failed("auth: what is filled in by data is not sent: write it in the runbook, without `{{ }}`")
        if "looks_at" in context.memory:
            return await _look(self._fetch, options, context)
        outcome = _outcome(options, await self._fetch(_request(options, context)))
        if options.poll is None or not isinstance(outcome, Done):
            return outcome
        return _polling(options, options.poll, outcome, context)


class HttpGet(_Http):
    """Reads."""


class HttpRequest(_Http):
    """Has something done."""

    mutates = True


def _request(options: GetOptions, context: StepContext) -> Request:
    asked = _asking(options, options.url, context)
    if not isinstance(options, RequestOptions):
        return asked
    headers = dict(asked.headers)
    if not any(name.lower() == "idempotency-key" for name in headers):
        headers["Idempotency-Key"] = context.key
    return Request(
        options.method,
        options.url,
        headers,
        options.body,
        options.timeout,
        max_bytes=READ,
        secret_headers=asked.secret_headers,
        basic=asked.basic,
    )


def _asking(options: GetOptions, url: str, context: StepContext) -> Request:
    secret, proof = _with_secrets(options.headers, context.written), shown(options.auth)
    return Request(
        "GET",
        url,
        {**options.headers, **proof.headers},
        timeout=options.timeout,
        max_bytes=READ,
        secret_headers=secret | proof.headers.keys(),
        basic=proof.basic,
    )


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
        case MaybeSent(reason=reason) if isinstance(options, RequestOptions):
            return Failed(reason, unknown=True)
        case MaybeSent(reason=reason):
            return RetryLater(1.0, reason)
        case Response():
            return _judged(options, answer)


def _judged(options: GetOptions, answer: Response) -> Outcome:
    expected = options.expect_status or range(200, 300)
    output = _output(answer)
    if answer.status in expected:
        values = pick(options.values, output.pop("whole"))
        return Failed(values, output=output) if isinstance(values, str) else Done({**output, "values": dict(values)})
    output.pop("whole")
    reason = f"status {answer.status}, expected {_told(options)}"
    method = options.method if isinstance(options, RequestOptions) else "GET"
    if answer.status in REFUSED or (answer.status == 503 and _header(answer, "retry-after")):
        return RetryLater(_retry_after(answer), reason)
    if answer.status >= 500:
        in_doubt = Failed(f"{reason}; {method} may have been done", unknown=True, output=output)
        return RetryLater(_retry_after(answer), reason) if method in REPEATABLE else in_doubt
    return Failed(reason, output=output)


def _output(answer: Response) -> dict[str, object]:
    """What is kept of an answer, and the `whole` of it for paths, which is not."""
    whole = _json(answer.text)
    short = len(answer.text) <= KEPT
    return {
        "status_code": answer.status,
        "body": answer.text[:KEPT],
        "json": whole if short else None,
        "whole": whole,
    }


def _polling(options: GetOptions, poll: Poll, first: Done, context: StepContext) -> Outcome:
    """The first answer came: look whether it says so already, else where to look from now on."""
    url = poll.url or options.url
    if url.startswith("$"):
        found = pick({"url": url}, first.output.get("json"))
        if isinstance(found, str):
            return Failed(found, output=first.output)
        url = str(found["url"])
    if (options.auth is not None or options.headers) and not _same_origin(options.url, url):
        return Failed(f"poll: {url[:200]} is elsewhere than {options.url}, and credentials do not go there")
    if poll.url == "" and told(poll.until, KNOWN, first.output) is True:
        return first
    return Waiting(poll.every, f"waits until {poll.until}", {**context.memory, "looks_at": url, "since": context.now})


async def _look(fetch: Fetch, options: GetOptions, context: StepContext) -> Outcome:
    """Look once more. Faults of a look are no faults of the step: it looks again until its time is over."""
    poll = options.poll
    assert poll is not None
    url, since = str(context.memory["looks_at"]), context.memory.get("since")
    began = float(since) if isinstance(since, (int, float)) else context.started_at
    looks = GetOptions.model_construct(url=url, expect_status=[], values=options.values)
    looked = _outcome(looks, await fetch(_asking(options, url, context)))
    reason = "" if isinstance(looked, Done) else getattr(looked, "reason", "")
    if isinstance(looked, Done):
        holds = told(poll.until, KNOWN, looked.output)
        if holds is True:
            return looked
        reason = holds if isinstance(holds, str) else f"`{poll.until}` does not hold"
    if context.now >= began + poll.within:
        output = looked.output if isinstance(looked, (Done, Failed)) else {}
        return Failed(f"poll: not so within {poll.within:g} s: {reason}", output=output)
    return Waiting(poll.every, reason, context.memory)


def _same_origin(one: str, other: str) -> bool:
    try:
        first, second = urlsplit(one), urlsplit(other)
        return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)
    except ValueError:
        return False


def _told(options: GetOptions) -> str:
    return ", ".join(map(str, options.expect_status)) if options.expect_status else "200 to 299"


def _header(answer: Response, wanted: str) -> str:
    return next((value for name, value in answer.headers.items() if name.lower() == wanted), "")


def _retry_after(answer: Response) -> float:
    value = _header(answer, "retry-after")
    return min(float(value), 300.0) if value.isdecimal() and len(value) < 9 else 1.0


def _json(text: str) -> object:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


_OUTPUTS = {
    "status_code": Output("int", "the HTTP status"),
    "body": Output("string", "the start of the answer"),
    "json": Output("any", "the answer, where it is JSON and short"),
    "values": Output("mapping", "what the JSON paths of `values` found, by name"),
}
KINDS = {
    "http.get": ActionKind(
        options=GetOptions, outputs=_OUTPUTS, mutates=False, build=HttpGet, page=__doc__, example=GET_EXAMPLE
    ),
    "http.request": ActionKind(
        options=RequestOptions, outputs=_OUTPUTS, mutates=True, build=HttpRequest, page=__doc__, example=REQUEST_EXAMPLE
    ),
}
