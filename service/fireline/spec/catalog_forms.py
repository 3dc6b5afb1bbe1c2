"""The form of `catalog.yaml` and `severities.yaml`."""

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Name, Part, label
from fireline.spec.runbook_forms import Day


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{value[:40]}` is not a time zone; write one such as Europe/Berlin or UTC") from None
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"`{value[:40]}` is not a regular expression: {error}") from None
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Version = Annotated[str, BeforeValidator(label)]


class PersonForm(Part):
    """Someone who can be paged."""

    name: str = Field(description="a full name", min_length=1)
    contacts: dict[str, str] = Field(default_factory=dict, description="addresses by channel, in order of use")
    time_zone: TimeZone = "UTC"


class TeamForm(Part):
    """An accountable team."""

    name: str = Field(description="a name for people", min_length=1)
    policy: str = Field(description="an escalation policy of oncall.yaml")
    members: list[str] = Field(default_factory=list)
    channels: dict[str, str] = Field(default_factory=dict, description="rooms by channel, for incident cards")


class TargetForm(Part):
    """Something traffic can go to."""

    capacity: float | None = Field(None, gt=0, description="requests a second")
    capabilities: list[str] = Field(default_factory=list)


class ServiceForm(Part):
    """One service or model: who owns it, what it does, when it was reviewed, what happens if it fails."""

    owner: str = Field(description="the team that answers for it")
    what: str = ""
    tier: int = Field(3, ge=1, le=4, description="1 is the most important")
    backup: str | None = None
    primary: str = "primary"
    fallback: str | None = None
    targets: dict[Name, TargetForm] = Field(default_factory=dict)
    rollback: str = ""
    depends_on: list[str] = Field(default_factory=list)
    aliases: list[str] = Field(default_factory=list)
    stop_conditions: list[str] = Field(default_factory=list)
    scorecard: dict[str, Any] = Field(default_factory=dict)
    unit_cost: dict[str, Any] = Field(default_factory=dict)
    personal_data: list[Pattern] = Field(default_factory=list, description="patterns that are redacted")
    reviewed: Day | None = None
    review_every: PositiveDuration | None = None
    version: Version | None = None
    trained_on: Version | None = None


class CatalogFile(Part):
    """Services, teams and people."""

    people: dict[Name, PersonForm] = Field(description="people by id")
    teams: dict[Name, TeamForm] = Field(description="teams by id")
    services: dict[Name, ServiceForm] = Field(description="services by id")
    default_team: str | None = None


class SeverityForm(Part):
    """One severity level; the file lists them from the worst to the mildest."""

    pages: bool = True
    urgency: Literal["high", "low"] = "high"
    ack_within: PositiveDuration | None = None
    ack_timeout: PositiveDuration | None = None
    update_every: PositiveDuration | None = None
    postmortem: bool = False


class ResponseForm(Part):
    """How incidents behave."""

    settle: Duration = 60.0
    reopen_within: Duration = 1_800.0
    lease: PositiveDuration = 3_600.0


class SeveritiesFile(Part):
    """Severity levels, and how incidents behave."""

    severities: dict[Name, SeverityForm] = Field(default_factory=dict)
    response: ResponseForm = ResponseForm()
