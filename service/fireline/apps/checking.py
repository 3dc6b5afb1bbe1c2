"""`fireline check` and `fireline schema`: faults of files for people, for programs and for GitHub."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import err, harmless, out, print_json, say
from fireline.domain.configuration import Configuration, Problem
from fireline.spec.loading import load
from fireline.spec.schemas import schemas

FAULTY = 1


def run(*, rules: Path | None, runbooks: Path | None, as_json: bool, github: bool) -> int:
    """Check both directories; 0 when there is no error."""
    settings = settings_with(rules, runbooks)
    began = time.perf_counter()
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    loaded = load(settings.rules, settings.runbooks, plugins(), today=today)
    took = time.perf_counter() - began
    errors = [p for p in loaded.problems if p.severity == "error"]
    if as_json:
        print_json({"ok": not errors, "problems": [_document(p) for p in loaded.problems]})
    elif github:
        _annotate(loaded.problems)
    else:
        _tell(loaded.problems, loaded.configuration, took)
    return FAULTY if errors else 0


def _tell(problems: Sequence[Problem], configuration: Configuration | None, took: float) -> None:
    console = out()
    for problem in problems:
        place = Text(harmless(f"{problem.file}:{problem.line}:{problem.column}:"), style="bold")
        kind = Text(f" {problem.severity}: ", style="red" if problem.severity == "error" else "yellow")
        console.print(place + kind + Text(harmless(problem.message)))
        if problem.hint:
            say(f"  hint: {problem.hint}", "dim")
    errors = sum(p.severity == "error" for p in problems)
    if configuration is None:
        say(f"{errors} errors, {len(problems) - errors} warnings", "red", to=err())
        return
    counts = (
        f"{len(configuration.rules)} rules, {len(configuration.runbooks)} runbooks, "
        f"{len(configuration.catalog.services)} services, {len(configuration.catalog.people)} people"
    )
    counts += f", {len(configuration.topics)} topics of others" if configuration.topics else ""
    say(f"{counts}: sound, {len(problems)} warnings ({took * 1000:.0f} ms)", "green", to=err())


def _annotate(problems: Sequence[Problem]) -> None:
    for problem in problems:
        text = problem.message + (f" ({problem.hint})" if problem.hint else "")
        flat = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        place = f"file={problem.file},line={problem.line},col={problem.column}"
        sys.stdout.write(harmless(f"::{problem.severity} {place}::{flat}") + "\n")


def _document(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "path": problem.path,
    }


def print_schema(name: str) -> int:
    """Print one JSON Schema; raises Refused naming those there are."""
    known = schemas()
    if name not in known:
        raise Refused(f"there is no schema {name!r}; there are {', '.join(sorted(known))}")
    print_json(known[name])
    return 0
