"""The command line: `fireline COMMAND --help` teaches each command; the work is in the modules it names."""

import importlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from fireline import __version__
from fireline.apps import (
    cli_audit,
    cli_backtest,
    cli_baselines,
    cli_checking,
    cli_dead_letters,
    cli_incidents,
    cli_notify,
    cli_oncall,
    cli_routes,
    cli_rule_tests,
    cli_runbooks,
    cli_runs,
    cli_silences,
    cli_slos,
    cli_stop,
    cli_topics,
    interrupts,
)

app = typer.Typer(
    name="fireline",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From event to recovered traffic: rules on Kafka streams, named on-call pages, runbooks that act and undo.\n\n"
    "Start with [bold]fireline demo[/bold] to see the whole path, [bold]fireline check[/bold] to check your rules, "
    "[bold]fireline up[/bold] to run everything on this machine.",
)
app.add_typer(cli_dead_letters.app, name="dead-letter", rich_help_panel="Run")
app.add_typer(cli_baselines.app, name="baseline", rich_help_panel="Author")
app.add_typer(cli_topics.app, name="topics", rich_help_panel="Run")
app.add_typer(cli_slos.app, name="slo", rich_help_panel="Author")
app.add_typer(cli_audit.app, name="audit", rich_help_panel="Respond")
app.add_typer(cli_incidents.app, name="incidents", rich_help_panel="Respond")
app.add_typer(cli_oncall.app, name="oncall", rich_help_panel="Respond")
app.add_typer(cli_notify.app, name="notify", rich_help_panel="Respond")
app.add_typer(cli_routes.app, name="routes", rich_help_panel="Respond")
app.add_typer(cli_runbooks.app, name="runbook", rich_help_panel="Author")
app.add_typer(cli_runs.app, name="runs", rich_help_panel="Respond")
app.add_typer(cli_silences.app, name="silence", rich_help_panel="Respond")
app.add_typer(cli_stop.app, name="stop", rich_help_panel="Respond")

RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
]
RunbooksOption = Annotated[
    Path | None, typer.Option("--runbooks", help="Directory of runbooks (FIRELINE_RUNBOOKS, otherwise runbooks)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


WORKING = frozenset({"up", "stream", "respond", "web"})
"""Commands that work until they are told to end, and listen to signals themselves once they are at work."""


def load(name: str) -> ModuleType:
    """The module that does the work; loaded when its command runs, so that `--help` is quick."""
    return importlib.import_module(f"fireline.apps.{name}")


@app.command(rich_help_panel="Run")
def up(rules: RulesOption = None, runbooks: RunbooksOption = None) -> None:
    """Run everything on this machine: stream, respond and web as supervised processes.

    Without FIRELINE_KAFKA an embedded broker is started: right for trying Fireline, not for production (it keeps
    events in memory). Incidents, runs and routes are in the database and survive.
    """
    raise typer.Exit(load("up").run(rules=rules, runbooks=runbooks))


@app.command(rich_help_panel="Run")
def stream(rules: RulesOption = None, runbooks: RunbooksOption = None) -> None:
    """Run one stream worker: events from Kafka are matched, aggregated and judged; signals open incidents.

    Start as many as there are partitions. Exits 70 when consumption stalls, so that a supervisor starts it again.
    """
    raise typer.Exit(load("role_stream").run(rules=rules, runbooks=runbooks))


@app.command(rich_help_panel="Run")
def respond(rules: RulesOption = None, runbooks: RunbooksOption = None) -> None:
    """Run one responder: pages and cards, escalation deadlines, runbooks, the Slack socket. Several may run."""
    raise typer.Exit(load("role_respond").run(rules=rules, runbooks=runbooks))


@app.command(rich_help_panel="Run")
def web(rules: RulesOption = None, runbooks: RunbooksOption = None) -> None:
    """Run the web role: routes over OFREP and SSE for gateways, the HTTP API, the status page, metrics."""
    raise typer.Exit(load("role_web").run(rules=rules, runbooks=runbooks))


@app.command(rich_help_panel="Run")
def demo(
    once: Annotated[bool, typer.Option("--once", help="Run the story once, check its outcome, exit 0 or 1")] = False,
    rules: RulesOption = None,
    runbooks: RunbooksOption = None,
    picture: Annotated[Path | None, typer.Option(help="Keep the display during the hand-back as an SVG file")] = None,
) -> None:
    """Watch the whole path: a model gateway breaks, its owner is paged, traffic moves to the fallback and back.

    It works on copies of your rules and runbooks in .fireline/demo, with a database and an embedded broker of its own.
    """
    raise typer.Exit(load("demo").run(once=once, rules=rules, runbooks=runbooks, picture=picture))


app.command("check", rich_help_panel="Author")(cli_checking.check)
app.command("test", rich_help_panel="Author")(cli_rule_tests.run_tests)
app.command("schema", rich_help_panel="Author")(cli_checking.schema)


app.command("backtest", rich_help_panel="Author")(cli_backtest.backtest)


@app.command(rich_help_panel="Author")
def replay(  # noqa: PLR0917 - typer turns each parameter into an option
    file: Annotated[Path, typer.Argument(help="NDJSON of native events (.gz too), or a CSV of timestamp,value")],
    speed: Annotated[float, typer.Option(min=0.0, help="Times faster than recorded; 0 is as fast as possible")] = 0.0,
    name: Annotated[str | None, typer.Option(help="CSV: the metric's name")] = None,
    label: Annotated[list[str] | None, typer.Option(help="CSV: a label, key=value; may be repeated")] = None,
    kafka: Annotated[
        str | None, typer.Option(help="host:port, otherwise FIRELINE_KAFKA, or the running `fireline up`")
    ] = None,
    topic: Annotated[str, typer.Option(help="The topic to feed")] = "fireline.replay",
) -> None:
    """Feed recorded events into Kafka with their own event time.

    They are judged on a timeline of their own, on which time passes by the events: incidents and pages are real,
    and never mix with live ones.
    """
    raise typer.Exit(
        load("replay").run(file=file, speed=speed, name=name, labels=label or [], kafka=kafka, topic=topic)
    )


@app.command(rich_help_panel="Respond")
def explain(  # noqa: PLR0917 - typer turns each parameter into an option
    what: Annotated[str, typer.Argument(help="An incident, such as INC-7, or a rule, such as fraud_latency")],
    page: Annotated[int | None, typer.Option(help="Incident: only this page, and why it reached this person")] = None,
    person: Annotated[str | None, typer.Option(help="Incident: why this person was, or was not, paged")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Rule: a label, key=value; may be repeated")] = None,
    at: Annotated[
        str | None, typer.Option(help="Rule: a time within its window, such as 2026-11-21T03:00:00Z; now by itself")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer "why was I paged, or why not?".

    Of an incident: every decision with its reason, the evidence, and each condition part by part. A page is worked out
    again from the facts that were kept with it, whatever the files say now; where those differ, that is told.
    Of a rule: what its windows show of each entity now, what each level makes of it, and who was paged or why nobody.
    """
    asked = load("explain").Asked(page, person)
    raise typer.Exit(load("explain").run(what, asked, entity=entity or [], at=at, as_json=as_json))


@app.command(rich_help_panel="Author")
def changes(
    which: Annotated[
        str | None, typer.Argument(help="The beginning of a configuration's hash, to see what changed")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """See which changes of rules and runbooks came in force: when, whose files they were, and the difference."""
    raise typer.Exit(load("changes").run(which, as_json=as_json))


@app.command(rich_help_panel="Run")
def doctor(as_json: JsonOption = False) -> None:
    """Look at everything Fireline stands on, and say what is wrong and how to mend it. Exits 1 when something is."""
    raise typer.Exit(load("doctor").run(as_json=as_json))


@app.command(hidden=True)
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"fireline {__version__}\n")


@cache
def _commands() -> Callable[[], object]:
    """All commands, put together once: it takes a tenth of a second, and tests run many in one process."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command line; faults that a person can mend are told as such, never as a traceback."""
    try:
        if sys.argv[1:2] and sys.argv[1] in WORKING:
            interrupts.end_at_once()
        else:
            interrupts.raise_it()
        _commands()()
    except Exception as fault:
        faults, output = load("faults"), load("output")
        said = faults.told(fault)
        if said is None:
            raise
        output.say(said, "red", to=output.err())
        raise SystemExit(faults.exit_code(fault)) from None


if __name__ == "__main__":
    main()
