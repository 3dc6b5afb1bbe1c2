"""`fireline backtest`: what rules would have cost and caught, told by recorded events."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

EventsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENTS...",
        help="NDJSON of native events, CSV of timestamp,value, either packed by gzip, directories of them, or - "
        "for NDJSON on standard input; several are merged in the order of time",
    ),
]

RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Directory of the (new) rules (FIRELINE_RULES, otherwise rules)")
]
AgainstOption = Annotated[Path | None, typer.Option("--against", help="Directory of old rules to compare with")]
RunbooksOption = Annotated[
    Path | None, typer.Option("--runbooks", help="Directory of runbooks (FIRELINE_RUNBOOKS, otherwise runbooks)")
]
AgainstRunbooksOption = Annotated[
    Path | None, typer.Option("--against-runbooks", help="Directory of old runbooks; the same when left out")
]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", help="JSON of windows in which something was wrong: recall, precision")
]
BeginOption = Annotated[
    str | None,
    typer.Option(
        "--begin",
        help="Move all times by whole weeks, to begin in the week from this day on: so that "
        "today's schedules tell who would be paged for an old recording",
    ),
]
NameOption = Annotated[
    list[str] | None, typer.Option("--name", help="CSV: the metric's name, FILE=NAME for one; may be repeated")
]
HoursOption = Annotated[
    str | None, typer.Option("--hours", help="A calendar of office hours; otherwise Mon-Fri 09-18 where people are")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the report as JSON to this file, - is standard output")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file with charts")]


def backtest(  # noqa: PLR0917 - typer turns each parameter into an option
    events: EventsArgument,
    rules: RulesOption = None,
    against: AgainstOption = None,
    runbooks: RunbooksOption = None,
    against_runbooks: AgainstRunbooksOption = None,
    labels: LabelsOption = None,
    first: Annotated[str | None, typer.Option("--from", help="Leave out events before, such as 2026-03-01")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Leave out events from then on")] = None,
    begin: BeginOption = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this rule; may be repeated")] = None,
    name: NameOption = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="CSV: a label, key=value; may be repeated")] = None,
    hours: HoursOption = None,
    as_json: JsonOption = None,
    html: HtmlOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=256, help="Processes; each takes some rules")] = 1,
) -> None:
    """Try rules on recorded events, and hear what they would have cost in pages.

    Events pass through the code that judges live ones, and time passes by the events. What follows is decided as live:
    which incidents open, who is on call then and is paged, out of hours or not, which runbooks start. With --against
    the same is done for old rules, and the difference is told: pages added, removed, earlier, later, at another
    severity. With --labels it is told how much of what was wrong would have been noticed, and how soon.

    Nothing is sent and nothing is stored; no Kafka and no database is needed. The same events and rules give the same
    report, byte by byte.

    Exits 0, or 3 when the rules exceed the `noise_budget` of severities.yaml; 1 when nothing could be tried.
    """
    work = importlib.import_module("fireline.apps.backtest")
    given = work.Given(
        events=tuple(events),
        rules=rules,
        against=against,
        runbooks=runbooks,
        against_runbooks=against_runbooks,
        labels=labels,
        between=(first, last),
        begin=begin,
        only=tuple(only or ()),
        names=tuple(name or ()),
        csv_labels=tuple(label or ()),
        hours=hours,
        as_json=as_json,
        html=html,
        jobs=jobs,
    )
    raise typer.Exit(work.run(given))
