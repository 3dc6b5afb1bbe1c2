"""The work behind `fireline oncall fairness`: who carries how much of the load, and how many pages came with it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from fireline.apps.faults import Refused
from fireline.apps.oncall import Desk, instant_of
from fireline.apps.output import err, instant, print_json, say, table
from fireline.domain.fairness import Load, loads, share
from fireline.domain.incidents import Incident

DEFAULT = 90 * 86_400.0
"""Seconds that are looked back when nothing else is asked for."""
MOST = 100_000
"""Incidents whose pages are counted, the newest ones."""


def fairness(schedule: str | None, start: str | None, end: str | None, as_json: bool) -> int:
    """Hours, nights, weekends, holidays and pages of each person between two instants; by default the last 90 days."""
    desk = Desk.open()
    now = desk.parts.clock.now()
    until = now if end is None else instant_of(end)
    since = until - DEFAULT if start is None else instant_of(start)
    if since >= until:
        raise Refused(f"the period ends at {instant(until)}, which is not after its start at {instant(since)}")
    schedules = desk.schedules(schedule, desk.roster.oncall(since))
    zones = {person.id: person.time_zone for person in desk.configuration.catalog.people.values()}
    found = loads(schedules, zones, datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    with desk.parts.store.reading() as tx:
        incidents = tx.incidents(limit=MOST)
    names = {each.id for each in schedules}
    pages = paged(incidents, names if schedule is not None else None, since, until)
    rows = [_row(load, found, pages) for load in sorted(found.values(), key=lambda each: (-each.hours, each.person))]
    if as_json:
        print_json({"from": since, "until": until, "schedules": sorted(names), "people": rows})
        return 0
    headers = ("person", "share", "hours", "nights", "weekends", "holidays", "shifts", "pages")
    shown = [tuple(_shown(name, row[name]) for name in headers) for row in rows]
    table(headers, shown, "Nobody was on call in this time.")
    say(
        f"{instant(since)} to {instant(until)}, by the files as they are now and the overrides that were made", to=err()
    )
    return 0


def paged(incidents: Iterable[Incident], schedules: set[str] | None, since: float, until: float) -> Counter[str]:
    """How many pages went to each person in `[since, until)`, because of these schedules (None: whatever for)."""
    found: Counter[str] = Counter()
    for incident in incidents:
        if incident.timeline == "live":
            found.update(
                page.person
                for page in incident.pages
                if since <= page.at < until and (schedules is None or page.why.schedule in schedules)
            )
    return found


def _row(load: Load, all_: dict[str, Load], pages: Counter[str]) -> dict[str, object]:
    return {
        "person": load.person,
        "share": round(share(load, all_.values()), 4),
        "hours": round(load.hours, 2),
        "nights": round(load.nights, 2),
        "weekends": round(load.weekends, 2),
        "holidays": round(load.holidays, 2),
        "shifts": load.shifts,
        "pages": pages[load.person],
    }


def _shown(name: str, value: object) -> str:
    if name == "share" and isinstance(value, float):
        return f"{value:.0%}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
