"""`fireline topics`: what Kafka has, what Fireline wants of it, and making the two agree."""

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See, check and create the topics in Kafka.")

PartitionsOption = Annotated[
    int | None,
    typer.Option("--partitions", min=1, max=1000, help="What topics of events and fireline.partials should have"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command("ls")
def ls(as_json: JsonOption = False) -> None:
    """List Fireline's topics as the broker has them: partitions, replicas, records, how they are kept."""
    raise typer.Exit(importlib.import_module("fireline.apps.topics").ls(as_json))


@app.command("check")
def check(partitions: PartitionsOption = None, as_json: JsonOption = False) -> None:
    """Compare partitions, replicas, retention, compaction and sizes with what Fireline wants, and say how to mend each.

    Exits 1 when something is wrong; notes alone exit 0.
    """
    raise typer.Exit(importlib.import_module("fireline.apps.topics").check(partitions, as_json))


@app.command("create")
def create(
    partitions: PartitionsOption = None,
    replication: Annotated[
        int | None,
        typer.Option("--replication", min=1, max=100, help="Replicas of new ones, else the broker's default"),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Also alter topics that are not as they should be")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done")] = False,
) -> None:
    """Create the topics that are missing, with 4 partitions for events unless told otherwise.

    What exists is altered with --fix only, and the partitions of fireline.partials never: they decide which worker
    holds which windows. Exits 1 when something is wrong afterwards.
    """
    raise typer.Exit(
        importlib.import_module("fireline.apps.topics").create(
            partitions=partitions, replication=replication, fix=fix, dry_run=dry_run
        )
    )
