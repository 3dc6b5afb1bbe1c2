"""Deadlines: an escalation's wait, a quiet time before resolving, a stale acknowledgement, a lease without hand-back.

A deadline that comes when it no longer applies changes nothing and is removed; one that comes early is armed again.
"""

from collections.abc import Callable, Mapping

from fireline.domain.deciding_closing import arm_ack_timeout, finish
from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import advance, start, stop
from fireline.domain.deciding_flapping import calm
from fireline.domain.deciding_gaps import KIND as ON_CALL
from fireline.domain.deciding_impact import excused, link, look_again
from fireline.domain.deciding_reminders import ask_for_news, warn
from fireline.domain.deciding_silence_reviews import review
from fireline.domain.deciding_steps import step_due
from fireline.domain.deciding_storms import list_more, unfold
from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident, Status, TimerDue

AGAIN = 60.0
"""Seconds until it is looked again whether an incident still comes of another."""


def decide_timer(incident: Incident, due: TimerDue, world: World, now: float) -> Decision:
    """What a deadline leads to."""
    draft = Draft(incident, incident, world, now)
    draft.timers[due.key] = None  # it is done with, unless the decision arms it again
    if incident.status is Status.RESOLVED:
        draft.reason = f"{due.kind} is due, and {incident.id} is resolved"
        return draft.decide()
    hear = _KINDS.get(due.kind)
    if hear is None:
        draft.reason = f"{due.kind!r} is no deadline of an incident"
    else:
        hear(draft, due)
    return draft.decide()


def _escalate(draft: Draft, _due: TimerDue) -> None:
    incident = draft.incident
    escalation = incident.escalation
    if escalation is None or escalation.due_at is None or incident.acknowledged_by is not None:
        draft.reason = f"{incident.id} no longer waits for anybody"
        return
    if draft.now < escalation.due_at:
        draft.arm("escalate", escalation.due_at)
        draft.reason = "not due yet"
        return
    if not draft.world.severity(incident.severity).pages:
        draft.note("unpaged", f"No further level is paged: severity {incident.severity} does not page")
        stop(draft)
        return
    asked = escalation.asked_at or max((page.at for page in incident.pages), default=draft.now)
    level = f"{escalation.team or incident.owner} level {escalation.level + 1}"
    few = "Too few" if escalation.acknowledged else "Nobody"
    draft.note("escalated", f"{few} of {level} acknowledged within {span(draft.now - asked)}: asking further")
    advance(draft)


def _settle(draft: Draft, _due: TimerDue) -> None:
    incident = draft.incident
    due_at = incident.settle_due_at
    if incident.firing or due_at is None:
        draft.reason = f"{incident.id} is not settling"
    elif draft.now < due_at:
        draft.arm("settle", due_at)
        draft.reason = "not due yet"
    elif incident.leases:
        draft.change(settle_due_at=None)
        draft.note("held", f"Nothing fires, held open: fallback of {', '.join(incident.leases)} in force")
    elif at_work := incident.at_work:
        what = ", ".join(f"run {run.id} of {run.runbook}" for run in at_work)
        draft.note("held", f"Nothing fires, held open until it has ended: {what}")
    else:
        finish(draft, None, f"Resolved: nothing has fired for {span(draft.world.response.settle)}")


def _ack_timeout(draft: Draft, due: TimerDue) -> None:
    incident = draft.incident
    if incident.acknowledged_by is None or not incident.firing:
        draft.reason = f"{incident.id} has no acknowledgement that could go stale, or nothing fires"
        return
    if draft.now < due.due_at:
        draft.arm("ack_timeout", due.due_at)
        draft.reason = "not due yet"
        return
    if excused(incident, draft.world):
        arm_ack_timeout(draft)  # it goes stale once it no longer comes of another
        draft.reason = f"{incident.id} comes of another incident: its acknowledgement does not go stale"
        return
    who = draft.world.name(incident.acknowledged_by)
    ago = span(draft.now - (incident.acknowledged_at or draft.now))
    draft.note("stale", f"Paging again: {who} took it {ago} ago, and it still fires")
    start(draft)


def _lease(draft: Draft, due: TimerDue) -> None:
    service = due.key.rpartition("/lease/")[2]
    if service not in draft.incident.leases:
        draft.reason = f"{service} is not on its fallback any more"
        return
    if draft.now < due.due_at:
        draft.arm("lease", due.due_at, name=f"lease/{service}")
        draft.reason = "not due yet"
        return
    draft.note("lease", f"The fallback lease of {service} ran out and nobody handed it back: paging its owner")
    draft.arm("lease", draft.now + draft.world.response.lease, name=f"lease/{service}")  # never held for ever
    start(draft)


def _on_call(draft: Draft, due: TimerDue) -> None:
    """A shift begins that was waited for because nobody was on call."""
    incident = draft.incident
    escalation = incident.escalation
    if incident.acknowledged_by is not None or not incident.firing or escalation is None or not escalation.exhausted:
        draft.reason = f"{incident.id} does not wait for a shift any more"
    elif draft.now < due.due_at:
        draft.arm(due.kind, due.due_at)
        draft.reason = "not due yet"
    elif excused(incident, draft.world):
        draft.arm(due.kind, draft.now + AGAIN)
        draft.reason = f"{incident.id} comes of another incident: nobody is asked about it now"
    else:
        draft.note("escalated", "A shift begins, and nobody could be asked before: asking anew")
        start(draft)


_KINDS: Mapping[str, Callable[[Draft, TimerDue], None]] = {
    "escalate": _escalate,
    ON_CALL: _on_call,
    "contact": step_due,
    "settle": _settle,
    "ack_timeout": _ack_timeout,
    "ack_warning": warn,
    "update": ask_for_news,
    "silence": lambda draft, _due: review(draft),
    "lease": _lease,
    "calm": lambda draft, _due: calm(draft),
    "impact": lambda draft, _due: look_again(draft),
    "storm": list_more,
    "unfold": unfold,
    "impacts": lambda draft, due: link(draft, due.key),
}
"""What hears each kind of deadline of an incident."""
