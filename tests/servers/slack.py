"""A third-party local Slack on a free port, and what a test may do with it: read rooms, press buttons."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.last_words import remember, tail
from tests.servers.ports import free_port

PATIENCE = 120.0
"""Seconds that an answer or a change is waited for."""
PACKAGE = "local-slack-linux-x64@0.1.8"
ANN, BEN, CLEO, STRANGER = "U0ANN", "U0BEN", "U0CLEO", "U0EVE"
ROOM = "C0INCIDENTS"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-local", "xapp-local", "local-signing-secret"

WORKSPACE: dict[str, Any] = {
    "workspace": {"name": "Fireline", "domain": "fireline", "teamId": "T0FIRE"},
    "app": {
        "appId": "A0FIRE",
        "botUserId": "U0FIRE",
        "botName": "Fireline",
        "botToken": BOT_TOKEN,
        "appToken": APP_TOKEN,
        "signingSecret": SECRET,
        "mode": "socket",
    },
    "users": [
        {"id": user, "name": name.lower(), "real_name": name, "email": f"{name.lower()}@example.com"}
        for user, name in ((ANN, "Ann"), (BEN, "Ben"), (CLEO, "Cleo"), (STRANGER, "Eve"))
    ],
    "channels": [{"id": ROOM, "name": "incidents", "members": [ANN, BEN, CLEO, STRANGER]}],
}


@dataclass(frozen=True)
class LocalSlack:
    """A running local Slack. `url` ends without a slash."""

    url: str

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    def messages(self, room: str = ROOM) -> list[dict[str, Any]]:
        """What a room holds, oldest first; `room` may be a user for the direct messages with the app."""
        if room.startswith("U"):
            room = self.call("conversations.open", users=room)["channel"]["id"]
        return list(get(f"{self.url}/_control/messages/{room}")["messages"])

    def log(self) -> list[dict[str, Any]]:
        return list(get(f"{self.url}/_control/log")["log"])

    def call(self, method: str, **body: object) -> dict[str, Any]:
        return post(f"{self.url}/api/{method}", body, {"Authorization": f"Bearer {BOT_TOKEN}"})

    def press(self, message: dict[str, Any], action: str, user: str, room: str = ROOM) -> dict[str, Any]:
        """Press the button of `message` whose action id is `action` (`fireline:acknowledge`)."""
        for block in message.get("blocks", ()):
            for element in block.get("elements", ()):
                if element.get("action_id") == action:
                    return self.interact(message, room, user, {**element, "block_id": block.get("block_id", "b")})
        raise AssertionError(f"no button {action} in {json.dumps(message.get('blocks'))}")

    def interact(self, message: dict[str, Any], room: str, user: str, element: dict[str, Any]) -> dict[str, Any]:
        action = {key: element[key] for key in ("type", "action_id", "block_id", "value") if key in element}
        body = {"channel": room, "messageTs": message["ts"], "user": user, "action": action}
        return post(f"{self.url}/_control/interact", body)


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def post(url: str, body: object, headers: dict[str, str] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


async def until(condition: Any, seconds: float = PATIENCE) -> Any:
    """What `condition` returns once it is true; it is asked in a thread, as it may block."""
    end = time.monotonic() + seconds
    while True:
        if found := await asyncio.to_thread(condition):
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {condition}")
        await asyncio.sleep(0.05)


def binary(repository: Path) -> Path:
    """The local Slack's program, installed from npm when it is not there yet."""
    found = repository / ".tools" / "node_modules" / "local-slack-linux-x64" / "bin" / "local-slack"
    if not found.exists():
        npm = shutil.which("npm")
        assert npm, f"needs npm to install {PACKAGE}"
        prefix = str(repository / ".tools")
        subprocess.run([npm, "install", "--no-save", "--prefix", prefix, PACKAGE], check=True, capture_output=True)
    return found


def run(program: Path, folder: Path, port: int, users: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start it on `port` with the workspace above, and more users, by id; returns once it answers."""
    config = folder / "slack.json"
    more = [{"id": user, "name": user.lower(), "real_name": user} for user in users]
    config.write_text(json.dumps({**WORKSPACE, "users": [*WORKSPACE["users"], *more]}))
    files = folder / "files"
    files.mkdir(exist_ok=True)
    with (folder / "slack.log").open("ab") as out:
        process = subprocess.Popen(
            [program, "--config", config, "--port", str(port), "--base-host", "127.0.0.1", "--files-dir", files],
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    remember(f"the local Slack at port {port}", lambda: tail(folder / "slack.log"))
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            get(f"http://127.0.0.1:{port}/_control/log")
            return process
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, (folder / "slack.log").read_text()
            time.sleep(0.05)
    end(process)
    raise AssertionError("the local Slack does not answer")


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, by its process group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=PATIENCE)


@pytest.fixture
def local_slack(repository: Path, tmp_path: Path) -> Iterator[LocalSlack]:
    """A local Slack with Ann, Ben, Cleo and Eve, and the room C0INCIDENTS; empty for every test."""
    port = free_port()
    process = run(binary(repository), tmp_path, port)
    try:
        yield LocalSlack(f"http://127.0.0.1:{port}")
    finally:
        end(process)
