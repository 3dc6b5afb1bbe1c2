"""teams: pages, cards and lines through a *Workflows* webhook of Microsoft Teams, as Adaptive Cards.

An address is `secret:NAME`: `FIRELINE_SECRET_NAME` holds the URL that the workflow "Post to a channel when a webhook
request is received" shows (of a channel, or of a chat for one person). Whoever knows it may post there, so it is
never written into a file. Nothing needs to be switched on.

A workflow cannot edit what it posted and has no buttons that come back: a change of status or severity is a new card,
other changes are not posted, and a card names the command that answers it. Teams answers before the workflow has run,
so "delivered" means that Teams took it. A message of which nobody knows whether it arrived is sent once more, marked
"(resent)".
"""

import hashlib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict
from yarl import URL

from fireline.channels import plain
from fireline.channels.calls import Calls, post
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.engine.outgoing import Response
from fireline.engine.outward import Message

EXAMPLE = "{}"

HOSTS = frozenset({"*.logic.azure.com", "*.api.powerplatform.com", "*.webhook.office.com"})
_ADVICE = "make the workflow's URL anew and put it into the secret"
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
        name = (
            first if isinstance(first, str) else hashlib.sha256(message.key.encode(errors="replace")).hexdigest()[:32]
        )
        if first is not None and plain.tells_nothing_new(message):
            return Done({"id": name, **plain.last_shown(message)})
        answer = await self._calls.call(target, post(target.value, card(message, self._means.web_url)))
        return Done({"id": name, **plain.last_shown(message)}) if isinstance(answer, Response) else answer

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
    """`message` as an Adaptive Card 1.4. Runs of text carry no markup, so texts are shown as they are."""
    content: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(_blocks(message)),
    }
    if web_url and message.kind != "say":
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Status page", "url": web_url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _blocks(message: Message) -> Iterable[dict[str, object]]:
    if message.kind == "say":
        yield _block(_run(plain.title(message)))
    else:
        style = "good" if message.status == "resolved" else _STYLES.get(message.severity, "default")
        head = _block(_run(plain.headline(message), size="Medium", weight="Bolder"))
        yield {"type": "Container", "style": style, "bleed": True, "items": [head]}
    for line in plain.body(message, 3000).splitlines():
        if line.strip():
            yield _block(_run(line))
    for label, value in plain.fields(message, 15, value=300):
        yield _block(_run(f"{label}: ", weight="Bolder"), _run(value), spacing="None")
    if told := plain.why(message):
        yield _block(_run(told))
    for fact in plain.facts(message):
        yield _block(_run(fact, isSubtle=True, size="Small"), spacing="None")
    for label, typed in plain.answers(message.buttons):
        yield _block(_run(f"{label}: "), _run(typed, fontType="Monospace"), spacing="None")


def _block(*runs: dict[str, object], **changes: object) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": list(runs), **changes}


def _run(text: str, **changes: object) -> dict[str, object]:
    return {"type": "TextRun", "text": text, **changes}


KIND = ChannelKind(TeamsSettings, Teams, __doc__ or "", EXAMPLE, HOSTS)
