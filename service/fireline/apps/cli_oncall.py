"""`fireline oncall`: who is on call, why, until when, who is next; and overrides, swaps, calendars, fairness."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See who is on call, why, until when, and who is next; change that.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]
AsOption = Annotated[str | None, typer.Option("--as", help="Who you are in the catalog (your system user otherwise)")]
ReasonOption = Annotated[str, typer.Option(help="Why, for those who are told and those who read it later")]
AnySchedule = Annotated[str | None, typer.Argument(help="A schedule; all when left out")]
OneSchedule = Annotated[str, typer.Argument(help="A schedule of oncall.yaml")]


@app.command("now")
def now(
    at: Annotated[str | None, typer.Option(help="Another instant, such as 2026-11-21T03:00:00+01:00")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show for each service who would be paged now, on which channel, and why it is them."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall").now(at, as_json))


@app.command("show")
def show(
    schedule: AnySchedule = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days ahead")] = 14,
    start: Annotated[str | None, typer.Option("--from", help="The first day, such as 2026-12-01 (today)")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the calendar to this file as a picture")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the calendar of the coming days: weeks as rows, people in colours, gaps in red.

    In a pipe it is one line a shift, separated by tabs, gaps included.
    """
    work = importlib.import_module("fireline.apps.oncall")
    raise typer.Exit(work.show(work.Asked(schedule, days, start, as_json=as_json, svg=svg)))


@app.command("gaps")
def gaps(
    schedule: AnySchedule = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days ahead")] = 90,
    as_json: JsonOption = False,
) -> None:
    """List the stretches in which nobody is on call, as instants and as times of the schedule's zone."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall").show_gaps(schedule, days, as_json))


@app.command("fairness")
def fairness(
    schedule: AnySchedule = None,
    start: Annotated[str | None, typer.Option("--from", help="From when on (90 days before the end)")] = None,
    end: Annotated[str | None, typer.Option("--until", help="Until when (now)")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what people carry: hours, nights, weekends and holidays on call, shifts, and pages they got.

    Nights are 22:00 to 06:00 in the person's own time zone.
    """
    raise typer.Exit(importlib.import_module("fireline.apps.oncall_fairness").fairness(schedule, start, end, as_json))


@app.command("override")
def override(
    *,
    schedule: OneSchedule,
    person: Annotated[str, typer.Argument(help="Who is on call instead")],
    end: Annotated[str, typer.Option("--until", help="Until when, such as 2026-12-27T09:00, or for how long: 4h")],
    reason: ReasonOption,
    start: Annotated[str | None, typer.Option("--from", help="From when on, such as 2026-12-24T18:00 (now)")] = None,
    author: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put somebody on call for a time, over everything that files say; both people are told.

    Times are those of the schedule's zone unless they carry an offset.
    """
    work = importlib.import_module("fireline.apps.oncall_acts")
    raise typer.Exit(work.override(work.Override(schedule, person, start, end, reason, author, as_json)))


@app.command("swap")
def swap(
    *,
    schedule: OneSchedule,
    one: Annotated[str, typer.Argument(help="Whose shift is given away")],
    other: Annotated[str, typer.Argument(help="Who takes it, and gives one in return")],
    shift: Annotated[str, typer.Option(help="The shift that is given: an instant in it, or before it")],
    reason: ReasonOption,
    back: Annotated[
        str | None, typer.Option("--for", help="The shift in return (the next one of the other person after that)")
    ] = None,
    author: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let two people trade a shift each; both are told. A shift is one unbroken stretch of one person."""
    work = importlib.import_module("fireline.apps.oncall_acts")
    raise typer.Exit(work.swap(work.Swap(schedule, one, other, shift, back, reason, author, as_json)))


@app.command("withdraw")
def withdraw(
    number: Annotated[int, typer.Argument(help="The number of the override, as `overrides` lists it")],
    author: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an override back, and with it the other half of a swap; what has passed stays as it was."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall_acts").withdraw(number, author, as_json))


@app.command("overrides")
def overrides(
    schedule: AnySchedule = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over or were taken back")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the overrides that people made at run time."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall_acts").overrides(schedule, everything, as_json))


@app.command("ical")
def ical(
    schedule: OneSchedule,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days ahead")] = 180,
    person: Annotated[str | None, typer.Option(help="Only the shifts of this person")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file")] = None,
    url: Annotated[
        bool, typer.Option("--url", help="Tell the address that a calendar program can subscribe to")
    ] = False,
) -> None:
    """Write the shifts of a schedule as iCalendar (RFC 5545), from four weeks ago on; times are UTC."""
    work = importlib.import_module("fireline.apps.oncall_ical")
    raise typer.Exit(work.ical(work.Asked(schedule, days, person, output, url)))


@app.command("import")
def import_(
    *,
    tool: Annotated[str, typer.Argument(help="pagerduty, opsgenie, grafana-oncall or ics")],
    files: Annotated[list[Path], typer.Argument(help="Answers of its API as JSON files, or .ics files")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A directory to write to")] = None,
    schedule: Annotated[str, typer.Option(help="ics: the name of the schedule")] = "imported",
    zone: Annotated[str, typer.Option("--time-zone", help="ics: the zone of days and of times without one")] = "UTC",
    holidays: Annotated[bool, typer.Option("--holidays", help="ics: take whole days as holidays")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn exports of another on-call tool into oncall.yaml and people; all that cannot be taken over is told."""
    work = importlib.import_module("fireline.apps.oncall_import")
    raise typer.Exit(work.run(work.Asked(tool, files, output, schedule, zone, holidays, as_json)))
