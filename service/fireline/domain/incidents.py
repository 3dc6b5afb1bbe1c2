"""Incident: what people respond to; and everything that can happen to it, as inputs of one pure decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fireline.domain.rules import Signal
from fireline.domain.runbooks import RunStatus


class Status(StrEnum):
    """Where an incident stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"


class PageStatus(StrEnum):
    """Where a page stands; it ends acknowledged, escalated, exhausted or withdrawn (the incident ended first)."""

    SENDING = "sending"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    EXHAUSTED = "exhausted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a page reached this person: rule -> service -> owner -> policy level -> schedule, source -> until, next."""

    rule: str
    service: str
    owner: str
    policy: str
    level: int
    schedule: str | None = None
    source: str | None = None
    until: float | None = None
    next_person: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of a page on one channel, as far as known."""

    channel: str
    address: str
    state: str  # sending, delivered, failed, withdrawn
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One request to one person to respond. `number` counts within the incident."""

    number: int
    person: str
    level: int
    round: int
    at: float
    why: Why
    status: PageStatus
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalation:
    """Where the escalation stands: level and round count from 0; `due_at` is when the next level is asked."""

    policy: str
    level: int = 0
    round: int = 0
    due_at: float | None = None
    exhausted: bool = False
    team: str = ""  # whose policy it is: the owner, or the backup team after it


@dataclass(frozen=True, slots=True)
class Attached:
    """The latest signal of one fingerprint, and since when it is clear (None while it fires)."""

    signal: Signal
    cleared_at: float | None = None
    flaps: int = 0


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run of the incident and where it stands."""

    id: int
    runbook: str
    status: str


_AT_WORK = frozenset({RunStatus.RUNNING.value, RunStatus.UNDOING.value})


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident per service, grouping key and timeline. `version` counts changes; a click carries the one it saw."""

    number: int
    service: str
    group: str
    timeline: str
    title: str
    severity: str
    owner: str
    status: Status
    opened_at: float
    started: float
    version: int = 0
    signals: Mapping[str, Attached] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    escalation: Escalation | None = None
    severity_override: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: float | None = None
    mitigated_at: float | None = None
    resolved_at: float | None = None
    resolved_by: str | None = None
    settle_due_at: float | None = None
    reopened: int = 0
    runs: Mapping[str, RunRef] = field(default_factory=dict)
    leases: tuple[str, ...] = ()  # services whose fallback this incident's runs hold
    acknowledged_severity: str | None = None  # what was known when it was acknowledged; worse than that pages again
    reopened_at: float | None = None
    reopened_version: int = 0  # a click on what was seen before this version is late
    requested: tuple[str, ...] = ()  # runbooks asked for since signals began to fire

    @property
    def id(self) -> str:
        """How people call it: `INC-7`."""
        return f"INC-{self.number}"

    @property
    def firing(self) -> tuple[Attached, ...]:
        """The signals that still fire."""
        return tuple(a for a in self.signals.values() if a.cleared_at is None)

    @property
    def at_work(self) -> tuple[RunRef, ...]:
        """The runs that act, or undo what they did: no incident is over before they are."""
        return tuple(run for run in self.runs.values() if run.status in _AT_WORK)


@dataclass(frozen=True, slots=True)
class SignalArrived:
    """Evaluate reports a signal."""

    signal: Signal


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """`person` takes it. `version` is the one the click saw, None from the command line."""

    incident: int
    person: str
    via: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class EscalateNow:
    """`person` asks for the next level at once."""

    incident: int
    person: str
    via: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """`person` says it is over."""

    incident: int
    person: str
    via: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AddNote:
    """`person` writes something down."""

    incident: int
    person: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeSeverity:
    """`person` sets the severity, whatever fires; None lets the signals say it again."""

    incident: int
    person: str
    via: str
    severity: str | None


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A deadline of the incident came: `kind` is escalate, settle, ack_timeout or lease."""

    incident: int
    kind: str
    key: str
    due_at: float


@dataclass(frozen=True, slots=True)
class DeliveryReported:
    """What became of page `page` on `channel`: delivered, or failed for good with `detail`."""

    incident: int
    page: int
    channel: str
    delivered: bool
    detail: str = ""
    pending: bool = False  # not delivered so far, and still being tried: the next channel is tried beside it


@dataclass(frozen=True, slots=True)
class RunReported:
    """A run of the incident changed: status, and a line for people."""

    incident: int
    run: int
    runbook: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class RouteReported:
    """A route that this incident's runs hold changed; `on_fallback` tells whether a lease is in force now."""

    incident: int
    service: str
    on_fallback: bool
    detail: str
    until: float | None = None  # when the lease runs out


Input = (
    SignalArrived
    | Acknowledge
    | EscalateNow
    | Resolve
    | AddNote
    | ChangeSeverity
    | TimerDue
    | DeliveryReported
    | RunReported
    | RouteReported
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: what happened, who did it, why; `data` is JSON-like detail for `explain`."""

    at: float
    kind: str
    actor: str
    text: str
    data: Mapping[str, object] = field(default_factory=dict)
