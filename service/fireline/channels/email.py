"""email: pages, cards and lines by mail, as text and HTML, over SMTP; what belongs together is one thread.

An address is a mail address: a person's (`contacts: {email: ann@example.com}`), or a list's for a team's room.
`FIRELINE_EMAIL_SERVER` (`host:port`) switches the channel on, `FIRELINE_EMAIL_FROM` is the sender. The connection is
encrypted: by STARTTLS unless `FIRELINE_EMAIL_SECURITY` says `tls` (from the first byte on, mostly port 465) or
`none`, which takes no password. A server that does not offer STARTTLS, or whose certificate is wrong, gets no mail.

Mail cannot be edited: a change of status or severity is a reply in the same thread (`References`), other changes are
not mailed. A mail says how to answer: the address of the status page, when `FIRELINE_WEB_URL` is set, and the
command. "Delivered" means that the server took it. When the connection breaks after the text was sent, nobody knows:
the mail is sent once more, marked "(resent)", under the same `Message-ID`, so that many mailboxes show it once.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate
from pathlib import Path
from typing import Literal

import aiosmtplib
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from fireline.channels import plain
from fireline.channels.email_html import html
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.engine.outward import Message, MessageRef

EXAMPLE = """
server: smtp.example.com:587
sender: Fireline <fireline@example.com>
user: fireline
password: not-this-one
"""

TIMEOUT = 8.0
"""Seconds that one mail may take, less than a delivery may."""
TROUBLE = 5.0
"""Seconds to wait after a temporary refusal; the outbox doubles it."""
MOST_AT_ONCE = 4
"""Connections to the server: servers refuse too many, and each looks up a name in a thread that others need too."""


class EmailSettings(BaseModel):
    """The server, and who mails come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str = Field(description="the mail server as `host:port`", pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$")
    sender: str = Field(description="who mails come from, an address or `Name <address>`")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="how the connection is encrypted")
    user: str | None = Field(None, description="the user at the server; unset: no authentication")
    password: SecretStr | None = Field(None, description="the user's password")
    ca: Path | None = Field(None, description="certificates in PEM form that the server's is checked against")
    timeout: float = Field(default=TIMEOUT, gt=0, le=60, description="seconds that one mail may take")

    @field_validator("sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        mailbox(value)
        return value


def mailbox(text: str) -> Address:
    """An address, with or without a name before it; raises ValueError when it is none that can be mailed to."""
    message = EmailMessage()
    try:
        message["To"] = text
        found = message["To"].addresses
    except (HeaderParseError, ValueError, IndexError, AttributeError) as fault:
        raise ValueError("expected a mail address") from fault
    one: Address | None = found[0] if len(found) == 1 else None
    if one is None or not one.username or not one.domain or not one.addr_spec.isascii() or " " in one.addr_spec:
        raise ValueError("expected a mail address")
    return one


class _Refused(Exception):  # noqa: N818 - carries an outcome out of the conversation with a server
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Email:
    """Sends each message over a connection of its own, which costs a moment and is never stale."""

    name = "email"

    def __init__(self, settings: EmailSettings, means: Means) -> None:
        self._settings = settings
        self._means = means
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def deliver(self, message: Message) -> Outcome:
        """Mail it; the reference holds the thread's first `Message-ID` and subject."""
        try:
            recipient = mailbox(message.address).addr_spec
        except ValueError:
            return Failed(f"{plain.one(message.address, 100)!r} is not a mail address: correct rules/catalog.yaml")
        thread = _thread(message)
        if message.edit is not None and thread is not None and plain.tells_nothing_new(message):
            return Done({**thread, **plain.last_shown(message)})
        mail = self._mail(message, recipient, thread)
        outcome = await self._send(mail, recipient)
        first = {"message_id": str(mail["Message-ID"]), "subject": str(mail["Subject"])}
        return Done({**(thread or first), **plain.last_shown(message)}) if isinstance(outcome, Done) else outcome

    async def close(self) -> None:
        """Nothing is held."""

    def _mail(self, message: Message, recipient: str, thread: Mapping[str, str] | None) -> EmailMessage:
        mail = EmailMessage(policy=WIRE)
        sender = mailbox(self._settings.sender)
        mark = " (resent)" if message.resent else ""
        mail["From"] = str(sender)
        mail["To"] = recipient
        mail["Date"] = formatdate(self._means.clock.now())
        mail["Message-ID"] = self._id(message, sender.domain)
        if thread is not None:
            mail["Subject"] = f"Re: {thread['subject'].removeprefix('Re: ')}{mark}"
            mail["In-Reply-To"] = mail["References"] = thread["message_id"]
        else:
            mail["Subject"] = plain.headline(message)
        mail["Auto-Submitted"] = "auto-generated"
        if message.kind in ("page", "approval"):
            mail["Importance"] = "high"
        mail.set_content(text(message, self._means.web_url))
        mail.add_alternative(html(message, self._means.web_url), subtype="html")
        return mail

    def _id(self, message: Message, domain: str) -> str:
        """The same however often the same is sent, another one once the message says something else."""
        said = (self._means.installation, message.key, message.address, message.title, message.status, message.severity)
        name = hashlib.sha256("\n".join(said).encode(errors="replace")).hexdigest()[:32]
        return f"<{name}@{domain}>"

    async def _send(self, mail: EmailMessage, recipient: str) -> Outcome:
        client = self._client()
        sending = asyncio.Event()  # set once the server may have taken the mail
        try:
            async with asyncio.timeout(self._settings.timeout), self._places:
                return await self._converse(client, mail, recipient, sending)
        except _Refused as refused:
            return refused.outcome
        except aiosmtplib.SMTPAuthenticationError as fault:
            return self._answer(fault.code, fault.message, "check FIRELINE_EMAIL_USER and FIRELINE_EMAIL_PASSWORD")
        except aiosmtplib.SMTPResponseException as fault:
            return self._answer(fault.code, fault.message, "see the mail server's log")
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError, OverflowError) as fault:
            return _broken(fault, sending.is_set())
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        host, _, port = settings.server.rpartition(":")
        encrypted = settings.security != "none"
        return aiosmtplib.SMTP(
            hostname=host.strip("[]"),
            port=int(port),
            use_tls=settings.security == "tls",
            start_tls=False,  # asked for below, where a server without it can be told apart
            tls_context=ssl.create_default_context(cafile=settings.ca) if encrypted else None,
            timeout=settings.timeout,
        )

    async def _converse(
        self, client: aiosmtplib.SMTP, mail: EmailMessage, recipient: str, sending: asyncio.Event
    ) -> Outcome:
        settings = self._settings
        await client.connect()
        if settings.security == "starttls":
            await client.ehlo()
            if not client.supports_extension("starttls"):
                raise _Refused(Failed("the mail server offers no STARTTLS: set FIRELINE_EMAIL_SECURITY"))
            await client.starttls()
        if settings.user is not None and settings.password is not None:
            await client.login(settings.user, settings.password.get_secret_value())
        await client.mail(mailbox(settings.sender).addr_spec)
        await client.rcpt(recipient)
        sending.set()
        await client.data(mail.as_bytes())
        return Done()

    @staticmethod
    def _answer(code: int, said: str, advice: str) -> Outcome:
        """4yz is temporary, 5yz is final (RFC 5321, 4.2.1)."""
        told = f"{code} {plain.one(said, 200)}"
        if 400 <= code < 500:
            return RetryLater(TROUBLE, f"the mail server puts it off: {told}", limited=code in (450, 451, 452))
        return Failed(f"the mail server refuses it ({told}): {advice}")


def _broken(fault: Exception, sending: bool) -> Outcome:
    said = plain.one(str(fault) or type(fault).__name__, 200)
    if isinstance(fault, ssl.SSLCertVerificationError) or isinstance(fault.__cause__, ssl.SSLCertVerificationError):
        return Failed(f"the mail server's certificate is not trusted ({said}): set FIRELINE_EMAIL_CA")
    if isinstance(fault, aiosmtplib.SMTPNotSupported):
        return Failed(f"the mail server cannot do it: {said}")
    if isinstance(fault, ValueError | OverflowError):
        return Failed(f"the mail cannot be sent: {said}", unknown=sending)
    if sending:
        return Failed(f"the mail server did not answer ({said}): the mail may have arrived", unknown=True)
    return RetryLater(TROUBLE, f"the mail server cannot be reached: {said}")


def _thread(message: Message) -> dict[str, str] | None:
    """The first mail of the thread; None when this is it."""
    ref: MessageRef | None = message.edit or message.thread
    if ref is None or ref.address != message.address:
        return None
    number, subject = ref.ref.get("message_id"), ref.ref.get("subject")
    if not isinstance(number, str) or not isinstance(subject, str):
        return None
    return {"message_id": plain.one(number), "subject": plain.one(subject)}


def text(message: Message, web_url: str) -> str:
    """The mail as plain text."""
    parts = [plain.headline(message), plain.body(message)]
    parts.append("\n".join(f"{label}: {value}" for label, value in plain.fields(message, 60)))
    parts.append(plain.why(message))
    parts.append("\n".join(f"{label}: {typed}" for label, typed in plain.answers(message.buttons)))
    parts += [f"Status page: {web_url}"] if web_url and message.kind != "say" else []
    parts.append("\n".join(plain.facts(message)))
    return "\n\n".join(part for part in parts if part) + "\n"


KIND = ChannelKind(EmailSettings, Email, __doc__ or "", EXAMPLE)
