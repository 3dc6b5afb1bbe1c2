"""`fireline check` and `fireline schema`: the command line of what is in `checking`."""

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """How findings are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def check(  # noqa: PLR0917 - typer turns each parameter into an option
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Tell of these files or directories alone; all are still checked"),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
    ] = None,
    runbooks: Annotated[
        Path | None, typer.Option("--runbooks", help="Directory of runbooks (FIRELINE_RUNBOOKS, otherwise runbooks)")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="text for people, json for programs, github for annotations of lines")
    ] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too")] = False,
    channels: Annotated[
        str | None,
        typer.Option(
            help="Channels that reach people, such as slack,console (otherwise what catalog or environment say)"
        ),
    ] = None,
) -> None:
    """Check rules, runbooks, catalog and schedules: every fault of every file, where it is and how to mend it.

    It finds what cannot be read, names that lead nowhere, and what cannot be meant: conditions that never or always
    hold, texts compared with numbers, levels that are never shown, rules that say the same; and any time in the next 90
    days at which a rule can fire and nobody could be reached. Each finding has a code, which docs/how-to/check.md
    explains. A warning is accepted by a comment on its line or above it:
    `# fireline: accept CODE: why`.

    Exits 0 when there is no error, 1 when there is one (with --strict also for a warning), 2 when the command line is
    wrong. FILE outside of both directories is checked as a file of rules alone.
    """
    chosen = Form.JSON if as_json else form
    found = importlib.import_module("fireline.apps.checking").run(
        files or [], rules=rules, runbooks=runbooks, form=chosen.value, strict=strict, channels=channels
    )
    raise typer.Exit(found)


def schema(
    name: Annotated[
        str,
        typer.Argument(help="autonomy, calendars, catalog, maintenance, oncall, rules, runbooks, severities or topics"),
    ] = "rules",
) -> None:
    """Print the JSON Schema of one kind of file, for completion and checks in an editor (docs/how-to/editor.md)."""
    raise typer.Exit(importlib.import_module("fireline.apps.checking").print_schema(name))
