"""The form of rule files: what may be written, with the types and bounds of each value."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from fireline.domain.events import Kind
from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Identifier, Label, Part, Text, label

KINDS = tuple(kind.value for kind in Kind)
KindName = Literal["metric", "prediction", "feedback", "evaluation", "alert", "deployment", "heartbeat"]
StateName = Literal["firing", "clear", "unknown"]
MAX_POINTS = 100_000
_NOTATION = re.compile(
    r"(?P<start>[-+]?[0-9.]+(?:e[-+]?[0-9]+)?)(?:(?P<step>[-+][0-9.]+)?x(?P<times>[0-9]{1,6}))?|(?P<gap>_)(?:x(?P<gaps>[0-9]{1,6}))?"
)


def _labels(value: object) -> list[str]:
    if not isinstance(value, list):
        return [label(value)]
    if not value:
        raise ValueError("the list of values is empty; write the values that match")
    return [label(part) for part in value]


def points(value: object) -> list[float | None]:
    """The values of Prometheus' series notation: `1 2 _ 0+10x5 7x3 _x2`; a gap is None. Raises ValueError."""
    if isinstance(value, list):
        return [None if part in {None, "_"} else _number(part) for part in value]
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ValueError("values were expected, such as `0+200x10 _ 5`")
    found: list[float | None] = []
    for word in str(value).split():
        found += _expanded(word)
        if len(found) > MAX_POINTS:
            raise ValueError(f"a series has at most {MAX_POINTS} values")
    return found


def _expanded(word: str) -> list[float | None]:
    match = _NOTATION.fullmatch(word)
    if match is None:
        raise ValueError(f"`{word[:40]}` is not a series; write values such as `5`, `_`, `7x3` or `0+200x10`")
    if match["gap"]:
        return [None] * int(match["gaps"] or 1)
    start = _number(match["start"])
    if match["times"] is None:
        return [start]
    count = int(match["times"]) + (1 if match["step"] else 0)
    step = _number(match["step"] or 0)
    return [start + step * index for index in range(min(count, MAX_POINTS + 1))]


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ValueError(f"`{str(value)[:40]}` is not a number") from None


_LABELS_SCHEMA = WithJsonSchema(
    {"type": ["string", "number", "boolean", "array"], "items": {"type": ["string", "number", "boolean"]}}
)
Labels = Annotated[list[str], BeforeValidator(_labels), _LABELS_SCHEMA]
Points = Annotated[
    list[float | None],
    BeforeValidator(points),
    WithJsonSchema({"type": ["string", "number", "array"], "examples": ["0+200x10 _ 5"]}),
]


class MeasureForm(Part):
    """One measure: `agg` names the family, whose own settings (such as `q`) stand beside it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    agg: str = Field(description="a measure family, such as count, avg, quantile or ratio")
    of: str | None = Field(None, description="the field of the event that is measured", min_length=1)
    on: KindName | None = Field(None, description="the kind of event, where it is not the rule's")
    where: dict[str, Labels] | None = Field(None, description="matchers, where they are not the rule's")
    condition: str | None = Field(None, description="a CEL condition over the fields of one event")


class LevelForm(Part):
    """One severity level."""

    when: str = Field(description="a CEL condition over the measures, such as `p99 > 800.0 && n >= 50`")
    for_: Duration = Field(0.0, alias="for", description="how long it must hold")
    until: str | None = Field(None, description="a CEL condition that must hold before it clears")
    keep_firing_for: Duration = Field(0.0, description="how long it goes on firing after it cleared")
    min_samples: int = Field(1, ge=0, description="with fewer events the verdict is unknown")


class NoDataForm(Part):
    """What silence means."""

    after: PositiveDuration = Field(description="a duration, such as 5m")
    severity: str = Field(description="a severity level")


class SeriesForm(Part):
    """Events of a test, one every `every`."""

    fields: dict[str, Any] = Field(description="the fields of every event")
    field: str = Field("value", description="the field that takes the values")
    values: Points = Field(description="values in Prometheus' series notation")


class EventForm(Part):
    """One event of a test."""

    at: Duration = Field(description="a duration since the start of the test")
    fields: dict[str, Any] = Field(description="the fields of the event")


class ExpectForm(Part):
    """What a test expects."""

    at: Duration = Field(description="a duration since the start of the test")
    state: StateName = Field(description="firing, clear or unknown")
    severity: str | None = Field(None, description="the severity that fires")
    entity: dict[str, Label] = Field(default_factory=dict, description="labels of the entity, or a part of them")


class TestForm(Part):
    """One test of a rule."""

    name: Text = Field(description="what the test shows")
    every: PositiveDuration = Field(1.0, description="the time between two values of a series")
    series: list[SeriesForm] = Field(default_factory=list, description="events at regular times")
    events: list[EventForm] = Field(default_factory=list, description="events one by one")
    expect: list[ExpectForm] = Field(description="what is expected at which time", min_length=1)


class RuleForm(Part):
    """One severity rule."""

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
    summary: str | None = Field(None, min_length=1, description="a template over labels and `measures`, for people")
    description: str = Field("", description="what the rule is for, for its readers")
    runbooks: list[str] = Field(default_factory=list, description="runbooks that are asked for when it fires")
    group_by: list[Identifier] = Field(
        default_factory=list, description="labels of `by` that get incidents of their own within a service"
    )
    mode: Literal["active", "shadow"] = Field("active", description="`shadow` judges, and pages nobody")
    domain: Literal["technical health", "operational performance", "strategic value"] = Field(
        "technical health", description="what kind of harm it watches for"
    )
    max_entities: int = Field(10_000, ge=1, le=1_000_000, description="entities beyond are counted and left out")
    tests: list[TestForm] = Field(default_factory=list, description="events, and the verdicts that they must give")


class RulesFile(Part):
    """A file of rules."""

    rules: list[RuleForm] = Field(description="a list of rules")
