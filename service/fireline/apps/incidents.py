"""The work behind `fireline incidents`: reading from the database, and acts through the same decision as clicks."""

import re
from dataclasses import asdict, dataclass

from rich.text import Text

from fireline.apps.bootstrap import Look, Parts, assemble, look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import ago, harmless, instant, out, print_json, say, styled, table
from fireline.domain.incidents import Acknowledge, AddNote, Attached, Entry, EscalateNow, Incident, Input, Page, Resolve
from fireline.domain.runbooks import Run

_NUMBER = re.compile(r"^(?:INC-)?([0-9]{1,9})$", re.IGNORECASE)
NOTE = 4000
"""Characters of a note, as the HTTP API takes them."""


def number_of(text: str) -> int:
    """`INC-7` or `7` as 7; raises Refused for anything else."""
    match = _NUMBER.match(text.strip())
    if match is None:
        raise Refused(f"{text[:50]!r} is not an incident; expected INC-7 or 7 (`fireline incidents ls` lists them)")
    return int(match.group(1))


def is_incident(text: str) -> bool:
    """Whether a text looks like the name of an incident."""
    return _NUMBER.match(text.strip()) is not None


@dataclass(frozen=True, slots=True)
class Told:
    """One incident with everything that hangs on it."""

    incident: Incident
    timeline: tuple[Entry, ...]
    runs: tuple[Run, ...]


def find(parts: Look | Parts, text: str) -> Told:
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
    parts = look(settings_with())
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
    told = find(look(settings_with()), text)
    if as_json:
        print_json(
            {
                **summary(told.incident),
                "signals": [signal_json(attached) for attached in told.incident.signals.values()],
                "pages": [page_json(page) for page in told.incident.pages],
                "timeline": [_entry(entry) for entry in told.timeline],
                "runs": [
                    {"id": r.id, "runbook": r.runbook, "status": r.status.value, "reason": r.reason} for r in told.runs
                ],
            }
        )
        return 0
    _print(told)
    return 0


def signal_json(attached: Attached) -> dict[str, object]:
    """A signal with its evidence."""
    signal, evidence = attached.signal, attached.signal.evidence
    return {
        "fingerprint": signal.fingerprint,
        "rule": signal.rule,
        "severity": signal.severity,
        "firing": attached.cleared_at is None,
        "measures": dict(evidence.measures),
        "samples": evidence.samples,
        "late": evidence.late,
        "notes": list(evidence.notes),
        "window": [evidence.window_start, evidence.window_end],
        "condition": evidence.condition,
        "reason": evidence.reason,
    }


def page_json(page: Page) -> dict[str, object]:
    """A page with why it reached this person, and what came of each attempt."""
    return {
        "number": page.number,
        "person": page.person,
        "at": page.at,
        "status": page.status.value,
        "level": page.level,
        "round": page.round,
        "why": asdict(page.why),
        "attempts": [asdict(attempt) for attempt in page.attempts],
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {"at": entry.at, "kind": entry.kind, "actor": entry.actor, "text": entry.text, "data": dict(entry.data)}


def _print(told: Told) -> None:
    incident = told.incident
    title = Text(f"  {harmless(incident.id)} {harmless(incident.title)}")
    out().print(styled(incident.severity) + Text("  ") + styled(incident.status.value) + title)
    say(f"service {incident.service}, owner {incident.owner}, opened {instant(incident.opened_at)}")
    for attached in incident.signals.values():
        state = "firing" if attached.cleared_at is None else f"clear since {instant(attached.cleared_at)}"
        why = "; ".join((attached.signal.evidence.reason, *attached.signal.evidence.notes))
        say(f"  {attached.signal.fingerprint}: {state}; {why}")
    for page in incident.pages:
        tries = ", ".join(f"{a.channel} {a.state}" for a in page.attempts) or "not tried yet"
        say(f"  page {page.number} to {page.person}: {page.status.value} ({tries}); level {page.level + 1}")
    for run in told.runs:
        say(f"  run {run.id} of {run.runbook}: {run.status.value} {run.reason}")
    out().print()
    table(("when", "who", "what"), [(instant(e.at), e.actor, e.text) for e in told.timeline], "Nothing happened yet.")


def act(kind: str, text: str, person: str | None, note: str) -> int:
    """Do one thing to an incident as a person; the answer is the decision's own words."""
    if kind == "note" and not 0 < len(note.strip()) <= NOTE:
        raise Refused(f"a note has 1 to {NOTE} characters, this one {len(note.strip())}")
    parts = assemble(settings_with())
    number, who = find(parts, text).incident.number, parts.person(person).id
    decision = parts.responder.handle(_input(kind, number, who, note))
    say(decision.reply or decision.reason)
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
