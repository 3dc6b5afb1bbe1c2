"""Looking again at what silences hold back: when one begins, ends or changes, and when what fires changes."""

from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import held_back, idle
from fireline.domain.deciding_impact import page
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident, Status


def decide_silences(incident: Incident, world: World, now: float) -> Decision:
    """What a change of silences leads to."""
    draft = Draft(incident, incident, world, now)
    review(draft)
    draft.reason = draft.reason or f"silences change nothing about {incident.id}"
    return draft.decide()


def review(draft: Draft) -> None:
    """Stop paging where a silence holds the incident back now; page at once where none does so any more."""
    before = draft.incident.silenced
    if draft.incident.status is Status.RESOLVED or held_back(draft):
        return
    if before is not None and draft.incident.firing and idle(draft.incident):
        page(draft)
