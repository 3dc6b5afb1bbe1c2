"""The draft of a post-mortem: what the timeline knows, in order, with gaps for what only people know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fireline.apps.bootstrap import look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.incidents import Told, find
from fireline.apps.output import instant, print_json, say
from fireline.domain.deciding_words import span, times
from fireline.domain.incident_records import PostMortem
from fireline.domain.incidents import Entry, Incident
from fireline.domain.texts import clean

_FIRES = frozenset({"opened", "attached", "signal", "flap", "reopened", "severity", "unpaged"})
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_[]<>|#"})


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured when a signal spoke: seconds since the epoch, and the values by measure."""

    signal: str
    at: float
    fires: bool
    severity: str
    values: Mapping[str, float]


def lines_of(told: Told) -> list[tuple[str, Entry]]:
    """Every line of the timeline, and of those that were merged into it, in order, each with its incident's name."""
    own = [(told.incident.id, entry) for entry in told.timeline]
    return sorted([*own, *told.came], key=lambda each: each[1].at)


def evidence_of(told: Told) -> dict[str, list[Point]]:
    """By signal (its rule and entity), what it said over time."""
    found: dict[str, list[Point]] = {}
    for _, entry in lines_of(told):
        data = entry.data
        measures, entity = data.get("measures"), data.get("entity")
        if not isinstance(measures, Mapping) or not isinstance(entity, Mapping):
            continue
        inside = ", ".join(f"{key}={value}" for key, value in entity.items())
        values = {str(k): float(v) for k, v in measures.items() if isinstance(v, int | float) and abs(v) < 1e300}
        at = data.get("at")
        point = Point(
            signal=str(data.get("signal")),
            at=float(at) if isinstance(at, int | float) else entry.at,
            fires=entry.kind in _FIRES,
            severity=str(data.get("severity") or ""),
            values=values,
        )
        points = found.setdefault(f"{data.get('rule')}{{{inside}}}", [])
        if not points or points[-1].signal != point.signal:  # one signal may have several lines, its own first
            points.append(point)
    return found


def figures(incident: Incident) -> list[tuple[str, str]]:
    """What is known of it in figures: names and values."""
    opened = incident.opened_at
    after = [
        ("taken", incident.acknowledged_at, incident.acknowledged_by),
        ("mitigated", incident.mitigated_at, None),
        ("resolved", incident.resolved_at, incident.resolved_by),
        ("closed", incident.closed_at, incident.closed_by),
    ]
    hand = " (set by hand)" if incident.severity_override else ""
    found = [
        ("severity", f"{incident.severity}{hand}, at worst {incident.peak or incident.severity}"),
        ("service", f"{incident.service}, owner {incident.owner}"),
        ("opened", f"{instant(opened)}, first evidence {span(opened - incident.started)} before"),
    ]
    for name, at, by in after:
        if at is not None:
            found.append((name, f"{instant(at)}, after {span(at - opened)}{f', by {by}' if by else ''}"))
    people = ", ".join(sorted({page.person for page in incident.pages})) or "nobody"
    found.append(("pages", f"{len(incident.pages)}, to {people}"))
    if incident.reopened:
        found.append(("reopened", times(incident.reopened)))
    found += [(held.role.value, held.person) for held in incident.roles]
    return found


def draft(text: str, html: str | None, as_json: bool) -> int:
    """Print the draft of the incident called `text`, or write it as a page to the file `html`."""
    told = find(look(settings_with()), text)
    if html is not None:
        from fireline.apps.postmortem_html import page  # it imports this module

        try:
            Path(html).write_text(page(told), encoding="utf-8")
        except OSError as fault:
            raise Refused(f"{html} cannot be written: {fault.strerror}") from fault
        say(f"Draft of the post-mortem of {told.incident.id} with charts: {html}")
        return 0
    if as_json:
        found = told.incident.postmortem or PostMortem()
        written = {"root_cause": found.root_cause, "owner": found.owner, "due": found.due}
        print_json(
            {"incident": told.incident.id, **written, "missing": list(found.missing), "markdown": markdown(told)}
        )
        return 0
    say(markdown(told).rstrip())
    return 0


def markdown(told: Told) -> str:
    """The draft as Markdown; texts of events cannot become markup."""
    incident = told.incident
    parts = [
        f"# Post-mortem of {incident.id}: {plain(incident.title)}",
        "\n".join(_table(("what", "how it was"), figures(incident))),
        "## Root cause",
        *_learned(incident),
        "## What helped, what stood in the way",
        "*To be written: how it was noticed, what worked, what did not, where luck was needed.*",
        "## Tasks",
        "\n".join(_tasks(incident)),
        "## Evidence",
        "\n".join(_table(("signal", "first", "last", "said", "values"), _evidence(told))),
        "## Timeline",
        "\n".join(_table(("when", "who", "what"), _lines(told))),
    ]
    if incident.links:
        parts += ["## Links", "\n".join(f"- {plain(link.title or 'link')}: <{link.url}>" for link in incident.links)]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """A text that stays a text in Markdown, on one line."""
    return clean(text, lines=False).translate(_SPECIAL)


def _learned(incident: Incident) -> Iterator[str]:
    found = incident.postmortem or PostMortem()
    command = f"`fireline incidents postmortem {incident.id}"
    yield plain(found.root_cause) if found.root_cause else f'*To be written: {command} --root-cause "..."`*'
    owner, due = found.owner or f"*nobody yet: {command} --owner PERSON`*", found.due or "*no day yet: `--due`*"
    yield f"Owner: {owner}. Due: {due}."


def _tasks(incident: Incident) -> Iterator[str]:
    for task in incident.tasks:
        whose = f" ({task.assignee})" if task.assignee else ""
        yield f"- [{'x' if task.done_at is not None else ' '}] {plain(task.text)}{whose}"
    if not incident.tasks:
        yield f'*None yet: `fireline incidents task {incident.id} "..." --for PERSON`*'


def _table(headers: tuple[str, ...], rows: "list[tuple[str, ...]] | list[tuple[str, str]]") -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"| {' | '.join('---' for _ in headers)} |"
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"


def _evidence(told: Told) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, points in evidence_of(told).items():
        values = ", ".join(f"{measure} {_range(points, measure)}" for measure in _measures(points))
        said = ", ".join(dict.fromkeys(point.severity or "cleared" for point in points))
        rows.append((name, instant(points[0].at), instant(points[-1].at), said, values))
    return rows


def _measures(points: list[Point]) -> dict[str, None]:
    return dict.fromkeys(measure for point in points for measure in point.values)


def _range(points: list[Point], measure: str) -> str:
    values = [point.values[measure] for point in points if measure in point.values]
    low, high = min(values), max(values)
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _lines(told: Told) -> list[tuple[str, ...]]:
    mine = told.incident.id
    return [
        (instant(entry.at), entry.actor if name == mine else f"{name} {entry.actor}", entry.text)
        for name, entry in lines_of(told)
    ]
