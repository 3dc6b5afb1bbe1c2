"""One file, one way to reach people. What may be named in contacts and rooms is listed here, and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fireline.channels import console, discord, email, pagerduty, slack, teams, webhook
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


CHANNELS: Mapping[str, ChannelKind] = {
    "slack": ChannelKind(
        slack.SlackSettings, lambda given, means: slack.Slack(given, means.clock), slack.__doc__ or "", slack.EXAMPLE
    ),
    "email": ChannelKind(email.EmailSettings, email.Email, email.__doc__ or "", email.EXAMPLE),
    "pagerduty": ChannelKind(
        pagerduty.PagerDutySettings,
        pagerduty.PagerDuty,
        pagerduty.__doc__ or "",
        pagerduty.EXAMPLE,
        pagerduty.HOSTS,
    ),
    "teams": ChannelKind(teams.TeamsSettings, teams.Teams, teams.__doc__ or "", teams.EXAMPLE, teams.HOSTS),
    "discord": ChannelKind(
        discord.DiscordSettings, discord.Discord, discord.__doc__ or "", discord.EXAMPLE, discord.HOSTS
    ),
    "webhook": ChannelKind(webhook.WebhookSettings, webhook.Webhook, webhook.__doc__ or "", webhook.EXAMPLE),
    "console": ChannelKind(
        console.ConsoleSettings,
        lambda given, means: console.Console(given, means.clock),
        console.__doc__ or "",
        console.EXAMPLE,
    ),
}
"""The channels that come with Fireline, by the name that contacts use."""
