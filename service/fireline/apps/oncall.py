"""The work behind `fireline oncall now`, `show` and `gaps`, and what its other commands share."""

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from rich.console import Console

from fireline.apps.bootstrap import Parts, assemble, configured_channels, settings_with
from fireline.apps.faults import Refused
from fireline.apps.oncall_calendar import draw
from fireline.apps.output import instant, out, print_json, say, table
from fireline.domain.configuration import Configuration
from fireline.domain.deciding_world import World
from fireline.domain.oncall import OnCall, PolicyLevel, Schedule
from fireline.domain.paging import reach
from fireline.domain.rota import Stretch, gaps, shifts
from fireline.domain.rota_times import instant_of as instant_at
from fireline.domain.rota_times import zone_of
from fireline.engine.roster import Roster

EARLIEST, LATEST = 2000, 2200
"""Years in which somebody may ask who is on call."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the commands look at: the files, who is on call by them and by the database, and now."""

    parts: Parts
    roster: Roster

    @classmethod
    def open(cls) -> "Desk":
        """Read the files and open the database; raises what `faults.told` knows how to tell."""
        parts = assemble(settings_with())
        channels = configured_channels(parts.settings)
        return cls(parts, Roster(parts.store, parts.files, parts.clock, channels))

    @property
    def configuration(self) -> Configuration:
        """The files as they are."""
        return self.parts.files.current

    def schedules(self, named: str | None, oncall: OnCall) -> list[Schedule]:
        """The schedule of this name, or all; raises Refused naming those known."""
        known = oncall.schedules
        if named is not None and named not in known:
            raise Refused(f"there is no schedule {named!r}; there are {', '.join(sorted(known)) or 'none'}")
        return [known[named]] if named is not None else [known[name] for name in sorted(known)]


def instant_of(text: str, zone: str = "UTC") -> float:
    """RFC 3339 or a date as seconds since the epoch, wall time of `zone` unless it says otherwise; raises `Refused`."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"{text[:50]!r} is not an instant; expected RFC 3339, such as 2026-11-21T03:00:00+01:00"
        ) from None
    if not EARLIEST <= parsed.year <= LATEST:
        raise Refused(f"{text[:50]!r} is no year of a schedule; expected {EARLIEST} to {LATEST}")
    aware = parsed if parsed.tzinfo else instant_at(parsed.date(), parsed.time(), zone)
    return aware.timestamp()


def now(at: str | None, as_json: bool) -> int:
    """Who would be paged for each service at an instant."""
    desk = Desk.open()
    moment = desk.parts.clock.now() if at is None else instant_of(at)
    world = World.of(desk.configuration, configured_channels(desk.parts.settings))
    world = replace(world, oncall=desk.roster.oncall(moment))
    rows = [row for service in sorted(world.catalog.services) for row in _rows(world, service, moment)]
    if as_json:
        print_json(rows)
        return 0
    headers = ("service", "owner", "level", "person", "reached_on", "because", "until", "next")
    shown = [header.replace("_", " ") for header in headers]
    table(shown, [tuple(row[h] for h in headers) for row in rows], "The catalog has no services.")
    return 0


def _rows(world: World, service_id: str, moment: float) -> list[dict[str, object]]:
    team = world.catalog.teams[world.catalog.services[service_id].owner]
    rows = []
    for number, level in enumerate(world.oncall.policies[team.policy].levels, start=1):
        for asked in _asked(world, level, moment):
            rows.append({"service": service_id, "owner": team.id, "level": number, **asked})
    return rows


def _asked(world: World, level: PolicyLevel, moment: float) -> list[dict[str, object]]:
    """Who and which rooms a level asks, whatever its conditions; who cannot be reached is told in their place."""
    found = reach(level, world, moment)
    rows: list[dict[str, object]] = [
        {
            "person": each.person,
            "reached_on": ", ".join(world.person(each.person).contacts),
            "because": f"schedule {each.schedule}, {each.source}" if each.schedule else each.source or "",
            "until": "-" if each.until is None else instant(each.until),
            "next": each.next_person or "-",
        }
        for each in found.found
    ]
    empty = {"reached_on": "nothing", "until": "-", "next": "-"}
    rows += [{"person": "nobody", "because": reason, **empty} for reason in found.missed]
    rooms = [{"person": f"room {room.address}", "because": f"named as {room.target}", **empty} for room in found.rooms]
    return rows + [{**row, "reached_on": room.channel} for row, room in zip(rooms, found.rooms, strict=True)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What `show` is asked for: from which day on (None: today), how many days, and how it is told."""

    schedule: str | None
    days: int
    start: str | None = None
    as_json: bool = False
    svg: Path | None = None
    width: int | None = None


def show(asked: Asked) -> int:
    """The calendar of the coming days: drawn on a terminal or into a picture, lines in a pipe."""
    desk = Desk.open()
    moment = desk.parts.clock.now()
    oncall = desk.roster.oncall(0.0 if asked.start else moment)
    schedules = desk.schedules(asked.schedule, oncall)
    if asked.svg is None and (asked.as_json or not sys.stdout.isatty()):
        rows = [row for schedule in schedules for row in _lines(schedule, *_bounds(schedule, asked, moment))]
        if asked.as_json:
            print_json(rows)
            return 0
        headers = ("schedule", "from", "until", "person", "because")
        table(headers, [tuple(row.values()) for row in rows], "There are no schedules.")
        return 0
    console = out() if asked.svg is None else Console(record=True, width=asked.width or 110, file=io.StringIO())
    for schedule in schedules:
        first = _first_day(schedule, asked, moment)
        draw(console, schedule, first, first + timedelta(days=asked.days), now=moment)
    if asked.svg is not None:
        _save(console, asked.svg, f"fireline oncall show {asked.schedule or ''}".strip())
    return 0


def _save(console: Console, path: Path, title: str) -> None:
    try:
        path.write_text(console.export_svg(title=title), encoding="utf-8")
    except OSError as fault:
        raise Refused(f"the picture cannot be written to {path}: {fault.strerror}") from None
    say(f"{path} written")


def _first_day(schedule: Schedule, asked: Asked, moment: float) -> date:
    zone = schedule.time_zone
    start = moment if asked.start is None else instant_of(asked.start, zone)
    return datetime.fromtimestamp(start, UTC).astimezone(zone_of(zone)).date()


def _bounds(schedule: Schedule, asked: Asked, moment: float) -> tuple[datetime, datetime]:
    """From now, or from the start of the day that was asked for."""
    if asked.start is None:
        begin = datetime.fromtimestamp(moment, UTC)
        return begin, begin + timedelta(days=asked.days)
    first = _first_day(schedule, asked, moment)
    last = first + timedelta(days=asked.days)
    return instant_at(first, time(), schedule.time_zone), instant_at(last, time(), schedule.time_zone)


def _lines(schedule: Schedule, begin: datetime, end: datetime) -> list[dict[str, str]]:
    return [_line(schedule.id, stretch) for stretch in shifts(schedule, begin, end)]


def _line(schedule: str, stretch: Stretch) -> dict[str, str]:
    return {
        "schedule": schedule,
        "from": instant(stretch.start.timestamp()),
        "until": instant(stretch.end.timestamp()),
        "person": stretch.person or "nobody",
        "because": stretch.source,
    }


def show_gaps(schedule: str | None, days: int, as_json: bool) -> int:
    """The stretches of the coming days in which nobody is on call, as instants and as the schedule's wall times."""
    desk = Desk.open()
    begin = datetime.fromtimestamp(desk.parts.clock.now(), UTC)
    schedules = desk.schedules(schedule, desk.roster.oncall())
    rows = [row for each in schedules for row in _gaps(each, begin, begin + timedelta(days=days))]
    if as_json:
        print_json(rows)
        return 0
    names = ", ".join(each.id for each in schedules) or "no schedule"
    headers = ("schedule", "from", "until", "hours", "there_from", "there_until")
    shown: Sequence[str] = [header.replace("_", " ") for header in headers]
    table(shown, [tuple(row[h] for h in headers) for row in rows], f"Somebody is on call at every instant: {names}.")
    return 0


def _gaps(schedule: Schedule, begin: datetime, end: datetime) -> list[dict[str, object]]:
    zone = zone_of(schedule.time_zone)
    return [
        {
            "schedule": schedule.id,
            "from": instant(start.timestamp()),
            "until": instant(stop.timestamp()),
            "hours": round((stop - start) / timedelta(hours=1), 2),
            "there_from": f"{start.astimezone(zone):%a %Y-%m-%d %H:%M}",
            "there_until": f"{stop.astimezone(zone):%a %Y-%m-%d %H:%M}",
        }
        for start, stop in gaps(schedule, begin, end)
    ]
