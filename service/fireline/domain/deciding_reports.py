"""Reports of what was done: a page's delivery, a run's progress, a route's lease."""

from dataclasses import replace
from typing import assert_never

from fireline.domain.deciding_closing import reopen, settle
from fireline.domain.deciding_contacts import try_next_contact
from fireline.domain.deciding_draft import LIVE, Decision, Draft
from fireline.domain.deciding_escalation import idle, start
from fireline.domain.deciding_steps import give_up
from fireline.domain.deciding_storms import fold
from fireline.domain.deciding_world import World
from fireline.domain.incidents import (
    DeliveryReported,
    Incident,
    Page,
    PageStatus,
    RouteReported,
    RunRef,
    RunReported,
    Status,
)
from fireline.domain.oscillation import OSCILLATING
from fireline.domain.runbooks import RunStatus

_BAD = frozenset({RunStatus.FAILED.value, RunStatus.UNDO_FAILED.value})


Report = DeliveryReported | RunReported | RouteReported


def decide_report(incident: Incident, report: Report, world: World, now: float) -> Decision:
    """What a report leads to."""
    match report:
        case DeliveryReported():
            return delivered(incident, report, world, now)
        case RunReported():
            return run_reported(incident, report, world, now)
        case RouteReported():
            return route_reported(incident, report, world, now)
        case _:
            assert_never(report)


def delivered(incident: Incident, report: DeliveryReported, world: World, now: float) -> Decision:
    """A channel took the page, refused it, or is still being tried: then the page moves on."""
    page = next((p for p in incident.pages if p.number == report.page), None)
    attempt = None if page is None else next((a for a in page.attempts if a.channel == report.channel), None)
    if page is None or attempt is None or attempt.state in ("delivered", "failed"):
        return Decision(incident, reason=f"page {report.page} on {report.channel}: nothing new")
    draft = Draft(incident, incident, world, now)
    if report.folded:
        fold(draft, page, report)
    elif report.delivered:
        _arrived(draft, page, report.channel)
    elif report.pending:
        _pending(draft, page, report)
    else:
        _refused(draft, page, report)
    return draft.decide()


def _marked(page: Page, channel: str, state: str, detail: str = "") -> Page:
    attempts = tuple(replace(a, state=state, detail=detail) if a.channel == channel else a for a in page.attempts)
    return replace(page, attempts=attempts)


def _arrived(draft: Draft, page: Page, channel: str) -> None:
    status = PageStatus.DELIVERED if page.status is PageStatus.SENDING else page.status
    draft.replace_page(replace(_marked(page, channel, "delivered"), status=status))
    name = draft.world.name(page.person)
    draft.note("delivered", f"Page {page.number} reached {channel} for {name}", data={"page": page.number})
    draft.quiet = True


def _pending(draft: Draft, page: Page, report: DeliveryReported) -> None:
    name = draft.world.name(page.person)
    text = f"Delivery pending on {report.channel} for {name}: {report.detail}"
    channel = try_next_contact(draft, page) if page.status in LIVE else None
    draft.note(
        "pending",
        f"{text}; trying {channel} as well" if channel else f"{text}; still trying",
        data={"page": page.number},
    )


def _refused(draft: Draft, page: Page, report: DeliveryReported) -> None:
    marked = _marked(page, report.channel, "failed", report.detail)
    draft.replace_page(marked)
    name = draft.world.name(page.person)
    text = f"Page {page.number} did not reach {name} on {report.channel}: {report.detail}"
    data = {"page": page.number, "channel": report.channel}
    if page.status not in LIVE:
        draft.note("undelivered", text, data=data)
        return
    channel = try_next_contact(draft, marked)
    if channel:
        draft.note("undelivered", f"{text}; trying {channel}", data=data)
    elif any(a.state in ("sending", "delivered") for a in marked.attempts):
        draft.note("undelivered", text, data=data)
    else:
        draft.note("undelivered", f"{text}; no other channel is left", data=data)
        give_up(draft, marked)


def run_reported(incident: Incident, report: RunReported, world: World, now: float) -> Decision:
    """A run of the incident changed. One that failed, or that was refused because runs undo each other's work, pages
    the owner where nobody is on it or being asked.
    """
    draft = Draft(incident, incident, world, now)
    ref = RunRef(report.run, report.runbook, report.status)
    draft.change(runs={**incident.runs, str(report.run): ref})
    tail = f": {report.detail}" if report.detail else ""
    data = {"run": report.run, "status": report.status}
    draft.note("run", f"Run {report.run} of {report.runbook} {report.status}{tail}", data=data)
    bad = report.status in _BAD or report.detail.startswith(OSCILLATING)
    if bad and idle(incident) and incident.status is not Status.RESOLVED:
        draft.note("stale", f"Run {report.run} of {report.runbook} {report.status}, and nobody is on it: paging")
        start(draft)
    due_at = incident.settle_due_at
    if due_at is not None and not draft.incident.firing and not draft.incident.at_work:
        draft.arm("settle", max(now, due_at))  # it may have come while the run was at work
    return draft.decide()


def route_reported(incident: Incident, report: RouteReported, world: World, now: float) -> Decision:
    """A fallback came into force or ended: while one is, the incident stays open."""
    draft = Draft(incident, incident, world, now)
    others = tuple(s for s in incident.leases if s != report.service)
    if report.on_fallback:
        _leased(draft, report, others)
    elif report.service in incident.leases:
        _handed_back(draft, report, others)
    else:
        draft.note("route", report.detail or f"{report.service} is not on a fallback")
    return draft.decide()


def _leased(draft: Draft, report: RouteReported, others: tuple[str, ...]) -> None:
    detail = report.detail or f"{report.service} is on its fallback"
    if draft.incident.status is Status.RESOLVED:
        reopen(draft, f"{report.service} went to its fallback, and no incident closes on one")
    draft.change(leases=(*others, report.service))
    until = draft.now + draft.world.response.lease if report.until is None else report.until
    draft.arm("lease", until, name=f"lease/{report.service}")
    draft.note("route", detail, data={"service": report.service, "until": until})
    if not draft.incident.firing:
        settle(draft)
    elif idle(draft.incident):
        draft.note("stale", f"{report.service} is on its fallback, and nobody is on it: paging")
        start(draft)


def _handed_back(draft: Draft, report: RouteReported, others: tuple[str, ...]) -> None:
    draft.disarm(f"lease/{report.service}")
    draft.change(leases=others)
    draft.note("route", report.detail or f"{report.service} is back on its primary", data={"service": report.service})
    if not others and not draft.incident.firing and draft.incident.status is not Status.RESOLVED:
        settle(draft)
