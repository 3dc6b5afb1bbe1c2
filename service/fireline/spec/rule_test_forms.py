"""The form of tests in rule files: events in Prometheus' series notation or one by one, and what they must lead to."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from fireline.domain.rule_tests import START
from fireline.spec import elsewhere_rules
from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Label, Part, Text

KindName = Literal["metric", "prediction", "feedback", "evaluation", "alert", "deployment", "heartbeat"]


def _known_elsewhere(value: object) -> object:
    if isinstance(value, str) and value.lower() in elsewhere_rules.STATES:
        raise ValueError(f"`{value}` is no state of a verdict; {elsewhere_rules.STATES[value.lower()]}")
    return value


StateName = Annotated[Literal["firing", "clear", "unknown"], BeforeValidator(_known_elsewhere)]
MAX_POINTS = 100_000
_FIGURE = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NOTATION = re.compile(
    rf"(?P<start>[-+]?{_FIGURE})(?:(?P<step>[-+]{_FIGURE})?x(?P<times>[0-9]+))?|_(?:x(?P<gaps>[0-9]+))?|stale"
)
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf)", re.IGNORECASE)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def points(value: object) -> list[float | None]:
    """The values of Prometheus' series notation: `1 2 _ 0+10x5 7x3 _x2 stale`; a gap is None. Raises ValueError.

    As there, `7x3` and `0+10x3` are a value and three more. What is `stale` there has no value here, as a gap has none:
    only events count, and nothing of an earlier one is carried on.
    """
    parts = value if isinstance(value, list) else [value]
    if not all(part is None or (isinstance(part, str | int | float) and not isinstance(part, bool)) for part in parts):
        raise ValueError("values were expected, such as `0+200x10 _ 5`")
    if any("{{" in part for part in parts if isinstance(part, str)):
        raise ValueError(
            "histograms (`{{...}}`) cannot be written in a series; "
            "write `events:` with `buckets: {bounds: [...], counts: [...]}` among their fields"
        )
    found: list[float | None] = []
    for word in (word for part in parts for word in ("_" if part is None else str(part)).split()):
        found += _expanded(word)
        if len(found) > MAX_POINTS:
            raise ValueError(f"a series has at most {MAX_POINTS} values")
    return found


def _expanded(word: str) -> list[float | None]:
    match = _NOTATION.fullmatch(word)
    if match is None:
        if _NO_NUMBER.fullmatch(word):
            raise ValueError(f"`{word}` is not a number that an event may have; write `_` for a gap")
        raise ValueError(f"`{word[:40]}` is not a series; write values such as `5`, `_`, `7x3` or `0+200x10`")
    if match["start"] is None:
        return [None] * _many(match["gaps"] or "1")
    start, step = _number(match["start"]), _number(match["step"] or 0)
    found = [start + step * index for index in range(_many(match["times"] or "0") + 1)]
    if not math.isfinite(found[-1]):
        raise ValueError(f"`{word[:40]}` goes beyond all numbers")
    return [*found]


def _many(digits: str) -> int:
    """A number of times; of more than a series may have, one more than that."""
    return min(int(digits[:9]), MAX_POINTS + 1)


def _number(value: object) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError(f"`{str(value)[:40]}` is not a number")
    return number


def instant(value: object) -> float:
    """Seconds since the epoch of an RFC 3339 text; UTC where it names no offset. Raises ValueError."""
    message = f"`{str(value)[:40]}` is not an instant; write one such as `2026-01-05T09:00:00Z`"
    if not isinstance(value, str):
        raise ValueError(message)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(message) from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    if not datetime(1990, 1, 1, tzinfo=UTC) <= found < _LATEST:
        raise ValueError(f"`{value[:40]}` is too far away; write an instant from 1990 to 2099")
    return found.timestamp()


Points = Annotated[
    list[float | None],
    BeforeValidator(points),
    WithJsonSchema({"type": ["string", "number", "array"], "examples": ["0+200x10 _ 5"]}),
]
Instant = Annotated[
    float, BeforeValidator(instant), WithJsonSchema({"type": "string", "examples": ["2026-01-05T09:00:00Z"]})
]
Evidence = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": ["number", "string"]},
            "examples": [{"p99": 812.4, "n": ">= 50", "reason": "~holds"}],
        }
    ),
]
_EVIDENCE = (
    "what it must rest on: measures and `samples` as numbers (`812.4`, `>= 50`, `800..900`, `80 +- 5`, `none`), "
    "`reason` and `summary` as texts (`~` for a part)"
)


class SeriesForm(Part):
    """Events of a test at regular times."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.SERIES
    fields: dict[str, Any] = Field(
        description="the fields of every event; `{n}` in a text is the event's number in the series, from 0"
    )
    field: str = Field("value", description="the field that takes the values")
    values: Points | None = Field(None, description="values in Prometheus' series notation")
    count: Points | None = Field(
        None, description="in place of values: how many events there are at each time, in the same notation"
    )
    every: PositiveDuration | None = Field(None, description="the time between two values, where it is not the test's")
    at: Duration = Field(0.0, description="when the first value comes")
    on: KindName | None = Field(None, description="the kind of event, where it is not the rule's")


class EventForm(Part):
    """One event of a test."""

    at: Duration = Field(description="a duration since the start of the test")
    fields: dict[str, Any] = Field(description="the fields of the event")
    late: Duration = Field(0.0, description="how long after that it arrives")
    on: KindName | None = Field(None, description="the kind of event, where it is not the rule's")


class ExpectForm(Part):
    """What a test expects to be said of an entity at a time."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.EXPECTED
    at: Duration = Field(description="a duration since the start of the test")
    state: StateName = Field(description="firing, clear or unknown")
    severity: str | None = Field(None, description="the severity that fires; any where it is not said")
    entity: dict[str, Label] = Field(default_factory=dict, description="labels of the entity, or a part of them")
    evidence: Evidence = Field(default_factory=dict, description=_EVIDENCE)


class SignalForm(Part):
    """A signal that a test expects: the verdict on an entity changes, which is what incidents are opened by."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.EXPECTED
    at: Duration = Field(description="a duration since the start of the test")
    state: StateName = Field(description="firing, clear or unknown")
    severity: str | None = Field(None, description="the severity that fires; any where it is not said")
    entity: dict[str, Label] = Field(default_factory=dict, description="labels of the entity, or a part of them")
    evidence: Evidence = Field(default_factory=dict, description=_EVIDENCE)
    within: Duration | None = Field(None, description="by how much the time may differ; a pane of the rule by itself")


class TestForm(Part):
    """One test of a rule."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.TEST
    name: Text = Field(description="what the test shows")
    start: Instant = Field(START, description="the instant at which it begins; Monday 2026-01-05, midnight UTC")
    every: PositiveDuration = Field(1.0, description="the time between two values of a series")
    series: list[SeriesForm] = Field(default_factory=list, description="events at regular times")
    events: list[EventForm] = Field(default_factory=list, description="events one by one")
    expect: list[ExpectForm] = Field(default_factory=list, description="what is said at which time")
    signals: list[SignalForm] | None = Field(
        None, description="the signals that are given, and no others; an empty list: none at all"
    )
    only: bool = Field(True, description="with `false` other signals than those of `signals` may be given too")
    pages: int | None = Field(None, ge=0, description="how often somebody would be paged, if nobody answered")


class AcceptForm(Part):
    """Changes of the rule that its tests need not notice."""

    mutant: Text = Field(description="the change as `fireline test --mutate` names it; `*` stands for anything")
    reason: Text = Field(description="why no test needs to notice it")
