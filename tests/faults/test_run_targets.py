"""Targets that misbehave: each answer ends a step as it should, with words that tell why, and what acts does so once.

A real server on raw sockets and the real client of HTTP; time between attempts is made up. The server does what a key
asks once, as targets that know keys do, whatever it answers then.
"""

import asyncio
import json
import shutil
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from fireline.actions import Ports, build_actions
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.runbooks import RunStatus, StepStatus
from tests.engine.runs_world import Fixed, World, runbook, shipped

TIMEOUT = 2.0
"""Seconds, of the wall, after which a step has waited enough for a target that never answers in full."""
PATIENCE = 240.0
"""Likewise for a target that does: a slow machine is not what it is asked about."""
NEVER = ("hangs", "answers byte by byte")


@dataclass
class Misbehaving:
    """Answers the n-th request in the n-th way, all further ones in the last."""

    ways: list[str]
    seen: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    count: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    served: list[asyncio.Task] = field(default_factory=list)

    async def serve(self, reader, writer):
        self.served.append(asyncio.current_task())
        try:
            await self._served(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _served(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                names = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
                await reader.readexactly(int(names.get("content-length", 0)))
                way = self.ways[min(self.count, len(self.ways) - 1)]
                self.count += 1
                key = names.get("idempotency-key", "")
                self.seen[key] += 1
                if key and way not in ("503", "refused"):
                    self.done[key] += not self.done[key]
                if not await self._answered(way, writer):
                    break

    async def _answered(self, way, writer):
        """Whether the connection stays."""
        match way:
            case "hangs":
                await self.over.wait()
                return False
            case "drops the answer":
                return False
            case "talks something else":
                writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
                await writer.drain()
                return False
            case "answers byte by byte":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                with suppress(ConnectionError):
                    while not self.over.is_set():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.05)
                return False
            case "ends in the middle":
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ok"')
                await writer.drain()
                return False
        status, body = {
            "503": ("503 Service Unavailable\r\nRetry-After: 7", "not now"),
            "500": ("500 Internal Server Error", "sorry"),
            "refused": ("422 Unprocessable Content", "no such model"),
            "no JSON": ("200 OK", "<html>welcome</html>"),
            "something else": ("200 OK", json.dumps({"id": [1, 2]})),
            "well": ("200 OK", json.dumps({"ok": True, "id": 7})),
        }[way]
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        return True


@asynccontextmanager
async def misbehaving(*ways):
    target = Misbehaving(list(ways))
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    try:
        yield target, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/act"
    finally:
        target.over.set()
        server.close()
        await asyncio.gather(*target.served)


def book(uses, url, way, more=""):
    timeout = TIMEOUT if way in NEVER else PATIENCE
    return runbook(f"""\
name: own
owner: payments-ml
start: {{mode: auto}}
steps:
- id: act
  uses: {uses}
  with: {{url: "{url}", timeout: {timeout}s, values: {{id: $.id}}}}
  timeout: 1h
  retry: {{attempts: 10}}
{more}
""")


async def driven(store, made, until=RunStatus.SUCCEEDED):
    w = World(store, FakeClock(), Fixed(replace(shipped(), autonomy=())))
    fetch = SafeFetch(["127.0.0.1"], EnvironmentSecrets(environment={}))
    w.actions.update(build_actions(Ports(w.store, w.settings, w.clock, w.responder, fetch=fetch)))
    w.runs = w.build()
    w.fire()
    started = w.want(made, incident=1)
    assert started.run is not None, started.reason
    run = await w.drive()
    await fetch.close()
    assert run.status is until, (run.reason, w.journal())
    return w, run


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """An empty database: making one takes longer than any of these tests."""
    path = tmp_path_factory.mktemp("migrated") / "fireline.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store(migrated, tmp_path):
    opened = open_store(f"sqlite:///{shutil.copy(migrated, tmp_path)}")
    yield opened
    opened.close()


ACTS = "  undo: {uses: notify, with: {text: it is taken back}}"
DOUBT = "do act: outcome unknown, "
AGAIN = "do act: to be tried again, "

IN_DOUBT = {
    "hangs": DOUBT + "no answer: ",
    "drops the answer": DOUBT + "no answer: ServerDisconnectedError",
    "500": DOUBT + "status 500, expected 200 to 299; POST may have been done",
    "talks something else": DOUBT + "no answer: ",
    "answers byte by byte": DOUBT + "no answer: ",
    "ends in the middle": DOUBT + "no answer: ",
}


@pytest.mark.parametrize("way", IN_DOUBT)
async def test_what_may_have_been_done_is_asked_for_again_and_done_once(store, way):
    async with misbehaving(way, "well") as (target, url):
        w, run = await driven(store, book("http.request", url, way, ACTS))
    assert set(target.seen) == {"run-1.act"}, "another key is another effect"
    assert target.seen["run-1.act"] >= 2
    assert target.done == {"run-1.act": 1}
    assert any(line.startswith(IN_DOUBT[way]) for line in w.journal()), w.journal()
    assert "do act: begun, attempt 2" in w.journal()
    assert run.steps[0].output["values"] == {"id": 7}


async def test_what_was_not_done_is_asked_for_again_when_the_target_says(store):
    async with misbehaving("503", "503", "well") as (target, url):
        w, run = await driven(store, book("http.request", url, "503", ACTS))
    assert target.done == {"run-1.act": 1}
    assert w.journal().count(AGAIN + "status 503, expected 200 to 299") == 2
    assert run.ended_at - run.created_at >= 14, "Retry-After of 7 s, twice"


@pytest.mark.parametrize("way", ["hangs", "drops the answer", "500", "answers byte by byte"])
async def test_a_target_that_stays_so_fails_the_step_in_doubt_and_people_are_told(store, way):
    async with misbehaving(way) as (target, url):
        made = book("http.request", url, way, ACTS + "\n  on_failure: escalate")
        made = runbook(made.text.replace("attempts: 10", "attempts: 2, on: [unknown]"))
        w, run = await driven(store, made, RunStatus.FAILED)
    assert target.done == {"run-1.act": 1}
    step = run.steps[0]
    assert step.status is StepStatus.FAILED
    assert step.uncertain, "it may have been done: whoever looks has to know"
    words = IN_DOUBT[way].removeprefix(DOUBT)
    assert words in run.reason
    told = [text for text in w.texts(1) if text.startswith("Run 1 of own failed: act: ")]
    assert len(told) == 1, w.texts(1)
    assert words in told[0]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("refused", "act: status 422, expected 200 to 299"),
        ("no JSON", "act: values.id: $.id is not there in the answer"),
    ],
)
async def test_an_answer_that_is_no_good_fails_at_once(store, way, words):
    async with misbehaving(way) as (target, url):
        w, run = await driven(store, book("http.request", url, way, ACTS), RunStatus.FAILED)
    assert target.seen == {"run-1.act": 1}, "it is sure: asking again helps nobody"
    assert run.reason == words
    assert [text for text in w.texts(1) if words in text] == [f"Run 1 of own failed: {words}"]


@pytest.mark.parametrize(
    "way", ["hangs", "drops the answer", "500", "503", "talks something else", "ends in the middle"]
)
async def test_a_probe_looks_again_and_is_never_in_doubt(store, way):
    async with misbehaving(way, "well") as (target, url):
        w, run = await driven(store, book("http.get", url, way))
    assert target.count >= 2
    assert not target.done
    if way != "drops the answer":  # the client of HTTP itself asks again then, where asking has no effect
        assert any(line.startswith(AGAIN) for line in w.journal()), w.journal()
    assert not any("unknown" in line for line in w.journal())
    assert run.steps[0].output["values"] == {"id": 7}


@pytest.mark.parametrize("way", ["hangs", "drops the answer", "500", "talks something else"])
async def test_a_probe_of_a_target_that_stays_away_fails_with_why(store, way):
    async with misbehaving(way) as (_, url):
        made = runbook(book("http.get", url, way).text.replace("attempts: 10", "attempts: 2"))
        w, run = await driven(store, made, RunStatus.FAILED)
    words = "status 500, expected 200 to 299" if way == "500" else "no answer: "
    assert run.reason.startswith(f"act: {words}")
    assert not run.steps[0].uncertain, "nothing can have happened"
    assert [text for text in w.texts(1) if text.startswith(f"Run 1 of own failed: act: {words}")]
