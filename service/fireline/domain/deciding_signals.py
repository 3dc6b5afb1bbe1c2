"""Signals: opening, attaching, raising, clearing, flapping and reopening.

What a signal does to a resolved incident: within `reopen_within` a firing signal reopens it and pages again; later it
opens a new one. A person may resolve while signals still fire; those of the same episode then stay quiet until they
clear or get worse than what was resolved, so that resolving is not answered by a page at once, and a new episode is
never hidden.
"""

from dataclasses import replace

from fireline.domain.deciding_closing import arm_ack_timeout, reopen, settle
from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import idle, start
from fireline.domain.deciding_flapping import changed
from fireline.domain.deciding_impact import excused, look, page, restarted, seen_since, wake
from fireline.domain.deciding_silence_reviews import review
from fireline.domain.deciding_steps import hasten
from fireline.domain.deciding_words import evidence, labels, span, times
from fireline.domain.deciding_world import World
from fireline.domain.effects import StartRun
from fireline.domain.incidents import Attached, Incident, Status
from fireline.domain.rules import Mode, Signal, State
from fireline.domain.runbooks import TERMINAL

_OVER = frozenset(status.value for status in TERMINAL)


def opens(incident: Incident | None, signal: Signal, world: World, now: float) -> bool:
    """Whether the signal opens a new incident, `incident` being the latest of its service, group and timeline."""
    if signal.state is not State.FIRING or signal.mode is Mode.SHADOW or signal.severity is None:
        return False
    if incident is None:
        return True
    if incident.merged_into is not None or incident.status is not Status.RESOLVED:
        return False
    if incident.closed_at is not None:
        return _new_to_closed(incident, signal, world)
    if _known(incident, signal):
        return False
    return now - (incident.resolved_at or 0.0) > world.response.reopen_within


def decide_signal(incident: Incident | None, signal: Signal, world: World, now: float, number: int | None) -> Decision:
    """What a signal leads to; `number` is the new incident's when it `opens` one."""
    if signal.mode is Mode.SHADOW:
        return Decision(incident, reason=_shadow(signal, world))
    if number is not None and opens(incident, signal, world, now):
        return _open(signal, world, now, number)
    if incident is None:
        return Decision(None, reason=f"{labels(signal)} is {signal.state.value}, and no incident is open for it")
    closed = incident.closed_at is not None and signal.state is State.FIRING
    if incident.merged_into is not None or closed:
        return Decision(incident, reason=f"{labels(signal)}: {incident.id} is {incident.stands}, and stays so")
    draft = Draft(incident, incident, world, now)
    known = incident.signals.get(signal.fingerprint)
    if known is not None and (signal.id == known.signal.id or signal.at < known.signal.at):
        draft.reason = f"{labels(signal)}: an older or repeated verdict changes nothing"
    elif signal.state is State.FIRING and signal.severity is not None:
        _fire(draft, signal, known)
    elif signal.state is State.CLEAR:
        _clear(draft, signal, known)
    else:
        _unknown(draft, signal, known)
    review(draft)
    return draft.decide()


def _known(incident: Incident, signal: Signal) -> bool:
    """Whether the signal only goes on with an episode that the incident has and that never cleared."""
    known = incident.signals.get(signal.fingerprint)
    return known is not None and known.cleared_at is None and known.signal.episode == signal.episode


def _new_to_closed(incident: Incident, signal: Signal, world: World) -> bool:
    """Whether it is news after what was closed: not of an episode that somebody resolved, unless it got worse."""
    known = incident.signals.get(signal.fingerprint)
    if known is not None and signal.at <= known.signal.at:
        return False
    return not _known(incident, signal) or world.worse(signal.severity or "", incident.severity)


def _shadow(signal: Signal, world: World) -> str:
    owner, _ = world.owner(signal.rule, signal.service)
    would = f"would concern {owner}" if signal.state is State.FIRING else "would clear"
    return f"shadow: {labels(signal)} {would} at {signal.severity}; a shadow rule opens nothing and pages nobody"


def _open(signal: Signal, world: World, now: float, number: int) -> Decision:
    owner, reason = world.owner(signal.rule, signal.service)
    severity = signal.severity or ""
    incident = Incident(
        number=number,
        service=world.service_id(signal.service),
        group=signal.group,
        timeline=signal.timeline,
        title=signal.summary,
        severity=severity,
        owner=owner,
        status=Status.TRIGGERED,
        opened_at=now,
        started=signal.started,
        began=signal.started,
        signals={signal.fingerprint: Attached(signal)},
    )
    draft = Draft(None, incident, world, now)
    text = f"Opened at {severity}: {signal.summary}. {evidence(signal)}. {owner} answers: {reason}"
    draft.note("opened", text, data=_data(signal))
    if world.service(signal.service) is None:
        draft.note("owner", f"{signal.service} is not in the catalog: {owner} answers for it by default")
    look(draft)
    wake(draft)
    page(draft)
    _request_runs(draft, signal, rises=True)
    return draft.decide()


def _data(signal: Signal) -> dict[str, object]:
    found = signal.evidence
    return {
        "signal": signal.id,
        "rule": signal.rule,
        "entity": dict(signal.entity),
        "severity": signal.severity,
        "episode": signal.episode,
        "started": signal.started,
        "at": signal.at,
        "measures": dict(found.measures),
        "samples": found.samples,
        "late": found.late,
        "notes": list(found.notes),
        "condition": found.condition,
        "window": [found.window_start, found.window_end],
    }


def _fire(draft: Draft, signal: Signal, known: Attached | None) -> None:
    incident = draft.incident
    if incident.status is Status.RESOLVED:
        _fire_resolved(draft, signal)
        return
    quiet_before = not incident.firing
    _attach(draft, _refired(draft, signal, known))
    if known is None:
        draft.note(
            "attached", f"{labels(signal)} fires as well, at {signal.severity}: {signal.summary}", data=_data(signal)
        )
    elif known.cleared_at is None:
        draft.note("signal", f"{labels(signal)} is now at {signal.severity}: {signal.summary}", data=_data(signal))
    if quiet_before:
        unsettle(draft)
    rises = _rate(draft, signal)
    earlier = seen_since(draft, signal.started)
    look(draft)
    page_or_say_why_not(draft, rises=rises)
    if rises or earlier:
        wake(draft)
    _request_runs(draft, signal, rises=rises or quiet_before)


def _attach(draft: Draft, attached: Attached) -> None:
    draft.change(signals={**draft.incident.signals, attached.signal.fingerprint: attached})


def _refired(draft: Draft, signal: Signal, known: Attached | None) -> Attached:
    """The signal as attached now that it fires; one that was clear has changed."""
    if known is None:
        return Attached(signal)
    found = replace(known, signal=signal, cleared_at=None)
    if known.cleared_at is None:
        return found
    found = changed(draft, found)
    return replace(found, flaps=_flaps(draft, found, draft.now - known.cleared_at))


def _flaps(draft: Draft, known: Attached, quiet: float) -> int:
    """How often it came again so far, after `quiet` seconds clear; told until it is known to be flapping."""
    signal = known.signal
    if quiet > draft.world.response.reopen_within:
        draft.note("signal", f"{labels(signal)} fires again after {span(quiet)} clear", data=_data(signal))
        return known.flaps
    flaps = known.flaps + 1
    text = f"{labels(signal)} fires again after {span(quiet)} clear ({times(flaps)} so far); held open"
    draft.note("flap" if known.flapping_since is None else "flapped", text, data={**_data(signal), "flaps": flaps})
    return flaps


def unsettle(draft: Draft) -> None:
    """Signals fire again: nothing settles, nothing is mitigated, and a stopped escalation or deadline goes on."""
    incident = draft.incident
    draft.disarm("settle")
    draft.change(settle_due_at=None, mitigated_at=None)
    if incident.acknowledged_by is not None:
        arm_ack_timeout(draft)


def _rate(draft: Draft, signal: Signal) -> bool:
    """Set the severity to the worst that fires, unless a person set it; whether it rose."""
    before = draft.incident.severity
    if (by_hand := draft.incident.severity_override) is not None:
        if signal.severity is not None and draft.world.worse(signal.severity, by_hand):
            text = f"{labels(signal)} fires at {signal.severity}; the severity stays {by_hand}, which was set by hand"
            draft.note("unpaged", text)
        return False
    found = draft.world.worst([a.signal.severity for a in draft.incident.firing if a.signal.severity])
    if found is None or found == before:
        return False
    rises = draft.world.worse(found, before)
    title = signal.summary if rises else draft.incident.title
    draft.change(severity=found, title=title)
    way = "rises" if rises else "falls"
    draft.note("severity", f"Severity {way} from {before} to {found}: {labels(signal)}", data=_data(signal))
    return rises


def page_or_say_why_not(draft: Draft, *, rises: bool) -> None:
    """Page where nobody is on it and nobody is being asked, or it got worse than what was acknowledged."""
    incident, world = draft.incident, draft.world
    if (cause := incident.impact) is not None and excused(incident, world):
        if rises:
            draft.note("unpaged", f"Not paged: it comes of INC-{cause.cause} {cause.service}")
        return
    if incident.acknowledged_by is not None:
        if rises and world.worse(incident.severity, incident.acknowledged_severity):
            who, what = world.name(incident.acknowledged_by), incident.acknowledged_severity
            draft.note("stale", f"Paging again: {who} acknowledged {what}, and it is {incident.severity} now")
            start(draft)
        elif rises:
            draft.note("unpaged", f"Not paged again: {world.name(incident.acknowledged_by)} is on it")
        return
    exhausted = incident.escalation is not None and incident.escalation.exhausted
    if idle(incident) or (rises and exhausted):
        start(draft)
    elif rises:
        hasten(draft)


def page_what_is_left(draft: Draft) -> None:
    """What is left may page where what went did not: the levels of a catalog need not page from the worst down."""
    if draft.world.severity(draft.incident.severity).pages and idle(draft.incident):
        page_or_say_why_not(draft, rises=False)


def _request_runs(draft: Draft, signal: Signal, *, rises: bool) -> None:
    """Ask for the rule's runbooks, once a stretch and severity; one that still runs is not started beside itself."""
    incident = draft.incident
    for runbook in signal.runbooks:
        if runbook in incident.requested and not rises:
            continue
        if any(ref.runbook == runbook and ref.status not in _OVER for ref in incident.runs.values()):
            draft.note("run", f"{runbook} is not started again: a run of it is under way")
            continue
        inputs = {**dict(signal.entity), "service": incident.service, "severity": incident.severity}
        key = draft.key(f"run/{runbook}/{signal.episode!r}/{incident.severity}")
        draft.effects.append(StartRun(key, incident.number, runbook, inputs))
        draft.note("requested", f"Runbook {runbook} asked for by {signal.rule}", data={"inputs": inputs})
        draft.change(requested=tuple(dict.fromkeys((*draft.incident.requested, runbook))))


def _fire_resolved(draft: Draft, signal: Signal) -> None:
    incident = draft.incident
    if _known(incident, signal) and not draft.world.worse(signal.severity or "", incident.severity):
        _attach(draft, replace(incident.signals[signal.fingerprint], signal=signal))
        who = draft.world.name(incident.resolved_by or "somebody")
        text = f"{labels(signal)} still fires at {signal.severity}; {who} resolved it, so it stays closed"
        draft.note("unpaged", text, data=_data(signal))
        return
    reopen(draft, f"{labels(signal)} fires at {signal.severity}: {signal.summary}")
    known = incident.signals.get(signal.fingerprint)
    kept = {k: a for k, a in incident.signals.items() if a.cleared_at is None}
    again = Attached(signal) if known is None else replace(known, signal=signal, cleared_at=None)
    again = again if known is None or known.cleared_at is None else changed(draft, again)
    draft.change(signals={**kept, signal.fingerprint: again}, title=signal.summary)
    _rate_reopened(draft)
    restarted(draft, signal.started)
    look(draft)
    wake(draft)
    page(draft)
    _request_runs(draft, signal, rises=True)


def _rate_reopened(draft: Draft) -> None:
    """What a person set too mild for what fires now was said of what is over: the signals say it again."""
    incident, by_hand = draft.incident, draft.incident.severity_override
    found = draft.world.worst([a.signal.severity for a in incident.firing if a.signal.severity]) or incident.severity
    if by_hand is not None and not draft.world.worse(found, by_hand):
        return
    draft.change(severity=found, severity_override=None)
    if by_hand is not None:
        draft.note("severity", f"Severity {by_hand}, set by hand, was of what is over: the signals say {found}")


def _clear(draft: Draft, signal: Signal, known: Attached | None) -> None:
    if known is None or known.cleared_at is not None:
        draft.reason = f"{labels(signal)} cleared, which was known or never fired here"
        return
    # the last firing verdict stays, so that it can still be told what fired; only its time of clearing is noted
    kept = replace(known.signal, id=signal.id, at=signal.at, evidence=signal.evidence, sequence=signal.sequence)
    _attach(draft, changed(draft, replace(known, signal=kept, cleared_at=draft.now)))
    draft.note("cleared", f"Cleared: {evidence(signal)}", data=_data(signal))
    if draft.incident.status is Status.RESOLVED:
        return
    if draft.incident.firing:
        _rate(draft, signal)
        page_what_is_left(draft)
    else:
        settle(draft)


def _unknown(draft: Draft, signal: Signal, known: Attached | None) -> None:
    if known is None or known.cleared_at is not None or draft.incident.status is Status.RESOLVED:
        draft.reason = f"{labels(signal)} cannot be told: {signal.evidence.reason}"
        return
    draft.note("unknown", f"{labels(signal)} cannot be told now, which is not clear: {signal.evidence.reason}")
    draft.quiet = True
