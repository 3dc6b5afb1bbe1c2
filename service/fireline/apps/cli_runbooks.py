"""`fireline runbook`: writing runbooks: see them, check, rehearse, test, draw, start. Runs are in `fireline runs`."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Write runbooks and trust them: see, check, rehearse, test, draw, start. `fireline runs` is about their runs.",
)

NameArgument = Annotated[str, typer.Argument(help="The name of a runbook", metavar="NAME")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
]
RunbooksOption = Annotated[
    Path | None, typer.Option("--runbooks", help="Directory of runbooks (FIRELINE_RUNBOOKS, otherwise runbooks)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


def load(name: str) -> ModuleType:
    """The module that does the work; loaded when its command runs, so that `--help` is quick."""
    return importlib.import_module(f"fireline.apps.{name}")


@app.command("ls")
def ls(rules: RulesOption = None, runbooks: RunbooksOption = None, as_json: JsonOption = False) -> None:
    """List the runbooks: whose they are, how far each asks to go alone, its tests, and when its review runs out."""
    raise typer.Exit(load("runbook_listing").ls(rules, runbooks, as_json=as_json))


@app.command("show")
def show(
    name: NameArgument, rules: RulesOption = None, runbooks: RunbooksOption = None, as_json: JsonOption = False
) -> None:
    """Show a runbook: what it is told, which rules ask for it, its guards, and its steps with what undoes them."""
    raise typer.Exit(load("runbook_listing").show(name, rules, runbooks, as_json=as_json))


@app.command("actions")
def actions(
    name: Annotated[
        str | None, typer.Argument(help="An action, such as route.set; all by default", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what a step may use here, also of other packages, or show one: its options, outputs and an example."""
    raise typer.Exit(load("action_listing").actions(name, as_json=as_json))


@app.command("check")
def check(
    path: Annotated[
        Path | None, typer.Argument(help="A file of runbooks, or a directory of them; all by default")
    ] = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too")] = False,
    rules: RulesOption = None,
    runbooks: RunbooksOption = None,
) -> None:
    """Check runbooks: every fault with its place, what was expected, and how to mend it.

    It is `fireline check`, of the runbooks alone: actions and their options, every variable of every template and
    condition, undo, the rules and teams that are named, tests, and reviews that ran out. Exits 0 when there is no
    error, 1 when there is one (with --strict also for a warning).
    """
    raise typer.Exit(load("runbook_listing").check(path, rules, runbooks, as_json=as_json, strict=strict))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of runbook files, for completion and checks in an editor (docs/how-to/editor.md)."""
    raise typer.Exit(load("checking").print_schema("runbooks"))


@app.command("test")
def run_tests(  # noqa: PLR0917 - typer turns each parameter into an option
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of runbooks; all by default", show_default=False)
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the steps of every test")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also while a step or branch is in no test")] = False,
    as_json: JsonOption = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write a JUnit XML report here")] = None,
    rules: RulesOption = None,
    runbooks: RunbooksOption = None,
) -> None:
    """Play the `tests:` of runbooks: how steps end goes in, and the run that must come of it is compared.

    The engine is the one that runs them for real, on a database in memory and a clock that jumps to whatever is due, so
    that half an hour without an answer takes no time. No action acts: a step ends as the test says, or as its own dry
    run says. What no test goes through (steps, both ways of an `if`, `on_failure`, undo) is listed.

    Exits 0 when all tests pass, 1 when one does not (with --strict also while something is in no test), and 2 when
    nothing could be played.
    """
    raise typer.Exit(
        load("runbook_tests").run(
            names or [], verbose=verbose, as_json=as_json, report=junit, strict=strict, rules=rules, runbooks=runbooks
        )
    )


@app.command("rehearse")
def rehearse(  # noqa: PLR0917 - typer turns each parameter into an option
    name: NameArgument,
    given: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="An input, name=value; may be repeated")
    ] = None,
    incident: Annotated[str | None, typer.Option(help="As if for this incident, such as INC-7")] = None,
    assume: Annotated[
        list[str] | None, typer.Option(help="What a step gives, step.output=value; may be repeated")
    ] = None,
    fail: Annotated[list[str] | None, typer.Option(help="A step that fails; may be repeated")] = None,
    person: Annotated[
        str | None, typer.Option("--as", help="Who would start it; your system user name otherwise")
    ] = None,
    as_json: JsonOption = False,
    rules: RulesOption = None,
    runbooks: RunbooksOption = None,
) -> None:
    """Show what a runbook would do now, step by step, and which guard would stop it. Nothing is done.

    Guards (autonomy, stop switch, lock, budget ...) are judged on the database as it is, which is only read. The
    steps are taken by the engine of real runs, on a copy of the routes in memory; actions say what they would do. What
    only a real run can know is shown as a placeholder, and an `if` that needs one is taken to hold. Try other ways:

    `fireline runbook rehearse route-back -i service=fraud-scoring --assume ask.approved=false`

    `fireline runbook rehearse route-to-fallback -i service=fraud-scoring --incident INC-7 --fail verify`

    Exits 0 when every guard lets it pass and it would succeed, 1 when not, 2 when the files have faults.
    """
    raise typer.Exit(
        load("runbook_rehearsal").run(
            name,
            given or [],
            incident,
            assume=assume or [],
            fail=fail or [],
            person=person,
            as_json=as_json,
            rules=rules,
            runbooks=runbooks,
        )
    )


@app.command("graph")
def graph(
    name: NameArgument,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw it into this file, for light and dark pages", dir_okay=False)
    ] = None,
    as_json: JsonOption = False,
    rules: RulesOption = None,
    runbooks: RunbooksOption = None,
) -> None:
    """Draw a runbook: its steps from top to bottom, what each asks, waits for and undoes, and what a failure does.

    ● is a step, ◉ one that asks a person, ◇ an `if`, ╪ branches side by side, ▣ another runbook; ↶ says what takes a
    step back, ✗ what its failure does where that is not just to stop.
    """
    raise typer.Exit(load("runbook_drawing").run(name, svg=svg, as_json=as_json, rules=rules, runbooks=runbooks))


@app.command("run")
def run(  # noqa: PLR0917 - typer turns each parameter into an option
    name: NameArgument,
    given: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="An input, name=value; may be repeated")
    ] = None,
    incident: Annotated[str | None, typer.Option(help="The incident that it is for, such as INC-7")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run and in the audit")] = "",
    person: Annotated[
        str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
    ] = None,
    key: Annotated[str, typer.Option(help="For scripts: the same key starts one run, however often it is given")] = "",
    overrule: Annotated[
        list[str] | None,
        typer.Option(help="A guard to overrule: budget, cooldown, oscillation or blast_radius; may be repeated"),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end, line by line")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run: by the same guards as one that a rule asks for, with you as its requester.

    `start.when` does not hold a person back; autonomy, approval, stop_if, lock and the other guards do, and who asked
    for a run may not approve it. A guard that refuses may be overruled, by its name and for a reason, which the run,
    the incident and the audit keep: `--overrule cooldown --reason "the fallback is mended" --as ann`. Nothing overrules
    the lock, stop_if, the stop switch, or an approval.

    `fireline runbook rehearse` shows beforehand what it would do and what would stop it. A responder (`fireline
    respond`, or `fireline up`) takes its steps; `fireline runs` shows, pauses and aborts it.

    Exits 0 when it has begun or waits (with --wait: when it succeeded), 1 when not.
    """
    raise typer.Exit(
        load("runbook_running").run(
            name,
            given or [],
            incident,
            reason=reason,
            person=person,
            key=key,
            overrule=overrule or [],
            wait=wait,
            as_json=as_json,
        )
    )
