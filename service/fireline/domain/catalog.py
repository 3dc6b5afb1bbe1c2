"""Catalog: services with owners, teams, people, severities. Who owns it, and what happens if it fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time

from fireline.domain.dependencies import Dependencies


@dataclass(frozen=True, slots=True)
class DailyHours:
    """Hours of every day, wall time of `time_zone` (empty: the person's); an end at or before the start is next day."""

    start: time
    end: time
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class ContactStep:
    """A channel that a person is tried on, `after` so many seconds without an acknowledgement."""

    channel: str
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class ContactRule:
    """How a person wants to be reached, for an urgency and at hours (None: any); steps in the order of time."""

    steps: tuple[ContactStep, ...]
    urgency: str | None = None
    hours: DailyHours | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who can be paged; `contacts` maps a channel name to an address (`slack: U123`), in order of use.

    The first of `rules` that fits says which of them are used when; in `quiet_hours` pages of low urgency wait.
    Without `shift_notices` nobody tells them that a shift of theirs begins or has ended.
    """

    id: str
    name: str
    contacts: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    rules: tuple[ContactRule, ...] = ()
    quiet_hours: DailyHours | None = None
    shift_notices: bool = True


@dataclass(frozen=True, slots=True)
class Team:
    """An accountable team: its escalation policy, its members, and the channel its incident cards go to."""

    id: str
    name: str
    policy: str
    members: tuple[str, ...] = ()
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Something a service's traffic can go to; `capacity` is requests a second, None when not declared.

    Targets of the same `pool` are the same machines: they share one capacity.
    """

    name: str
    capacity: float | None = None
    capabilities: tuple[str, ...] = ()
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One service or model. `primary` and `fallback` name entries of `targets`; `depends_on` names services.

    `impact` says what its incidents do while they come of one of a service that it depends on: `tell`, or `page`.
    """

    id: str
    owner: str
    what: str = ""
    tier: int = 3
    backup: str | None = None
    primary: str = "primary"
    fallback: str | None = None
    targets: tuple[Target, ...] = ()
    rollback: str = ""
    depends_on: tuple[str, ...] = ()
    impact: str = "tell"
    aliases: tuple[str, ...] = ()
    stop_conditions: tuple[str, ...] = ()
    scorecard: Mapping[str, object] = field(default_factory=dict)
    unit_cost: Mapping[str, object] = field(default_factory=dict)
    personal_data: tuple[str, ...] = ()
    reviewed: str | None = None
    review_every: float | None = None
    version: str | None = None
    trained_on: str | None = None


@dataclass(frozen=True, slots=True)
class Severity:
    """One level: `rank` 0 is the worst. `ack_within` seconds until an unacknowledged page escalates (policy waits win
    where set), `ack_timeout` seconds until a stale acknowledgement pages again, None for never.
    """

    name: str
    rank: int
    pages: bool = True
    urgency: str = "high"
    ack_within: float | None = None
    ack_timeout: float | None = None
    update_every: float | None = None
    postmortem: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of it, by id; `severities` from the worst to the mildest."""

    services: Mapping[str, Service]
    teams: Mapping[str, Team]
    people: Mapping[str, Person]
    severities: tuple[Severity, ...]
    default_team: str | None = None  # owns what nobody claims; None: the first team
    dependencies: Dependencies = field(init=False, repr=False, compare=False)
    _named: Mapping[str, Service] = field(init=False, repr=False, compare=False)  # by id and by alias

    def __post_init__(self) -> None:
        """Work out what each decision asks, so that it costs no more in a house of a thousand services."""
        each = [*self.services.values()]
        named = {alias: service for service in reversed(each) for alias in service.aliases} | dict(self.services)
        needs = {s.id: tuple(named[name].id for name in s.depends_on if name in named) for s in each}
        object.__setattr__(self, "_named", named)
        object.__setattr__(self, "dependencies", Dependencies.of(needs))

    def severity(self, name: str) -> Severity:
        """The severity called `name`; raises KeyError with the known names."""
        for severity in self.severities:
            if severity.name == name:
                return severity
        raise KeyError(f"severity {name!r} is not one of {[s.name for s in self.severities]}")

    def worst(self, names: "list[str] | tuple[str, ...] | set[str]") -> str | None:
        """The worst of some severities, None of none."""
        ranked = sorted(names, key=lambda name: self.severity(name).rank)
        return ranked[0] if ranked else None

    def service(self, name: str) -> Service | None:
        """The service with this id or alias."""
        return self._named.get(name)
