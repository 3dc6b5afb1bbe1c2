"""`fireline runs`: executions of runbooks, their steps, and what a person may do about them."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See runs; approve, reject, pause, resume, skip, retry, abort.")

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


@app.command("answer")
def answer(
    run: RunArgument,
    values: Annotated[list[str], typer.Argument(help="The fields of the form, each as name=value")],
    step: Annotated[str | None, typer.Option(help="The step that asks; whatever the run waits for otherwise")] = None,
    person: AsOption = None,
) -> None:
    """Fill in the form that a step waits for. What does not fit is told, and asked on."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").fill(run, values, step, person))


@app.command("abort")
def abort(
    run: RunArgument,
    reason: Annotated[str, typer.Option(help="Why")] = "aborted by hand",
    undo: Annotated[bool, typer.Option("--undo", help="Undo first what it did, the last step first")] = False,
    person: AsOption = None,
) -> None:
    """End a run now: what it did stays as it is, or is undone first with --undo; abort always wins."""
    raise typer.Exit(importlib.import_module("fireline.apps.runs").abort(run, person, reason, undo=undo))


@app.command("pause")
def pause(run: RunArgument, reason: Annotated[str, typer.Option(help="Why")] = "", person: AsOption = None) -> None:
    """Hold a run: nothing new begins until `fireline runs resume`. Its deadline goes on."""
    raise typer.Exit(_act("pause", run, person, reason=reason))


@app.command("resume")
def resume(run: RunArgument, person: AsOption = None) -> None:
    """Let a paused run go on."""
    raise typer.Exit(_act("resume", run, person))


@app.command("retry")
def retry(
    run: RunArgument,
    step: Annotated[str, typer.Argument(help="The step to go on from")],
    reason: Annotated[str, typer.Option(help="Why")] = "",
    person: AsOption = None,
) -> None:
    """Go on with a run that failed or was aborted, from a step; one whose undoing failed goes on undoing."""
    raise typer.Exit(_act("retry", run, person, step=step, reason=reason))


@app.command("skip")
def skip(
    run: RunArgument,
    step: Annotated[str, typer.Argument(help="The step to pass over")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run")],
    person: AsOption = None,
) -> None:
    """Pass over a step that has not begun, or that waits or hangs."""
    raise typer.Exit(_act("skip", run, person, step=step, reason=reason))


def _act(what: str, run: int, person: str | None, *, step: str | None = None, reason: str = "") -> int:
    asked = importlib.import_module("fireline.apps.run_asking").OnRun(step, reason)
    code: int = importlib.import_module("fireline.apps.runs").act(what, run, person, asked)
    return code
