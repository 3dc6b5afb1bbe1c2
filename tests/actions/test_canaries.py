"""Fifty secrets through every action that takes one, to servers and programs that say them again wherever they can:
none is in the database, in a message, in a log or in an output afterwards."""

import json
import logging
from base64 import b64encode
from contextlib import asynccontextmanager
from urllib.parse import quote, quote_plus

from aiohttp import web

from fireline.actions import build_actions
from fireline.actions.schema import Ports
from fireline.adapters.database_queries import ReadOnlyQueries
from fireline.adapters.http import SafeFetch
from fireline.adapters.processes import Processes
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.effects import Say, Tell
from fireline.domain.runbooks import RunStatus
from fireline.domain.targets import Command, Database, Prometheus, Targets
from tests.engine.runs_world import runbook, world

SHAPES = ["canary-{}-plain", "canary {} +/=&?%", 'canary-{}-"quotes"', "canary-{}-\\back\\slash", "canary-{}-ünïcödé"]
NUMBER = 50
VALUES = {f"C{n}": SHAPES[n % len(SHAPES)].format(f"{n:02d}{'abcdefgh'[n % 8] * 12}") for n in range(NUMBER)}
KINDS = ["bearer", "basic", "header", "own", "command", "fails", "metric", "sql", "bearer", "command"]


@asynccontextmanager
async def telltale():
    """Says all that it was shown in its body, its headers and its faults; refuses every other request."""
    asked = []

    async def tell(request):
        asked.append(request.headers.get("Authorization", "") + request.headers.get("X-Key", ""))
        shown = [value for name, value in request.headers.items() if name in ("Authorization", "X-Key")]
        plain = [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in shown]
        body = {"status": "error", "error": plain, "again": [quote(text) for text in plain]}
        headers = {"X-Shown": quote(" ".join(plain)), "Retry-After": "1"}
        return web.json_response(body, status=200 if len(asked) % 2 else 422, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    await runner.cleanup()


def step(n, url):
    """One step that is shown secret `n`."""
    secret, kind = f"secret:C{n}", KINDS[n % len(KINDS)]
    auth = {
        "bearer": {"bearer": secret},
        "basic": {"basic": {"user": "robot", "password": secret}},
        "header": {"header": {"name": "X-Key", "value": secret}},
    }
    match kind:
        case "bearer" | "basic" | "header":
            uses, given = "http.request", {"url": f"{url}/act", "auth": auth[kind], "json": {"n": n}}
        case "own":
            uses, given = "http.get", {"url": f"{url}/read", "headers": {"X-Key": secret}}
        case "command" | "fails":
            uses, given = "command.run", {"command": f"c{n}"}
        case "metric":
            uses, given = "metric.query", {"prometheus": f"p{n}", "query": "up", "within": "0s"}
        case _:
            uses, given = "sql.query", {"database": f"d{n}", "statement": "SELECT 1"}
    made = {"id": f"s{n}", "uses": uses, "with": given, "on_failure": "continue"}
    return made if uses in ("http.get", "metric.query", "sql.query") else {**made, "irreversible": True}


def book(url):
    steps = [{"id": "consent", "uses": "approval", "with": {"ask": "all of it?"}}]
    for n in range(NUMBER):
        steps.append(step(n, url))
    outputs = [("body", n) for n in range(NUMBER) if KINDS[n % 10] in ("bearer", "basic", "header", "own")]
    outputs += [("stderr", n) for n in range(NUMBER) if KINDS[n % 10] in ("command", "fails")]
    for field, n in outputs[:20]:
        text = f"{{{{ steps.s{n}.{field} | default('nothing') | truncate(900) }}}}"
        steps.append({"id": f"n{n}", "uses": "incident.note", "with": {"text": f"it said {text}"}})
        steps.append({"id": f"t{n}", "uses": "notify", "with": {"text": f"it said {text}"}})
        steps.append({"id": f"u{n}", "uses": "notify", "with": {"text": f"not secret:C{n} itself"}})
    return json.dumps({"name": "canaries", "owner": "payments-ml", "start": {"mode": "auto"}, "steps": steps})


def targets(url):
    say = 'printf "%s " "$TOKEN"; printf "%s" "$TOKEN" | base64 -w0 >&2; echo "$TOKEN" >&2; exit {}'
    commands, servers, databases = {}, {}, {}
    for n in range(NUMBER):
        code = 3 if KINDS[n % 10] == "fails" else 0
        commands[f"c{n}"] = Command(("/bin/sh", "-c", say.replace("{}", str(code))), {}, {"TOKEN": f"secret:C{n}"})
        servers[f"p{n}"] = Prometheus(url, f"C{n}")
        databases[f"d{n}"] = Database("postgresql://robot@127.0.0.1:9/nothing", f"C{n}")
    return Targets(commands=commands, prometheus=servers, databases=databases)


def forms(value):
    encoded = b64encode(value.encode()).decode().rstrip("=")
    return {value, encoded, quote(value), quote_plus(value), json.dumps(value)[1:-1], quote(value, safe="")}


async def test_none_of_fifty_secrets_is_told_anywhere(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = EnvironmentSecrets(environment={f"FIRELINE_SECRET_{name}": value for name, value in VALUES.items()})
    w = world(tmp_path)
    async with telltale() as (url, asked):
        fetch = SafeFetch(["127.0.0.1"], secrets)
        ports = Ports(
            w.store,
            w.settings,
            w.clock,
            w.responder,
            fetch,
            execute=Processes(secrets, w.clock),
            queries=ReadOnlyQueries(secrets),
            targets=targets(url),
        )
        w.actions.update(build_actions(ports))
        w.runs = w.build()
        w.fire()
        w.want(runbook(book(url)), person="ben", incident=1)
        await w.drive(seconds=5)
        for _ in range(2):
            w.runs.approve(1, None, "ann", True)
            run = await w.drive()
        await fetch.close()
    assert run.status is RunStatus.SUCCEEDED, run.reason
    messages = [effect.text for effect in [*w.effects(Say), *w.effects(Tell)]]
    said = "\n".join([str(run), *w.journal(), *w.texts(1), *messages, caplog.text])
    w.store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    shown = sum("[secret:" in str(step.output) + step.error for step in run.steps)
    assert len(asked) >= 25, "they were sent"
    assert shown >= 35, "and came back"
    found = [
        (name, form) for name, value in VALUES.items() for form in forms(value) if form in said or form.encode() in kept
    ]
    assert found == []
