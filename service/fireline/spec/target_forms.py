"""The form of the targets file: which topics, commands, databases and Prometheus servers runbooks may use."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from fireline.domain.topics import may_be_read
from fireline.spec.durations import PositiveDuration
from fireline.spec.reading import Name, Part

LONGEST_RUN = 540.0
"""Seconds that a command may take: less than a step's default time-out."""
PARAMETER = r"[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}"
"""What a parameter may be when nothing else is said: no option (it begins with no dash), no blank, no quote."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as fault:
        raise ValueError(f"`{value[:60]}` is no regular expression: {fault}") from None
    return value


def _topic(value: str) -> str:
    if not may_be_read(value):
        raise ValueError(f"`{value[:60]}` is a topic of Fireline's own, or no name that Kafka takes; name another")
    return value


def _program(value: list[str]) -> list[str]:
    if not value[0].startswith("/") or "{" in value[0]:
        raise ValueError(
            f"`{value[0][:60]}` is not a whole path without places; write one such as `/usr/bin/systemctl`"
        )
    if any("\0" in part for part in value):
        raise ValueError("an argument holds a zero byte; remove it")
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if _VARIABLE.fullmatch(name) is None or "\0" in text:
            raise ValueError(f"`{name[:60]}` is not a variable; write one such as `LANG`")
    return value


def _timeout(value: float) -> float:
    if value > LONGEST_RUN:
        raise ValueError(f"a command takes {LONGEST_RUN:g} seconds at most; write 9m or less")
    return value


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "@" in value:
        raise ValueError("an address begins with http:// or https:// and holds no password")
    return value


def _sql(value: str) -> str:
    if not re.match(r"^(sqlite:///.+|postgres(ql)?://[^@/]+@[^/]+/.+)$", value):
        raise ValueError("a database is sqlite:///PATH or postgresql://USER@HOST/NAME")
    if re.match(r"^[a-z]+://[^/@]*:[^/@]*@", value) or "password=" in value:
        raise ValueError("an address holds no password; name one beside it: `password: secret:NAME`")
    return value


Secret = Annotated[str, Field(pattern=r"^secret:[A-Za-z][A-Za-z0-9_]{0,99}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_pattern)]
Topic = Annotated[str, AfterValidator(_topic)]


class CommandForm(Part):
    """A program that runbooks may run, without a shell."""

    argv: Annotated[list[str], Field(min_length=1, max_length=100), AfterValidator(_program)] = Field(
        description="its whole path and its arguments; `{unit}` in one takes the parameter `unit`"
    )
    parameters: dict[Name, Pattern] = Field(
        default_factory=dict,
        description=f"regular expressions that values must match in full; a place that is not here takes `{PARAMETER}`",
    )
    env: Annotated[dict[str, str], AfterValidator(_variables)] = Field(
        default_factory=dict, description="all variables that it sees, beside PATH; a value may be `secret:NAME`"
    )
    cwd: str = Field("/", pattern="^/", description="the directory that it runs in")
    timeout: Annotated[PositiveDuration, AfterValidator(_timeout)] = Field(
        60.0, description="when it and all that it started is ended"
    )


class DatabaseForm(Part):
    """A database that runbooks may read."""

    url: Annotated[str, AfterValidator(_sql)] = Field(description="`sqlite:///PATH` or `postgresql://USER@HOST/NAME`")
    password: Secret | None = Field(None, description="the user's password, as `secret:NAME`")


class PrometheusForm(Part):
    """A server that answers PromQL."""

    url: Annotated[str, AfterValidator(_web)] = Field(description="its address, on a host of `FIRELINE_HTTP_ALLOW`")
    bearer: Secret | None = Field(None, description="a token, as `secret:NAME`")


class TargetsFile(Part):
    """What runbook actions may reach beside HTTP. Nothing is allowed that is not here."""

    topics: list[Topic] = Field(default_factory=list, description="topics that `kafka.publish` may write to")
    commands: dict[Name, CommandForm] = Field(default_factory=dict, description="what `command.run` may run, by name")
    databases: dict[Name, DatabaseForm] = Field(default_factory=dict, description="what `sql.query` may ask, by name")
    prometheus: dict[Name, PrometheusForm] = Field(
        default_factory=dict, description="what `metric.query` may ask, by name"
    )
