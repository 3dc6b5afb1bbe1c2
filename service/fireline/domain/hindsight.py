"""Hindsight: what a recording would have led to under a set of rules: incidents, pages, runs, and what fired."""

from dataclasses import dataclass

from fireline.domain.rules import Entity


@dataclass(frozen=True, slots=True)
class Paged:
    """A page that somebody would have got; times in seconds since the epoch, `local` is what the person's clock shows.

    `rule` and `entity` are of the signal that made it go out, `cause` says why then: `opened`, `reopened` or `worse`.
    `schedule` and `until` name the shift that the person was reached through; None where a policy names the person.
    """

    at: float
    incident: int
    person: str
    name: str
    severity: str
    urgency: str
    service: str
    group: str
    rule: str
    entity: Entity
    title: str
    cause: str
    out_of_hours: bool
    local: str
    schedule: str | None = None
    source: str | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident that would have been opened. `severity` is the worst it reached, `resolved_at` None at the end.

    `unpaged` says why nobody was paged, and is empty where somebody was.
    """

    number: int
    service: str
    group: str
    owner: str
    severity: str
    title: str
    opened_at: float
    resolved_at: float | None
    reopened: int
    flaps: int
    rules: tuple[str, ...]
    pages: int
    unpaged: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """A runbook that was asked for: `outcome` is `runs`, `asks`, `suggested` or `refused`, `why` the words for it.

    `steps` are the actions that it consists of, in order.
    """

    at: float
    incident: int
    service: str
    rule: str
    runbook: str
    outcome: str
    why: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Firing:
    """One stretch of firing of one entity; `severity` is the worst in it, `end` None when it never ended.

    `flap`: it came so soon after the one before that both belong to one incident.
    """

    rule: str
    entity: Entity
    service: str
    severity: str
    start: float
    end: float | None
    shadow: bool = False
    flap: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it, each in the order of time."""

    incidents: tuple[Opened, ...]
    pages: tuple[Paged, ...]
    runs: tuple[Ran, ...]
    firings: tuple[Firing, ...]
    signals: dict[str, int]
    """How many signals there were, by rule."""
