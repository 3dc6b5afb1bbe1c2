"""Runbook: a procedure as written; Run: one execution of it, as journaled. Deciding what is next is in `running`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fireline.domain.approving import BY_OWNER, Approval
from fireline.domain.expressions import Condition, Template
from fireline.domain.runbook_tests import RunbookTest


class Autonomy(StrEnum):
    """How far a runbook may go alone, from the least to the most."""

    SHADOW = "shadow"
    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTO = "auto"


class OnFailure(StrEnum):
    """What a failed step means for the run."""

    UNDO = "undo"
    CONTINUE = "continue"
    ESCALATE = "escalate"
    STOP = "stop"


class IfUnknown(StrEnum):
    """What to do with a step whose outcome is unknown after a crash or a time-out."""

    RETRY = "retry"
    VERIFY = "verify"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Input:
    """One typed input; without a default it is required. `default` may refer to the catalog and earlier inputs.

    `least` and `most` bound numbers, durations in seconds, and the length of texts and lists; a text matches all of
    `pattern`. A `secret` is the name of one (`secret:DEPLOY`), never what it stands for.
    """

    name: str
    type: str
    default: Template | None = None
    choices: tuple[object, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""


class On(StrEnum):
    """What `retry` may try again."""

    TEMPORARY = "temporary"  # the action says that it may work later
    UNKNOWN = "unknown"  # nobody knows whether it happened
    FAILED = "failed"  # the action says that it did not work


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts in all, and the seconds before the second, doubled each time, and longer by up to the share `jitter`.

    `on` is what is tried again.
    """

    attempts: int = 1
    backoff: float = 1.0
    jitter: float = 0.0
    on: tuple[On, ...] = (On.TEMPORARY, On.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Undo:
    """The compensating step of a step."""

    uses: str
    with_: Template


PARALLEL = "parallel"
"""What a step `uses` that runs branches side by side."""

SUB_RUNBOOK = "runbook.run"
"""What a step `uses` that runs another runbook inside this run."""


@dataclass(frozen=True, slots=True)
class Foreach:
    """A step that is done once for each of `items` (a list, at most `most` long), `concurrency` of them at a time.

    Its templates may name `item` and `index`.
    """

    items: Template
    concurrency: int = 1
    most: int = 100


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several lists of steps that go on side by side. Its steps' ids are unique in the whole runbook."""

    name: str
    steps: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a runbook. `timeout` in seconds, over all attempts and waits.

    `needs` are the steps that it waits for; None is all before it. A step with `branches` uses `parallel`, and is done
    when `join` of them are (0 is all). One with `sub` uses `runbook.run`: `with_` gives `inputs`.
    `outputs` are the types of what it gives, by name, where the runbook says them.
    """

    id: str
    uses: str
    with_: Template
    if_: Condition | None = None
    retry: Retry = Retry()
    timeout: float = 600.0
    undo: Undo | None = None
    on_failure: OnFailure = OnFailure.STOP
    if_unknown: IfUnknown = IfUnknown.RETRY
    irreversible: bool = False
    needs: tuple[str, ...] | None = None
    foreach: Foreach | None = None
    branches: tuple[Branch, ...] = ()
    join: int = 0
    sub: "Runbook | None" = None
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `runs` runs of the runbook on one lock `per` seconds."""

    runs: int
    per: float


@dataclass(frozen=True, slots=True)
class Oscillation:
    """No run begins that would be the `reversals`-th within `per` seconds to take a target back to where it was."""

    reversals: int = 3
    per: float = 3600.0


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What one run may touch at most: targets, services, percent of a service's traffic moved off its primary.

    None is no limit. Beyond them it is refused or, where it `asks`, a person is asked before it starts.
    """

    targets: int | None = None
    services: int | None = None
    share: int | None = None
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Runbook:
    """A procedure. `hash` is the content hash that runs are pinned to; `text` the YAML document it was read from.

    `start_when` is a condition over severity, service and labels of the incident; None starts on every opening that
    names the runbook. `deadline` in seconds from the start of a run. `finally_` are done last, whatever happened.
    `outputs` is what a runbook that runs it finds as outputs of its step.
    """

    name: str
    owner: str
    steps: tuple[Step, ...]
    inputs: tuple[Input, ...] = ()
    start_when: Condition | None = None
    mode: Autonomy = Autonomy.APPROVE
    approval: Approval = BY_OWNER
    lock: Template | None = None
    budget: Budget | None = None
    cooldown: float = 0.0  # seconds after a run ended in which none begins on the same lock
    stop_if: Condition | None = None
    deadline: float = 14_400.0
    reviewed: str | None = None
    review_every: float | None = None
    description: str = ""
    hash: str = ""
    text: str = ""
    finally_: tuple[Step, ...] = ()
    outputs: Template | None = None
    tests: tuple[RunbookTest, ...] = ()
    oscillation: Oscillation | None = None  # None: what rules/autonomy.yaml says
    blast_radius: BlastRadius | None = None
    needs_incident: bool = False  # it is not started without one


class RunStatus(StrEnum):
    """Where a run stands; the last six are terminal."""

    WAITING = "waiting"  # for its lock, or for a person to let it start
    RUNNING = "running"
    UNDOING = "undoing"
    FINISHING = "finishing"  # how it ends is decided; what is to be done whatever happened is under way
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"
    ABORTED = "aborted"
    REFUSED = "refused"


TERMINAL = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.UNDONE,
        RunStatus.UNDO_FAILED,
        RunStatus.ABORTED,
        RunStatus.REFUSED,
    }
)


class StepStatus(StrEnum):
    """Where a step of a run stands."""

    PENDING = "pending"
    STARTED = "started"  # journaled before it is done: unknown after a crash
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDO_STARTED = "undo_started"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of one run. `memory` is what a waiting action wants to find again; times in seconds since the epoch.

    `due_at` is when the step (or its undo) gives up; `uncertain` marks a failed step that may have acted all the same.
    `ordinal` counts the steps of a run in the order in which they were over, from 1; `round` how often a person had it
    done anew. Steps within others are `each[2]` (an item) and `sub/step` (a step of another runbook). `last` marks
    those that are done whatever happened.
    """

    id: str
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    rendered: Mapping[str, object] = field(default_factory=dict)
    output: Mapping[str, object] = field(default_factory=dict)
    memory: Mapping[str, object] = field(default_factory=dict)
    undo_rendered: Mapping[str, object] = field(default_factory=dict)
    started_at: float | None = None
    ended_at: float | None = None
    next_at: float | None = None
    error: str = ""
    due_at: float | None = None
    undo_attempt: int = 0
    uncertain: bool = False
    ordinal: int = 0
    round: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run will end once what is to be done whatever happened is over; that is given up at `until`."""

    status: RunStatus
    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A person holds a run: nothing new is begun. Its deadline goes on."""

    by: str
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution, pinned to the content hash of its runbook. `text` is that content, so that it resumes anywhere.

    `key` is the idempotency key of the request that started it; `context` the incident as it was then, for templates;
    `next_at` when a run that waits to start is looked at again; `requested_by` a person, empty when a rule asked;
    `approved_by` who let it start, where it had to ask; `held` what keeps it from its next act; `asking` the question
    whether it may start, as it stands (`domain/approving`). `overrules` are guards
    that whoever asked for it overrules, for `overrule_reason`; `overruled` those that would have refused it, and why.
    """

    id: int
    runbook: str
    hash: str
    text: str
    inputs: Mapping[str, object]
    incident: int | None
    mode: Autonomy
    status: RunStatus
    steps: tuple[StepRun, ...]
    created_at: float
    deadline: float
    lock: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    allowed_by: str = ""
    version: int = 0
    key: str = ""
    context: Mapping[str, object] = field(default_factory=dict)
    next_at: float | None = None
    requested_by: str = ""
    approved_by: str = ""
    ending: Ending | None = None
    paused: Pause | None = None
    held: str = ""
    asking: Mapping[str, object] = field(default_factory=dict)
    overrules: tuple[str, ...] = ()
    overrule_reason: str = ""
    overruled: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it reached a terminal state."""
        return self.status in TERMINAL
