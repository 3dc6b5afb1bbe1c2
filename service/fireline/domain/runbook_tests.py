"""RunbookTest: how the steps of a runbook end in a test, and what must come of the run. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

UNDO = ".undo"
"""What stands behind the id of a step where its undo is meant: `reroute.undo`."""


class Ends(StrEnum):
    """How a mocked step ends."""

    DONE = "output"
    FAILED = "fails"
    UNKNOWN = "unknown"
    RETRY = "retry"
    ANSWERED = "answer"


@dataclass(frozen=True, slots=True)
class Mock:
    """How one attempt of a step ends, `after` so many seconds; `output` is what it gives, also when it fails.

    `approved` and `by` are of an answer by a person; None is nobody's answer. `by` is empty where anybody may give it.
    """

    ends: Ends
    output: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""
    after: float = 0.0
    approved: bool | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class TestedIncident:
    """The incident that asks for the run."""

    service: str
    severity: str
    rule: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """A person ends the run so many seconds after its start, and has undone what it did, or not."""

    after: float
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of the run. None, and what is not named, is not looked at.

    `steps` are those that were done or tried, in order, an undo as `reroute.undo`; `with_` and `outputs` name, by step,
    what must be among the rendered inputs and the outputs; `takes` in seconds from start to end; `lines` are where
    each of them stands in the file.
    """

    status: str = "succeeded"
    reason: str = ""
    steps: tuple[str, ...] | None = None
    skipped: tuple[str, ...] | None = None
    with_: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    takes: float | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunbookTest:
    """One test. `mocks` by step id, one for each attempt, the last one for all further; `line` where it stands."""

    name: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    incident: TestedIncident | None = None
    mocks: Mapping[str, tuple[Mock, ...]] = field(default_factory=dict)
    abort: Abort | None = None
    expect: Expected = Expected()
    line: int = 0
