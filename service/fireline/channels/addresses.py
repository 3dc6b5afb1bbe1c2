"""What an address looks like, channel by channel: known before anybody has to be reached, and without loading one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFERENCE = r"secret:[A-Za-z][A-Za-z0-9_]{0,99}"
_MAIL = r"(?:[^@,;<>]*<)?[^@\s,;<>]+@[^@\s,;<>]+>?"


@dataclass(frozen=True, slots=True)
class Form:
    """The pattern that a whole address of a person or of a room has, and how it is written.

    `certain`: nothing else can work. `shown`: an address may be told; others may be a key that somebody wrote down.
    """

    pattern: str
    expected: str
    certain: bool = True
    shown: bool = True

    def fits(self, address: str) -> bool:
        """Whether an address looks as it should."""
        return re.fullmatch(self.pattern, address.strip()) is not None


def _behind_a_secret(what: str) -> Form:
    expected = f"`secret:NAME`, with {what} in FIRELINE_SECRET_NAME"
    return Form(_REFERENCE, expected, shown=False)


_MAILBOX = Form(_MAIL, "a mail address such as ann@example.com")
_POSTED = Form(rf"{_REFERENCE}|https?://[^\s/]+\S*", "a URL, or `secret:NAME` with the URL in FIRELINE_SECRET_NAME")
_PAGERDUTY = _behind_a_secret("the integration key of a PagerDuty service")
_TEAMS = _behind_a_secret("the URL of the workflow")
_DISCORD = _behind_a_secret("the URL of the channel's webhook")
_MEMBER = Form(r"[UWD][A-Z0-9]+", "a member's id such as U0123ABCD (in Slack: profile, Copy member ID)", certain=False)
_ROOM = Form(r"[CGD][A-Z0-9]+", "a channel's id such as C0123ABCD (in Slack: at the end of its details)", certain=False)

FORMS: Mapping[str, tuple[Form, Form]] = {
    "slack": (_MEMBER, _ROOM),
    "email": (_MAILBOX, _MAILBOX),
    "pagerduty": (_PAGERDUTY, _PAGERDUTY),
    "teams": (_TEAMS, _TEAMS),
    "discord": (_DISCORD, _DISCORD),
    "webhook": (_POSTED, _POSTED),
}
"""For a person and for a room. A channel that is not here takes any text."""
