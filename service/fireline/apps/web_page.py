"""The status page: what is open, who is on call, where traffic goes; rendered here, no framework in the browser."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from fireline.apps.output import ago
from fireline.apps.web_health import STREAM_FACT, Health
from fireline.apps.web_oncall import name_of, on_call
from fireline.apps.web_table import Table
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident, PageStatus
from fireline.domain.routes import Route

LEVELS = ("safety", "outage", "degraded", "notice")
RECENT = 3 * 3600.0
"""Seconds for which a resolved incident stays on the page."""


def page_template() -> Template:
    """The page's template; event text may be hostile and is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("web_page.html")


def page_values(
    configuration: Configuration,
    health: Health,
    table: Table,
    incidents: "tuple[Incident, ...]",
    now: float,
) -> dict[str, object]:
    """Everything the template shows, as texts."""
    ranks = {severity.name: severity.rank for severity in configuration.catalog.severities}
    open_ = [i for i in incidents if i.resolved_at is None]
    open_.sort(key=lambda i: (ranks.get(i.severity, 99), -i.opened_at))
    recent = [i for i in incidents if i.resolved_at is not None and now - i.resolved_at < RECENT]
    return {
        "now": _clock(now),
        "rate": _rate(health),
        "troubles": health.troubles,
        "stops": [f"Runs are held by {stop}, since {_clock(stop.at)}" for stop in health.stops],
        "incidents": [_incident(configuration, i, now) for i in open_],
        "recent": [_incident(configuration, i, now) for i in recent[:5]],
        "oncall": list(_on_call(configuration, now)),
        "routes": [_route(configuration, route, now) for route in _first_the_moved(table)],
    }


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _day(at: object) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%a %d %b %H:%M UTC") if isinstance(at, float) else "further notice"


def _rate(health: Health) -> str:
    rate = health.number(STREAM_FACT, "events_per_second")
    dead = health.number(STREAM_FACT, "dead_letters")
    refused = f", {dead:,.0f} dead letters" if dead else ""
    return "" if rate is None else f"{rate:,.0f} events/s{refused}"


def _incident(configuration: Configuration, incident: Incident, now: float) -> dict[str, object]:
    level = incident.severity if incident.severity in LEVELS else "notice"
    ended = incident.resolved_at
    age = f"for {ago(incident.opened_at, now)}" if ended is None else f"resolved {ago(ended, now)} ago"
    return {
        "id": incident.id,
        "level": level,
        "severity": incident.severity,
        "status": incident.stands,
        "title": incident.title,
        "service": incident.service,
        "age": age,
        "who": _who(configuration, incident),
        "runs": [f"{run.runbook}: {run.status}" for run in incident.runs.values()],
    }


def _who(configuration: Configuration, incident: Incident) -> str:
    if incident.acknowledged_by is not None:
        return f"taken by {name_of(configuration, incident.acknowledged_by)}"
    live = [p for p in incident.pages if p.status in (PageStatus.SENDING, PageStatus.DELIVERED)]
    if live:
        return "paged " + ", ".join(dict.fromkeys(name_of(configuration, page.person) for page in live))
    return f"owned by {incident.owner}, nobody paged"


def _on_call(configuration: Configuration, now: float) -> Iterator[dict[str, object]]:
    for shift in on_call(configuration, now):
        detail = "nobody would be reached"
        if shift["person"] is not None:
            after = f", then {name_of(configuration, str(shift['next_person']))}" if shift["next_person"] else ""
            detail = f"{shift['source']}, until {_day(shift['until'])}{after}"
        yield {**shift, "detail": detail}


def _first_the_moved(table: Table) -> list[Route]:
    return sorted(table.routes.values(), key=lambda route: (route.lease is None, -route.version, route.service))


def _route(configuration: Configuration, route: Route, now: float) -> dict[str, object]:
    service = configuration.catalog.services.get(route.service)
    shares = sorted(((share, target) for target, share in route.weights.items() if share > 0), reverse=True)
    detail = (
        "as configured" if route.version == 0 else f"{route.reason} · {route.by} · {ago(route.changed_at, now)} ago"
    )
    if route.lease is not None:
        detail = f"until {_clock(route.lease.until)} · " + detail
    return {
        "service": route.service,
        "shares": " · ".join(f"{target} {share} %" for share, target in shares),
        "primary": route.weights.get(service.primary if service else "primary", 0),
        "detail": detail,
    }
