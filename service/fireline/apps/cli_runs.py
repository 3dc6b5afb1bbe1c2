"""`fireline runs`: executions of runbooks, their steps, and the approvals they wait for."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See runs of runbooks; approve, reject, abort.")

RunArgument = Annotated[int, typer.Argument(help="A run's number")]
StepArgument = Annotated[str | None, typer.Argument(help="A step, or `start`; whatever the run waits for otherwise")]
AsOption = Annotated[
    str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too")] = False, as_json: JsonOption = False
) -> None:
    """List runs that go on."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").ls(everything, as_json))


@app.command("show")
def show(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show a run: each step with its rendered input, outcome, times and error, and the journal."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").show(run, as_json))


@app.command("approve")
def approve(run: RunArgument, step: StepArgument = None, person: AsOption = None) -> None:
    """Approve the step that waits for it, or the start of a run that asks for it."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").answer(run, step, person, True, ""))


@app.command("reject")
def reject(
    run: RunArgument,
    step: StepArgument = None,
    reason: Annotated[str, typer.Option(help="Why")] = "",
    person: AsOption = None,
) -> None:
    """Reject it; the runbook goes on as it says for a rejection."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").answer(run, step, person, False, reason))


@app.command("abort")
def abort(
    run: RunArgument, reason: Annotated[str, typer.Option(help="Why")] = "aborted by hand", person: AsOption = None
) -> None:
    """End a run now: what it did and can undo is not undone by itself; abort always wins."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").abort(run, person, reason))
