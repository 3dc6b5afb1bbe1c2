"""`fireline oncall`: who is on call, why, until when, and who is next."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See who is on call, why, until when, and who is next.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("now")
def now(
    at: Annotated[str | None, typer.Option(help="Another instant, such as 2026-11-21T03:00:00+01:00")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show for each service who would be paged now, on which channel, and why it is them."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall").now(at, as_json))


@app.command("show")
def show(
    schedule: Annotated[str | None, typer.Argument(help="A schedule; all when left out")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days ahead")] = 14,
    as_json: JsonOption = False,
) -> None:
    """Show the shifts of the coming days, gaps included."""
    raise typer.Exit(importlib.import_module("fireline.apps.oncall").show(schedule, days, as_json))
