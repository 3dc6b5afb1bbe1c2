"""Ports for what leaves the house over HTTP, and for secrets: named in files, resolved at the last moment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say where a request goes and where it ends: another length would make one request two."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def header_fault(name: str, value: str) -> str:
    """Why a header is not sent, empty when it may be (RFC 9110, 5.1 and 5.5)."""
    if not _TOKEN.fullmatch(name):
        return f"`{name[:40]}` is no name of a header"
    if name.lower() in OF_THE_CONNECTION:
        return f"the header `{name}` is set by the connection itself"
    return "a header is one line" if any(mark in value for mark in "\r\n\0") else ""


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


@dataclass(frozen=True, slots=True)
class Execution:
    """A program to run, without a shell. `environment` is all that it sees; values may name secrets (`secret:NAME`).

    `timeout` in seconds, after which it and all that it started is ended; `most` bytes of each output are kept.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    timeout: float
    stdin: bytes = b""
    most: int = 8_192


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: `code` is None when its time was over. Secrets are taken out of what it said."""

    code: int | None
    stdout: str
    stderr: str
    cut: bool
    seconds: float


class Execute(Protocol):
    """Runs programs. Never raises; NotSent when it was not begun."""

    async def __call__(self, execution: Execution) -> Ended | NotSent:
        """Run it to its end, or to the end of its time."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """One statement that only reads, with named parameters (`:name`), and its bounds."""

    url: str
    password: str  # the name of a secret, empty for none
    statement: str
    parameters: Mapping[str, object]
    rows: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query gave, JSON-like; `cut` when there was more than asked for."""

    rows: Sequence[Mapping[str, object]]
    cut: bool


class Queries(Protocol):
    """Asks databases, which see to it themselves that nothing is changed. Never raises."""

    async def __call__(self, query: Query) -> Rows | NotSent:
        """The rows, or why there are none; `final` when asking again cannot help."""
        ...
