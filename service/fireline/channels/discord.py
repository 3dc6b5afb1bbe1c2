"""discord: pages, cards and lines through a webhook of a Discord channel; cards are edited in place.

An address is `secret:NAME`: `FIRELINE_SECRET_NAME` holds the webhook's URL (*Edit Channel*, *Integrations*,
*Webhooks*, *Copy Webhook URL*). Whoever knows it may post there, so it is never written into a file. A room is a
channel's webhook, a person's one of a channel that only they read. Nothing needs to be switched on.

Webhooks have no buttons that come back: a message names the command that answers it. Nobody is mentioned, whatever a
text says. Discord's rate limits are kept (`Retry-After`, `X-RateLimit-Remaining`), for each webhook apart; it is asked
as version 10 of its API, because the version of an address as Discord shows it counts waits in milliseconds. A message
of which nobody knows whether it arrived is sent once more, marked "(resent)": a webhook cannot look what it posted.
"""

from collections.abc import Mapping

import orjson
from pydantic import BaseModel, ConfigDict
from yarl import URL

from fireline.channels import plain
from fireline.channels.calls import LONGEST, Calls, Target, header, post
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.texts import cut, length
from fireline.engine.outgoing import Response
from fireline.engine.outward import Message

EXAMPLE = "{}"

HOSTS = frozenset({"discord.com", "discordapp.com"})
_ADVICE = "make a webhook of the channel anew and put its URL into the secret"
_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in "\\*_~`|>#[]()<@-:"})
_TOTAL = 6000
"""So many characters may all texts of an embed have together, as Discord counts."""


class DiscordSettings(BaseModel):
    """Nothing to set: an address says it all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Discord:
    """Posts embeds through webhooks, and edits them."""

    name = "discord"

    def __init__(self, settings: DiscordSettings, means: Means) -> None:
        self._means = means
        self._calls = Calls(means, "Discord", _ADVICE)

    async def deliver(self, message: Message) -> Outcome:
        """Send it, or edit what was sent; the reference is Discord's message id."""
        target = self._calls.target(message.address)
        if isinstance(target, Failed):
            return target
        try:
            url = _versioned(URL(target.value))
        except ValueError:
            return Failed(f"{target.name} is not a URL: {_ADVICE}")
        sent = message.edit.ref.get("message") if message.edit is not None else None
        if isinstance(sent, str) and sent.isdecimal():
            return await self._edit(target, url, sent, message)
        return await self._send(target, url, message)

    async def close(self) -> None:
        """Let go of connections."""
        await self._means.fetch.close()

    async def _send(self, target: Target, url: URL, message: Message) -> Outcome:
        asked = str(url.update_query(wait="true"))
        answer = await self._calls.call(target, post(asked, rendered(message)))
        self._heed(target, answer)
        if not isinstance(answer, Response):
            return answer
        number = _json(answer).get("id")
        return Done({"message": number} if isinstance(number, str) else {})

    async def _edit(self, target: Target, url: URL, sent: str, message: Message) -> Outcome:
        asked = str((url / "messages" / sent).with_query(url.query))
        answer = await self._calls.call(target, post(asked, rendered(message), "PATCH"), repeatable=True)
        self._heed(target, answer)
        if isinstance(answer, Failed) and "(404" in answer.reason:
            return await self._send(target, url, message)
        return Done({"message": sent}) if isinstance(answer, Response) else answer

    def _heed(self, target: Target, answer: object) -> None:
        """Nothing more goes there once the answer says that this was the last one for a while."""
        if not isinstance(answer, Response) or header(answer.headers, "X-RateLimit-Remaining") != "0":
            return
        try:
            seconds = float(header(answer.headers, "X-RateLimit-Reset-After") or "")
        except ValueError:
            return
        self._calls.leave_alone(target, min(LONGEST, max(0.0, seconds)))


def _versioned(url: URL) -> URL:
    """The address of a webhook with the version of the API whose units are documented, unless it names one itself."""
    if not url.path.startswith("/api/webhooks/"):
        return url
    return url.with_path(url.raw_path.replace("/api/", "/api/v10/", 1), encoded=True, keep_query=True)


def rendered(message: Message) -> dict[str, object]:
    """`message` as Discord takes it: plain lines as text, all else as an embed; markup in texts means nothing."""
    roles = [group for group in message.mentions[:5] if group.isdecimal() and len(group) <= 20]
    quiet: dict[str, object] = {"allowed_mentions": {"parse": [], "roles": roles}}
    if message.kind == "say":
        said = plain.body(message, 1000)
        called = "".join(f"<@&{role}> " for role in roles)
        return {**quiet, "content": called + _shown(plain.title(message) + (f"\n{said}" if said else ""), 1800)}
    embed = {
        "title": _shown(plain.headline(message), 256),
        "color": plain.colour(message),
        "description": _shown(
            "\n\n".join(part for part in (plain.body(message, 1500), plain.why(message)) if part), 2500
        ),
        "fields": _fields(message),
        "footer": {"text": cut(_footer(message), 800)},
    }
    return {**quiet, "embeds": [{name: value for name, value in embed.items() if value}]}


def _fields(message: Message) -> list[Mapping[str, object]]:
    """The fields that fit into what an embed may have in all."""
    shown: list[Mapping[str, object]] = []
    left = _TOTAL - 256 - 2500 - 800
    for label, value in plain.fields(message, 25):
        field = {"name": _shown(label, 100), "value": _shown(value, 400), "inline": True}
        left -= length(str(field["name"])) + length(str(field["value"]))
        if left < 0:
            break
        shown.append(field)
    return shown


def _footer(message: Message) -> str:
    answers = [f"{label}: {typed}" for label, typed in plain.answers(message.buttons)]
    return "\n".join([*plain.facts(message), *answers])


def _shown(text: str, limit: int) -> str:
    return cut(text, limit, escape=lambda part: part.translate(_MARKUP))


def _json(answer: Response) -> Mapping[str, object]:
    try:
        found = orjson.loads(answer.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


KIND = ChannelKind(DiscordSettings, Discord, __doc__ or "", EXAMPLE, HOSTS)
