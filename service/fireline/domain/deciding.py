"""Deciding: the one pure function from an incident and what happened to it to its new state and what is to be done.

It is total: every input has an answer in every state, and it never raises. Inputs by kind are in `deciding_signals`,
`deciding_people`, `deciding_keeping`, `deciding_merging`, `deciding_timers` and `deciding_reports`;
`deciding_escalation` pages.
"""

from dataclasses import replace
from typing import assert_never

from fireline.domain.deciding_draft import Decision
from fireline.domain.deciding_keeping import decide_keeping
from fireline.domain.deciding_merging import against_split, decide_merge, decide_split
from fireline.domain.deciding_people import decide_request
from fireline.domain.deciding_reports import decide_report
from fireline.domain.deciding_signals import decide_signal, opens
from fireline.domain.deciding_silence_reviews import decide_silences
from fireline.domain.deciding_timers import decide_timer
from fireline.domain.deciding_world import World
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
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    DeliveryReported,
    EscalateNow,
    Incident,
    Input,
    Resolve,
    RouteReported,
    RunReported,
    SignalArrived,
    SilencesChanged,
    TimerDue,
)
from fireline.domain.rules import Signal

Named = (
    Acknowledge
    | EscalateNow
    | Resolve
    | AddNote
    | ChangeSeverity
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
"""The inputs that name their incident."""

__all__ = ["Decision", "World", "against_split", "decide", "forwarded", "heir", "opens"]


def decide(
    incident: Incident | None,
    what: Input,
    world: World,
    now: float,
    *,
    number: int | None = None,
    other: Incident | None = None,
) -> Decision:
    """What `what` leads to for `incident`, the one it names or, for a signal, the latest of its key (None of none).

    `number` is the number of a new incident, needed when `opens(...)` says so and for a split that can be; `other` is
    the incident that `incident` is merged into.
    """
    if isinstance(what, SignalArrived):
        return decide_signal(incident, what.signal, world, now, number)
    if incident is None:
        text = f"INC-{what.incident} does not exist"
        done = (what.key,) if isinstance(what, TimerDue) else ()
        return Decision(None, disarm=done, reply=text, reason=text, refused=True)
    if isinstance(what, Merge):
        return decide_merge(incident, other, what, world, now)
    if isinstance(what, Split):
        return decide_split(incident, what, world, now, number)
    return _named(incident, what, world, now)


def heir(incident: Incident, signal: Signal | None = None) -> int | None:
    """Who speaks for the incident: the one a signal was split off to, or the one it was merged into; None: itself."""
    if signal is not None and signal.fingerprint in incident.moved:
        return incident.moved[signal.fingerprint]
    return incident.merged_into


def forwarded(incident: Incident, what: Input) -> Input | None:
    """What a merged incident hands on to the one it is part of: news of its runs and routes. None: it is its own."""
    into = incident.merged_into
    if into is None:
        return None
    if isinstance(what, RunReported | RouteReported):
        return replace(what, incident=into)
    if isinstance(what, EscalateNow) and what.person.startswith("run:"):
        return replace(what, incident=into)
    return None


def _deaf(incident: Incident, what: DeliveryReported | RunReported | RouteReported) -> str:
    """Why an incident that is over for good does not hear of it; empty when it does."""
    if incident.merged_into is not None and not isinstance(what, DeliveryReported):
        return f"{incident.id} is part of INC-{incident.merged_into}, which is told"
    if incident.closed_at is not None and isinstance(what, RouteReported):
        return f"{incident.id} is closed; the lease itself sees to its end"
    return ""


def _named(incident: Incident, what: Named, world: World, now: float) -> Decision:
    match what:
        case SilencesChanged():
            return decide_silences(incident, world, now)
        case TimerDue():
            return decide_timer(incident, what, world, now)
        case DeliveryReported() | RunReported() | RouteReported():
            reason = _deaf(incident, what)
            return Decision(incident, reason=reason) if reason else decide_report(incident, what, world, now)
        case Acknowledge() | EscalateNow() | Resolve() | AddNote() | ChangeSeverity():
            return decide_request(incident, what, world, now)
        case SetRole() | AddLink() | AddTask() | ChangeTask() | WritePostMortem() | Close():
            return decide_keeping(incident, what, world, now)
        case _:
            assert_never(what)
