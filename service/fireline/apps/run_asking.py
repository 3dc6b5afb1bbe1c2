"""What a person may ask of runs, over HTTP and on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

RunAct = Literal["pause", "resume", "skip", "retry"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a request to change something: whether it was done, and the reason either way."""

    done: bool
    reason: str


@dataclass(frozen=True, slots=True)
class OnRun:
    """`step` for those acts that are on one; `version` is the one that the person saw, None is whatever it is."""

    step: str | None = None
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A run that a person wants. A request with the same `key` starts none again; `overrule` are guards."""

    inputs: Mapping[str, object] = field(default_factory=dict)
    incident: int | None = None
    reason: str = ""
    key: str = ""
    overrule: tuple[str, ...] = ()


class RunControls(Protocol):
    """What a person may do about runs; every answer carries its reason."""

    def fill_run(self, run: int, step: str | None, person: str, values: Mapping[str, object]) -> Verdict:
        """Fill in the form that a step waits for."""
        ...

    def abort_run(self, run: int, person: str, reason: str, *, undo: bool = False) -> Verdict:
        """End a run, or undo first what it did."""
        ...

    def act_on_run(self, act: RunAct, run: int, person: str, asked: OnRun) -> Verdict:
        """Pause it, let it go on, pass over a step, or go on from one that failed."""
        ...

    def start_run(self, name: str, person: str, asked: AskedRun) -> tuple[int | None, str]:
        """Start a run as this person; its number, None where there is none, and the reason either way."""
        ...
