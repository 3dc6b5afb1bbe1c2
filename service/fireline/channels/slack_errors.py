"""What Slack's refusals mean: try later, never, or nobody knows; in words that tell a person what to do."""

from collections.abc import Mapping

import aiohttp
from slack_sdk.errors import SlackApiError

from fireline.domain.outcomes import Failed, Outcome, RetryLater

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""The message to edit is not there any more, or not to be edited: a new one says it."""

NO_THREAD = frozenset({"thread_not_found", "cannot_reply_to_message"})
"""The message to answer is not there any more: the line stands by itself."""

BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_metadata_format"})
"""Slack does not take the layout: the text alone is sent rather than nothing."""

_LIMITED = frozenset({"ratelimited", "rate_limited", "rate_limit_exceeded"})
_LATER = frozenset({"service_unavailable", "request_timeout", "team_added_to_org", "message_limit_exceeded"})
_UNKNOWN = frozenset({"fatal_error", "internal_error"})
_TOKEN = "check FIRELINE_SLACK_BOT_TOKEN; reinstall the app and use its new token when it was revoked"  # noqa: S105 - advice
_ADVICE: Mapping[str, str] = {
    "channel_not_found": "the room does not exist or the app cannot see it: correct the id in rules/catalog.yaml, "
    "or invite the app to the private channel",
    "not_in_channel": "the app is not a member of the room: /invite it there",
    "is_archived": "the room is archived: unarchive it, or name another one in rules/catalog.yaml",
    "user_not_found": "no such person in this workspace: correct contacts.slack in rules/catalog.yaml",
    "user_disabled": "the account is deactivated: correct contacts.slack in rules/catalog.yaml",
    "cannot_dm_bot": "contacts.slack names a bot: name a person in rules/catalog.yaml",
    "messages_tab_disabled": "the app takes no direct messages: switch its Messages Tab on (App Home)",
    "restricted_action": "a workspace setting forbids the app to post there: ask a workspace owner",
    "missing_scope": "the app lacks a permission: reinstall it with deploy/slack-app-manifest.yaml",
    "invalid_auth": _TOKEN,
    "not_authed": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "account_inactive": _TOKEN,
}


def code_of(fault: SlackApiError) -> str:
    """Slack's word for what is wrong (`channel_not_found`), empty when it gave none."""
    data = getattr(fault.response, "data", None)
    word = data.get("error") if isinstance(data, dict) else None
    return word if isinstance(word, str) else ""


def status_of(fault: SlackApiError) -> int:
    """The HTTP status of the refusal, 0 when there is none."""
    response = fault.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    return status if isinstance(status, int) else 0


def retry_after(fault: SlackApiError) -> float:
    """Seconds Slack wants to be left alone: what it says, within a second and an hour; 30 when it says nothing."""
    headers = getattr(fault.response, "headers", None) or {}
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    try:
        return min(3600.0, max(1.0, float(str(said))))
    except ValueError:
        return 30.0


def limited(fault: SlackApiError) -> bool:
    """Whether Slack says that it was asked too often."""
    return status_of(fault) == 429 or code_of(fault) in _LIMITED


def refusal(fault: SlackApiError, room: str) -> Outcome:
    """What a refusal of a message to `room` comes to."""
    code, status = code_of(fault), status_of(fault)
    if limited(fault):
        return RetryLater(retry_after(fault), "Slack asks to be left alone for a while (429)", limited=True)
    if code in _UNKNOWN or status == 504:
        return Failed(f"Slack failed half-way ({code or status}): the message may have arrived", unknown=True)
    if code in _LATER or status >= 500:
        return RetryLater(2.0, f"Slack is in trouble ({code or status})")
    if not code:
        return RetryLater(10.0, f"not Slack answered (HTTP {status}): check FIRELINE_SLACK_BASE_URL and proxies")
    advice = _ADVICE.get(code)
    return Failed(f"Slack refuses {room}: {code}" + (f": {advice}" if advice else ""))


def unreached(fault: Exception, *, repeatable: bool) -> Outcome:
    """What no answer comes to. `repeatable` says that doing it twice is the same as doing it once (an edit)."""
    if isinstance(fault, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return RetryLater(2.0, f"Slack cannot be reached: {fault}")
    said = str(fault) or type(fault).__name__
    if repeatable:
        return RetryLater(2.0, f"Slack did not answer: {said}")
    return Failed(f"Slack did not answer ({said}): the message may have arrived", unknown=True)
