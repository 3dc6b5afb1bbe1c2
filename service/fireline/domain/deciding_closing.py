"""The end of an incident, and how it comes back: settling, mitigation, resolution, reopening."""

from fireline.domain.deciding_draft import ACTOR, Draft
from fireline.domain.deciding_escalation import close_pages, stop
from fireline.domain.deciding_flapping import held_until, watch_again
from fireline.domain.deciding_gaps import KIND as ON_CALL
from fireline.domain.deciding_impact import wake_impacted
from fireline.domain.deciding_reminders import arm_stale
from fireline.domain.deciding_words import span
from fireline.domain.incidents import PageStatus


def arm_ack_timeout(draft: Draft) -> None:
    """Let the acknowledgement go stale after what the severity says, counted from now, with a reminder before."""
    arm_stale(draft)


def reopen(draft: Draft, cause: str) -> None:
    """Undo the resolution; who resolved it and when stays on the timeline."""
    incident = draft.incident
    ago = span(draft.now - (incident.resolved_at or draft.now))
    by = f" by {draft.world.name(incident.resolved_by)}" if incident.resolved_by else ""
    draft.change(
        resolved_at=None,
        resolved_by=None,
        mitigated_at=None,
        settle_due_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        acknowledged_severity=None,
        escalation=None,
        requested=(),
        reopened=incident.reopened + 1,
        reopened_at=draft.now,
        reopened_version=incident.version + 1,
    )
    draft.note("reopened", f"Reopened, {ago} after it was resolved{by}: {cause}")
    watch_again(draft)


def settle(draft: Draft) -> None:
    """Nothing fires any more: resolve after a while, or wait for the end of the fallback that made it so."""
    draft.change(requested=())
    due_at = max(draft.now + draft.world.response.settle, held_until(draft.incident, draft.world))
    if not draft.incident.leases:
        draft.change(settle_due_at=due_at)
        draft.arm("settle", due_at)
        draft.note("settling", f"Nothing fires any more: it resolves in {span(due_at - draft.now)} if that stays so")
        return
    services = ", ".join(draft.incident.leases)
    if draft.incident.mitigated_at is None:
        draft.change(mitigated_at=draft.now)
        draft.note(
            "mitigated", f"Mitigated: nothing fires while {services} is on its fallback; no further level is paged"
        )
        stop(draft)
        wake_impacted(draft)
    draft.change(settle_due_at=due_at)
    draft.arm("settle", due_at)


def finish(draft: Draft, by: str | None, text: str) -> None:
    """Resolve, and say so."""
    draft.note("resolved", text, actor=by or ACTOR)
    end(draft, by)


def end(draft: Draft, by: str | None) -> None:
    """It is over: every page ends, every deadline goes, and what was queued for it is taken back."""
    stop(draft)
    close_pages(draft, PageStatus.WITHDRAWN)
    leases = (f"lease/{service}" for service in draft.incident.leases)
    for name in ("settle", "ack_timeout", "impact", "calm", ON_CALL, *leases):
        draft.disarm(name)
    draft.change(resolved_at=draft.now, resolved_by=by, settle_due_at=None, requested=())
    wake_impacted(draft)
