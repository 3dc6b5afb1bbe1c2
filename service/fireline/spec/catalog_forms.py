"""The form of `catalog.yaml` and `severities.yaml`."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from fireline.spec.contact_forms import ContactRuleForm, DailyHoursForm
from fireline.spec.durations import PATTERN, Duration, PositiveDuration, positive_seconds
from fireline.spec.reading import Name, Part, label
from fireline.spec.runbook_forms import Day
from fireline.spec.wall_times import TimeZone


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"`{value[:40]}` is not a regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
Version = Annotated[str, BeforeValidator(label), WithJsonSchema({"type": ["string", "number"]})]


class PersonForm(Part):
    """Someone who can be paged."""

    name: str = Field(description="a full name", min_length=1)
    contacts: dict[str, str] = Field(default_factory=dict, description="addresses by channel, in order of use")
    time_zone: TimeZone = Field("UTC", description="a time zone, such as Europe/Berlin")
    rules: list[ContactRuleForm] = Field(
        default_factory=list, description="which channels when; the first that fits, else the contacts in their order"
    )
    quiet_hours: DailyHoursForm | None = Field(
        None, description="pages of low urgency wait until these hours end; never those of `safety`"
    )
    shift_notices: bool = Field(True, description="whether they are told that a shift of theirs begins or has ended")


class TeamForm(Part):
    """An accountable team."""

    name: str = Field(description="a name for people", min_length=1)
    policy: str = Field(description="an escalation policy of oncall.yaml")
    members: list[str] = Field(default_factory=list, description="people of the catalog")
    channels: dict[str, str] = Field(default_factory=dict, description="rooms by channel, for incident cards")


class TargetForm(Part):
    """Something traffic can go to."""

    capacity: float | None = Field(None, gt=0, description="requests a second")
    capabilities: list[str] = Field(default_factory=list, description="what it can do, for readers")
    pool: str = Field("", max_length=100, description="targets of one pool, also of other services, share one capacity")


class ServiceForm(Part):
    """One service or model: who owns it, what it does, when it was reviewed, what happens if it fails."""

    owner: str = Field(description="the team that answers for it")
    what: str = Field("", description="what it does, for readers")
    tier: int = Field(3, ge=1, le=4, description="1 is the most important")
    backup: str | None = Field(None, description="the team that is asked when nobody of the owner's answers")
    primary: str = Field("primary", description="the target that traffic goes to when all is well")
    fallback: str | None = Field(None, description="the target that runbooks move traffic to")
    targets: dict[Name, TargetForm] = Field(default_factory=dict, description="what traffic can go to, by name")
    rollback: str = Field("", description="how to go back, for readers")
    depends_on: list[str] = Field(default_factory=list, description="services it needs; circles are faults")
    impact: Literal["tell", "page"] = Field(
        "tell", description="while it only suffers from what it depends on: its owner is told, or paged all the same"
    )
    aliases: list[str] = Field(default_factory=list, description="other names that events use for it")
    stop_conditions: list[str] = Field(default_factory=list, description="when to switch it off, for readers")
    scorecard: dict[str, Any] = Field(default_factory=dict, description="its one number, for readers")
    unit_cost: dict[str, Any] = Field(default_factory=dict, description="what a request may cost, for readers")
    personal_data: list[Pattern] = Field(
        default_factory=list, description="patterns redacted from summaries and reasons before they are stored"
    )
    reviewed: Day | None = Field(None, description="when somebody last read this entry")
    review_every: PositiveDuration | None = Field(None, description="how long a review lasts; then it is a warning")
    version: Version | None = Field(None, description="the version in production, for readers")
    trained_on: Version | None = Field(None, description="what that version was trained on, for readers")


class CatalogFile(Part):
    """Services, teams and people."""

    people: dict[Name, PersonForm] = Field(description="people by id")
    teams: dict[Name, TeamForm] = Field(description="teams by id")
    services: dict[Name, ServiceForm] = Field(description="services by id")
    default_team: str | None = Field(None, description="answers for what nobody claims; the first team by itself")
    channels: list[str] | None = Field(
        None,
        min_length=1,
        description="the channels that are set up here, so that `fireline check` knows who can be reached",
    )


class SeverityForm(Part):
    """One severity level; the file lists them from the worst to the mildest."""

    pages: bool = Field(True, description="whether anybody is paged")
    urgency: Literal["high", "low"] = Field("high", description="how soon it matters; low waits for quiet hours to end")
    ack_within: PositiveDuration | None = Field(None, description="the wait of a policy's level that names none")
    ack_timeout: PositiveDuration | None = Field(
        None, description="after so long an acknowledged incident that still fires pages again"
    )
    update_every: PositiveDuration | None = Field(
        None, description="how often who has it is reminded that people expect news"
    )
    postmortem: bool = Field(
        False, description="a root cause, an owner and a due date are needed before it can be closed"
    )


class FlappingForm(Part):
    """When a signal counts as flapping; it is calm once it has not changed for as long."""

    changes: int = Field(4, ge=2, le=100, description="so many times it fires or clears")
    within: PositiveDuration = Field(600.0, description="in so long a time")


class ResponseForm(Part):
    """How incidents behave."""

    longest_silence: PositiveDuration = Field(
        30 * 86_400.0, description="a silence, or one window of a recurring one, is at most so long"
    )

    settle: Duration = Field(60.0, description="all signals are clear for so long before an incident resolves")
    reopen_within: Duration = Field(1_800.0, description="a signal so soon afterwards belongs to the same incident")
    lease: PositiveDuration = Field(3_600.0, description="a fallback is held for so long, unless a step says otherwise")
    impact_within: Duration = Field(
        120.0, description="what begins so long before what it depends on breaks still comes of that, by event time"
    )
    outlives: PositiveDuration = Field(
        120.0, description="what still fires so long after its cause is over pages for itself"
    )
    storm: Duration = Field(
        30.0, description="a page so soon after an unanswered one to the same person is folded into that; 0s: never"
    )
    flapping: FlappingForm = Field(
        FlappingForm(), description="a signal that keeps changing is named so, held open until calm, and told no more"
    )
    resolve_while_firing: Literal["tell", "refuse"] = Field(
        "tell", description="a person resolves what still fires: done, and they are told; or refused"
    )


def _per(value: object) -> float | None:
    if value == "shift":
        return None
    try:
        return positive_seconds(value)
    except ValueError as fault:
        raise ValueError(f"{fault}; or write `shift`") from None


Per = Annotated[
    float | None,
    BeforeValidator(_per),
    WithJsonSchema(
        {"anyOf": [{"const": "shift"}, {"type": "string", "pattern": PATTERN}], "examples": ["shift", "12h"]}
    ),
]


class NoiseBudgetForm(Part):
    """How many pages a person may get; back-tests fail when rules would have sent more."""

    pages: int = Field(ge=0, description="at most so many pages a person")
    per: Per = Field(None, description="in one `shift`, or in any stretch of so long, such as 12h")


class SeveritiesFile(Part):
    """Severity levels, and how incidents behave."""

    severities: dict[Name, SeverityForm] = Field(
        default_factory=dict,
        description="levels from the worst to the mildest; `safety`, `outage`, `degraded`, `notice` when left out",
    )
    response: ResponseForm = Field(ResponseForm(), description="how incidents behave")
    noise_budget: NoiseBudgetForm | None = Field(None, description="what back-tests hold rules to")
