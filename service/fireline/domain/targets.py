"""What runbook actions may reach beside HTTP: named by whoever runs Fireline, and not by the runbooks that use it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""Where an argument of a command takes a parameter: `{unit}`."""


USED_BY: Mapping[str, tuple[str, ...]] = {
    "kafka.publish": ("topic",),
    "command.run": ("command",),
    "sql.query": ("database",),
    "metric.query": ("prometheus",),
    "wait_for": ("metric", "prometheus"),
}
"""Where the options of an action name a target: the last part says what it is."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program that may be run. `parameters` are the patterns that values must match in full, by name.

    `environment` is all that it sees, where a value may be `secret:NAME`; `timeout` in seconds.
    """

    argv: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    timeout: float = 60.0

    def filled(self, given: Mapping[str, str]) -> tuple[str, ...] | str:
        """The arguments with their places filled; the reason when a value is missing, unknown or not allowed."""
        if missing := sorted(self.parameters.keys() - given.keys()):
            return f"the parameter {missing[0]!r} is missing"
        if unknown := sorted(given.keys() - self.parameters.keys()):
            return f"there is no parameter {unknown[0]!r}; there are {', '.join(sorted(self.parameters)) or 'none'}"
        for name, value in given.items():
            if not self.takes(name, value):
                return f"the parameter {name!r} does not match {self.parameters[name]}"
        return tuple(PLACE.sub(lambda place: given[place[1]], part) for part in self.argv)

    def takes(self, parameter: str, value: str) -> bool:
        """Whether a parameter of this command may have the value."""
        return "\0" not in value and len(value) <= 1_000 and re.fullmatch(self.parameters[parameter], value) is not None


@dataclass(frozen=True, slots=True)
class Database:
    """A database that may be read: a URL of SQLite or PostgreSQL, and the name of the secret that is its password."""

    url: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that answers PromQL: its address, and the name of the secret that it wants to see."""

    url: str
    bearer: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """All of them, by the names that runbooks use; nothing is allowed that is not here."""

    topics: frozenset[str] = frozenset()
    commands: Mapping[str, Command] = field(default_factory=dict)
    databases: Mapping[str, Database] = field(default_factory=dict)
    prometheus: Mapping[str, Prometheus] = field(default_factory=dict)

    def names(self) -> dict[str, frozenset[str]]:
        """What steps may name, by the option that names it."""
        return {
            "topic": self.topics,
            "command": frozenset(self.commands),
            "database": frozenset(self.databases),
            "prometheus": frozenset(self.prometheus),
        }


def unknown(what: str, name: str, known: Mapping[str, object] | frozenset[str]) -> str:
    """Why something that is not listed is not reached, for people."""
    listed = ", ".join(sorted(known)) or "none"
    return f"the {what} {name!r} is not in the targets file (FIRELINE_TARGETS); there are {listed}"
