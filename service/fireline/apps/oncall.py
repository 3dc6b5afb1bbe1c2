"""The work behind `fireline oncall`."""

from datetime import UTC, datetime, timedelta

from fireline.apps.bootstrap import Parts, assemble, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import instant, print_json, table
from fireline.domain.configuration import Configuration
from fireline.domain.oncall import PolicyTarget, Schedule, Shift, TargetKind
from fireline.domain.rota import who


def now(at: str | None, as_json: bool) -> int:
    """Who would be paged for each service at an instant."""
    parts = assemble(settings_with())
    moment = parts.clock.now() if at is None else instant_of(at)
    rows = [row for service in sorted(parts.files.current.catalog.services) for row in _rows(parts, service, moment)]
    if as_json:
        print_json(rows)
        return 0
    headers = ("service", "owner", "level", "person", "reached_on", "because", "until", "next")
    shown = [header.replace("_", " ") for header in headers]
    table(shown, [tuple(row[h] for h in headers) for row in rows], "The catalog has no services.")
    return 0


EARLIEST, LATEST = 2000, 2200
"""Years in which somebody may ask who is on call."""


def instant_of(text: str) -> float:
    """RFC 3339 as seconds since the epoch, UTC unless it says otherwise; raises `Refused`."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"{text[:50]!r} is not an instant; expected RFC 3339, such as 2026-11-21T03:00:00+01:00"
        ) from None
    if not EARLIEST <= parsed.year <= LATEST:
        raise Refused(f"{text[:50]!r} is no year of a schedule; expected {EARLIEST} to {LATEST}")
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _rows(parts: Parts, service_id: str, moment: float) -> list[dict[str, object]]:
    configuration = parts.files.current
    service = configuration.catalog.services[service_id]
    team = configuration.catalog.teams[service.owner]
    policy = configuration.oncall.policies[team.policy]
    rows = []
    for number, level in enumerate(policy.levels, start=1):
        for target in level.targets:
            for person, because, shift in _people(configuration, target, moment):
                rows.append(
                    {
                        "service": service_id,
                        "owner": team.id,
                        "level": number,
                        "person": person,
                        "reached_on": _reach(configuration, person),
                        "because": because,
                        "until": instant(shift.until.timestamp()) if shift and shift.until else "-",
                        "next": (shift.next_person if shift else None) or "-",
                    }
                )
    return rows


def _people(configuration: Configuration, target: PolicyTarget, moment: float) -> list[tuple[str, str, Shift | None]]:
    match target.kind:
        case TargetKind.PERSON:
            return [(target.id, "named by the policy", None)]
        case TargetKind.TEAM:
            return [(p, f"member of {target.id}", None) for p in configuration.catalog.teams[target.id].members]
        case TargetKind.SCHEDULE:
            shift = who(configuration.oncall.schedules[target.id], moment)
            if shift is None:
                return [("nobody", f"gap in schedule {target.id}", None)]
            return [(shift.person, f"schedule {target.id}, {shift.source}", shift)]


def _reach(configuration: Configuration, person: str) -> str:
    found = configuration.catalog.people.get(person)
    return ", ".join(found.contacts) if found and found.contacts else "nothing"


def show(schedule: str | None, days: int, as_json: bool) -> int:
    """The shifts of the coming days of one or all schedules."""
    parts = assemble(settings_with())
    known = parts.files.current.oncall.schedules
    if schedule is not None and schedule not in known:
        raise Refused(f"there is no schedule {schedule!r}; there are {', '.join(sorted(known)) or 'none'}")
    begin = datetime.fromtimestamp(parts.clock.now(), UTC)
    rows = [
        row
        for name in ([schedule] if schedule else sorted(known))
        for row in _shifts(known[name], begin, begin + timedelta(days=days))
    ]
    if as_json:
        print_json(rows)
        return 0
    table(
        ("schedule", "from", "until", "person", "because"), [tuple(r.values()) for r in rows], "There are no schedules."
    )
    return 0


GAP_STEP = timedelta(minutes=15)
"""How finely a gap is walked: hand-offs are at whole minutes, most at whole quarters."""


def _shifts(schedule: Schedule, begin: datetime, end: datetime) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    at = begin
    while at < end:
        shift = who(schedule, at.timestamp())
        until = shift.until if shift and shift.until else at + GAP_STEP
        until = min(until, end)
        person, because = (shift.person, shift.source) if shift else ("nobody", "gap")
        if rows and rows[-1]["person"] == person and rows[-1]["because"] == because:
            rows[-1]["until"] = instant(until.timestamp())
        else:
            rows.append(
                {
                    "schedule": schedule.id,
                    "from": instant(at.timestamp()),
                    "until": instant(until.timestamp()),
                    "person": person,
                    "because": because,
                }
            )
        at = until
    return rows
