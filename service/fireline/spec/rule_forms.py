"""The form of rule files: what may be written, with the types and bounds of each value."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from fireline.domain.events import Kind
from fireline.spec import elsewhere_rules
from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Identifier, Part, label
from fireline.spec.rule_test_forms import AcceptForm, ExpectForm, KindName, TestForm

__all__ = ["AcceptForm", "ExpectForm", "KindName", "TestForm"]

KINDS = tuple(kind.value for kind in Kind)


def _labels(value: object) -> list[str]:
    if not isinstance(value, list):
        return [label(value)]
    if not value:
        raise ValueError("the list of values is empty; write the values that match")
    return [label(part) for part in value]


_LABELS_SCHEMA = WithJsonSchema(
    {"type": ["string", "number", "boolean", "array"], "items": {"type": ["string", "number", "boolean"]}}
)
Labels = Annotated[list[str], BeforeValidator(_labels), _LABELS_SCHEMA]


class MeasureForm(Part):
    """One measure: `agg` names the family, whose own settings (such as `q`) stand beside it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    agg: str = Field(description="a measure family, such as count, avg, quantile or ratio")
    of: str | None = Field(None, description="the field of the event that is measured", min_length=1)
    on: KindName | None = Field(None, description="the kind of event, where it is not the rule's")
    where: dict[str, Labels] | None = Field(None, description="matchers, where they are not the rule's")
    condition: str | None = Field(None, description="a CEL condition over the fields of one event")
    window: PositiveDuration | None = Field(
        None, description="a duration, where it is not the rule's; a whole number of panes"
    )
    offset: Duration = Field(
        0.0, description="how much earlier the window of the measure ends, such as 7d; a whole number of panes"
    )


class LevelForm(Part):
    """One severity level."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.LEVEL
    when: str = Field(description="a CEL condition over the measures, such as `p99 > 800.0 && n >= 50`")
    for_: Duration = Field(0.0, alias="for", description="how long it must hold")
    until: str | None = Field(None, description="a CEL condition that must hold before it clears")
    clear_after: Duration | None = Field(None, description="how long it must be over before it clears")
    keep_firing_for: Duration | None = Field(None, description="another word for `clear_after`, that of Prometheus")
    min_samples: int | None = Field(
        None, ge=0, description="with fewer events the verdict is unknown; 1 where neither it nor the rule says so"
    )
    during: str | None = Field(None, description="a calendar: the level counts only while it is open")
    outside: str | None = Field(None, description="a calendar: the level counts only while it is closed")


class NoDataForm(Part):
    """What silence means."""

    after: PositiveDuration = Field(description="a duration, such as 5m")
    severity: str = Field(description="a severity level")
    during: str | None = Field(None, description="a calendar: silence means something only while it is open")
    outside: str | None = Field(None, description="a calendar: silence means something only while it is closed")


class HeartbeatForm(Part):
    """Heartbeats of whoever sends the events: while they come, silence is no traffic; without them it is dead."""

    where: dict[str, Labels] = Field(description="which heartbeat events: matchers by label", min_length=1)
    every: PositiveDuration = Field(description="how often one comes; after three that did not, the sender is dead")


class RuleForm(Part):
    """One severity rule."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.RULE
    name: Identifier = Field(description="a name such as `fraud_latency`")
    on: KindName = Field(description="the kind of event: " + ", ".join(KINDS))
    window: PositiveDuration = Field(description="a duration, such as 1m")
    measures: dict[Identifier, MeasureForm] = Field(description="what is measured, by name", min_length=1)
    severity: dict[str, LevelForm] = Field(description="severity levels with their conditions", min_length=1)
    where: dict[str, Labels] = Field(default_factory=dict, description="which events: matchers by label")
    by: list[Identifier] = Field(
        default_factory=list, description="labels that tell entities apart; each entity has a verdict of its own"
    )
    pane: PositiveDuration | None = Field(
        None, description="the slice of time in which events are aggregated; about a thirtieth of the window by itself"
    )
    owner: str | None = Field(None, description="a team of the catalog, where it is not the service's owner")
    service: str | None = Field(
        None, min_length=1, description="a template; by itself the `service` or `model` of `by`, else of `where`"
    )
    no_data: NoDataForm | None = Field(None, description="what silence means; without it silence says nothing")
    heartbeat: HeartbeatForm | None = Field(None, description="tells no traffic from a dead sender, for `no_data`")
    min_samples: int | None = Field(None, ge=0, description="that of levels which name none")
    clear_after: Duration | None = Field(None, description="that of levels which name none")
    during: str | None = Field(None, description="a calendar: the rule counts only while it is open")
    outside: str | None = Field(None, description="a calendar: the rule counts only while it is closed")
    summary: str | None = Field(None, min_length=1, description="a template over labels and `measures`, for people")
    description: str = Field("", description="what the rule is for, for its readers")
    runbooks: list[str] = Field(default_factory=list, description="runbooks that are asked for when it fires")
    group_by: list[Identifier] = Field(
        default_factory=list, description="labels of `by` that get incidents of their own within a service"
    )
    incident: Identifier | None = Field(
        None, description="a name: rules that name the same one share an incident, apart from the others of a service"
    )
    mode: Literal["active", "shadow"] = Field("active", description="`shadow` judges, and pages nobody")
    domain: Literal["technical health", "operational performance", "strategic value"] = Field(
        "technical health", description="what kind of harm it watches for"
    )
    max_entities: int = Field(10_000, ge=1, le=1_000_000, description="entities beyond are counted and left out")
    tests: list[TestForm] = Field(default_factory=list, description="events, and what they must lead to")
    accept_mutants: list[AcceptForm] = Field(
        default_factory=list, description="changes of the rule that no test needs to notice, each with its reason"
    )
