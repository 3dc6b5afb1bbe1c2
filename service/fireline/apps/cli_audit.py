"""`fireline audit`: who did what, when and through what; and whether anybody has changed that since."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See who did what, export it, and prove that nobody changed it since.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]
ActorOption = Annotated[str | None, typer.Option(help="Of this person only, by id; `fireline` is Fireline itself")]
SubjectOption = Annotated[
    str | None, typer.Option(help="About this only: INC-7, run:12, route:fraud-scoring, silence:3, configuration ...")
]
SinceOption = Annotated[str | None, typer.Option(help="From then on: 2h ago, or 2026-11-21T03:00:00Z")]
UntilOption = Annotated[str | None, typer.Option(help="Before then, written alike")]


def _work() -> ModuleType:
    return importlib.import_module("fireline.apps.audit")


@app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Option(help="Verify an export instead of the database")] = None,
    checkpoints: Annotated[
        list[Path] | None, typer.Option(help="More checkpoints: a copy of the file, or a log; may be repeated")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find edits, deletions, insertions, changes of order and a cut-off end; name the first bad entry. Exits 1 then.

    It reads the chain in the database, the lines of timelines that it speaks of, and the checkpoints that responders
    wrote to FIRELINE_STATE_DIR/audit-checkpoints.ndjson. It needs the key that the entries were sealed with.
    """
    raise typer.Exit(
        importlib.import_module("fireline.apps.audit_verify").run(file, checkpoints or [], as_json=as_json)
    )


@app.command("ls")
def ls(  # noqa: PLR0917 - typer turns each parameter into an option
    actor: ActorOption = None,
    subject: SubjectOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was done, the newest last."""
    raise typer.Exit(_work().ls(_work().sought(actor, subject, since, until, limit), as_json=as_json))


@app.command("show")
def show(entry: Annotated[int, typer.Argument(help="The number of an entry")], as_json: JsonOption = False) -> None:
    """Show one entry whole: who, through what, and what it was before and after."""
    raise typer.Exit(_work().show(entry, as_json=as_json))


@app.command("export")
def export(
    actor: ActorOption = None,
    subject: SubjectOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[Path | None, typer.Option(help="A file; standard output otherwise")] = None,
) -> None:
    """Write entries as NDJSON, with macs: `fireline audit verify --file` checks the file anywhere with the key."""
    raise typer.Exit(_work().export(_work().sought(actor, subject, since, until, None), out))


@app.command("rotate")
def rotate(person: Annotated[str | None, typer.Option("--as", help="Who you are")] = None) -> None:
    """Seal with a new key from now on; entries that older keys sealed still verify.

    Processes that run take the new key at their next start. A key in FIRELINE_AUDIT_KEY is changed there: the new one
    first, the old ones behind it.
    """
    raise typer.Exit(_work().rotate(person))
