"""`fireline slo`: service objectives, the rules that they become, and those of other systems."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Service objectives: what they are, what becomes of them, taking them over."
)

RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("ls")
def ls(rules: RulesOption = None, as_json: JsonOption = False) -> None:
    """List the objectives, with the alerts of each: its windows, how fast the budget must burn, and the severity."""
    raise typer.Exit(importlib.import_module("fireline.apps.slos").ls(rules, as_json))


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="The name of an objective")], rules: RulesOption = None) -> None:
    """Print the rules that an objective becomes, as YAML: what is measured, and when each of them fires."""
    raise typer.Exit(importlib.import_module("fireline.apps.slos").show(name, rules))


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files of OpenSLO v1", exists=True, dir_okay=False)],
) -> None:
    """Read objectives of OpenSLO v1, and print them as Fireline's YAML.

    What cannot be taken over, or not as it was, is told with its place, on standard error. Exits 1 when an objective
    could not be taken over.
    """
    raise typer.Exit(importlib.import_module("fireline.apps.slos").import_(files))
