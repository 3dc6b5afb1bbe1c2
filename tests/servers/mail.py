"""A mail server (aiosmtpd) that takes mail, remembers it, and is as broken as a test asks."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

USER, PASSWORD = "fireline", "not-a-secret"


@dataclass
class Mails:
    """The running server. `broken` holds what happens to the next mails: an answer, `drop` or `hang`."""

    address: str = ""
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    broken: deque[str] = field(default_factory=deque)
    refused: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    connections: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def next(self, *broken: str) -> None:
        """What happens to the next mails once their text came: `451 later`, `drop`, `hang`, `cut` (not taken)."""
        self.broken.extend(broken)


class _Handler:
    def __init__(self, mails: Mails) -> None:
        self.mails = mails

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.mails.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.mails.refused:
            return self.mails.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        how = self.mails.broken.popleft() if self.mails.broken else ""
        if how[:1].isdigit():
            return how
        if how != "cut":
            self._take(server, envelope)
        if how == "hang":
            await self.mails.hanging.wait()
        if how in ("drop", "cut"):
            assert server.transport is not None
            server.transport.abort()
        return "250 taken"

    def _take(self, server: SMTP, envelope: Envelope) -> None:
        content = envelope.content
        parsed = message_from_bytes(content if isinstance(content, bytes) else b"", policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.taken.append(parsed)
        self.mails.recipients.extend(envelope.rcpt_tos)
        assert server.transport is not None
        self.mails.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)

    def allowed(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        self.mails.users.append(user)
        return AuthResult(success=(user, password) == (USER, PASSWORD), handled=False)


@asynccontextmanager
async def running(
    context: ssl.SSLContext | None = None, *, implicit: bool = False, auth: bool = False
) -> AsyncIterator[Mails]:
    """The server on a free port: with `context` it offers STARTTLS, or speaks TLS from the start when `implicit`."""
    mails = Mails()
    handler = _Handler(mails)

    def made() -> SMTP:
        offered = None if implicit else context
        asked: dict[str, Any] = {"authenticator": handler.allowed, "auth_required": not implicit} if auth else {}
        return SMTP(handler, hostname="localhost", tls_context=offered, auth_require_tls=not implicit and auth, **asked)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "127.0.0.1", 0, ssl=context if implicit else None)
    mails.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield mails
    finally:
        mails.hanging.set()
        server.close()
        await asyncio.sleep(0)
