"""Schedules and escalation policies: who is on call at an instant, and who is asked next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Restriction:
    """Hours of the week a layer covers, wall time of the schedule's zone; `days` 0 is Monday.

    `end` at or before `start` is on the next day.
    """

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Layer:
    """One rotation: `people` take turns of `every` days, handing off at wall time `at`, counted from `starts`.

    `starts` is the date of the first hand-off. Later layers cover what earlier ones leave open.
    """

    name: str
    people: tuple[str, ...]
    starts: date
    at: time
    every_days: int = 7
    restrictions: tuple[Restriction, ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """`person` is on call from `start` until `end` (aware datetimes), whatever the layers say."""

    person: str
    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Layers of rotations in a time zone (IANA name), and overrides, which win."""

    id: str
    time_zone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on call and why: the layer or override that says so, until when, and who is next (None when unknown)."""

    person: str
    schedule: str
    source: str
    until: datetime | None
    next_person: str | None


class TargetKind(StrEnum):
    """What an escalation level may address."""

    PERSON = "person"
    SCHEDULE = "schedule"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class PolicyTarget:
    """One address of a level: a person, whoever a schedule says, or every member of a team."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class PolicyLevel:
    """People asked together, and the seconds to wait for one of them before the next level."""

    targets: tuple[PolicyTarget, ...]
    wait: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels in order, the whole list `repeat` times more before the incident counts as exhausted."""

    id: str
    levels: tuple[PolicyLevel, ...]
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class OnCall:
    """All schedules and policies, by id."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
