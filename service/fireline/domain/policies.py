"""Escalation policies: levels of targets, how long each has, under what conditions, and how many must answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fireline.domain.calendars import Hours
from fireline.domain.expressions import Condition

ALL = 0
"""As `PolicyLevel.acknowledge`: everybody who was asked."""


class TargetKind(StrEnum):
    """What an escalation level may address."""

    PERSON = "person"
    SCHEDULE = "schedule"
    NEXT = "next"
    TEAM = "team"
    CHANNEL = "channel"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Count:
    """At least so many incidents of the service were opened in the last `within` seconds, the present one included."""

    incidents: int
    within: float


@dataclass(frozen=True, slots=True)
class When:
    """Under what conditions a level or a target is asked: all that are given must hold."""

    condition: Condition | None = None
    hours: Hours | None = None
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class PolicyTarget:
    """One address of a level: a person, whoever a schedule says now or next, every member of a team, a room that is
    told (`slack:C123`), or a group that is mentioned in the team's room (`slack:S123`).
    """

    kind: TargetKind
    id: str
    when: When | None = None

    def __str__(self) -> str:
        """As it is written: `next:payments-ml`."""
        return f"{self.kind.value}:{self.id}"

    @property
    def place(self) -> tuple[str, str]:
        """Channel and address of a room or group."""
        channel, _, address = self.id.partition(":")
        return channel, address


@dataclass(frozen=True, slots=True)
class PolicyLevel:
    """People asked together, and the seconds to wait before the next level; `acknowledge` of them must, or `ALL`."""

    targets: tuple[PolicyTarget, ...]
    wait: float
    when: When | None = None
    acknowledge: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels in order, the whole list `repeat` times more before the incident counts as exhausted."""

    id: str
    levels: tuple[PolicyLevel, ...]
    repeat: int = 0

    @property
    def counts_within(self) -> float:
        """The longest time that its conditions count incidents in, in seconds; 0.0 when none counts."""
        return max((when.count.within for when in self._conditions() if when.count is not None), default=0.0)

    def _conditions(self) -> Iterator[When]:
        for level in self.levels:
            if level.when is not None:
                yield level.when
            yield from (target.when for target in level.targets if target.when is not None)
