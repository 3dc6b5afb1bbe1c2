"""The work behind `fireline incidents`: reading from the database, and acts through the same decision as clicks."""

from dataclasses import dataclass

from fireline.apps.bootstrap import Parts, assemble, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import ago, instant, out, print_json, styled, table
from fireline.domain.incidents import Acknowledge, AddNote, Entry, EscalateNow, Incident, Input, Resolve
from fireline.domain.runbooks import Run


def number_of(text: str) -> int:
    """`INC-7` or `7` as 7; raises Refused for anything else."""
    digits = text.strip().upper().removeprefix("INC-")
    if not digits.isdigit():
        raise Refused(f"{text!r} is not an incident; expected INC-7 or 7 (`fireline incidents ls` lists them)")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Told:
    """One incident with everything that hangs on it."""

    incident: Incident
    timeline: tuple[Entry, ...]
    runs: tuple[Run, ...]


def find(parts: Parts, text: str) -> Told:
    """The incident called `text`; raises Refused when there is none."""
    number = number_of(text)
    with parts.store.reading() as tx:
        incident = tx.incident(number)
        if incident is None:
            raise Refused(f"there is no incident INC-{number}; `fireline incidents ls --all` lists all")
        return Told(incident, tuple(tx.timeline(number)), tuple(tx.runs(incident=number)))


def summary(incident: Incident) -> dict[str, object]:
    """The JSON of one line of the list."""
    return {
        "id": incident.id,
        "severity": incident.severity,
        "status": incident.status.value,
        "service": incident.service,
        "title": incident.title,
        "owner": incident.owner,
        "acknowledged_by": incident.acknowledged_by,
        "paged": sorted({page.person for page in incident.pages}),
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "timeline": incident.timeline,
    }


def ls(everything: bool, limit: int, as_json: bool) -> int:
    """List incidents, newest first."""
    parts = assemble(settings_with())
    with parts.store.reading() as tx:
        incidents = tx.incidents(open_only=not everything, limit=limit)
    if as_json:
        print_json([summary(incident) for incident in incidents])
        return 0
    now = parts.clock.now()
    rows = [
        (
            i.id,
            styled(i.severity),
            styled(i.status.value),
            i.service,
            i.acknowledged_by or "-",
            ago(i.opened_at, now),
            i.title,
        )
        for i in incidents
    ]
    table(("id", "severity", "status", "service", "on it", "since", "what"), rows, "No incident is open.")
    return 0


def show(text: str, as_json: bool) -> int:
    """Show one incident whole."""
    parts = assemble(settings_with())
    told = find(parts, text)
    if as_json:
        print_json(
            {
                **summary(told.incident),
                "signals": [_signal(a.signal.fingerprint, told.incident) for a in told.incident.signals.values()],
                "timeline": [_entry(entry) for entry in told.timeline],
                "runs": [
                    {"id": r.id, "runbook": r.runbook, "status": r.status.value, "reason": r.reason} for r in told.runs
                ],
            }
        )
        return 0
    _print(told)
    return 0


def _signal(fingerprint: str, incident: Incident) -> dict[str, object]:
    attached = next(a for a in incident.signals.values() if a.signal.fingerprint == fingerprint)
    evidence = attached.signal.evidence
    return {
        "fingerprint": fingerprint,
        "severity": attached.signal.severity,
        "firing": attached.cleared_at is None,
        "measures": dict(evidence.measures),
        "samples": evidence.samples,
        "condition": evidence.condition,
        "reason": evidence.reason,
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {"at": entry.at, "kind": entry.kind, "actor": entry.actor, "text": entry.text, "data": dict(entry.data)}


def _print(told: Told) -> None:
    console, incident = out(), told.incident
    console.print(styled(incident.severity), styled(incident.status.value), f"{incident.id} {incident.title}", sep="  ")
    console.print(
        f"service {incident.service}, owner {incident.owner}, opened {instant(incident.opened_at)}", markup=False
    )
    for attached in incident.signals.values():
        state = "firing" if attached.cleared_at is None else f"clear since {instant(attached.cleared_at)}"
        console.print(f"  {attached.signal.fingerprint}: {state}; {attached.signal.evidence.reason}", markup=False)
    for run in told.runs:
        console.print(f"  run {run.id} of {run.runbook}: {run.status.value} {run.reason}", markup=False)
    console.print()
    table(("when", "who", "what"), [(instant(e.at), e.actor, e.text) for e in told.timeline], "Nothing happened yet.")


def act(kind: str, text: str, person: str | None, note: str) -> int:
    """Do one thing to an incident as a person; the answer is the decision's own words."""
    parts = assemble(settings_with())
    who, number = parts.person(person).id, find(parts, text).incident.number
    decision = parts.responder.handle(_input(kind, number, who, note))
    out().print(decision.reply or decision.reason, markup=False)
    return 0


def _input(kind: str, number: int, who: str, note: str) -> Input:
    match kind:
        case "acknowledge":
            return Acknowledge(number, who, "command line")
        case "escalate":
            return EscalateNow(number, who, "command line")
        case "resolve":
            return Resolve(number, who, "command line")
        case "note":
            return AddNote(number, who, note)
        case _:
            raise ValueError(f"no such act: {kind}")
