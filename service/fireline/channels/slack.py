"""slack: pages by direct message, a card for each incident in the owner's room, approvals with two buttons.

A person's address is their Slack member id (`contacts: {slack: U0123ABCD}`), a team's room a channel id
(`channels: {slack: C0123ABCD}`), both in `rules/catalog.yaml`. A page is a direct message, a card one message in the
room that is edited in place while its thread tells what happened. Buttons (acknowledge, escalate, resolve, approve,
reject) come back over Socket Mode, so no port needs to be open.

Slack takes about one message a second and room: what comes faster waits, for that room alone. A message of which
nobody knows whether it arrived is looked for in the room's history, where the app may read it, and otherwise sent once
more, marked "(resent)".
"""

from collections.abc import Mapping
from dataclasses import replace

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from fireline.channels.kind import ChannelKind
from fireline.channels.slack_blocks import Rendered, render
from fireline.channels.slack_errors import (
    BAD_BLOCKS,
    GONE,
    NO_THREAD,
    code_of,
    limited,
    refusal,
    retry_after,
    unreached,
)
from fireline.channels.slack_limits import Bucket, Limits
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.engine.outward import Message
from fireline.engine.ports import Clock

EVENT_TYPE = "fireline_message"
"""The type of the metadata that carries a message's key."""

EXAMPLE = """
bot_token: xoxb-1-2-abc
"""

_UNREACHED = (aiohttp.ClientError, TimeoutError, OSError)


class SlackSettings(BaseModel):
    """How to reach Slack and how fast. Rates are per room and second, or per minute for edits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot_token: SecretStr = Field(description="the bot user's OAuth token")
    base_url: str = Field("https://slack.com/api/", description="where Slack's API is")
    timeout: float = Field(default=8.0, gt=0, le=60, description="seconds that one call may take")
    posts_per_second: float = Field(default=1.0, gt=0, description="messages a second and room")
    edits_per_minute: float = Field(default=50.0, gt=0, description="edits a minute")
    reconcile: bool = Field(True, description="whether it looks for a message that may have arrived, before resending")


class Slack:
    """Delivers messages to Slack. One instance a process: its buckets count what this process sends."""

    name = "slack"

    def __init__(self, settings: SlackSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._limits = Limits(posts=settings.posts_per_second, edits=settings.edits_per_minute)
        self._web: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, message: Message) -> Outcome:
        """Send or edit one message; every way it can end is an outcome."""
        try:
            return await self._deliver(message)
        except SlackApiError as fault:
            return refusal(fault, message.address)
        except _UNREACHED as fault:
            return unreached(fault, repeatable=message.edit is not None)
        except (SlackClientError, ValueError, TypeError, LookupError, AttributeError) as fault:
            return Failed(f"Slack's answer makes no sense: {type(fault).__name__}: {fault}")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
        self._session = self._web = None

    async def _deliver(self, message: Message) -> Outcome:
        rendered = render(message)
        if message.edit is not None and (place := _place(message.edit.ref)):
            return await self._edit(message, rendered, *place)
        if message.resent and self._settings.reconcile and (found := await self._find(message)):
            return Done(found)
        return await self._post(message, rendered)

    async def _post(self, message: Message, rendered: Rendered) -> Outcome:
        bucket = self._limits.post(message.address, self._clock.now())
        if wait := bucket.take(self._clock.now()):
            return _held(bucket, wait, self._clock.now(), "Slack takes about one message a second and room")
        thread = _thread(message)
        try:
            answer = await self._send(message, rendered, thread)
        except SlackApiError as fault:
            self._close_bucket(bucket, fault)
            raise
        return Done({"channel": str(answer["channel"]), "ts": str(answer["ts"])})

    async def _send(self, message: Message, rendered: Rendered, thread: str | None) -> AsyncSlackResponse:
        """Send it; without its thread or its layout where Slack does not take these, rather than not at all."""
        try:
            return await self._client().chat_postMessage(
                channel=message.address,
                text=rendered.text,
                blocks=list(rendered.blocks) or None,
                thread_ts=thread,
                reply_broadcast=True if thread and message.kind == "approval" else None,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"key": message.key}},
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as fault:
            if code_of(fault) in NO_THREAD and thread:
                return await self._send(message, rendered, None)
            if code_of(fault) in BAD_BLOCKS and rendered.blocks:
                return await self._send(message, Rendered(rendered.text), thread)
            raise

    async def _edit(self, message: Message, rendered: Rendered, channel: str, ts: str) -> Outcome:
        bucket = self._limits.edit(self._clock.now())
        if wait := bucket.take(self._clock.now()):
            return _held(bucket, wait, self._clock.now(), "Slack takes about fifty edits a minute")
        try:
            await self._update(rendered, channel, ts)
        except SlackApiError as fault:
            if code_of(fault) in GONE:
                return await self.deliver(replace(message, edit=None))
            self._close_bucket(bucket, fault)
            raise
        return Done({"channel": channel, "ts": ts})

    async def _update(self, rendered: Rendered, channel: str, ts: str) -> None:
        """Edit in place. Without metadata the message keeps the key under which it was first sent."""
        try:
            await self._client().chat_update(
                channel=channel, ts=ts, text=rendered.text, blocks=list(rendered.blocks), parse="none", link_names=False
            )
        except SlackApiError as fault:
            if code_of(fault) not in BAD_BLOCKS or not rendered.blocks:
                raise
            await self._update(Rendered(rendered.text), channel, ts)

    def _close_bucket(self, bucket: Bucket, fault: SlackApiError) -> None:
        if limited(fault):
            bucket.close(self._clock.now() + retry_after(fault))

    async def _find(self, message: Message) -> Mapping[str, object] | None:
        """Where a message with this key is already; None when there is none, or the app may not look.

        Raises SlackApiError when Slack asks to be left alone.
        """
        web = self._client()
        thread = _thread(message)
        try:
            room = await self._room(message.address)
            if thread:
                answer = await web.conversations_replies(channel=room, ts=thread, limit=100, include_all_metadata=True)
            else:
                answer = await web.conversations_history(channel=room, limit=50, include_all_metadata=True)
        except SlackApiError as fault:
            if limited(fault):
                raise  # it may look again soon, which is better than to page twice
            return None
        except _UNREACHED:
            return None
        sent = next((m for m in answer.get("messages") or () if _key(m) == message.key), None)
        return {"channel": room, "ts": str(sent["ts"])} if sent else None

    async def _room(self, address: str) -> str:
        if address[:1] not in ("U", "W"):
            return address
        answer = await self._client().conversations_open(users=[address])
        return str(answer["channel"]["id"])

    def _client(self) -> AsyncWebClient:
        """The client, made when first used because it belongs to the running loop."""
        if self._web is None:
            settings = self._settings
            limit = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=settings.timeout / 2)
            self._session = aiohttp.ClientSession(timeout=limit)
            self._web = AsyncWebClient(
                token=settings.bot_token.get_secret_value(),
                base_url=settings.base_url,
                session=self._session,
                retry_handlers=[],  # what is sent twice is decided in the outbox, where it is marked
            )
        return self._web


def _held(bucket: Bucket, wait: float, now: float, reason: str) -> RetryLater:
    """Not yet: because Slack said so, or so that it need not."""
    if now < bucket.closed_until:
        return RetryLater(wait, "Slack asks to be left alone for a while", limited=True)
    return RetryLater(wait, reason)


def _place(ref: Mapping[str, object]) -> tuple[str, str] | None:
    """Channel and time stamp of a reference; None when it is not one of Slack's."""
    channel, ts = ref.get("channel"), ref.get("ts")
    return (channel, ts) if isinstance(channel, str) and isinstance(ts, str) else None


def _thread(message: Message) -> str | None:
    """The thread to answer in: one in the message's own room, for time stamps of other rooms mean nothing there."""
    if message.thread is None or message.thread.address != message.address:
        return None
    place = _place(message.thread.ref)
    return place[1] if place else None


def _key(message: object) -> object:
    """The key in a message's metadata, None without."""
    data = message.get("metadata") if isinstance(message, dict) else None
    payload = data.get("event_payload") if isinstance(data, dict) and data.get("event_type") == EVENT_TYPE else None
    return payload.get("key") if isinstance(payload, dict) else None


KIND = ChannelKind(SlackSettings, lambda given, means: Slack(given, means.clock), __doc__ or "", EXAMPLE)
