"""OFREP, the OpenFeature remote evaluation protocol: any OpenFeature SDK follows the route table with it.

Flag `<service>` is the target of one caller (a string, by a stable hash of the targeting key), `<service>.weights` the
whole split (an object). Answers and errors have the shapes of the protocol's OpenAPI document.
"""

import hashlib
import json
from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from fireline.apps.web_table import Table, choose, sole_target
from fireline.domain.routes import Route

WEIGHTS = ".weights"
MAX_KEY = 1024


class Refused(Exception):  # noqa: N818 - an answer of the protocol
    """A failure in the protocol's words: its error code and what a person should read."""

    def __init__(self, code: str, details: str) -> None:
        self.code, self.details = code, details
        super().__init__(details)


def context_of(body: bytes) -> Mapping[str, object]:
    """The evaluation context of a request body; raises `Refused`. No body is an empty context."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("PARSE_ERROR", "the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused("PARSE_ERROR", f"the body is a {type(value).__name__}, expected an object")
    context = value.get("context", {})
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Refused("INVALID_CONTEXT", f"context is a {type(context).__name__}, expected an object")
    key = context.get("targetingKey")
    if key is not None and (not isinstance(key, str) or len(key) > MAX_KEY):
        raise Refused("INVALID_CONTEXT", f"targetingKey has to be a string of at most {MAX_KEY} characters")
    return context


def metadata(route: Route) -> dict[str, bool | str | float]:
    """Who moved the traffic, why and until when; flat, as the protocol wants it. Times in seconds since the epoch."""
    told: dict[str, bool | str | float] = {
        "version": route.version,
        "by": route.by,
        "why": route.reason,
        "changed_at": route.changed_at,
        "fallback": route.lease is not None,
    }
    if route.lease is not None:
        told["lease_until"] = route.lease.until
    return told


def evaluate(table: Table, flag: str, context: Mapping[str, object]) -> dict[str, object]:
    """The successful answer for one flag; raises `Refused`."""
    route = table.routes.get(flag)
    if route is not None:
        return _target(flag, route, context)
    route = table.routes.get(flag.removesuffix(WEIGHTS)) if flag.endswith(WEIGHTS) else None
    if route is None:
        raise Refused("FLAG_NOT_FOUND", f"no service {flag[:200]!r}; a flag is a service, or <service>{WEIGHTS}")
    variant = ",".join(f"{target}={share}" for target, share in sorted(route.weights.items()))
    return _answer(flag, dict(route.weights), variant, "STATIC", route)


def _target(flag: str, route: Route, context: Mapping[str, object]) -> dict[str, object]:
    target = sole_target(route.weights)
    if target is not None:
        return _answer(flag, target, target, "STATIC", route)
    key = context.get("targetingKey")
    if not isinstance(key, str) or not key:
        raise Refused("TARGETING_KEY_MISSING", f"{flag} is split over targets: send a targetingKey")
    target = choose(route, key)
    return _answer(flag, target, target, "SPLIT", route)


def _answer(flag: str, value: object, variant: str, reason: str, route: Route) -> dict[str, object]:
    return {"key": flag, "value": value, "variant": variant, "reason": reason, "metadata": metadata(route)}


def evaluate_all(table: Table, context: Mapping[str, object]) -> list[dict[str, object]]:
    """Every flag, each with its answer or its failure."""
    answers = []
    for service in table.routes:
        for flag in (service, service + WEIGHTS):
            try:
                answers.append(evaluate(table, flag, context))
            except Refused as refused:
                answers.append({"key": flag, "errorCode": refused.code, "errorDetails": refused.details})
    return answers


def etag_of(table: Table, context: Mapping[str, object]) -> str:
    """The tag of a bulk answer: it depends on the table and, where traffic is split, on the caller."""
    key = str(context.get("targetingKey", ""))
    return '"' + hashlib.sha256(f"{table.etag}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32] + '"'


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in given or "*" in given


def ofrep(table: Callable[[], Table]) -> APIRouter:
    """The protocol's paths over the table in force."""
    router = APIRouter(prefix="/ofrep/v1", tags=["routes"])

    @router.post("/evaluate/flags/{key:path}")
    async def one(key: str, request: Request) -> Response:
        """Which target takes this caller's request."""
        try:
            return JSONResponse(evaluate(table(), key, context_of(await request.body())))
        except Refused as refused:
            status = 404 if refused.code == "FLAG_NOT_FOUND" else 400
            content = {"key": key, "errorCode": refused.code, "errorDetails": refused.details}
            return JSONResponse(content, status)

    @router.post("/evaluate/flags")
    async def bulk(request: Request) -> Response:
        """All flags at once; 304 when nothing changed for this caller."""
        try:
            context = context_of(await request.body())
        except Refused as refused:
            return JSONResponse({"errorCode": refused.code, "errorDetails": refused.details}, 400)
        now = table()
        etag = etag_of(now, context)
        if _matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers={"ETag": etag})
        return JSONResponse({"flags": evaluate_all(now, context)}, headers={"ETag": etag})

    @router.get("/configuration")
    async def configuration() -> dict[str, object]:
        """What a provider may want to know of this server."""
        polling = {"enabled": True, "minPollingIntervalMs": 50}
        capabilities = {
            "cacheInvalidation": {"polling": polling},
            "flagEvaluation": {"supportedTypes": ["string", "object"]},
        }
        return {"name": "Fireline", "capabilities": capabilities}

    return router
