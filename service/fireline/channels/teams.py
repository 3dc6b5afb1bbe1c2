"""teams: pages, cards and lines through a *Workflows* webhook of Microsoft Teams, as Adaptive Cards.

An address is `secret:NAME`: `FIRELINE_SECRET_NAME` holds the URL that the workflow "Post to a channel when a webhook
request is received" shows (of a channel, or of a chat for one person). Whoever knows it may post there, so it is
never written into a file. Nothing needs to be switched on.

A workflow cannot edit what it posted and has no buttons that come back: a change of status or severity is a new card,
other changes are not posted, and a card names the command that answers it. Teams answers before the workflow has run,
so "delivered" means that Teams took it. A message of which nobody knows whether it arrived is sent once more, marked
"(resent)". Teams takes cards of 28 KB: a longer message is shown shorter, and says so. The older connectors answer 200
also where Teams did not take the card, and say so in words, which are read.
"""

import hashlib
import json
import re
from collections.abc import Iterable

import orjson
from pydantic import BaseModel, ConfigDict
from yarl import URL

from fireline.channels import plain
from fireline.channels.calls import TROUBLE, UNSAID, Calls, Target, post
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.domain.texts import cut
from fireline.engine.outgoing import Response
from fireline.engine.outward import Message

EXAMPLE = "{}"

HOSTS = frozenset({"*.logic.azure.com", "*.api.powerplatform.com", "*.webhook.office.com"})
_ADVICE = "make the workflow's URL anew and put it into the secret"
_MOST_BYTES = 24_000
"""Teams counts 28,672 bytes, of the card as a text within JSON and with what it adds itself."""
_SHARES = (1.0, 0.5, 0.25, 0.1)
"""How much of what a message says is tried, until it fits."""
_LINES = 60
_UNTAKEN = re.compile(r"webhook message delivery failed.*?(?:http error (\d{3})|$)", re.IGNORECASE | re.DOTALL)
_STYLES = {"safety": "attention", "outage": "attention", "degraded": "warning", "notice": "accent"}


class TeamsSettings(BaseModel):
    """Nothing to set: an address says it all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Teams:
    """Posts Adaptive Cards to workflows."""

    name = "teams"

    def __init__(self, settings: TeamsSettings, means: Means) -> None:
        self._means = means
        self._calls = Calls(means, "Teams", _ADVICE)

    async def deliver(self, message: Message) -> Outcome:
        """Post a card; an edit that changes neither status nor severity posts nothing."""
        target = self._calls.target(message.address)
        if isinstance(target, Failed):
            return target
        if not _is_url(target.value):
            return Failed(f"{target.name} is not a URL: {_ADVICE}")
        first = message.edit.ref.get("id") if message.edit is not None else None
        name = first if isinstance(first, str) else _name(message)
        if first is not None and plain.tells_nothing_new(message):
            return Done({"id": name, **plain.last_shown(message)})
        answer = await self._calls.call(target, post(target.value, card(message, self._means.web_url)))
        if isinstance(answer, Response):
            return self._untaken(answer, target) or Done({"id": name, **plain.last_shown(message)})
        return answer

    def _untaken(self, answer: Response, target: Target) -> RetryLater | Failed | None:
        """What an answer of 200 comes to whose text says that the card was not taken; None for any other."""
        found = _UNTAKEN.search(answer.text[:2000])
        if found is None:
            return None
        status = int(found[1] or 502)
        if status == 429:
            self._calls.leave_alone(target, UNSAID)
            return RetryLater(UNSAID, "Teams asks to be left alone for a while (429)", limited=True)
        if status >= 500:
            return RetryLater(TROUBLE, f"Teams is in trouble ({status})")
        return Failed(f"Teams refuses it ({status}): {_ADVICE}")

    async def close(self) -> None:
        """Let go of connections."""
        await self._means.fetch.close()


def _name(message: Message) -> str:
    return hashlib.sha256(message.key.encode(errors="replace")).hexdigest()[:32]


def _is_url(text: str) -> bool:
    try:
        return URL(text).scheme in ("https", "http")
    except ValueError:
        return False


def card(message: Message, web_url: str) -> dict[str, object]:
    """`message` as an Adaptive Card 1.4, as much of it as Teams takes.

    Runs of text carry no markup, so texts are shown as they are.
    """
    shown: dict[str, object] = {}
    for share in _SHARES:
        shown = _card(message, web_url, share)
        if _size(shown) <= _MOST_BYTES:
            break
    return shown


def _size(card: dict[str, object]) -> int:
    """Bytes of a card as it is sent, or as a text within JSON, which is how Teams keeps it, if that is more."""
    return max(len(json.dumps(card)), len(orjson.dumps(orjson.dumps(card).decode())))


def _card(message: Message, web_url: str, share: float) -> dict[str, object]:
    content: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(_blocks(message, share)),
    }
    if web_url and message.kind != "say":
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Status page", "url": web_url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _blocks(message: Message, share: float) -> Iterable[dict[str, object]]:
    if message.kind == "say":
        yield _block(_run(plain.title(message)))
    else:
        style = "good" if message.status == "resolved" else _STYLES.get(message.severity, "default")
        head = _block(_run(plain.headline(message), size="Medium", weight="Bolder"))
        yield {"type": "Container", "style": style, "bleed": True, "items": [head]}
    yield from _body(message, share)
    for label, value in plain.fields(message, max(3, int(15 * share)), value=int(300 * share)):
        yield _block(_run(f"{label}: ", weight="Bolder"), _run(value), spacing="None")
    if told := plain.why(message):
        yield _block(_run(cut(told, max(300, int(1500 * share)))))
    for fact in plain.facts(message, max(2, int(10 * share))):
        yield _block(_run(cut(fact, max(100, int(500 * share))), isSubtle=True, size="Small"), spacing="None")
    for label, typed in plain.answers(message.buttons):
        yield _block(_run(f"{label}: "), _run(typed, fontType="Monospace"), spacing="None")


def _body(message: Message, share: float) -> Iterable[dict[str, object]]:
    """A block for each line, as many as fit; the last one says how many do not."""
    lines = [line for line in plain.body(message, int(3000 * share)).splitlines() if line.strip()]
    most = int(_LINES * share)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{len(lines) - most + 1} more lines are not shown"]
    for line in lines:
        yield _block(_run(line))


def _block(*runs: dict[str, object], **changes: object) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": list(runs), **changes}


def _run(text: str, **changes: object) -> dict[str, object]:
    return {"type": "TextRun", "text": text, **changes}


KIND = ChannelKind(TeamsSettings, Teams, __doc__ or "", EXAMPLE, HOSTS)
