"""`fireline baseline`: what fields looked like at a good time, for measures of drift."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Build what drift is measured from, look at it, compare events with it.")

NameArgument = Annotated[str, typer.Argument(help="The baseline: rules/baselines/NAME.json")]
EventsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENTS...",
        help="NDJSON of native events, CSV of timestamp,value, either packed by gzip, directories of them, or -",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only events with this label, key=value; of one key any, of several keys all"),
]
FromOption = Annotated[str | None, typer.Option("--from", help="Leave out events before, such as 2026-03-01")]
ToOption = Annotated[str | None, typer.Option("--to", help="Leave out events from then on")]
CsvNameOption = Annotated[list[str] | None, typer.Option("--name", help="CSV: the metric's name, FILE=NAME for one")]
CsvLabelOption = Annotated[list[str] | None, typer.Option("--label", help="CSV: a label, key=value")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("build")
def build(  # noqa: PLR0917 - typer turns each parameter into an option
    name: NameArgument,
    events: EventsArgument,
    on: Annotated[str, typer.Option("--on", help="The kind of event: prediction, metric ...")],
    fields: Annotated[
        str, typer.Option("--fields", help="The fields, such as features.amount,country,version:categorical")
    ],
    where: WhereOption = None,
    first: FromOption = None,
    last: ToOption = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="FIELD=NUMBER: for values that lie close to a number, as kelvin"),
    ] = None,
    csv_name: CsvNameOption = None,
    csv_label: CsvLabelOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a baseline that differs")] = False,
    rules: RulesOption = None,
) -> None:
    """Write what fields look like in recorded events to rules/baselines/NAME.json.

    Choose a time at which all was well: the data that a model was trained on, or the first weeks after its release. Of
    every field a sketch of bounded size is kept: numbers within 1 %, categories by their counts (above 1,000, groups of
    them), never the events. What is mostly numbers is numeric; FIELD:categorical or FIELD:numeric says so.

    The same events give the same file, byte for byte: keep it under version control beside the rules that name it.
    Lines that are no events are told, counted and left out.
    """
    work = importlib.import_module("fireline.apps.baselines")
    given = work.Given(events, on, where or [], (first, last), csv_name or [], csv_label or [])
    raise typer.Exit(work.build(given, name=name, fields=fields, origins=origin or [], rules=rules, replace=replace))


@app.command("show")
def show(name: NameArgument, rules: RulesOption = None, as_json: JsonOption = False) -> None:
    """Show where a baseline comes from and what each of its fields looks like."""
    raise typer.Exit(importlib.import_module("fireline.apps.baselines").show(name, rules=rules, as_json=as_json))


@app.command("compare")
def compare(  # noqa: PLR0917 - typer turns each parameter into an option
    name: NameArgument,
    events: EventsArgument,
    on: Annotated[str | None, typer.Option("--on", help="Another kind of event than the baseline's")] = None,
    where: WhereOption = None,
    first: FromOption = None,
    last: ToOption = None,
    every: Annotated[str | None, typer.Option("--every", help="A line for each stretch of this length, as 7d")] = None,
    bins: Annotated[int, typer.Option("--bins", min=2, max=100, help="Bins of numbers")] = 10,
    min_count: Annotated[int, typer.Option("--min-count", min=1, help="No figures of fewer values")] = 200,
    csv_name: CsvNameOption = None,
    csv_label: CsvLabelOption = None,
    rules: RulesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare recorded events with a baseline: every figure of drift, for every field.

    With --every, over time: choose thresholds above what good weeks show. The last column is what psi would be about by
    chance alone. Unless --on or --where say otherwise, events are chosen as for the baseline.
    """
    work = importlib.import_module("fireline.apps.baselines")
    given = work.Given(events, on, where or [], (first, last), csv_name or [], csv_label or [])
    raise typer.Exit(
        work.compare(given, name=name, rules=rules, every=every, bins=bins, least=min_count, as_json=as_json)
    )
