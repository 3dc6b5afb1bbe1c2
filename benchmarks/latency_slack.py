"""A third-party local Slack as the destination of pages, and a proxy before it that writes down when it accepted what.

The proxy forwards calls of the Web API as they are and notes the time at which Slack's `ok` comes through it. Socket
Mode goes to Slack directly. It costs about a millisecond, which is part of every figure.
"""

import json
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from harness import TOOLS, eventually, free_port, listening, process

PROGRAM = TOOLS / "node_modules" / "local-slack-linux-x64" / "bin" / "local-slack"


@contextmanager
def local_slack(home: Path, world: dict[str, object]) -> Iterator[str]:
    """A running local Slack: its URL without a slash at the end."""
    if not PROGRAM.exists():
        raise SystemExit("the local Slack is not installed: run `bash deploy/test-tools.sh`")
    port = free_port()
    (home / "slack.json").write_text(json.dumps(world))
    (home / "slack-files").mkdir()
    command = [PROGRAM, "--config", home / "slack.json", "--port", str(port), "--base-host", "127.0.0.1"]
    with process([*command, "--files-dir", home / "slack-files"], home / "slack.log"):
        eventually("the local Slack listens", lambda: listening(port))
        yield f"http://127.0.0.1:{port}"


def said(url: str, **body: object) -> dict[str, Any]:
    """Post JSON and read JSON."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer xoxb-bench"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that Slack accepted at `at` (seconds since the epoch): new, or an edit of `ts`."""

    at: float
    method: str
    channel: str
    ts: str
    body: dict[str, Any]


@dataclass
class Desk:
    """What Slack accepted so far: by the member or room that was addressed (new), or the message (edits)."""

    url: str = ""
    posts: dict[str, list[Accepted]] = field(default_factory=dict)
    edits: dict[tuple[str, str], list[Accepted]] = field(default_factory=dict)
    refused: int = 0

    def first(self, address: str) -> Accepted | None:
        """The first message to a member or room."""
        found = self.posts.get(address)
        return found[0] if found else None

    def note(self, method: str, body: dict[str, Any], answer: dict[str, Any], at: float) -> None:
        """Keep one answer of Slack."""
        if not answer.get("ok"):
            self.refused += 1
            return
        seen = Accepted(at, method, str(answer.get("channel")), str(answer.get("ts")), body)
        if method == "chat.postMessage":
            self.posts.setdefault(str(body.get("channel")), []).append(seen)
        elif method == "chat.update":
            self.edits.setdefault((seen.channel, seen.ts), []).append(seen)


@asynccontextmanager
async def desk_before(upstream: str) -> AsyncIterator[Desk]:
    """The proxy on a free port; point `FIRELINE_SLACK_BASE_URL` at `url` + `/api/`."""
    desk = Desk()
    async with aiohttp.ClientSession() as session:

        async def api(request: web.Request) -> web.Response:
            method, raw = request.match_info["method"], await request.read()
            headers = {k: v for k, v in request.headers.items() if k in ("Content-Type", "Authorization")}
            async with session.request(
                request.method, f"{upstream}{request.rel_url}", data=raw, headers=headers
            ) as found:
                answer = await found.read()
            at = time.time()
            if method.startswith("chat."):
                desk.note(method, json.loads(raw), json.loads(answer), at)
            return web.Response(body=answer, status=found.status, content_type="application/json")

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", api)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        desk.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield desk
        finally:
            await runner.cleanup()
