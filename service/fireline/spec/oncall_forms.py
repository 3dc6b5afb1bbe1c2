"""The form of `oncall.yaml`."""

import re
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fireline.spec.catalog_forms import TimeZone
from fireline.spec.durations import PositiveDuration
from fireline.spec.reading import Name, Part
from fireline.spec.runbook_forms import Day

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TARGET = re.compile(r"(person|schedule|team):(.+)")


def _wall(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"`{value[:40]}` is not a time of day; write one such as 09:00")
    return value


def _instant(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value[:40]}` is not a date and time; write one such as 2026-12-24T18:00") from None
    return value


def _target(value: str) -> str:
    if not _TARGET.fullmatch(value):
        raise ValueError(f"`{value[:40]}` is not a target; write schedule:ID, person:ID or team:ID")
    return value


def _whole_days(value: float) -> float:
    if value % 86_400 or value < 86_400:
        raise ValueError("a rotation changes every whole number of days; write one such as 1d or 7d")
    return value


Wall = Annotated[str, AfterValidator(_wall)]
Instant = Annotated[str, AfterValidator(_instant)]
TargetText = Annotated[str, AfterValidator(_target)]
Days = Annotated[PositiveDuration, AfterValidator(_whole_days)]


class RestrictionForm(Part):
    """Hours of the week that a layer covers; an end at or before the start is on the next day."""

    days: list[DayName] = Field(default_factory=lambda: list(DAYS), min_length=1, description="days of the week")
    start: Wall = Field(description="a time of day, such as 09:00")
    end: Wall = Field(description="a time of day, such as 17:00")


class LayerForm(Part):
    """One rotation."""

    name: str = Field(description="a name such as weekly", min_length=1)
    people: list[str] = Field(description="people of the catalog, in turn")
    starts: Day = Field(description="the date of the first hand-off")
    at: Wall = Field("09:00", description="the time of the hand-off")
    every: Days = Field(604_800.0, description="whole days between two hand-offs")
    restrictions: list[RestrictionForm] = Field(
        default_factory=list, description="the only hours it covers; later layers cover the rest"
    )


class OverrideForm(Part):
    """Somebody else is on call for a time."""

    person: str = Field(description="a person of the catalog")
    start: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")
    end: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")
    reason: str = Field("", description="why, for people")


class ScheduleForm(Part):
    """Layers of rotations in a time zone."""

    time_zone: TimeZone = Field(description="a time zone, such as Europe/Berlin")
    layers: list[LayerForm] = Field(description="a list of rotations")
    overrides: list[OverrideForm] = Field(default_factory=list, description="they win over all layers")


class PolicyLevelForm(Part):
    """Who is asked together, and how long to wait for one of them."""

    targets: list[TargetText] = Field(description="schedule:ID, person:ID or team:ID", min_length=1)
    wait: PositiveDuration = Field(description="a duration, such as 5m")


class PolicyForm(Part):
    """Levels in order, repeated."""

    levels: list[PolicyLevelForm] = Field(description="a list of levels", min_length=1)
    repeat: int = Field(0, ge=0, le=20, description="how often the whole list is asked again")


class OnCallFile(Part):
    """Schedules and escalation policies."""

    schedules: dict[Name, ScheduleForm] = Field(default_factory=dict, description="schedules by id")
    policies: dict[Name, PolicyForm] = Field(description="escalation policies by id")


def day(text: str) -> date:
    """A date that the form has checked."""
    return date.fromisoformat(text)


def wall(text: str) -> time:
    """A time of day that the form has checked."""
    return time.fromisoformat(text)


def target(text: str) -> tuple[str, str]:
    """Kind and id of a target that the form has checked."""
    kind, _, name = text.partition(":")
    return kind, name
