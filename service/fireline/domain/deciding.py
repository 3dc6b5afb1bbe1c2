"""Deciding: the one pure function from an incident and what happened to it to its new state and what is to be done.

It is total: every input has an answer in every state, and it never raises. Inputs by kind are in `deciding_signals`,
`deciding_people`, `deciding_timers` and `deciding_reports`; `deciding_escalation` pages.
"""

from typing import assert_never

from fireline.domain.deciding_draft import Decision
from fireline.domain.deciding_people import decide_request
from fireline.domain.deciding_reports import decide_report
from fireline.domain.deciding_signals import decide_signal, opens
from fireline.domain.deciding_timers import decide_timer
from fireline.domain.deciding_world import World
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    ChangeSeverity,
    DeliveryReported,
    EscalateNow,
    Incident,
    Input,
    Resolve,
    RouteReported,
    RunReported,
    SignalArrived,
    TimerDue,
)

Named = (
    Acknowledge
    | EscalateNow
    | Resolve
    | AddNote
    | ChangeSeverity
    | TimerDue
    | DeliveryReported
    | RunReported
    | RouteReported
)
"""The inputs that name their incident."""

__all__ = ["Decision", "World", "decide", "opens"]


def decide(incident: Incident | None, what: Input, world: World, now: float, *, number: int | None = None) -> Decision:
    """What `what` leads to for `incident`, the one it names or, for a signal, the latest of its key (None of none).

    `number` is the number of a new incident, needed when `opens(...)` says so.
    """
    if isinstance(what, SignalArrived):
        return decide_signal(incident, what.signal, world, now, number)
    if incident is None:
        text = f"INC-{what.incident} does not exist"
        done = (what.key,) if isinstance(what, TimerDue) else ()
        return Decision(None, disarm=done, reply=text, reason=text)
    return _named(incident, what, world, now)


def _named(incident: Incident, what: Named, world: World, now: float) -> Decision:
    match what:
        case TimerDue():
            return decide_timer(incident, what, world, now)
        case DeliveryReported() | RunReported() | RouteReported():
            return decide_report(incident, what, world, now)
        case Acknowledge() | EscalateNow() | Resolve() | AddNote() | ChangeSeverity():
            return decide_request(incident, what, world, now)
        case _:
            assert_never(what)
