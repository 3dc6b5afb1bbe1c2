"""`fireline routes`: which target serves each service now, who said so, and until when."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See and change which target serves a service.")

WHO = "Who you are in the catalog; your system user name otherwise"
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("ls")
def ls(as_json: JsonOption = False) -> None:
    """List the route of every service: weights, version, who changed it and why, the lease of a fallback."""
    raise typer.Exit(importlib.import_module("fireline.apps.routes").ls(as_json))


@app.command("set")
def put(
    service: Annotated[str, typer.Argument(help="A service of the catalog")],
    weights: Annotated[list[str], typer.Argument(help="target=percent, such as fallback=100")],
    reason: Annotated[str, typer.Option(help="Why; it is shown wherever the route is")],
    person: Annotated[str | None, typer.Option("--as", help=WHO)] = None,
) -> None:
    """Change a route by hand. Anything but all traffic on the primary is a lease that ends."""
    raise typer.Exit(importlib.import_module("fireline.apps.routes").put(service, weights, reason, person))
