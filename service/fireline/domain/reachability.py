"""Reachability: the stretches of time ahead in which a page would find nobody, by intervals and not by samples.

What is decided at an instant is what `paging.reach` decides then: a level reaches somebody when one of its targets
names a person who has a contact on a configured channel. A level that reaches nobody is passed at once, and so is the
owner's policy for that of the backup team. So nobody is reached in the stretches that no level of either covers.

A level or target with conditions counts where it is sure to be asked: within its hours, and about incidents for which
its condition holds in the first round. One that asks for several incidents within a time is never sure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.calendars import Hours, in_force, next_change
from fireline.domain.deciding_world import World
from fireline.domain.expressions import Condition, EvaluationFault
from fireline.domain.intervals import Interval, both, minus, union
from fireline.domain.paging import contacts, next_on, policy_of
from fireline.domain.policies import Policy, PolicyTarget, TargetKind, When
from fireline.domain.rota import shifts
from fireline.domain.rules import Mode, Rule

Way = tuple[str, str | None]
"""The teams that are asked one after the other: the owner, and the service's backup where it has one."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known ahead of an incident: conditions of policies look at it."""

    severity: str
    service: str
    owner: str


Shifts = Sequence[tuple[float, float, str | None]]
"""From when until when who is on call; None is nobody."""


@dataclass(slots=True)
class Prospect:
    """`[start, end)` ahead, in whole seconds since the epoch, under one configuration; what was found is kept."""

    world: World
    start: float
    end: float
    _shifts: dict[str, Shifts] = field(default_factory=dict)
    _unreached: dict[tuple[str, About | None], list[Interval]] = field(default_factory=dict)
    _hours: dict[tuple[str, bool], list[Interval]] = field(default_factory=dict)

    @property
    def whole(self) -> list[Interval]:
        """All of it, as intervals."""
        return [(self.start, self.end)]

    def reachable(self, person: str) -> bool:
        """Whether the person has a contact on a configured channel."""
        return bool(contacts(self.world.person(person), self.world))

    def shifts(self, schedule: str) -> Shifts:
        """Who is on call on a schedule, in order and without holes; nobody on one that does not exist."""
        if schedule not in self._shifts:
            known = self.world.oncall.schedules.get(schedule)
            found = [] if known is None else shifts(known, self.start, self.end)
            stretches = [(each.start.timestamp(), each.end.timestamp(), each.person) for each in found]
            self._shifts[schedule] = stretches or [(self.start, self.end, None)]
        return self._shifts[schedule]

    def gaps(self, schedule: str) -> list[Interval]:
        """When nobody is on call on a schedule."""
        return union((start, end) for start, end, person in self.shifts(schedule) if person is None)

    def reached(self, policy: Policy, index: int, about: About) -> Mapping[str, list[Interval]]:
        """Whom a level of the policy reaches, and when."""
        level = policy.levels[index]
        found: dict[str, list[Interval]] = {}
        for target in level.targets:
            sure = both(self._sure(level.when, index, about), self._sure(target.when, index, about))
            for person, stretch in self.named(target) if sure else ():
                if self.reachable(person):
                    found.setdefault(person, []).extend(both(sure, [stretch]))
        return {person: union(stretches) for person, stretches in found.items() if stretches}

    def unreached(self, policy: Policy, about: About) -> list[Interval]:
        """When no level of the policy reaches anybody."""
        key = policy.id, about if _conditional(policy) else None
        if key not in self._unreached:
            left = self.whole
            for index in range(len(policy.levels)):
                left = minus(left, union(*self.reached(policy, index, about).values())) if left else left
            self._unreached[key] = left
        return self._unreached[key]

    def unreached_by(self, way: Way, about: About) -> list[Interval]:
        """When nobody of the teams that are asked is reached: always, by teams without a policy."""
        left = self.whole
        for policy in policies_of(way, self.world):
            left = both(left, self.unreached(policy, about))
        return left

    def named(self, target: PolicyTarget) -> Iterator[tuple[str, Interval]]:
        """The people that a target names, and when; whether or not they can be reached. A room names nobody."""
        match target.kind:
            case TargetKind.PERSON:
                yield target.id, self.whole[0]
            case TargetKind.TEAM:
                team = self.world.team(target.id)
                yield from ((member, self.whole[0]) for member in (() if team is None else team.members))
            case TargetKind.SCHEDULE:
                yield from ((person, (start, end)) for start, end, person in self.shifts(target.id) if person)
            case TargetKind.NEXT:
                yield from self._next(target.id)
            case TargetKind.CHANNEL | TargetKind.GROUP:
                return

    def _next(self, schedule: str) -> Iterator[tuple[str, Interval]]:
        """Who is next is the same all through a shift; in a gap, whoever is next when it begins."""
        known = self.world.oncall.schedules.get(schedule)
        for start, end, _ in self.shifts(schedule) if known is not None else ():
            shift = next_on(known, start) if known is not None else None
            if shift is not None:
                yield shift.person, (start, end)

    def _sure(self, when: When | None, index: int, about: About) -> list[Interval]:
        """When what has this condition is certain to be asked."""
        if when is None:
            return self.whole
        if when.count is not None and when.count.incidents > 1:
            return []
        if when.condition is not None and not self._holds(when.condition, index, about):
            return []
        return self.whole if when.hours is None else self._open(when.hours)

    def _holds(self, condition: Condition, index: int, about: About) -> bool:
        """What cannot be told is asked, as when it comes to it."""
        names = {
            "severity": about.severity,
            "urgency": self.world.severity(about.severity).urgency,
            "service": about.service,
            "owner": about.owner,
            "timeline": "live",
            "level": float(index + 1),
            "round": 1.0,
        }
        try:
            return condition.holds(names)
        except EvaluationFault:
            return True

    def firing(self, rule: Rule) -> Mapping[str, list[Interval]]:
        """When the rule can page, by severity: never in shadow, otherwise in the hours of what it has of it."""
        parts: list[tuple[str, Hours | None]] = [(level.severity, level.hours) for level in rule.levels]
        if rule.no_data is not None:
            parts.append((rule.no_data.severity, rule.no_data.hours))
        found: dict[str, list[Interval]] = {}
        for severity, hours in parts if rule.mode is Mode.ACTIVE else ():
            if self.world.severity(severity).pages:
                open_ = self.whole if hours is None else self._open(hours)
                found[severity] = union(found.get(severity, []), open_)
        return found

    def _open(self, hours: Hours) -> list[Interval]:
        key = hours.calendar.name, hours.inside
        if key not in self._hours:
            found: list[Interval] = []
            at = self.start
            while at < self.end:
                until = min(self.end, next_change(hours.calendar, at))
                found += [(at, until)] if in_force(hours, at) else []
                at = until
            self._hours[key] = union(found)
        return self._hours[key]

    def alone(self, way: Way, about: About, firing: Sequence[Interval]) -> tuple[str, Interval] | None:
        """A person who is the only one to be reached, on one channel only, and the first such stretch of `firing`."""
        parts: dict[str, list[Interval]] = {}
        for policy in policies_of(way, self.world):
            for index in range(len(policy.levels)):
                for person, stretches in self.reached(policy, index, about).items():
                    parts[person] = union(parts.get(person, []), stretches)
                if sum(stretches == self.whole for stretches in parts.values()) > 1:
                    return None
        found: list[tuple[Interval, str]] = []
        for person, stretches in parts.items():
            if len(contacts(self.world.person(person), self.world)) == 1:
                others = union(*(other for name, other in parts.items() if name != person))
                found += [(stretch, person) for stretch in both(minus(stretches, others), firing)]
        return (min(found)[1], min(found)[0]) if found else None


def policies_of(way: Way, world: World) -> Sequence[Policy]:
    """The policies of the teams that are asked, in order."""
    found = (policy_of(world.team(team), world) for team in way)
    return [policy for policy in found if policy is not None]


def _conditional(policy: Policy) -> bool:
    """Whether it matters to whom the policy asks what the incident is about."""
    for level in policy.levels:
        for when in (level.when, *(target.when for target in level.targets)):
            if when is not None and when.condition is not None:
                return True
    return False
