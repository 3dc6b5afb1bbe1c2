"""Calls of channels over HTTP: where an address leads, and whether it arrived, goes later, never, or nobody knows.

Addresses are mostly secrets (whoever knows the URL may post), so they are written `secret:NAME`, looked up at the
last moment, and taken out of every reason.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from fireline.channels.means import Means
from fireline.domain.outcomes import Failed, RetryLater
from fireline.domain.texts import clean, cut
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response

TIMEOUT = 8.0
"""Seconds that one call may take: less than a delivery may."""
LONGEST = 3600.0
"""Seconds beyond which nobody is left alone, whatever they ask for."""
UNSAID = 30.0
"""Seconds to wait when somebody is asked too often and does not say for how long."""
TROUBLE = 2.0
"""Seconds to wait when a service is in trouble; the outbox doubles it from attempt to attempt."""
_MOST_BYTES = 65_536
_REMEMBERED = 1000
Answer = Response | RetryLater | Failed
"""A response that says yes, or what comes of there being none."""
_SECRET = re.compile(r"^secret:([A-Za-z][A-Za-z0-9_]{0,99})$")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address leads: `value` is what stands behind it (a URL, a key), `name` how it may be told."""

    name: str
    value: str


@dataclass(slots=True)
class Calls:
    """Sends a channel's requests. Who asked to be left alone is, address by address.

    `who` names the service in reasons, `advice` says what to mend when it refuses for good.
    """

    means: Means
    who: str
    advice: str
    _closed: dict[str, float] = field(default_factory=dict)

    def target(self, address: str, *, secret: bool = True) -> Target | Failed:
        """What stands behind `address`; with `secret` nothing but a reference may be written there."""
        match = _SECRET.match(address.strip())
        if match is None:
            if secret:
                return Failed(
                    f"the address for {self.who} is written into the catalog: write secret:NAME instead, "
                    "and set FIRELINE_SECRET_NAME"
                )
            return Target(cut(clean(address, lines=False), 200), address.strip())
        value = self.means.secrets.secret(match[1])
        if value is None:
            return Failed(f"there is no secret {match[1]}: set FIRELINE_SECRET_{match[1]}")
        return Target(f"secret:{match[1]}", value.strip())

    async def call(
        self, target: Target, request: Request, *, repeatable: bool = False
    ) -> Response | RetryLater | Failed:
        """The answer when it is a 2xx, or what comes of it. `repeatable`: doing it twice is the same as once."""
        now = self.means.clock.now()
        if (until := self._closed.get(target.name, 0.0)) > now:
            return RetryLater(until - now, f"{self.who} asks to be left alone for a while", limited=True)
        outcome = self._told(await self.means.fetch(request), target, repeatable=repeatable)
        return _without(outcome, target)

    def leave_alone(self, target: Target, seconds: float) -> None:
        """Send nothing to `target` for so long."""
        now = self.means.clock.now()
        if len(self._closed) >= _REMEMBERED:
            self._closed = {name: until for name, until in self._closed.items() if until > now}
        self._closed[target.name] = max(self._closed.get(target.name, 0.0), now + seconds)

    def _told(self, answer: Response | NotSent | MaybeSent, target: Target, *, repeatable: bool) -> Answer:
        match answer:
            case NotSent(reason, final):
                said = f"{self.who} cannot be reached: {reason}"
                return Failed(said + _allow(reason)) if final else RetryLater(TROUBLE, said)
            case MaybeSent(reason):
                return self._doubtful(f"{self.who} did not answer ({reason})", repeatable=repeatable)
            case Response(status=status):
                return answer if 200 <= status < 300 else self._refused(answer, target, repeatable=repeatable)

    def _refused(self, answer: Response, target: Target, *, repeatable: bool) -> RetryLater | Failed:
        status, asked = answer.status, retry_after(answer, self.means.clock.now())
        if status == 429:
            wait = UNSAID if asked is None else asked
            self.leave_alone(target, wait)
            return RetryLater(wait, f"{self.who} asks to be left alone for a while (429)", limited=True)
        if status in (504, 524):  # who stands before it waited for its answer, the latter being Cloudflare's word
            return self._doubtful(f"{self.who} failed half-way ({status})", repeatable=repeatable)
        if status >= 500 or status in (408, 425):
            return RetryLater(TROUBLE if asked is None else asked, f"{self.who} is in trouble ({status})")
        said = cut(clean(answer.text, lines=False), 200)
        if status < 400:
            return Failed(f"{self.who} sends us elsewhere ({status}), which is not followed: {self.advice}")
        return Failed(f"{self.who} refuses it ({status}{f': {said}' if said else ''}): {self.advice}")

    @staticmethod
    def _doubtful(reason: str, *, repeatable: bool) -> RetryLater | Failed:
        if repeatable:
            return RetryLater(TROUBLE, reason)
        return Failed(f"{reason}: the message may have arrived", unknown=True)


def post(url: str, json: object, method: str = "POST") -> Request:
    """A request with a JSON body and the limits that hold for channels."""
    return Request(method, url, {"User-Agent": "Fireline"}, json, TIMEOUT, _MOST_BYTES)


def retry_after(answer: Response, now: float) -> float | None:
    """Seconds the other side wants to be left alone, within a tenth and an hour; None when it does not say.

    Seconds or a date, as RFC 9110 has it (10.2.3).
    """
    said = header(answer.headers, "Retry-After")
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(LONGEST, max(0.1, seconds)) if math.isfinite(seconds) else None


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header by its name in any case."""
    return next((value for known, value in headers.items() if known.lower() == name.lower()), None)


def _allow(reason: str) -> str:
    return ": add its host to FIRELINE_HTTP_ALLOW" if "allow-list" in reason or "public address" in reason else ""


def _without(outcome: Answer, target: Target) -> Answer:
    """The outcome without what stands behind a secret, not even the beginning of it."""
    if isinstance(outcome, Response) or not target.name.startswith("secret:"):
        return outcome
    reason = outcome.reason.replace(target.value, target.name).replace(target.value[:100], target.name)
    if isinstance(outcome, Failed):
        return Failed(reason, outcome.unknown)
    return RetryLater(outcome.delay, reason, outcome.limited)
