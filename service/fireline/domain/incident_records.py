"""What people keep on an incident beside its signals and pages: who leads, links, tasks, the post-mortem."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody does on an incident: one commander leads, responders work on it."""

    COMMANDER = "commander"
    RESPONDER = "responder"


@dataclass(frozen=True, slots=True)
class Held:
    """A role that `person` has `since` then, given by `by`."""

    role: Role
    person: str
    since: float
    by: str


@dataclass(frozen=True, slots=True)
class Link:
    """A page elsewhere that belongs to the incident, and who put it there when."""

    url: str
    title: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done: `number` counts within the incident; done when `done_at` is set."""

    number: int
    text: str
    by: str
    at: float
    assignee: str | None = None
    done_by: str | None = None
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class PostMortem:
    """What was learned: the root cause, who sees to what follows, and until which day (`YYYY-MM-DD`)."""

    root_cause: str = ""
    owner: str | None = None
    due: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """What it still lacks, in words."""
        parts = (("a root cause", self.root_cause), ("an owner", self.owner), ("a due date", self.due))
        return tuple(name for name, value in parts if not value)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the incident went through at `version`, for who acts on what was seen before it."""

    version: int
    at: float
    kind: str
    actor: str
    text: str
