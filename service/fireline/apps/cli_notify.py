"""`fireline notify`: which channels there are, and whether they reach a person."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See which channels are switched on, and prove that they reach a person.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("channels")
def channels(as_json: JsonOption = False) -> None:
    """List every channel: whether it is switched on, how it is reached, and whose contacts and rooms name it."""
    raise typer.Exit(importlib.import_module("fireline.apps.notify").channels(as_json))


@app.command("test")
def prove(
    person: Annotated[str, typer.Argument(help="A person of the catalog, such as ann")],
    channel: Annotated[str | None, typer.Option(help="Only this channel, such as email")] = None,
    as_person: Annotated[str | None, typer.Option("--as", help="Who asks for it, to be said in the message")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test to a person on each of their channels, and keep the date as a proof of their reach.

    Exits 0 when every channel that is switched on took it, otherwise 1. `fireline doctor` says whose reach was never
    proven, and whose long ago. On PagerDuty it opens an alert, which the person resolves there.
    """
    raise typer.Exit(importlib.import_module("fireline.apps.notify").prove(person, channel, as_person, as_json))
