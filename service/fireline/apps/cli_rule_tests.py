"""`fireline test`: the tests that stand beside the rules."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(help="Files of rules, or directories of them; all rules by default", show_default=False),
]


def run_tests(  # noqa: PLR0917 - typer turns each parameter into an option
    paths: PathsArgument = None,
    rule: Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; may be repeated")] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Change each rule in small ways and say which changes no test notices")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Draw the timeline of every test")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write a JUnit XML report here")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, max=256, help="Processes; 0 is one for each processor")
    ] = 0,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Directory of rules (FIRELINE_RULES, otherwise rules)")
    ] = None,
) -> None:
    """Run the tests of rules: events in, and the verdicts, signals and pages that they must lead to.

    Each test is judged by the code that judges live events, on a clock that the test moves; no Kafka and no database is
    needed. With --mutate each rule is changed in small ways (a `for` dropped, a comparison turned, a threshold moved),
    and a change that no test notices is reported, with what a test would have to say to notice it.

    Exits 0 when all tests pass (with --mutate: every change is noticed or explained), 1 when that is not so, and 2 when
    nothing could be run: the files have faults, no rule is named so, or none has a test.
    """
    work = importlib.import_module("fireline.apps.rule_mutation" if mutate else "fireline.apps.rule_tests")
    if mutate:
        raise typer.Exit(work.run(paths or [], names=rule or [], as_json=as_json, jobs=jobs, rules=rules))
    raise typer.Exit(
        work.run(paths or [], names=rule or [], verbose=verbose, as_json=as_json, junit=junit, jobs=jobs, rules=rules)
    )
