"""Schedules and escalation policies: who is on call at an instant, and who is asked next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from fireline.domain.policies import Policy, PolicyLevel, PolicyTarget, TargetKind

__all__ = [
    "NOBODY",
    "Layer",
    "OnCall",
    "OnHolidays",
    "Override",
    "Policy",
    "PolicyLevel",
    "PolicyTarget",
    "Restriction",
    "Schedule",
    "Shift",
    "Stint",
    "TargetKind",
    "Unit",
]


class Unit(StrEnum):
    """What the length of a turn is counted in. All are wall time: a day is a day also where clocks change."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class OnHolidays(StrEnum):
    """Whether a layer covers the holidays of its schedule: as any day, only them, or never."""

    ALSO = "also"
    ONLY = "only"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Hours of the week a layer covers, wall time of the schedule's zone; `days` 0 is Monday.

    `end` at or before `start` is on the next day; with `end_day` it is on that day of the week, up to a week later.
    """

    days: frozenset[int]
    start: time
    end: time
    end_day: int | None = None


@dataclass(frozen=True, slots=True)
class Stint:
    """`person` has the shift from `start` until `end` (aware datetimes): one line of a roster that is no rotation."""

    person: str
    start: datetime
    end: datetime


NOBODY = "nobody"
"""Among the people of a layer: a turn that this layer leaves open."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One rotation: `people` take turns of `every` units, handing off at wall time `at`, counted from `starts`.

    `starts` is the date of the first hand-off or, where `hand_off` names a day (of the week, 0 is Monday, or of the
    month, a short one ends it), the first such day from then on. Later layers cover what earlier ones leave open. The
    layer counts from `begins` until `ends` (aware, None: always). `stints`, where there are any, replace the turns.
    Turns of days count `turn_days` of the week alone, where there are any; the days between belong to the turn before.
    """

    name: str
    people: tuple[str, ...]
    starts: date
    at: time
    every: int = 7
    restrictions: tuple[Restriction, ...] = ()
    unit: Unit = Unit.DAY
    hand_off: int | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    on_holidays: OnHolidays = OnHolidays.ALSO
    stints: tuple[Stint, ...] = ()
    turn_days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Override:
    """`person` is on call from `start` until `end` (aware datetimes), whatever the layers say.

    `number` and `author` are of those that were made at run time.
    """

    person: str
    start: datetime
    end: datetime
    reason: str = ""
    number: int | None = None
    author: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Layers of rotations in a time zone (IANA name), and overrides, which win; `holidays` are dates of that zone."""

    id: str
    time_zone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on call and why: the layer or override that says so, until when, and who is next (None when unknown)."""

    person: str
    schedule: str
    source: str
    until: datetime | None
    next_person: str | None


@dataclass(frozen=True, slots=True)
class OnCall:
    """All schedules and policies, by id."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
