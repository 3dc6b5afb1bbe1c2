"""`fireline incidents`: see what is open, take it, hand it on, close it."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See incidents, acknowledge, escalate, resolve, note.")

NumberArgument = Annotated[str, typer.Argument(help="An incident, such as INC-7 or 7")]
AsOption = Annotated[
    str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


def _act(kind: str, incident: str, person: str | None, text: str = "") -> None:
    raise typer.Exit(importlib.import_module("fireline.apps.incidents").act(kind, incident, person, text))


@app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List open incidents: severity, status, who is on it, since when."""
    raise typer.Exit(importlib.import_module("fireline.apps.incidents").ls(everything, limit, as_json))


@app.command("show")
def show(incident: NumberArgument, as_json: JsonOption = False) -> None:
    """Show one incident: signals with evidence, pages with their reasons, runs, the timeline."""
    raise typer.Exit(importlib.import_module("fireline.apps.incidents").show(incident, as_json))


@app.command("ack")
def ack(incident: NumberArgument, person: AsOption = None) -> None:
    """Say "I am on it": escalation stops, queued pages are withdrawn."""
    _act("acknowledge", incident, person)


@app.command("escalate")
def escalate(incident: NumberArgument, person: AsOption = None) -> None:
    """Ask the next level of the escalation policy now."""
    _act("escalate", incident, person)


@app.command("resolve")
def resolve(incident: NumberArgument, person: AsOption = None) -> None:
    """Say that it is over; you are told what still fires."""
    _act("resolve", incident, person)


@app.command("note")
def note(
    incident: NumberArgument, text: Annotated[str, typer.Argument(help="What to write down")], person: AsOption = None
) -> None:
    """Write something down on the timeline."""
    _act("note", incident, person, text)
