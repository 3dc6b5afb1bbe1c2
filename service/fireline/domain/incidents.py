"""Incident: what people respond to; and everything that can happen to it, as inputs of one pure decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fireline.domain.incident_acts import (
    AddLink,
    AddTask,
    ChangeSeverity,
    ChangeTask,
    Close,
    Merge,
    SetRole,
    Split,
    WritePostMortem,
)
from fireline.domain.incident_records import Change, Held, Link, PostMortem, Task
from fireline.domain.rules import Signal
from fireline.domain.runbooks import RunStatus
from fireline.domain.silences import Silenced


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
    target: str = ""  # as the policy writes it: `schedule:payments-ml`
    order: str = ""  # how the person's own rules have them reached, for people
    folded_into: str = ""  # the page whose message stands for this one as well: `page 1 of INC-3`


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of a page on one channel, as far as known."""

    channel: str
    address: str
    state: str  # sending, delivered, failed, withdrawn
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A channel that a page is sent on at `due_at` unless it has ended by then: a step of its person's own rules."""

    channel: str
    due_at: float


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
    plan: tuple[Planned, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalation:
    """Where the escalation stands: level and round count from 0; `due_at` is when the next level is asked.

    Of those in `asked` (empty: of anybody) `needs` must acknowledge; `acknowledged` are those who have so far.
    """

    policy: str
    level: int = 0
    round: int = 0
    due_at: float | None = None
    exhausted: bool = False
    team: str = ""  # whose policy it is: the owner, or the backup team after it
    asked_at: float | None = None
    needs: int = 1
    asked: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """The latest signal of one fingerprint, and since when it is clear (None while it fires)."""

    signal: Signal
    cleared_at: float | None = None
    flaps: int = 0
    changed: tuple[float, ...] = ()  # when it last fired or cleared, as far as that says whether it is flapping
    flapping_since: float | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """The incident that this one comes of: its number and service, since when that is known, and when it was over."""

    cause: int
    service: str
    since: float
    over_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run of the incident and where it stands."""

    id: int
    runbook: str
    status: str


_AT_WORK = frozenset({RunStatus.RUNNING.value, RunStatus.UNDOING.value, RunStatus.FINISHING.value})


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
    began: float | None = None  # event time of the first bad evidence since it (re)opened; None: `started`
    impact: Impact | None = None  # what it comes of: while it does, it is told and not paged
    impacts: tuple[int, ...] = ()  # the incidents that come of this one
    impact_waived: bool = False  # somebody asked for help: it pages, whatever it comes of
    rooms: tuple[tuple[str, str], ...] = ()  # channel and address of rooms that are told beside the owner's
    updated_at: float | None = None  # when a person last wrote something down
    silenced: Silenced | None = None  # what holds its pages back
    silences_broken: tuple[str, ...] = ()  # silences that a person who asked for help broke for this incident
    peak: str | None = None  # the worst severity it ever had
    changes: tuple[Change, ...] = ()  # the latest that an act may have missed
    roles: tuple[Held, ...] = ()
    links: tuple[Link, ...] = ()
    tasks: tuple[Task, ...] = ()
    postmortem: PostMortem | None = None
    closed_at: float | None = None  # a resolved incident that nothing opens again
    closed_by: str | None = None
    merged_into: int | None = None  # over, because what it had is the other's now
    merged: tuple[int, ...] = ()  # the incidents that came into this one
    split_from: int | None = None
    moved: Mapping[str, int] = field(default_factory=dict)  # fingerprint -> the incident it was split off to

    @property
    def id(self) -> str:
        """How people call it: `INC-7`."""
        return f"INC-{self.number}"

    @property
    def stands(self) -> str:
        """Where it stands, in a word for people: its status, and of one that is over `merged` or `closed`."""
        if self.merged_into is not None:
            return "merged"
        return "closed" if self.closed_at is not None else self.status.value

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
    """`person` takes it. `version` is the one the click saw, None from the command line.

    A click in the message of `page` takes the further incidents as well that were `listed` there, so many.
    """

    incident: int
    person: str
    via: str
    version: int | None = None
    page: int | None = None
    listed: int = 0


@dataclass(frozen=True, slots=True)
class EscalateNow:
    """`person` asks for the next level at once."""

    incident: int
    person: str
    via: str
    version: int | None = None
    team: str = ""  # whose policy is asked from its beginning; empty: the next level of the present one
    reason: str = ""


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
class SilencesChanged:
    """A silence was made, changed or ended: what holds the incident back is looked at anew."""

    incident: int


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A deadline of the incident came: `kind` is escalate, contact, settle, ack_timeout, ack_warning, update, lease."""

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
    folded: str = ""  # delivered as a part of this page


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
    | Merge
    | Split
    | SetRole
    | AddLink
    | AddTask
    | ChangeTask
    | WritePostMortem
    | Close
    | SilencesChanged
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
