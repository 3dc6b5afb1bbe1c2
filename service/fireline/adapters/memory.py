"""The in-memory sides of the ports: for stories, rehearsals and dry runs, where nobody is really reached.

`MemoryChannel` behaves as a channel does: it gives references, edits in place, threads, and refuses when it is told to.
"""

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fireline.domain.outcomes import Done, Outcome
from fireline.engine.outward import Message


@dataclass(frozen=True, slots=True)
class Posted:
    """A message as it stands: `id` is its reference, `versions` all that it showed, the newest last."""

    id: int
    address: str
    thread: int | None
    versions: tuple[Message, ...]

    @property
    def message(self) -> Message:
        """What it shows now."""
        return self.versions[-1]


@dataclass(slots=True)
class MemoryChannel:
    """A channel whose messages stay here. `plan` makes the next deliveries to an address end otherwise."""

    name: str = "memory"
    posted: dict[int, Posted] = field(default_factory=dict)
    delivered: list[Message] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _plans: dict[str, deque[Outcome]] = field(default_factory=lambda: defaultdict(deque))

    def plan(self, address: str, *outcomes: Outcome) -> None:
        """Let the next deliveries to `address` (`*`: any) end so, one after the other, and not arrive."""
        self._plans[address].extend(outcomes)

    def at(self, address: str) -> list[Posted]:
        """The messages at an address, in the order they came; lines in threads included."""
        return [posted for posted in self.posted.values() if posted.address == address]

    async def deliver(self, message: Message) -> Outcome:
        """Post, edit or thread; or end as planned."""
        for address in (message.address, "*"):
            if self._plans[address]:
                return self._plans[address].popleft()
        self.delivered.append(message)
        if message.edit is not None:
            known = self.posted.get(_id(message.edit.ref))
            if known is not None:
                self.posted[known.id] = Posted(known.id, known.address, known.thread, (*known.versions, message))
                return Done(dict(message.edit.ref))
        number = next(self._ids)
        thread = None if message.thread is None else _id(message.thread.ref)
        self.posted[number] = Posted(number, message.address, thread, (message,))
        return Done({"id": number})

    async def close(self) -> None:
        """Nothing to let go of."""


def _id(ref: Mapping[str, object]) -> int:
    value = ref.get("id")
    return value if isinstance(value, int) else 0


@dataclass(slots=True)
class MemoryPublisher:
    """A publisher that keeps what it is given: topic, key, value."""

    published: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)

    async def publish(
        self, topic: str, key: str, value: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Outcome:
        """Keep it."""
        self.published.append((topic, key, value))
        return Done()
