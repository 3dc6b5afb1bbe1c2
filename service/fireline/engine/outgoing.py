"""Ports for what leaves the house over HTTP, and for secrets: named in files, resolved at the last moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `timeout` in seconds, over all of it. Its body is `content` as it is, otherwise `json`.

    `secret_headers` names the headers in which `secret:NAME` stands for a secret, because a runbook's author wrote it
    there. In any other it is a text like any, as it may have come from an event. `basic` is a user, and the name of the
    secret that is the password.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    timeout: float = 10.0
    max_bytes: int = 262_144
    secret_headers: frozenset[str] = frozenset()
    content: bytes | None = None
    basic: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, with every secret that was sent taken out. `text` is cut at the request's `max_bytes`."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing left the house, or nobody answered the door; `final` when trying again cannot help (refused by us)."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class MaybeSent:
    """It may have arrived and been acted on: a time-out or a broken connection after sending."""

    reason: str


class Fetch(Protocol):
    """Sends a request to an allow-listed host. Never raises."""

    async def __call__(self, request: Request) -> Response | NotSent | MaybeSent:
        """The response, or why there is none."""
        ...


class Secrets(Protocol):
    """Where secrets are kept."""

    def secret(self, name: str) -> str | None:
        """The secret's value, None when there is none of this name."""
        ...
