"""The form of `oncall.yaml`."""

import re
from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from fireline.domain.oncall import Unit
from fireline.spec.durations import positive_seconds
from fireline.spec.policy_forms import PolicyForm
from fireline.spec.reading import Name, Part
from fireline.spec.runbook_forms import Day
from fireline.spec.wall_times import TimeZone, Wall

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _instant(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value[:40]}` is not a date and time; write one such as 2026-12-24T18:00") from None
    return value


class Turn(NamedTuple):
    """How long a turn is."""

    units: int
    unit: Unit


_WORDS = {
    "hourly": Turn(1, Unit.HOUR),
    "daily": Turn(1, Unit.DAY),
    "weekly": Turn(1, Unit.WEEK),
    "monthly": Turn(1, Unit.MONTH),
}
_MONTHS = re.compile(r"([1-9][0-9]?) months?")
_HOUR, _DAY, _WEEK = 3_600.0, 86_400.0, 604_800.0


def turn(value: object) -> Turn:
    """The length of a turn: `12h`, `7d`, `2w`, `monthly`, `3 months`. Raises ValueError."""
    if isinstance(value, Turn):
        return value
    text = str(value).strip()
    if text in _WORDS:
        return _WORDS[text]
    if (months := _MONTHS.fullmatch(text)) is not None:
        return Turn(int(months[1]), Unit.MONTH)
    length = positive_seconds(value)
    for unit, size in ((Unit.WEEK, _WEEK), (Unit.DAY, _DAY), (Unit.HOUR, _HOUR)):
        if length % size == 0:
            return Turn(round(length / size), unit)
    raise ValueError("a turn takes whole hours, days, weeks or months; write one such as 12h, 7d, 2w or monthly")


def _hand_off(value: object) -> int | str:
    if isinstance(value, str) and value in DAYS:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 31:
        return value
    raise ValueError("a hand-off is on a day of the week or of the month; write one such as mon, or 1")


Instant = Annotated[str, AfterValidator(_instant)]
TURN = r"^(hourly|daily|weekly|monthly|[1-9][0-9]? months?|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$"
Every = Annotated[
    Turn,
    BeforeValidator(turn),
    WithJsonSchema({"type": "string", "pattern": TURN, "examples": ["weekly", "7d", "12h", "3 months"]}),
]
HandOff = Annotated[
    int | str,
    BeforeValidator(_hand_off),
    WithJsonSchema({"anyOf": [{"enum": list(DAYS)}, {"type": "integer", "minimum": 1, "maximum": 31}]}),
]


class RestrictionForm(Part):
    """Hours of the week that a layer covers; an end at or before the start is on the next day."""

    days: list[DayName] = Field(default_factory=lambda: list(DAYS), min_length=1, description="days of the week")
    start: Wall = Field(description="a time of day, such as 09:00")
    end: Wall = Field(description="a time of day, such as 17:00")
    end_day: DayName | None = Field(None, description="the day on which hours of several days end, such as mon")


class ShiftForm(Part):
    """One shift of a roster that is no rotation."""

    person: str = Field(description="a person of the catalog")
    start: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")
    end: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")


class LayerForm(Part):
    """One rotation."""

    name: str = Field(description="a name such as weekly", min_length=1)
    people: list[str] = Field(
        default_factory=list, description="people of the catalog, in turn; `nobody` for a turn that is left open"
    )
    starts: Day | None = Field(None, description="the date of the first hand-off, which a rotation needs")
    at: Wall = Field("09:00", description="the time of the hand-off")
    every: Every = Field(
        default_factory=lambda: Turn(1, Unit.WEEK),
        description="the length of a turn: `12h`, `7d`, `2w`, `weekly`, `monthly`, `3 months`",
        json_schema_extra={"default": "weekly"},
    )
    hand_off: HandOff | None = Field(
        None, description="the day of a weekly hand-off (`mon`) or of a monthly one (`1`); else that of `starts`"
    )
    turn_days: list[DayName] = Field(
        default_factory=list,
        description="days of the week that turns of days count; the others belong to the turn before",
    )
    restrictions: list[RestrictionForm] = Field(
        default_factory=list, description="the only hours it covers; later layers cover the rest"
    )
    begins: Instant | None = Field(None, alias="from", description="a temporary layer counts from this date or instant")
    ends: Instant | None = Field(None, alias="until", description="and until this one")
    holidays: Literal["also", "only", "never"] = Field(
        "also", description="whether it covers the holidays of the schedule: as any day, only them, or never"
    )
    shifts: list[ShiftForm] = Field(default_factory=list, description="single shifts, in place of a rotation")


class OverrideForm(Part):
    """Somebody else is on call for a time."""

    person: str = Field(description="a person of the catalog")
    start: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")
    end: Instant = Field(description="a date and time, in the schedule's zone unless it names an offset")
    reason: str = Field("", description="why, for people")


class ScheduleForm(Part):
    """Layers of rotations in a time zone."""

    time_zone: TimeZone = Field(description="a time zone, such as Europe/Berlin")
    layers: list[LayerForm] = Field(description="a list of rotations; the first that covers an instant decides")
    holidays: str | None = Field(None, description="the calendar of calendars.yaml whose holidays are meant")
    overrides: list[OverrideForm] = Field(default_factory=list, description="they win over all layers")


class OnCallFile(Part):
    """Schedules and escalation policies."""

    schedules: dict[Name, ScheduleForm] = Field(default_factory=dict, description="schedules by id")
    policies: dict[Name, PolicyForm] = Field(description="escalation policies by id")


def day(text: str) -> date:
    """A date that the form has checked."""
    return date.fromisoformat(text)
