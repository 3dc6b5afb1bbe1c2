"""What `fireline runbook rehearse` prints: the guards, then each step with its input and what undoes it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from fireline.apps.output import harmless, out, print_json, say
from fireline.apps.runbook_unknowns import OPEN
from fireline.domain.runbook_steps import entries, plain_id
from fireline.domain.runbook_tests import UNDO
from fireline.domain.runbooks import Step, StepRun, StepStatus

if TYPE_CHECKING:
    from fireline.apps.runbook_guards import Guard
    from fireline.apps.runbook_rehearsal import Rehearsal

_MARKS = {True: ("passes", "green"), False: ("stops", "bold red"), None: ("asks", "yellow")}
_STATES = {
    StepStatus.DONE: ("would be done", "green"),
    StepStatus.SKIPPED: ("would be skipped", "dim"),
    StepStatus.FAILED: ("would fail", "bold red"),
    StepStatus.UNDONE: ("would be done, and undone", "magenta"),
    StepStatus.UNDO_FAILED: ("would be done, and its undo would fail", "bold red"),
}


def tell(rehearsal: "Rehearsal") -> None:
    """For people."""
    run = rehearsal.run
    say(f"Rehearsal of {rehearsal.book.name}: nothing is done.", "bold")
    if rehearsal.note:
        say(rehearsal.note, "yellow")
    say("")
    say("Inputs", "bold")
    for name, value in run.inputs.items():
        _line(name, value, 2)
    say("")
    say("Guards, as of now", "bold")
    for guard in rehearsal.guards:
        _tell_guard(guard)
    say("")
    say("Steps, in order", "bold")
    known = dict(entries(rehearsal.book))
    for number, step in enumerate(run.steps, 1):
        _tell_step(number, step, known.get(plain_id(step.id)), rehearsal)
    undone = [name.removesuffix(UNDO) for name in rehearsal.order if name.endswith(UNDO)]
    if undone:
        say(f"Undone, in this order: {', '.join(undone)}", "magenta")
    say(f"It would end as {run.status.value}: {run.reason}", "green" if run.status.value == "succeeded" else "red")
    if _holds_unknown(rehearsal):
        say(f"{OPEN}...› is what only a real run knows. --assume step.output=value tries one, --fail step a failure")


def _holds_unknown(rehearsal: "Rehearsal") -> bool:
    return any(OPEN in str(part) for step in rehearsal.run.steps for part in (step.rendered, step.output))


def _tell_guard(guard: "Guard") -> None:
    mark, style = _MARKS[guard.passes]
    out().print(Text(f"  {mark:<7}", style=style) + Text(f"{guard.name:<13}") + Text(harmless(guard.why)))


def _tell_step(number: int, step: StepRun, entry: Step | None, rehearsal: "Rehearsal") -> None:
    words, style = _STATES.get(step.status, ("would not be reached", "dim"))
    uses = "" if entry is None else entry.uses
    out().print(Text(f"  {number:>2} {step.id} ", style="bold") + Text(f"{uses}  ") + Text(words, style=style))
    if entry is not None and entry.if_ is not None:
        how = "cannot be told now, taken to hold" if entry.if_.source in rehearsal.assumed else "as of now"
        _line("if", f"{entry.if_.source}  ({how})", 6)
    if step.error:
        _line("because", step.error, 6)
    for name, value in step.rendered.items():
        _line(f"with {name}", value, 6)
    for name, value in step.output.items():
        _line(f"gives {name}", value, 6)
    if entry is not None and entry.undo is not None:
        given = ", ".join(f"{name} {_said(value)}" for name, value in step.undo_rendered.items())
        _line("undo", f"{entry.undo.uses}  {given or 'not known before the step is done'}", 6)
    elif entry is not None and entry.irreversible:
        _line("undo", "none: it is irreversible", 6)


def _line(label: str, value: object, indent: int) -> None:
    out().print(Text(f"{'':<{indent}}{label:<16} ", style="dim") + Text(harmless(_said(value))))


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_said(part)}" for name, part in value.items()) + "}"
    return str(value)


def tell_json(rehearsal: "Rehearsal") -> None:
    """For programs."""
    known = dict(entries(rehearsal.book))
    print_json(
        {
            "runbook": rehearsal.book.name,
            "hash": rehearsal.book.hash,
            "note": rehearsal.note,
            "inputs": dict(rehearsal.run.inputs),
            "guards": [{"guard": g.name, "passes": g.passes, "why": g.why} for g in rehearsal.guards],
            "steps": [_step(step, known.get(plain_id(step.id)), rehearsal) for step in rehearsal.run.steps],
            "order": list(rehearsal.order),
            "status": rehearsal.run.status.value,
            "reason": rehearsal.run.reason,
        }
    )


def _step(step: StepRun, entry: Step | None, rehearsal: "Rehearsal") -> Mapping[str, object]:
    return {
        "id": step.id,
        "uses": None if entry is None else entry.uses,
        "status": step.status.value,
        "with": dict(step.rendered),
        "gives": dict(step.output),
        "error": step.error,
        "undo": _undo(step, entry),
        "irreversible": entry is not None and entry.irreversible,
        "assumed": sorted(_assumed(entry, rehearsal)),
    }


def _undo(step: StepRun, entry: Step | None) -> Mapping[str, object] | None:
    if entry is None or entry.undo is None:
        return None
    return {"uses": entry.undo.uses, "with": dict(step.undo_rendered)}


def _assumed(entry: Step | None, rehearsal: "Rehearsal") -> Iterator[str]:
    if entry is not None and entry.if_ is not None and entry.if_.source in rehearsal.assumed:
        yield entry.if_.source
