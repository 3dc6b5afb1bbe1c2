"""`fireline stop`: the switch that keeps runbooks from acting, for everything or for one service."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(invoke_without_command=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.callback()
def stop(  # noqa: PLR0917 - typer turns each parameter into an option
    context: typer.Context,
    service: Annotated[str, typer.Option(help="A service of the catalog; everything otherwise")] = "",
    reason: Annotated[str, typer.Option(help="Why; whoever meets a held run reads it")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Lift the switch: what waits goes on")] = False,
    let_undo: Annotated[
        bool, typer.Option("--let-undo", help="Runs may still undo, and hand traffic back to the primary")
    ] = False,
    person: Annotated[
        str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
    ] = None,
) -> None:
    """Pull the stop switch: no run starts, and none takes a further step that changes anything, undoing included.

    What a step has begun is finished; verifying, asking and telling go on, and so do pages, leases of fallbacks and
    what people do by hand. `fireline stop ls` shows what is stopped, `fireline stop --lift` lets it go on.
    """
    if context.invoked_subcommand is not None:
        return
    work = importlib.import_module("fireline.apps.stopping")
    raise typer.Exit(work.lift(service, reason, person) if lift else work.pull(service, reason, let_undo, person))


@app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="What was lifted too")] = False, as_json: JsonOption = False
) -> None:
    """List what is stopped: by whom, since when and why."""
    raise typer.Exit(importlib.import_module("fireline.apps.stopping").ls(everything, as_json))
