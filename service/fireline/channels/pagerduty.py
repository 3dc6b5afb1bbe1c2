"""pagerduty: a page or card triggers an alert of a PagerDuty service, acknowledges and resolves it (Events API v2).

An address is `secret:NAME`: `FIRELINE_SECRET_NAME` holds the integration key of a PagerDuty service (*Events API
v2*). Whom PagerDuty then wakes is its own escalation policy. Nothing needs to be switched on; accounts in the EU set
`FIRELINE_PAGERDUTY_URL` to `https://events.eu.pagerduty.com/v2/enqueue`.

An alert has a `dedup_key` of its own, made of the message's key and of `FIRELINE_INSTALLATION`. It is remembered as
PagerDuty returned it, and acknowledging or resolving here sends it back. Repeating an event with the same key changes
nothing there, so what may have arrived is simply repeated. An alert has no thread: lines of the timeline are left
out, and questions about runs are refused. An acknowledgement in PagerDuty does not come back to Fireline.
"""

import hashlib
from collections.abc import Mapping

import orjson
from pydantic import BaseModel, ConfigDict, Field

from fireline.channels import plain
from fireline.channels.calls import Calls, Target, post
from fireline.channels.kind import ChannelKind
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.engine.outgoing import Response
from fireline.engine.outward import Message

EXAMPLE = """
url: https://events.eu.pagerduty.com/v2/enqueue
"""

HOSTS = frozenset({"events.pagerduty.com", "events.eu.pagerduty.com"})
_ADVICE = "is the integration key in the secret one of the Events API v2, and of this region?"
_SEVERITIES = {"safety": "critical", "outage": "critical", "degraded": "error", "notice": "warning"}
_LONGEST_KEY = 255


class PagerDutySettings(BaseModel):
    """Where events go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field("https://events.pagerduty.com/v2/enqueue", description="where events are sent")


class PagerDuty:
    """Triggers, acknowledges and resolves alerts."""

    name = "pagerduty"

    def __init__(self, settings: PagerDutySettings, means: Means) -> None:
        self._url = settings.url
        self._means = means
        self._calls = Calls(means, "PagerDuty", _ADVICE)

    async def deliver(self, message: Message) -> Outcome:
        """Bring the alert to the message's status; the reference is its dedup key."""
        if message.kind == "approval":
            return Failed("PagerDuty takes no questions about runs: name a room on another channel")
        if message.kind == "say":
            return Done({})
        target = self._calls.target(message.address)
        if isinstance(target, Failed):
            return target
        known = message.edit.ref.get("dedup_key") if message.edit is not None else None
        if isinstance(known, str) and known:
            return await self._update(target, message, known)
        key = self._key(message)
        done = await self._send(target, self._triggered(message), key)
        if isinstance(done, Done) and message.status in ("acknowledged", "resolved"):
            return await self._update(target, message, str(done.output["dedup_key"]))
        return done

    async def close(self) -> None:
        """Let go of connections."""
        await self._means.fetch.close()

    async def _update(self, target: Target, message: Message, key: str) -> Outcome:
        match message.status:
            case "resolved":
                return await self._send(target, {"event_action": "resolve"}, key)
            case "acknowledged":
                return await self._send(target, {"event_action": "acknowledge"}, key)
            case _:
                return await self._send(target, self._triggered(message), key)

    async def _send(self, target: Target, event: Mapping[str, object], key: str) -> Outcome:
        body = {"routing_key": target.value, "dedup_key": key, **event}
        answer = await self._calls.call(target, post(self._url, body), repeatable=True)
        return Done({"dedup_key": _returned(answer) or key}) if isinstance(answer, Response) else answer

    def _key(self, message: Message) -> str:
        key = f"{self._means.installation}/{message.key}"
        if len(key) <= _LONGEST_KEY and key.isprintable() and key.isascii():
            return key
        return f"fireline/{hashlib.sha256(key.encode(errors='replace')).hexdigest()}"

    def _triggered(self, message: Message) -> dict[str, object]:
        """The event that opens an alert; what it says is shown, not judged, so an unknown severity is critical."""
        details = dict(plain.fields(message, 40))
        parts = {"what": plain.body(message), "why": plain.why(message), "facts": "\n".join(plain.facts(message))}
        answers = "\n".join(f"{label}: {typed}" for label, typed in plain.answers(message.buttons))
        shown = {name: text for name, text in {**parts, "answer in Fireline": answers}.items() if text}
        payload = {
            "summary": plain.headline(message)[:1024],
            "source": details.get("Service", "fireline"),
            "severity": _SEVERITIES.get(message.severity, "critical"),
            "component": details.get("Service", ""),
            "group": details.get("Owner", ""),
            "custom_details": {**details, **shown},
        }
        links = [{"href": self._means.web_url, "text": "Fireline's status page"}] if self._means.web_url else []
        return {"event_action": "trigger", "client": "Fireline", "payload": payload, "links": links}


def _returned(answer: Response) -> str:
    try:
        found = orjson.loads(answer.text)
    except ValueError:
        return ""
    key = found.get("dedup_key") if isinstance(found, dict) else None
    return key if isinstance(key, str) else ""


KIND = ChannelKind(PagerDutySettings, PagerDuty, __doc__ or "", EXAMPLE, HOSTS)
