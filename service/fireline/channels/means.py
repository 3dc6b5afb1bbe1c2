"""What a channel is built of: the clock, and how it reaches the outside."""

from dataclasses import dataclass
from typing import Protocol

from fireline.engine.outgoing import Fetch, Secrets
from fireline.engine.ports import Clock


class Closing(Fetch, Protocol):
    """A Fetch that holds connections; after `close` it opens new ones when it is used again."""

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """`fetch` is the channel's own, so that no other channel waits for its connections.

    `web_url` is where people find the status page, empty when nobody said; `installation` tells several Firelines apart
    that send to the same place.
    """

    clock: Clock
    fetch: Closing
    secrets: Secrets
    web_url: str = ""
    installation: str = "fireline"
