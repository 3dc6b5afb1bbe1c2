"""The ports of the effects: how the engine speaks to people, acts, and publishes. Outcomes are values, never raised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fireline.domain.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a message is on its channel (`{"channel": "C1", "ts": "17.1"}`), to edit it or answer in its thread."""

    channel: str
    address: str
    ref: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press: `action` is acknowledge, escalate, resolve, approve or reject; `value` travels back."""

    action: str
    label: str
    value: str
    style: str = ""
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is to show, without any channel's markup; texts may hold hostile event text, channels escape.

    `kind` is page, card, say, approval. `edit` edits that message in place; `thread` answers in its thread. `title` is
    one line and always filled (it is the notification text); `fields` are label and value; `facts` small print;
    `why` tells a paged person why it is them.
    """

    key: str
    kind: str
    address: str
    title: str
    severity: str = ""
    status: str = ""
    body: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    why: str = ""
    buttons: tuple[Button, ...] = ()
    edit: MessageRef | None = None
    thread: MessageRef | None = None
    resent: bool = False
    mentions: tuple[str, ...] = ()  # groups of the channel that are to be called


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """The name contacts use: `slack`, `console`."""
        ...

    async def deliver(self, message: Message) -> Outcome:
        """Send or edit; Done's output is the message's reference, RetryLater carries a channel's Retry-After.

        `Failed(unknown=True)` when it may have arrived: the caller repeats it marked resent. Never raises.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an action may know of its step: `key` is its idempotency key, `memory` what it asked to find again.

    `since` is when the run last changed something (its start, when it has not yet): verification looks at later events.
    `written` is the step's `with` as its author wrote it, places not filled: what may not come from data is told by it.
    """

    key: str
    run: int
    step: str
    incident: int | None
    now: float
    memory: Mapping[str, object]
    started_at: float
    dry_run: bool = False
    since: float | None = None
    timeline: str = "live"
    written: object = None


class Action(Protocol):
    """The code a step `uses`. `options` is the pydantic model of its `with`."""

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Do it, or look again at what it waits for. Never raises; safe to repeat with the same key."""
        ...


class Publisher(Protocol):
    """Puts JSON values on Kafka topics."""

    async def publish(
        self, topic: str, key: str, value: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Outcome:
        """Put it and await the broker's word."""
        ...
