"""What `fireline runbook test` prints for people: each test with its steps, and expected beside got."""

from collections.abc import Sequence

from rich.text import Text

from fireline.apps.output import harmless, out, pairs, say
from fireline.domain.runbook_tests import UNDO, RunbookTest
from fireline.domain.runbook_verdicts import Difference, Played
from fireline.domain.runbooks import Run, StepRun

MARKS = {"done": "green", "undone": "magenta", "failed": "bold red", "undo_failed": "bold red"}


def lines(file: str, missed: Difference) -> list[str]:
    """One expectation that was not met: where, what was expected, what came instead, and why."""
    return [
        f"{file}:{missed.line}: {missed.what}",
        f"  - expected  {missed.wanted}",
        f"  + got       {missed.got}",
        *map("    {}".format, missed.detail),
    ]


def tell_test(
    file: str, book: str, test: RunbookTest, played: Played, missed: Sequence[Difference], *, verbose: bool
) -> None:
    """Print one test: its name, what was not as expected and, where that or `verbose` asks for it, its steps."""
    verdict = Text(" FAILED", style="bold red") if missed else Text(" passed", style="green")
    out().print(Text(harmless(f"{file}:{test.line}: {book}: {test.name}")) + verdict)
    for each in missed:
        head, wanted, got, *detail = lines(file, each)
        say(f"  {head}", "bold")
        say(f"  {wanted}", "green")
        say(f"  {got}", "red")
        for line in detail:
            say(f"  {line}", "dim")
    if played.run is not None and (verbose or missed):
        _tell_steps(played.run, played.order)


def _tell_steps(run: Run, order: Sequence[str]) -> None:
    steps = {step.id: step for step in run.steps}
    for number, name in enumerate(order, 1):
        step = steps.get(name.removesuffix(UNDO))
        if step is not None:
            style, text = _step(step, undo=name.endswith(UNDO))
            out().print(Text(f"  {number:>3} {name:<24} ", style="dim") + Text(harmless(text), style=style))
    say(f"      {run.status.value}: {run.reason}", MARKS.get(run.status.value, "bold"))
    say("")


def _step(step: StepRun, *, undo: bool) -> tuple[str, str]:
    if undo:
        status = step.status.value
        return MARKS.get(status, ""), f"{status}  with {pairs(step.undo_rendered)}"
    status = "failed" if step.uncertain or (step.error and not step.output) else "done"
    given = f"  with {pairs(step.rendered)}" if step.rendered else ""
    return MARKS[status], status + given + (f": {step.error}" if step.error else "")
