"""The web role, served for real on a free port of this machine, over a database of its own."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from datetime import time as wall

from fireline.adapters.database import open_store
from fireline.apps.run_asking import Verdict
from fireline.apps.web import create_app, listen, serve
from fireline.domain.catalog import Catalog, Person, Service, Severity, Target, Team
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident, Status
from fireline.domain.oncall import Layer, OnCall, Schedule
from fireline.domain.routes import Lease, Route
from fireline.domain.runbooks import Input, Runbook, Step
from fireline.spec.templates import compile_template
from tests.servers.ready import ready


class WallClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def token(self) -> str:
        return "test"


def configuration() -> Configuration:
    def service(name: str) -> Service:
        targets = (Target("primary"), Target("fallback"))
        return Service(name, owner="payments-ml", primary="primary", fallback="fallback", targets=targets)

    levels = ("safety", "outage", "degraded", "notice")
    catalog = Catalog(
        services={name: service(name) for name in ("fraud-scoring", "ranking")},
        teams={"payments-ml": Team("payments-ml", "Payments ML", "payments")},
        people={"ann": Person("ann", "Ann Lindqvist"), "bob": Person("bob", "Bob Okafor")},
        severities=tuple(Severity(name, rank) for rank, name in enumerate(levels)),
    )
    layer = Layer("weekly", ("ann", "bob"), date(2026, 1, 5), wall(9, 0))
    oncall = OnCall({"payments": Schedule("payments", "Europe/Stockholm", (layer,))}, {})
    return Configuration({}, runbooks(), catalog, oncall)


def runbooks() -> dict[str, Runbook]:
    """Two, of a step each."""
    step = Step("before", "route.get", compile_template({"service": "fraud-scoring"}))
    given = (Input("service", "string"),)
    return {name: Runbook(name, "payments-ml", (step,), given) for name in ("route-to-fallback", "route-back")}


@dataclass
class Held:
    current: Configuration = field(default_factory=configuration)


@dataclass
class Told:
    reason: str


class Recorder:
    """A responder that remembers its inputs, and may be told to fail."""

    def __init__(self) -> None:
        self.inputs: list[object] = []
        self.fault: Exception | None = None

    def handle(self, given: object, /) -> Told:
        if self.fault is not None:
            raise self.fault
        self.inputs.append(given)
        return Told("because the test said so")

    def configured(self, channel: str, /) -> bool:
        return channel == "console"


class Levers:
    """Controls that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.verdict = Verdict(True, "done")

    def answer_run(self, run: int, step: str | None, person: str, approved: bool, reason: str) -> Verdict:
        self.asked.append(("answer", run, step, person, approved, reason))
        return self.verdict

    def act_on_run(self, act, run: int, person: str, asked) -> Verdict:
        self.asked.append((act, run, person, asked))
        return self.verdict

    def start_run(self, name: str, person: str, asked) -> tuple[int | None, str]:
        self.asked.append(("start", name, person, asked))
        return (1 if self.verdict.done else None), self.verdict.reason

    def abort_run(self, run: int, person: str, reason: str, *, undo: bool = False) -> Verdict:
        self.asked.append(("abort and undo" if undo else "abort", run, person, reason))
        return self.verdict

    def change_route(self, service: str, weights: Mapping[str, int], person: str, reason: str) -> Verdict:
        self.asked.append(("route", service, dict(weights), person, reason))
        return self.verdict


def incident(number: int = 1, **changes: object) -> Incident:
    made = Incident(
        number, "fraud-scoring", "", "live", "p99 is 900 ms", "outage", "payments-ml", Status.TRIGGERED, 1000.0, 990.0
    )
    return replace(made, **changes)


@dataclass
class LiveWeb:
    """A running web role; `url` has no slash at its end."""

    url: str
    port: int
    store: object
    responder: Recorder
    controls: Levers
    held: Held
    thread: threading.Thread
    server: object = None

    def request(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None):
        """(status, headers in lower case, JSON or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            given = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, raw, given)
            answer = connection.getresponse()
            text = answer.read().decode()
            told = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        return answer.status, told, json.loads(text) if "json" in told.get("content-type", "") else text

    def move(self, service: str = "fraud-scoring", version: int = 1, lease: bool = True, **weights: int) -> Route:
        """Change a route in the database, as a run would."""
        held = Lease(time.time() + 600, {"primary": 100}, "run:1") if lease else None
        route = Route(service, weights, version, time.time(), "run:1", "p99 is too high", held)
        with self.store.transaction() as tx:
            tx.save_route(route)
        return route

    def save(self, *incidents: Incident) -> None:
        with self.store.transaction() as tx:
            for one in incidents:
                tx.save_incident(one)

    def eventually(self, question: Callable[[], bool], within: float = 120.0) -> None:
        """Wait until it holds."""
        end = time.monotonic() + within
        while not question():
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.02)


@contextmanager
def live_web(directory, token: str | None = None, **options: object):
    """Serve on a free port until the block ends."""
    store = open_store(ready(directory / "web.db"))
    responder, controls, held = Recorder(), Levers(), Held()
    app = create_app(store, held, responder, controls, WallClock(), token=token, **options)
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    servers: list[object] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve(app, sock, stop=servers.append)), daemon=True)
    thread.start()
    web = LiveWeb(f"http://127.0.0.1:{port}", port, store, responder, controls, held, thread)
    try:
        web.eventually(lambda: bool(servers) and servers[0].started)
        web.server = servers[0]
        yield web
    finally:
        app.state.changes.close()
        servers[0].should_exit = True
        thread.join(120.0)
        sock.close()
        store.close()
        assert not thread.is_alive()
