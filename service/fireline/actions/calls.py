"""Requests of actions to an API that speaks JSON: who asks, and what each answer means for a step.

A write that is sent here is safe to repeat: it says what is to be, not by how much to change it.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from fireline.actions.credentials import Auth, as_written, shown
from fireline.actions.schema import Options
from fireline.domain.outcomes import Failed, Outcome, RetryLater
from fireline.engine.outgoing import Fetch, MaybeSent, NotSent, Request, Response
from fireline.engine.outward import StepContext

AGAIN = frozenset({408, 425, 429, *range(500, 600)})
SHOWN = 300
"""Characters of an error's text that are told."""


class ApiOptions(Options):
    """Where the API is, and who asks."""

    url: str = Field(pattern=r"^https?://", max_length=2000, description="its address, on a host of the allow-list")
    auth: Auth | None = Field(None, description="who asks: `bearer`, `basic` or `header`, by the name of a secret")


class Api:
    """One API for one step."""

    def __init__(self, fetch: Fetch | None, options: ApiOptions, context: StepContext) -> None:
        self._fetch = fetch
        self._options = options
        self._context = context

    async def get(self, path: str, *, absent: frozenset[int] = frozenset()) -> Any:
        """The JSON at a path; None for a status of `absent`; an outcome when there is none to be had."""
        return await self._ask("GET", path, None, absent)

    async def send(self, method: str, path: str, body: object) -> Any:
        """Say what is to be; the JSON that came back, or an outcome."""
        return await self._ask(method, path, body, frozenset())

    async def _ask(self, method: str, path: str, body: object, absent: frozenset[int]) -> Any:
        if self._fetch is None:
            return Failed("HTTP actions are not set up in this process")
        if not as_written(self._options.auth, self._context.written):
            return Failed("auth: what is filled in by data is not sent: write it in the runbook, without `{{ }}`")
        proof = shown(self._options.auth)
        headers = {**proof.headers}
        if method != "GET":
            headers["Idempotency-Key"] = self._context.key
        request = Request(
            method,
            self._options.url.rstrip("/") + path,
            headers,
            body,
            secret_headers=frozenset(proof.headers),
            basic=proof.basic,
        )
        return _meaning(await self._fetch(request), writes=method != "GET", absent=absent)


def _meaning(answer: Response | NotSent | MaybeSent, *, writes: bool, absent: frozenset[int]) -> Any:
    match answer:
        case NotSent(reason=reason, final=True):
            return Failed(reason)
        case NotSent(reason=reason):
            return RetryLater(1.0, reason)
        case MaybeSent(reason=reason):
            return Failed(reason, unknown=True) if writes else RetryLater(1.0, reason)
        case Response(status=status) if status in absent:
            return None
        case Response(status=status, text=text) if 200 <= status < 300:
            return _json(text) if text.strip() else {}
        case Response(status=status, text=text):
            reason = f"status {status}: {_said(text)}"
            return RetryLater(1.0, reason) if status in AGAIN else Failed(reason)


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return Failed("the answer is not JSON")


def _said(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    message = found.get("message") if isinstance(found, Mapping) else None
    return str(message or text.strip() or "no more was said")[:SHOWN]


def is_outcome(found: object) -> bool:
    """Whether there is an outcome instead of what was asked for."""
    return isinstance(found, Failed | RetryLater)


__all__ = ["Api", "ApiOptions", "Outcome", "is_outcome"]
