"""`fireline dead-letter`: records that were no events, why, and how they become events after all."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="See what was put aside and why; mend it and replay it.",
)

ReasonOption = Annotated[
    list[str] | None, typer.Option("--reason", help="Only of this reason, such as late; may be repeated")
]
TopicOption = Annotated[
    list[str] | None, typer.Option("--topic", help="Only from this topic of events; may be repeated")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Only put aside since then: 2h ago, or 2026-11-21T03:00:00Z")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one line each")]


@app.command("ls")
def ls(  # noqa: PLR0917 - typer turns each parameter into an option
    reason: ReasonOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were replayed too")] = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the newest last: when, from where, why, and how they begin; and count them by reason.

    A table has the newest 50 unless --limit says otherwise; --json has all, and is what `replay --from-file` takes
    when it was edited.
    """
    raise typer.Exit(
        importlib.import_module("fireline.apps.dead_letter_commands").ls(
            reasons=reason or [], topics=topic or [], since=since, limit=limit, everything=everything, as_json=as_json
        )
    )


@app.command("show")
def show(
    place: Annotated[
        str,
        typer.Argument(help="Where the record was, such as fireline.metrics/2@1234; or 0@17, the letter's own place"),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Show everything about one: the reason in words, what to do about it, key, headers, and the bytes.

    Prints the record as it came, secrets and personal data in it included.
    """
    raise typer.Exit(importlib.import_module("fireline.apps.dead_letter_commands").show(place, as_json))


@app.command("replay")
def replay(  # noqa: PLR0917 - typer turns each parameter into an option
    places: Annotated[
        list[str] | None, typer.Argument(help="Places, such as fireline.metrics/2@1234; or choose by options")
    ] = None,
    reason: ReasonOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter that was not replayed")] = False,
    limit: LimitOption = None,
    put: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, JSON where it is JSON; a.b reaches into objects")
    ] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="FIELD to take out")] = None,
    rename: Annotated[list[str] | None, typer.Option("--rename", help="OLD=NEW; done before --unset and --set")] = None,
    as_of: Annotated[
        str,
        typer.Option("--as-of", help="Event time: record (as it says), arrival (when it came to Kafka), or now"),
    ] = "record",
    file: Annotated[
        Path | None,
        typer.Option("--from-file", help="Edited output of `ls --json`: what is in it is replayed as there"),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Another topic of events than the one it came from")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: show what changes, and what would still be wrong")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Send also what would be put aside again")] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what was replayed before")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters to their topics again, mended; each once, also after a crash in between.

    A record keeps its key, headers, partition and time. What a stream worker would put aside again is not sent. Exits 0
    when all that was chosen was sent (or would be), 1 when something was refused, 2 for a wrong option.
    """
    work = importlib.import_module("fireline.apps.dead_letter_replaying")
    asked = work.Asked(
        places=places or [],
        reasons=reason or [],
        topics=topic or [],
        since=since,
        everything=everything,
        limit=limit,
        sets=put or [],
        unsets=unset or [],
        renames=rename or [],
        as_of=as_of,
        file=file,
        to=to,
        dry_run=dry_run,
        force=force,
        again=again,
        as_json=as_json,
    )
    raise typer.Exit(work.run(asked))
