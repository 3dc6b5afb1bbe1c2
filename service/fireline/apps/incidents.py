"""The work behind `fireline incidents`: reading from the database, and acts through the same decision as clicks."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.text import Text

from fireline.apps.bootstrap import Look, Parts, look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import ago, err, harmless, instant, out, print_json, say, styled, table
from fireline.domain.incidents import Attached, Entry, Incident, Page
from fireline.domain.runbooks import Run
from fireline.engine.ports import Transaction

_NUMBER = re.compile(r"^(?:INC-)?([0-9]{1,9})$", re.IGNORECASE)


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
    came: tuple[tuple[str, Entry], ...] = ()  # the lines of those that were merged into it, with their names


def find(parts: Look | Parts, text: str) -> Told:
    """The incident called `text`; raises Refused when there is none."""
    number = number_of(text)
    with parts.store.reading() as tx:
        incident = tx.incident(number)
        if incident is None:
            raise Refused(f"there is no incident INC-{number}; `fireline incidents ls --all` lists all")
        return told_in(tx, incident)


def told_in(tx: Transaction, incident: Incident) -> Told:
    """The incident with its timeline and runs, and those of what was merged into it."""
    came = _merged(tx, incident)
    runs = [run for each in (incident, *came) for run in tx.runs(incident=each.number)]
    lines = [(each.id, entry) for each in came for entry in tx.timeline(each.number)]
    return Told(incident, tuple(tx.timeline(incident.number)), tuple(runs), tuple(lines))


def _merged(tx: Transaction, incident: Incident) -> list[Incident]:
    """What was merged into it, and into that."""
    found: dict[int, Incident] = {}
    left = list(incident.merged)
    while left:
        other = tx.incident(left.pop())
        if other is not None and other.number not in found:
            found[other.number] = other
            left += other.merged
    return list(found.values())


def summary(incident: Incident) -> dict[str, object]:
    """The JSON of one line of the list."""
    return {
        "id": incident.id,
        "severity": incident.severity,
        "status": incident.stands,
        "service": incident.service,
        "title": incident.title,
        "owner": incident.owner,
        "acknowledged_by": incident.acknowledged_by,
        "paged": sorted({page.person for page in incident.pages}),
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "timeline": incident.timeline,
        "silenced": None if incident.silenced is None else asdict(incident.silenced),
    }


def ls(everything: bool, limit: int, as_json: bool) -> int:
    """List incidents, newest first."""
    parts = look(settings_with())
    with parts.store.reading() as tx:
        stops = tx.stops()
        incidents = tx.incidents(open_only=not everything, limit=limit)
    if as_json:
        print_json([summary(incident) for incident in incidents])
        return 0
    for stop in stops:
        say(f"Runs are held by {stop}", "yellow", to=err())
    now = parts.clock.now()
    rows = [
        (
            i.id,
            styled(i.severity),
            styled(i.stands),
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
                **kept_json(told.incident),
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


def kept_json(incident: Incident) -> dict[str, object]:
    """What people keep on it, its version, and the incidents it belongs with."""
    return {
        "version": incident.version,
        "severity_by_hand": incident.severity_override,
        "roles": [asdict(held) for held in incident.roles],
        "links": [asdict(link) for link in incident.links],
        "tasks": [asdict(task) for task in incident.tasks],
        "postmortem": None if incident.postmortem is None else asdict(incident.postmortem),
        "closed_at": incident.closed_at,
        "merged_into": _name(incident.merged_into),
        "merged": [_name(number) for number in incident.merged],
        "split_from": _name(incident.split_from),
        "split_off": sorted({f"INC-{number}" for number in incident.moved.values()}),
        "impacted_by": None if incident.impact is None else _name(incident.impact.cause),
        "impacts": [_name(number) for number in incident.impacts],
    }


def _name(number: int | None) -> str | None:
    return None if number is None else f"INC-{number}"


def signal_json(attached: Attached) -> dict[str, object]:
    """A signal with its evidence."""
    signal, evidence = attached.signal, attached.signal.evidence
    return {
        "fingerprint": signal.fingerprint,
        "rule": signal.rule,
        "severity": signal.severity,
        "firing": attached.cleared_at is None,
        "flapping": attached.flapping_since is not None,
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
    out().print(styled(incident.severity) + Text("  ") + styled(incident.stands) + title)
    say(f"service {incident.service}, owner {incident.owner}, opened {instant(incident.opened_at)}")
    say(f"version {incident.version}")
    if (held := incident.silenced) is not None:
        say(f"silenced by {', '.join(held.by)} of {held.author} until {instant(held.until)}: {held.reason}")
    for line in _kept(incident):
        say(f"  {line}")
    for attached in incident.signals.values():
        state = "firing" if attached.cleared_at is None else f"clear since {instant(attached.cleared_at)}"
        state += ", flapping" if attached.flapping_since is not None else ""
        why = "; ".join((attached.signal.evidence.reason, *attached.signal.evidence.notes))
        say(f"  {attached.signal.fingerprint}: {state}; {why}")
    for page in incident.pages:
        tries = ", ".join(f"{a.channel} {a.state}" for a in page.attempts) or "not tried yet"
        tries += f"; folded into {page.why.folded_into}" if page.why.folded_into else ""
        say(f"  page {page.number} to {page.person}: {page.status.value} ({tries}); level {page.level + 1}")
    for run in told.runs:
        say(f"  run {run.id} of {run.runbook}: {run.status.value} {run.reason}")
    out().print()
    table(("when", "who", "what"), [(instant(e.at), e.actor, e.text) for e in told.timeline], "Nothing happened yet.")


def _kept(incident: Incident) -> Iterator[str]:
    if incident.severity_override is not None:
        yield f"severity {incident.severity_override} set by hand, whatever fires"
    yield from _belongs(incident)
    for held in incident.roles:
        yield f"{held.role} {held.person}, since {instant(held.since)}, by {held.by}"
    for task in incident.tasks:
        state = f"done {instant(task.done_at)} by {task.done_by}" if task.done_at is not None else "open"
        whose = f", for {task.assignee}" if task.assignee else ""
        yield f"task {task.number} {state}{whose}: {task.text}"
    for link in incident.links:
        yield f"link {link.title}: {link.url}" if link.title else f"link {link.url}"
    found = incident.postmortem
    if found is not None:
        missing = f"; missing: {', '.join(found.missing)}" if found.missing else ""
        yield f"post-mortem: {found.root_cause or '-'}; owner {found.owner or '-'}, due {found.due or '-'}{missing}"
    if incident.closed_at is not None:
        yield f"closed {instant(incident.closed_at)} by {incident.closed_by}"


def _belongs(incident: Incident) -> Iterator[str]:
    """The incidents it came from and went to."""
    if incident.merged_into is not None:
        yield f"merged into INC-{incident.merged_into}, which has its signals, runs and tasks"
    if (impact := incident.impact) is not None:
        yield f"comes of INC-{impact.cause} {impact.service}: told, and not paged while that lasts"
    split_off = sorted(set(incident.moved.values()))
    for word, numbers in (("impacts", incident.impacts), ("merged", incident.merged), ("split off", split_off)):
        if numbers:
            yield f"{word}: {', '.join(f'INC-{number}' for number in numbers)}"
    if incident.split_from is not None:
        yield f"split off INC-{incident.split_from}"
