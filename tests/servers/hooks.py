"""An HTTP server that takes what channels post, remembers it, and is as broken as a test asks.

It answers as the services do: Discord with ids and edits, PagerDuty with a `dedup_key`, a workflow of Teams with 202, a
receiver of webhooks that verifies signatures with the library of the specification.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook as Verifier

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="


@dataclass(frozen=True)
class Broken:
    """What to do to one request. `accepted`: it is taken all the same; `drop`: the connection ends unanswered."""

    status: int = 0
    retry_after: str = ""
    accepted: bool = False
    drop: bool = False
    hang: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass
class Call:
    """A request that came: `body` is parsed JSON."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Hooks:
    """The running server. `calls` are all requests, `taken` those that were accepted, each with what was answered."""

    url: str = ""
    broken: deque[Broken] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    taken: list[Call] = field(default_factory=list)
    discord: dict[str, Any] = field(default_factory=dict)
    pagerduty: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def next(self, *broken: Broken) -> None:
        self.broken.extend(broken)


class _Handler:
    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks

    async def any(self, request: web.Request) -> web.StreamResponse:
        hooks = self.hooks
        call = Call(request.method, request.path, dict(request.query), dict(request.headers), await request.read())
        hooks.calls.append(call)
        broken = hooks.broken.popleft() if hooks.broken else Broken(accepted=True)
        answer = self._take(call) if broken.accepted or not (broken.status or broken.drop or broken.hang) else None
        if broken.hang:
            await hooks.hanging.wait()
        if broken.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if broken.status:
            headers = dict(broken.headers) | ({"Retry-After": broken.retry_after} if broken.retry_after else {})
            return web.Response(status=broken.status, text=broken.text, headers=headers)
        assert answer is not None
        answer.headers.update(dict(broken.headers))
        return answer

    def _take(self, call: Call) -> web.Response:
        part = call.path.split("/")[1]
        answer: web.Response = getattr(self, f"_{part}", self._elsewhere)(call)
        if answer.status < 300:
            self.hooks.taken.append(call)
        return answer

    def _elsewhere(self, call: Call) -> web.Response:
        return web.Response(status=404, text="nothing is here")

    def _hook(self, call: Call) -> web.Response:
        try:
            Verifier(SIGNING).verify(call.raw, call.headers)
        except Exception as fault:  # whatever the library refuses
            return web.Response(status=401, text=str(fault))
        return web.Response(status=204)

    def _teams(self, call: Call) -> web.Response:
        [attachment] = call.body["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert len(call.raw) < 28_000, "Teams takes no more"
        return web.Response(status=202)

    def _discord(self, call: Call) -> web.Response:
        problem = discord_refuses(call.body)
        if problem:
            return web.json_response({"code": 50035, "message": problem}, status=400)
        number = call.path.split("/messages/")[1] if "/messages/" in call.path else str(1000 + len(self.hooks.discord))
        if call.method == "PATCH" and number not in self.hooks.discord:
            return web.json_response({"code": 10008, "message": "Unknown Message"}, status=404)
        self.hooks.discord[number] = call.body
        return web.json_response({"id": number}) if call.query.get("wait") == "true" else web.Response(status=204)

    def _pagerduty(self, call: Call) -> web.Response:
        body = call.body
        if len(body["routing_key"]) != 32:
            return web.json_response({"status": "invalid event", "errors": ["Invalid routing key"]}, status=400)
        self.hooks.pagerduty[body["dedup_key"]].append(body)
        return web.json_response({"status": "success", "dedup_key": body["dedup_key"]}, status=202)


def discord_refuses(body: dict[str, Any]) -> str:
    """What Discord refuses about a message, written down independently of the code under test; empty for nothing."""
    if not body.get("content") and not body.get("embeds"):
        return "empty message"
    if _units(body.get("content", "")) > 2000:
        return "content > 2000"
    for embed in body.get("embeds", ()):
        fields = embed.get("fields", ())
        texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
        texts += [field[part] for field in fields for part in ("name", "value")]
        limits = (
            _units(texts[0]) > 256,
            _units(texts[1]) > 4096,
            _units(texts[2]) > 2048,
            len(fields) > 25,
            any(not 1 <= _units(field["name"]) <= 256 for field in fields),
            any(not 1 <= _units(field["value"]) <= 1024 for field in fields),
            sum(map(_units, texts)) > 6000,
        )
        if any(limits):
            return f"embed: {limits}"
    return ""


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@asynccontextmanager
async def running() -> AsyncIterator[Hooks]:
    """The server on a free port of this machine."""
    hooks = Hooks()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", _Handler(hooks).any)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hooks.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hooks
    finally:
        hooks.hanging.set()
        await runner.cleanup()
