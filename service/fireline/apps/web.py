"""The web role: routes for gateways, the HTTP API, the status page, health and metrics."""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

import orjson
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from sse_starlette.sse import EventSourceResponse
from starlette.exceptions import HTTPException

from fireline import __version__
from fireline.apps.web_api import Api, Controls, Handles, api
from fireline.apps.web_changes import Changes
from fireline.apps.web_explain import explaining
from fireline.apps.web_guard import Door, Guard, Problem, Rate, problem_body
from fireline.apps.web_health import metrics_text, read_health
from fireline.apps.web_incidents import incident_acts
from fireline.apps.web_json import Answer
from fireline.apps.web_ofrep import ofrep
from fireline.apps.web_oncall import OnCallParts, in_force, oncall_paths
from fireline.apps.web_page import page_template, page_values
from fireline.apps.web_table import Table
from fireline.domain.incidents import Incident
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Unavailable
from fireline.engine.roster import Roster
from fireline.engine.routes import record_of

log = logging.getLogger(__name__)

PER_SECOND, BURST = 500.0, 2000.0
"""Requests a second and at once that one address may make."""
POLICY = "default-src 'none'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; connect-src 'self'; img-src data:"


def create_app(
    store: Store,
    settings: Settings,
    responder: Handles,
    controls: Controls,
    clock: Clock,
    *,
    token: str | None = None,
    roster: Roster | None = None,
    per_second: float = PER_SECOND,
    burst: float = BURST,
) -> FastAPI:
    """The application over its parts; `app.state.changes` follows the database while it runs."""
    changes = Changes(store, settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await changes.start()
        yield
        await changes.stop()

    app = FastAPI(title="Fireline", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.changes = changes
    app.add_middleware(Guard, door=Door(token), rate=Rate(clock, per_second, burst))
    _tell_faults(app)
    app.include_router(ofrep(lambda: changes.table))
    app.include_router(_streams(changes))
    parts = Api(store, settings, responder, controls, clock, changes)
    app.include_router(api(parts))
    app.include_router(incident_acts(parts))
    app.include_router(explaining(parts))
    known = roster or Roster(store, settings, clock)
    app.include_router(oncall_paths(OnCallParts(store, settings, clock, known, token)))
    app.include_router(_status(store, settings, clock, changes))
    return app


def _tell_faults(app: FastAPI) -> None:
    def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
        return Response(problem_body(status, detail), status, headers, "application/problem+json")

    @app.exception_handler(Problem)
    async def problem(_: Request, fault: Problem) -> Response:
        return answer(fault.status, fault.detail, fault.extra)

    @app.exception_handler(HTTPException)
    async def framework(_: Request, fault: HTTPException) -> Response:
        return answer(fault.status_code, str(fault.detail), dict(fault.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, fault: RequestValidationError) -> Response:
        told = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in fault.errors()[:10]]
        return answer(400, "; ".join(told))

    @app.exception_handler(Unavailable)
    async def away(_: Request, fault: Unavailable) -> Response:
        return answer(503, str(fault), {"Retry-After": "1"})

    @app.exception_handler(StaleVersion)
    async def stale(_: Request, fault: StaleVersion) -> Response:
        return answer(409, "somebody else changed it at the same moment; look and try again")


def _change(before: Table, now: Table) -> bytes:
    """What a stream says: at first everything, then the routes that differ."""
    moved = [route for name, route in now.routes.items() if before.routes.get(name) != route]
    gone = [name for name in before.routes if name not in now.routes]
    return orjson.dumps({"etag": now.etag, "routes": [record_of(route) for route in moved], "gone": gone})


def _streams(changes: Changes) -> APIRouter:
    router = APIRouter()

    @router.get("/routes/stream", tags=["routes"])
    async def routes() -> EventSourceResponse:
        """The route table as server-sent events: `table` at first, `change` for what moves, pings between."""

        async def told() -> AsyncIterator[dict[str, str]]:
            async for before, now in changes.tables():
                event = "change" if before.etag else "table"
                yield {"event": event, "id": now.etag, "data": _change(before, now).decode()}

        return EventSourceResponse(told(), ping=10)

    @router.get("/changes", tags=["page"])
    async def anything() -> EventSourceResponse:
        """A word whenever anything changed, for the page to look again."""

        async def told() -> AsyncIterator[dict[str, str]]:
            async for count in changes.counts():
                yield {"event": "changed", "data": str(count)}
                await asyncio.sleep(0.5)

        return EventSourceResponse(told(), ping=10)

    return router


def _status(store: Store, settings: Settings, clock: Clock, changes: Changes) -> APIRouter:
    router, template = APIRouter(), page_template()

    @router.get("/", tags=["page"])
    def page() -> HTMLResponse:
        """The status page."""
        health = read_health(store, settings, clock)
        incidents: tuple[Incident, ...] = ()
        configuration = settings.current
        if health.database:
            configuration = in_force(store, configuration, clock.now())
            with store.reading() as tx:
                incidents = tuple(tx.incidents(limit=100))
        nonce = secrets.token_urlsafe(12)
        values = page_values(configuration, health, changes.table, incidents, clock.now())
        headers = {"Content-Security-Policy": POLICY.format(nonce), "Cache-Control": "no-store"}
        return HTMLResponse(template.render(values, nonce=nonce), headers=headers)

    @router.get("/healthz", tags=["health"])
    def healthz() -> Answer:
        """200 when every role does its work, 503 with the reasons when not."""
        health = read_health(store, settings, clock)
        status = "degraded" if health.troubles else "ok"
        content = {"status": status, "reasons": health.troubles, "ages": health.ages, "roles": health.facts}
        return Answer(content, 503 if health.troubles else 200)

    @router.get("/livez", tags=["health"])
    async def livez() -> Answer:
        """200 while this process answers, whatever the others do."""
        return Answer({"status": "ok"})

    @router.get("/metrics", tags=["health"])
    def metrics() -> Response:
        """For Prometheus."""
        return Response(metrics_text(read_health(store, settings, clock)), media_type="text/plain; version=0.0.4")

    return router


class _Server(uvicorn.Server):
    """Ends the streams as soon as it is told to end: they would hold it for their whole lives."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        super().__init__(config)
        self._changes = changes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._changes.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, on any free port when `port` is 0; raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.listen(1024)
    return sock


async def serve(app: FastAPI, sock: socket.socket, *, stop: Callable[[uvicorn.Server], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; `stop` is given the server, so that a caller may end it otherwise."""
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3)
    server = _Server(config, app.state.changes)
    if stop is not None:
        stop(server)
    await server.serve(sockets=[sock])
