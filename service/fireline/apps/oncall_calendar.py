"""A schedule as a calendar in the terminal: weeks as rows, people in colours, gaps marked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fireline.apps.output import harmless
from fireline.domain.oncall import Schedule
from fireline.domain.rota import Stretch, shifts
from fireline.domain.rota_times import instant_of, zone_of

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_green", "bright_magenta")
GAP = "bold white on red"
CELLS = (12, 8, 6, 4)
"""Marks of a day's bar, as many as the terminal has room for: of two hours each, to six."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_DAY = timedelta(days=1)


def draw(console: Console, schedule: Schedule, first: date, end: date, *, now: float) -> None:
    """Print the weeks that `[first, end)` touches, then who is who with their hours, and the gaps."""
    zone = schedule.time_zone
    monday = first - first.weekday() * _DAY
    found = list(shifts(schedule, instant_of(first, time(), zone), instant_of(end, time(), zone)))
    styles = _styles(found)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="bold")
    grid.add_column("", min_width=len("23 Nov"), no_wrap=True)
    room = (console.width - len("23 Nov ")) // len(DAYS) - 2
    wide = next((cells for cells in CELLS if cells <= room), CELLS[-1])
    for day in DAYS:
        grid.add_column(day, width=max(CELLS[-1], min(room, CELLS[0])), overflow="fold")  # long lines go on below
    today = datetime.fromtimestamp(now, UTC).astimezone(zone_of(zone)).date()
    while monday < end:
        days = [monday + number * _DAY for number in range(7)]
        cells = [_cell(day, found, styles, schedule, cells=wide) if first <= day < end else Text() for day in days]
        grid.add_row(_week(monday, today), *cells)
        grid.add_row()
        monday += 7 * _DAY
    console.print(Text(f"{harmless(schedule.id)}, times of {zone}", style="bold"))
    console.print(grid)
    console.print(_legend(found, styles))
    for line in _gap_lines(found, zone):
        console.print(line)
    console.print()


def _styles(found: Iterable[Stretch]) -> Mapping[str, str]:
    people = sorted({stretch.person for stretch in found if stretch.person is not None})
    return {person: COLOURS[number % len(COLOURS)] for number, person in enumerate(people)}


def _week(monday: date, today: date) -> Text:
    here = monday <= today < monday + 7 * _DAY
    return Text(f"{monday:%d %b}\nW{monday.isocalendar().week}", style="bold reverse" if here else "dim")


def _cell(day: date, found: list[Stretch], styles: Mapping[str, str], schedule: Schedule, *, cells: int) -> Text:
    """A day: its bar, then who has it at its start and each hand-off in it."""
    zone, holidays = schedule.time_zone, schedule.holidays
    start, end = instant_of(day, time(), zone), instant_of(day + _DAY, time(), zone)
    today = [stretch for stretch in found if stretch.start < end and stretch.end > start]
    text = Text(f"{day.day:2d}", style="underline" if day in holidays else "dim")
    text.append(" holiday" if day in holidays else "", style="italic not underline")
    text.append("\n")
    for number in range(cells):
        at = (start + number * (end - start) / cells, start + (number + 1) * (end - start) / cells)
        text.append_text(_mark([s for s in today if s.start < at[1] and s.end > at[0]], styles))
    before: str | None = ""
    for stretch in today:
        if stretch.person != before:
            text.append_text(_entry(stretch, start, styles, zone))
        before = stretch.person
    return text


def _mark(inside: list[Stretch], styles: Mapping[str, str]) -> Text:
    if any(stretch.person is None for stretch in inside) or not inside:
        return Text("!", style=GAP)
    longest = max(inside, key=lambda stretch: stretch.end - stretch.start)
    last = inside[-1] if len(inside) > 1 else longest
    return Text("▄" if last.source.startswith("override") else "█", style=styles[last.person or ""])


def _entry(stretch: Stretch, midnight: datetime, styles: Mapping[str, str], zone: str) -> Text:
    begins = "" if stretch.start <= midnight else f"{stretch.start.astimezone(zone_of(zone)):%H:%M} "
    if stretch.person is None:
        return Text(f"\n{begins}NOBODY", style=GAP)
    mark = "*" if stretch.source.startswith("override") else ""
    return Text(f"\n{begins}{harmless(stretch.person)}{mark}", style=styles[stretch.person])


def _legend(found: Iterable[Stretch], styles: Mapping[str, str]) -> Text:
    hours: dict[str, float] = dict.fromkeys(styles, 0.0)
    overridden = False
    for stretch in found:
        if stretch.person is not None:
            hours[stretch.person] += (stretch.end - stretch.start) / timedelta(hours=1)
            overridden = overridden or stretch.source.startswith("override")
    parts = [Text(f"█ {harmless(person)} {hours[person]:.0f} h", style=style) for person, style in styles.items()]
    parts += [Text("▄ * override", style="dim")] if overridden else []
    return Text("   ").join(parts)


def _gap_lines(found: Iterable[Stretch], zone: str) -> list[Text]:
    tz = zone_of(zone)
    missing = [stretch for stretch in found if stretch.person is None]
    lines = [
        Text(
            f"! nobody from {g.start.astimezone(tz):%a %d %b %H:%M} until {g.end.astimezone(tz):%a %d %b %H:%M} "
            f"({g.start:%Y-%m-%d %H:%M} to {g.end:%Y-%m-%d %H:%M} UTC)",
            style="bold red",
        )
        for g in missing[:8]
    ]
    more = len(missing) - len(lines)
    return [*lines, Text(f"! and {more} more; `fireline oncall gaps` lists them", style="bold red")] if more else lines
