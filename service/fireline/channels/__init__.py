"""One file, one way to reach people. What may be named in contacts and rooms is listed here, and nowhere else."""

from collections.abc import Mapping
from importlib import import_module

from fireline.channels.kind import ChannelKind
from fireline.domain.on_demand import OnDemand

NAMES = ("slack", "email", "pagerduty", "teams", "discord", "webhook", "console")
"""The channels that come with Fireline, by the name that contacts use, which is that of their file."""


def _kind(name: str) -> ChannelKind:
    kind: ChannelKind = import_module(f"{__name__}.{name}").KIND
    return kind


CHANNELS: Mapping[str, ChannelKind] = OnDemand(NAMES, _kind)
"""What each is; its file is loaded when it is first asked for."""

__all__ = ["CHANNELS", "NAMES", "ChannelKind"]
