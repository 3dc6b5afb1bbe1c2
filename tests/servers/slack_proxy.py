"""A thin proxy before the local Slack that is as strict, as slow and as broken as the real one may be.

It refuses what Slack refuses (limits of blocks), keeps the metadata that the local one drops, and injects on request:
429 with Retry-After, any status, errors, dropped connections before or after the request was accepted, hanging,
latency, envelopes delivered twice, sockets that break.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from tests.servers.slack import LocalSlack

TEXT_LIMITS = {"header": 150, "section": 3000}
WRITES = ("chat.postMessage", "chat.update")


@dataclass(frozen=True)
class Fault:
    """What to do to one request. `accepted` forwards it all the same, `seconds` is waited for before the rest."""

    status: int = 0
    retry_after: str = ""
    error: str = ""
    accepted: bool = False
    drop: bool = False
    seconds: float = 0.0
    html: bool = False


def limited(seconds: int) -> Fault:
    return Fault(status=429, retry_after=str(seconds), error="ratelimited")


@dataclass
class SlackProxy:
    """The running proxy. `calls` are (method, body) of every request, `acknowledged` the envelopes that were.

    `weather` chooses what happens to a request that no fault waits for.
    """

    upstream: LocalSlack
    url: str = ""
    latency: float = 0.0
    duplicate_envelopes: bool = False
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    metadata: dict[tuple[str, str], Any] = field(default_factory=dict)
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    sockets_down: bool = False
    weather: Callable[[str, dict[str, Any]], Fault | None] = lambda method, body: None

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    def next(self, method: str, *faults: Fault) -> None:
        """Let the next requests of `method` meet these faults, one each."""
        self.faults[method].extend(faults)

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.calls)

    async def break_sockets(self) -> None:
        """Close every open socket, as a network that goes away does."""
        for socket in tuple(self.sockets):
            await socket.close()


def limits_broken(blocks: object) -> Iterator[str]:
    """What Slack refuses about blocks, written down independently of the code under test."""
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks or []
    if len(blocks) > 50:
        yield "blocks > 50"
    ids = [e["action_id"] for b in blocks for e in b.get("elements", ()) if "action_id" in e]
    if len(ids) != len(set(ids)):
        yield "duplicate action_id"
    for block in blocks:
        yield from _block_broken(block)


def _block_broken(block: dict[str, Any]) -> Iterator[str]:
    if "text" in block and not 1 <= len(block["text"]["text"]) <= TEXT_LIMITS[block["type"]]:
        yield f"text of {block['type']}"
    if block["type"] == "section" and "text" not in block and not block.get("fields"):
        yield "empty section"
    if len(block.get("fields", ())) > 10:
        yield "fields > 10"
    if any(not 1 <= len(item["text"]) <= 2000 for item in block.get("fields", ())):
        yield "field"
    if "elements" in block and not 1 <= len(block["elements"]) <= {"actions": 25, "context": 10}[block["type"]]:
        yield "elements"
    for element in block.get("elements", ()):
        if element["type"] == "button":
            yield from _button_broken(element)


def _button_broken(element: dict[str, Any]) -> Iterator[str]:
    if not 1 <= len(element["text"]["text"]) <= 75 or len(element.get("value", "")) > 2000:
        yield "button"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "style"
    confirm = element.get("confirm")
    if confirm and any(len(confirm[k]["text"]) > n for k, n in (("title", 100), ("text", 300), ("confirm", 30))):
        yield "confirm"


def _body(request: web.Request, raw: bytes) -> dict[str, Any]:
    if "json" in request.content_type:
        found: dict[str, Any] = json.loads(raw or b"{}")
        return found
    return {k: v[0] for k, v in parse_qs(raw.decode() or request.query_string).items()}


class _Handler:
    def __init__(self, proxy: SlackProxy, session: aiohttp.ClientSession) -> None:
        self.proxy, self.session = proxy, session

    async def api(self, request: web.Request) -> web.StreamResponse:
        method, raw = request.match_info["method"], await request.read()
        body = _body(request, raw)
        self.proxy.calls.append((method, body))
        if self.proxy.latency:
            await asyncio.sleep(self.proxy.latency)
        waiting = self.proxy.faults[method]
        fault = waiting.popleft() if waiting else self.proxy.weather(method, body) or Fault(accepted=True)
        answer = await self._forward(request, method, raw, body) if fault.accepted else None
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        if fault.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.html:
            return web.Response(status=fault.status or 200, text="<html>portal</html>", content_type="text/html")
        if fault.status or fault.error:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.json_response({"ok": False, "error": fault.error}, status=fault.status or 200, headers=headers)
        return web.json_response(answer)

    async def _forward(self, request: web.Request, method: str, raw: bytes, body: dict[str, Any]) -> dict[str, Any]:
        if method in WRITES and (broken := list(limits_broken(body.get("blocks")))):
            self.proxy.refused.extend(broken)
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": broken}}
        headers = {k: v for k, v in request.headers.items() if k in ("Content-Type", "Authorization")}
        url = f"{self.proxy.upstream.url}{request.rel_url}"
        async with self.session.request(request.method, url, data=raw, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
        return self._enriched(method, body, answer)

    def _enriched(self, method: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if method == "chat.postMessage" and answer["ok"]:
            self.proxy.metadata[answer["channel"], answer["ts"]] = body.get("metadata")
        if method in ("conversations.history", "conversations.replies") and answer["ok"]:
            for message in answer["messages"]:
                if found := self.proxy.metadata.get((str(body["channel"]), message["ts"])):
                    message["metadata"] = found
        if method == "apps.connections.open" and answer["ok"]:
            path = answer["url"].split("/", 3)[3]
            answer["url"] = f"{self.proxy.url.replace('http', 'ws')}/{path}"
        return answer

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if self.proxy.sockets_down:
            return web.Response(status=503)
        down = web.WebSocketResponse()
        await down.prepare(request)
        self.proxy.sockets.add(down)
        try:
            async with self.session.ws_connect(f"{self.proxy.upstream.url}{request.rel_url}") as up:
                pumps = [asyncio.ensure_future(self._to_app(up, down)), asyncio.ensure_future(self._to_slack(down, up))]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self.proxy.sockets.discard(down)
            await down.close()
        return down

    async def _to_app(self, up: aiohttp.ClientWebSocketResponse, down: web.WebSocketResponse) -> None:
        async for message in up:
            if message.type is aiohttp.WSMsgType.TEXT:
                twice = self.proxy.duplicate_envelopes and "envelope_id" in message.data
                for _ in range(2 if twice else 1):
                    await down.send_str(message.data)

    async def _to_slack(self, down: web.WebSocketResponse, up: aiohttp.ClientWebSocketResponse) -> None:
        async for message in down:
            if message.type is aiohttp.WSMsgType.TEXT:
                with suppress(ValueError, KeyError):
                    self.proxy.acknowledged.append(json.loads(message.data)["envelope_id"])
                await up.send_str(message.data)


@asynccontextmanager
async def running(upstream: LocalSlack) -> AsyncIterator[SlackProxy]:
    """The proxy on a free port, before `upstream`."""
    proxy = SlackProxy(upstream)
    async with aiohttp.ClientSession() as session:
        handler = _Handler(proxy, session)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", handler.api)
        app.router.add_get("/{path:socket.*}", handler.socket)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await proxy.break_sockets()
            await runner.cleanup()
