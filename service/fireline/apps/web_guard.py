"""The door of the web role: sizes, hosts, credentials and rates; and every fault told as a JSON problem."""

import asyncio
import base64
import binascii
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fireline.apps.settings import LOOPBACK
from fireline.engine.ports import Clock

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
SECURE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
READ = ("GET", "HEAD")
TITLES = {
    400: "Bad request",
    401: "Who are you?",
    403: "Not from there",
    404: "Not found",
    405: "Method not allowed",
    409: "Cannot be done as things are",
    413: "Too large",
    429: "Too many requests",
    500: "Fault of Fireline",
    503: "Not available now",
}


class Problem(Exception):  # noqa: N818 - an answer
    """An answer that is not a success; `extra` adds headers."""

    def __init__(self, status: int, detail: str, extra: Mapping[str, str] | None = None) -> None:
        self.status, self.detail, self.extra = status, detail, dict(extra or {})
        super().__init__(detail)


def problem_body(status: int, detail: str) -> bytes:
    """RFC 9457 problem details."""
    title = TITLES.get(status, "Problem")
    return orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer with a problem, below any framework."""
    headers = [(b"content-type", b"application/problem+json"), *SECURE]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.extra.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem_body(problem.status, problem.detail)})


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in: with a `token`, whoever shows it; without, this machine only."""

    token: str | None

    def check(self, scope: Scope, headers: Headers) -> None:
        """Raises `Problem` when this request may not go on."""
        if self.token is None:
            self._check_local(scope, headers)
        elif _needs_token(scope["path"]) and not self._shown(headers.get("authorization", "")):
            # Basic lets a person open the page in a browser: any name, the token as password
            raise Problem(401, "send the API token as Bearer", {"WWW-Authenticate": 'Bearer, Basic realm="Fireline"'})

    def _check_local(self, scope: Scope, headers: Headers) -> None:
        client = scope.get("client")
        if client is not None and client[0] not in LOOPBACK:
            raise Problem(403, "without FIRELINE_API_TOKEN Fireline answers this machine only")
        # a page of another site in a browser on this machine must not reach us by name tricks or by posting
        if _host(headers.get("host", "localhost")) not in LOOPBACK:
            raise Problem(403, "without FIRELINE_API_TOKEN the Host has to be this machine")
        origin = headers.get("origin")
        if origin is not None and _host(origin.partition("://")[2]) not in LOOPBACK:
            raise Problem(403, "requests of other sites are not accepted")

    def _shown(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        given = value.strip() if kind.lower() == "bearer" else _basic(value) if kind.lower() == "basic" else ""
        return secrets.compare_digest(given.encode(), (self.token or "").encode())


def _basic(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _host(value: str) -> str:
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0].lower()


def _needs_token(path: str) -> bool:
    # gateways, probes and scrapers read without a token: they see weights and counts, never an incident's text;
    # a calendar has a token of its own, which its path checks
    return not path.startswith(("/ofrep/", "/routes/", "/calendars/", "/healthz", "/livez", "/metrics"))


class Rate:
    """A token bucket for each client address; the least recently seen are forgotten."""

    def __init__(self, clock: Clock, per_second: float, burst: float, clients: int = 1000) -> None:
        self._clock, self._per_second, self._burst, self._clients = clock, per_second, burst, clients
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Seconds until this client may come again, 0.0 when it may now."""
        now = self._clock.now()
        left, at = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._per_second)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left, now)
        if len(self._left) > self._clients:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_second


class Guard:
    """ASGI middleware around everything: nothing large, foreign, too frequent or broken gets further."""

    def __init__(self, app: ASGIApp, door: Door, rate: Rate, max_body: int = MAX_BODY) -> None:
        self._app, self._door, self._rate, self._max_body = app, door, rate, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, and tell what goes wrong."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *SECURE]
            await send(message)

        try:
            body = await self._admit(scope, receive)
            await self._app(scope, body, sending)
        except Problem as problem:
            await send_problem(send, problem)
        except asyncio.CancelledError:  # only an end of this process cuts a request off, and nobody awaits us after it
            log.warning("request %s %s was cut off: this process ends", scope["method"], scope["path"])
            if not started:
                await send_problem(send, Problem(503, "it was cut off, for this process ends; ask again in a moment"))
        except Exception:
            log.exception("request %s %s failed", scope["method"], scope["path"])
            if not started:
                await send_problem(send, Problem(500, "it is in the log of the web role"))

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        headers = Headers(scope=scope)
        self._door.check(scope, headers)
        wait = self._rate.wait(scope["client"][0] if scope.get("client") else "")
        if wait > 0.0:
            raise Problem(429, "slow down", {"Retry-After": str(max(1, round(wait)))})
        if scope["method"] in READ:
            return receive
        return await self._bounded(headers, receive)

    async def _bounded(self, headers: Headers, receive: Receive) -> Receive:
        too_large = Problem(413, f"a body has at most {self._max_body} bytes")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > self._max_body:
            raise too_large
        parts: list[bytes] = []
        more, size = True, 0
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self._max_body:
                raise too_large
        return _replay(b"".join(parts), receive)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
