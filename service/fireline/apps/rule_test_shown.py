"""What `fireline test` prints for people: differences between expected and got, and timelines."""

import sys
from collections.abc import Iterator
from itertools import groupby

from rich.text import Text

from fireline.apps.output import harmless, out, say
from fireline.apps.rule_test_timeline import UNMET, WIDTH, Lane, draw
from fireline.domain.rules import Rule
from fireline.engine.rule_tests import Failure, Outcome, time_text

_STATES = {".": "green", "?": "dim", "~": "magenta", "S": "bold white on red", "O": "bold red", "D": "yellow"}
_LABEL = 36


def file_of(rule: Rule) -> str:
    """The file that a rule stands in."""
    return rule.where_file.rpartition(":")[0]


def failure_lines(file: str, failure: Failure) -> list[str]:
    """One expectation that was not met, in lines: where and when, what was expected, what came instead, and why."""
    when = "" if failure.at is None else f"at {time_text(failure.at)} "
    head = f"{file}:{failure.line}: {when}{failure.what}" + (f" of {failure.entity}" if failure.entity else "")
    return [
        head,
        f"  - expected  {failure.wanted}",
        f"  + got       {failure.got}",
        *map("    {}".format, failure.detail),
    ]


def tell_outcome(rule: Rule, outcome: Outcome, *, draw_it: bool) -> None:
    """Print one test: its name and, where it failed or it was asked for, differences and the timeline."""
    file, failed = file_of(rule), bool(outcome.failures)
    console = out()
    verdict = Text(" FAILED", style="bold red") if failed else Text(" passed", style="green")
    console.print(Text(harmless(f"{file}:{outcome.test.line}: {rule.name}: {outcome.test.name}")) + verdict)
    for failure in outcome.failures:
        head, wanted, got, *detail = failure_lines(file, failure)
        say(f"  {head}", "bold")
        say(f"  {wanted}", "green")
        say(f"  {got}", "red")
        for line in detail:
            say(f"  {line}", "dim")
    if failed or draw_it:
        _tell_timeline(outcome)


def _tell_timeline(outcome: Outcome) -> None:
    drawing = draw(outcome, _width())
    size = min(max((len(lane.label) for lane in drawing.lanes), default=0), _LABEL)
    say("")
    for lane in drawing.lanes:
        label = (f"  {harmless(lane.label)[:size].ljust(size)}  ", "dim")
        out().print(Text.assemble(label, *_coloured(lane)), no_wrap=True)
    say(f"  {''.ljust(size)}  {drawing.legend}\n", "dim")


def _width() -> int:
    return max(20, min(out().width - _LABEL - 6, 160)) if sys.stdout.isatty() else WIDTH


def _coloured(lane: Lane) -> Iterator[tuple[str, str]]:
    """The runs of equal characters of a lane, each with its style."""
    if lane.kind not in {"marks", "state"}:
        yield lane.cells, "dim"
        return
    for cell, run in groupby(lane.cells):
        style = _STATES.get(cell, "cyan") if lane.kind == "state" else "bold red" if cell == UNMET else "cyan"
        yield "".join(run), style
