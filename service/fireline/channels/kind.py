"""What a channel is to the rest: its settings as a pydantic model, its documentation, how it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fireline.channels.means import Means
from fireline.engine.outward import Channel


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A channel as it can be configured: `settings` is its schema, `page` its documentation, `example` YAML for it.

    `build` takes a value of `settings` and the means, and connects to nothing. `hosts` are those that its `fetch` may
    reach without being asked.
    """

    settings: type[BaseModel]
    build: Callable[[Any, Means], Channel]  # Any: each kind takes its own settings
    page: str
    example: str
    hosts: frozenset[str] = frozenset()
