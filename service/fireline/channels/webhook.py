"""webhook: every message as signed JSON to a URL of yours, as the Standard Webhooks specification has it.

An address is a URL or `secret:NAME`, which stands for the URL in `FIRELINE_SECRET_NAME`; its host must be one of
`FIRELINE_HTTP_ALLOW`. `FIRELINE_WEBHOOK_SECRET` switches the channel on: `whsec_` and at least 24 bytes in Base64,
several separated by spaces while receivers change from one to the next.

Each request is a POST with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` (`v1`, HMAC-SHA256
over `id.timestamp.body`); the libraries of standardwebhooks.com verify it. The same message has the same `webhook-id`
however often it is sent: whoever has seen it already answers 200 and does nothing more. The body has `type` (`page`,
`card`, `say`, `approval`, with `.updated` when it tells of one sent earlier), `timestamp` and `data`. Anything but a
2xx is no delivery: 429 and 503 may say in `Retry-After` when to come again, other 4xx are final. Redirects are not
followed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from fireline.channels.calls import Calls, post
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.channels.plain import command
from fireline.domain.clicks import subject_of
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.texts import clean, cut
from fireline.engine.outgoing import Request, Response
from fireline.engine.outward import Button, Message

EXAMPLE = """
secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq=
"""

PREFIX = "whsec_"
_ADVICE = "correct the URL in rules/catalog.yaml, or mend what receives it"


class WebhookSettings(BaseModel):
    """What requests are signed with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr = Field(description="the key that requests are signed with; several, separated by spaces")

    @field_validator("secret")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        if not keys(value.get_secret_value()):
            raise ValueError("no key is there")
        return value


def keys(secret: str) -> list[bytes]:
    """The keys of a setting; raises ValueError when one is not `whsec_` and 24 to 64 bytes in Base64."""
    found = []
    for part in secret.split():
        try:
            key = base64.b64decode(part.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not part.startswith(PREFIX) or not 24 <= len(key) <= 64:
            raise ValueError("expected whsec_ and 24 to 64 bytes in Base64")
        found.append(key)
    return found


def signature(key: bytes, name: str, at: int, body: bytes) -> str:
    """The signature of one request: https://github.com/standard-webhooks/standard-webhooks, `spec`."""
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Webhook:
    """Posts messages as signed JSON."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings, means: Means) -> None:
        self._keys = keys(settings.secret.get_secret_value())
        self._means = means
        self._calls = Calls(means, "the webhook's receiver", _ADVICE)

    async def deliver(self, message: Message) -> Outcome:
        """Post it; the reference is the `webhook-id` it was first sent under."""
        target = self._calls.target(message.address, secret=False)
        if isinstance(target, Failed):
            return target
        said = content(message)
        name = self._name(message, said)
        answer = await self._calls.call(target, self._request(target.value, name, said, message))
        if not isinstance(answer, Response):
            return answer
        first = message.edit.ref.get("id") if message.edit is not None else None
        return Done({"id": first if isinstance(first, str) else name})

    async def close(self) -> None:
        """Let go of connections."""
        await self._means.fetch.close()

    def _name(self, message: Message, said: Mapping[str, object]) -> str:
        """The same for the same message saying the same; another one once it says something else."""
        seed = orjson.dumps([self._means.installation, message.key, said], option=orjson.OPT_SORT_KEYS)
        return f"msg_{hashlib.sha256(seed).hexdigest()[:32]}"

    def _request(self, url: str, name: str, said: Mapping[str, object], message: Message) -> Request:
        at = int(self._means.clock.now())
        kind = f"{message.kind}.updated" if message.edit is not None else message.kind
        when = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        data = {**said, "resent": message.resent}
        body = orjson.dumps({"type": kind, "timestamp": when, "data": data})
        signed = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(signature(key, name, at, body) for key in self._keys),
        }
        plain = post(url, None)
        return Request("POST", url, {**plain.headers, **signed}, None, plain.timeout, plain.max_bytes, content=body)


def content(message: Message) -> dict[str, object]:
    """What the message says, as JSON: texts as they are but for control characters, at most 4,000 characters each."""
    return {
        "key": message.key,
        "title": _text(message.title),
        "severity": _text(message.severity),
        "status": _text(message.status),
        "body": _text(message.body),
        "fields": [{"label": _text(label, 200), "value": _text(value, 1000)} for label, value in message.fields[:50]],
        "facts": [_text(fact, 1000) for fact in message.facts[:50]],
        "why": _text(message.why),
        "actions": [_action(button) for button in message.buttons],
        "updates": None if message.edit is None else message.edit.ref.get("id"),
        "thread": None if message.thread is None else message.thread.ref.get("id"),
    }


def _text(text: str, limit: int = 4000) -> str:
    return cut(clean(text), limit)


def _action(button: Button) -> dict[str, object]:
    subject = subject_of(button.value)
    about = {} if subject is None else {"incident": subject.incident, "run": subject.run, "step": subject.step or None}
    return {"action": button.action, "label": _text(button.label), "command": command(button), **about}


KIND = ChannelKind(WebhookSettings, Webhook, __doc__ or "", EXAMPLE)
