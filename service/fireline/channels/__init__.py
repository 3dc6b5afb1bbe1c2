"""One file, one way to reach people. What may be named in contacts and rooms is listed here, and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fireline.channels import console, slack
from fireline.engine.outward import Channel
from fireline.engine.ports import Clock


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A channel as it can be configured: `settings` is its schema, `page` its documentation, `example` YAML for it.

    `build` takes a value of `settings` and the clock, and connects to nothing.
    """

    settings: type[BaseModel]
    build: Callable[[Any, Clock], Channel]  # Any: each kind takes its own settings
    page: str
    example: str


CHANNELS: Mapping[str, ChannelKind] = {
    "slack": ChannelKind(slack.SlackSettings, slack.Slack, slack.__doc__ or "", slack.EXAMPLE),
    "console": ChannelKind(console.ConsoleSettings, console.Console, console.__doc__ or "", console.EXAMPLE),
}
"""The channels that come with Fireline, by the name that contacts use."""
