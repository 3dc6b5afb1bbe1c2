"""The draft of a post-mortem as one HTML file: charts of the evidence, nothing from elsewhere, no script."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from fireline.apps.backtest_charts import Strip, curve, lanes
from fireline.apps.incidents import Told
from fireline.apps.output import instant
from fireline.apps.postmortem import Point, evidence_of, figures, lines_of
from fireline.domain.incident_records import PostMortem
from fireline.domain.incidents import Incident

MOST_CURVES = 24


def page(told: Told) -> str:
    """The whole page."""
    incident = told.incident
    found = incident.postmortem or PostMortem()
    learned = f"<p>{escape(found.root_cause)}</p>" if found.root_cause else "<p><em>To be written.</em></p>"
    who = f"<p>Owner: {escape(found.owner or 'nobody yet')}. Due: {escape(found.due or 'no day yet')}.</p>"
    parts = [
        _table(("what", "how it was"), figures(incident)),
        _section("Root cause", learned + who),
        _section("What fired when", _overview(told)),
        _section("Evidence", _curves(told)),
        _section("Tasks", _tasks(incident)),
        _section("Timeline", _table(("when", "who", "what"), _lines(told))),
        _section("Links", _links(incident)) if incident.links else "",
    ]
    template = Template((Path(__file__).parent / "backtest_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"Post-mortem of {incident.id}: {incident.title}"),
        about=escape(f"{incident.service}, {incident.peak or incident.severity}, {instant(incident.opened_at)}"),
        body="\n".join(part for part in parts if part),
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in headers)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _lines(told: Told) -> list[tuple[str, str, str]]:
    mine = told.incident.id
    return [(instant(e.at), e.actor if name == mine else f"{name} {e.actor}", e.text) for name, e in lines_of(told)]


def _tasks(incident: Incident) -> str:
    rows = [("done" if t.done_at is not None else "open", t.assignee or "-", t.text) for t in incident.tasks]
    return _table(("state", "for", "what"), rows) if rows else "<p>None yet.</p>"


def _links(incident: Incident) -> str:
    items = [
        f'<li><a href="{escape(link.url)}" rel="noreferrer">{escape(link.title or link.url)}</a></li>'
        for link in incident.links
    ]
    return f"<ul>{''.join(items)}</ul>"


def _bounds(told: Told) -> tuple[float, float]:
    """From the first evidence to the end, or to the last that is known."""
    incident = told.incident
    times = [entry.at for _, entry in lines_of(told)]
    times += [point.at for points in evidence_of(told).values() for point in points]
    first = min([incident.started, *times])
    last = max([incident.opened_at, *times]) if incident.resolved_at is None else incident.resolved_at
    return first, max(last, first + 1.0)


def _share(at: float, bounds: tuple[float, float]) -> float:
    first, last = bounds
    return min(1.0, max(0.0, (at - first) / (last - first)))


def _overview(told: Told) -> str:
    """A lane for each signal while it fires, one for the pages until somebody took it, one for each run."""
    bounds = _bounds(told)
    strips: dict[str, list[Strip]] = {}
    for name, points in evidence_of(told).items():
        strips[name] = list(_firing(points, bounds))
    strips["pages"] = [
        Strip(_share(p.at, bounds), _share(p.at, bounds), "window", f"page {p.number} to {p.person}: {p.status.value}")
        for p in told.incident.pages
    ]
    for run in told.runs:
        start = run.created_at if run.started_at is None else run.started_at
        end = bounds[1] if run.ended_at is None else run.ended_at
        words = f"run {run.id} of {run.runbook}: {run.status.value}"
        strips[f"run {run.id} {run.runbook}"] = [Strip(_share(start, bounds), _share(end, bounds), "quiet", words)]
    names = [name for name, found in strips.items() if found]
    words = f"{len(evidence_of(told))} signals, {len(told.incident.pages)} pages, {len(told.runs)} runs"
    ends = (instant(bounds[0]), instant(bounds[1]))
    legend = '<p class="legend"><span class="new"></span> fires <span class="window"></span> page'
    return f'{legend} <span class="quiet"></span> run</p>' + lanes(
        "What fired when", words, names, [strips[n] for n in names], ends
    )


def _firing(points: Sequence[Point], bounds: tuple[float, float]) -> Iterable[Strip]:
    since: Point | None = None
    for point in points:
        if point.fires and since is None:
            since = point
        elif not point.fires and since is not None:
            yield _strip(since, point.at, bounds)
            since = None
    if since is not None:
        yield _strip(since, bounds[1], bounds)


def _strip(since: Point, until: float, bounds: tuple[float, float]) -> Strip:
    words = f"fires at {since.severity}, {instant(since.at)} to {instant(until)}"
    return Strip(_share(since.at, bounds), _share(until, bounds), "new", words)


def _curves(told: Told) -> str:
    bounds = _bounds(told)
    ends = (instant(bounds[0]), instant(bounds[1]))
    drawn = []
    for name, points in evidence_of(told).items():
        for measure in dict.fromkeys(measure for point in points for measure in point.values):
            known = [(point, point.values[measure]) for point in points if measure in point.values]
            title = f"{measure} of {name}"
            words = ", ".join(f"{value:.6g}" for _, value in known)
            labels = [f"{instant(p.at)}: {value:.6g}, {p.severity or 'cleared'}" for p, value in known]
            dots = [(_share(p.at, bounds), value) for p, value in known]
            drawn.append(f"<h3>{escape(title)}</h3>" + curve(title, words, dots, labels, ends))
    more = f"<p>{len(drawn) - MOST_CURVES} more are in the timeline.</p>" if len(drawn) > MOST_CURVES else ""
    note = "<p>Each dot is a verdict: what was measured when a signal fired, changed or cleared.</p>"
    return note + "\n".join(drawn[:MOST_CURVES]) + more if drawn else "<p>No measure was recorded.</p>"
