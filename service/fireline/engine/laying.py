"""Laying out a step that has others do its work: the items it goes through, the inputs of the runbook it runs.

And the bounds of what any step may give.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from fireline.domain.configuration import Configuration
from fireline.domain.expressions import EvaluationFault
from fireline.domain.input_values import called, kind_fault
from fireline.domain.outcomes import Done, Failed
from fireline.domain.run_places import ITEMS, scope_of
from fireline.domain.runbooks import Foreach, Run, Runbook, Step
from fireline.domain.running import Rendered, entry_of, step_of
from fireline.engine import values
from fireline.engine.ports import Transaction
from fireline.engine.run_inputs import Unfit, resolve
from fireline.engine.stop_conditions import stopped

LARGEST = 64 * 1024
"""Characters that the outputs of one step may have as JSON: they are in every later line of the run's journal."""


def laid_out(entry: Step, known: Mapping[str, object]) -> Rendered | Failed:
    """What a step that has others do its work is begun with; `known` is what its templates may name."""
    if entry.foreach is not None:
        return _items(entry.foreach, known)
    if entry.sub is not None:
        return _inputs(entry, entry.sub, known)
    return Rendered()


def _items(each: Foreach, known: Mapping[str, object]) -> Rendered | Failed:
    try:
        items = each.items.render(known)
    except EvaluationFault as fault:
        return Failed(f"foreach: {fault}")
    if not isinstance(items, (list, tuple)):
        return Failed(f"foreach: expected a list, found {called(items)}")
    if len(items) > each.most:
        return Failed(f"foreach: {len(items)} items are more than {each.most}; nothing was done")
    return Rendered({ITEMS: list(items)})


def _inputs(entry: Step, book: Runbook, known: Mapping[str, object]) -> Rendered | Failed:
    try:
        options = entry.with_.render(known)
        given = options.get("inputs") if isinstance(options, Mapping) else None
        start = values.of_start(_mapping(known.get("incident")), _mapping(known.get("catalog")))
        inputs = resolve(book, _mapping(given), start, trusted=True)
        lock = {} if book.lock is None else {"lock": str(book.lock.render({**start, "inputs": inputs}))}
    except (EvaluationFault, Unfit) as fault:
        return Failed(f"with: {fault}")
    return Rendered({"runbook": book.name, "inputs": inputs, **lock})


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def within_bounds(entry: Step, outcome: Done) -> Done | Failed:
    """The outcome, Failed where what it gives is too large or of another type than the runbook says.

    The step was done all the same: it is undone when the run is, and not tried again.
    """
    size = len(json.dumps(outcome.output, default=str))
    if size > LARGEST:
        return Failed(f"it was done, but gave {size} characters, more than {LARGEST}", acted=True)
    for name, kind in entry.outputs.items():
        fault = kind_fault(kind, outcome.output.get(name))
        if fault:
            return Failed(f"it was done, but its output {name} {fault}", acted=True)
    return outcome


def locks_of(run: Run) -> tuple[str, ...]:
    """The locks that a run may hold: its own, and those of the runbooks that it runs."""
    inner = (step.rendered.get("lock") for step in run.steps if "runbook" in step.rendered)
    return tuple(lock for lock in (run.lock, *inner) if isinstance(lock, str) and lock)


def stopped_at(
    tx: Transaction, run: Run, runbook: Runbook, step: str, *, configuration: Configuration, now: float
) -> str | None:
    """Why a stop condition says no before a step: that of the run's runbook, or of those that run within it."""
    against = stopped(tx, run, runbook, configuration, now)
    around = scope_of(step).rstrip("/")
    while against is None and around:
        inner = entry_of(runbook, around).sub
        inputs = _mapping(step_of(run, around).rendered.get("inputs"))
        if inner is not None:
            against = stopped(tx, replace(run, inputs=inputs), inner, configuration, now)
        around = scope_of(around).rstrip("/")
    return against


def conditional(runbook: Runbook, step: str) -> bool:
    """Whether `stopped_at` has a condition to ask about before this step; most runbooks have none."""
    around = scope_of(step).rstrip("/")
    found = [runbook.stop_if]
    while around:
        inner = entry_of(runbook, around).sub
        found.append(None if inner is None else inner.stop_if)
        around = scope_of(around).rstrip("/")
    return any(condition is not None for condition in found)


def named(written: object, secrets: Mapping[str, str]) -> object:
    """What an author wrote, with each `{{ inputs.NAME }}` of a secret replaced by the secret's name."""
    if not secrets:
        return written
    if isinstance(written, str):
        for name, value in secrets.items():
            written = re.sub(r"\{\{\s*inputs\." + re.escape(name) + r"\s*\}\}", value, written)
        return written
    if isinstance(written, Mapping):
        return {key: named(part, secrets) for key, part in written.items()}
    return [named(part, secrets) for part in written] if isinstance(written, (list, tuple)) else written
