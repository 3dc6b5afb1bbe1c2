"""Guards that refuse a run before it begins, and that a person may overrule: what each says now, with its figures.

The lock, the stop switch, `stop_if` and the approval of what cannot be undone are not among them: those hold for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fireline.domain.configuration import Configuration
from fireline.domain.oscillation import Coming, Move, coming_of, history, moves_of, swinging
from fireline.domain.runbooks import Oscillation, Run, Runbook
from fireline.engine.foreseeing import Foreseen
from fireline.engine.inner_guards import LOOKED_AT, spent
from fireline.engine.ports import Transaction
from fireline.engine.reaching import Canonical, planned, width

BUDGET, COOLDOWN, OSCILLATION, BLAST_RADIUS = "budget", "cooldown", "oscillation", "blast_radius"
OVERRULABLE = (BUDGET, COOLDOWN, OSCILLATION, BLAST_RADIUS)
"""The guards that a person may overrule, by the names they have in runbooks."""

LONGEST = 86_400.0
"""Seconds that a run may have gone on before it moved something in the time that counts."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guard that says no, and why, for people."""

    guard: str
    reason: str


def refusals(tx: Transaction, configuration: Configuration, run: Run, book: Runbook, now: float) -> Iterator[Refusal]:
    """What would refuse the run now, in order."""
    found = (
        (BUDGET, over_budget(tx, run, book, now)),
        (COOLDOWN, cooling(tx, run, book, now)),
        *((each.guard, each.reason) for each in foreseeable(tx, configuration, run, book, now)),
    )
    for guard, reason in found:
        if reason is not None:
            yield Refusal(guard, reason)


def foreseeable(
    tx: Transaction, configuration: Configuration, run: Run, book: Runbook, now: float
) -> Iterator[Refusal]:
    """Those that speak of what the run would do: nobody need be asked before whether it may."""
    swings = oscillating(tx, configuration, run, book, now)
    if swings is not None:
        yield Refusal(OSCILLATION, swings)
    limit = book.blast_radius
    if limit is not None and not limit.asks:
        wide = width(run, book, configuration.catalog, limit)
        if wide is not None:
            yield Refusal(BLAST_RADIUS, f"{wide}; a person has to decide")


def passed(run: Run, found: Iterator[Refusal]) -> Run | Refusal:
    """The run, with what was overruled written down; the first refusal that was not."""
    overruled = dict(run.overruled)
    for refusal in found:
        if refusal.guard not in run.overrules:
            return refusal
        overruled[refusal.guard] = refusal.reason
    return run if overruled == run.overruled else replace(run, overruled=overruled)


def over_budget(tx: Transaction, run: Run, runbook: Runbook, now: float) -> str | None:
    """Why there were too many runs of the runbook on this lock, None when there were not."""
    budget = runbook.budget
    if budget is None:
        return None
    count = spent(tx, runbook.name, run.lock, now - budget.per)
    if count < budget.runs:
        return None
    return (
        f"the budget is spent: {count} runs in {budget.per:g} s on {run.lock or runbook.name}; a person has to decide"
    )


def cooling(tx: Transaction, run: Run, runbook: Runbook, now: float) -> str | None:
    """Why it is too soon after the last run of the runbook on this lock, None when it is not."""
    if not runbook.cooldown:
        return None
    earlier = (each for each in tx.runs(limit=LOOKED_AT) if each.runbook == runbook.name and each.lock == run.lock)
    ended = [each for each in earlier if each.id != run.id and each.started_at is not None]
    last = max(ended, key=lambda each: each.ended_at or now, default=None)
    if last is None or last.ended_at is None or now - last.ended_at >= runbook.cooldown:
        return None
    left = runbook.cooldown - (now - last.ended_at)
    return (
        f"it cools down: run {last.id} on {run.lock or runbook.name} ended {now - last.ended_at:.0f} s ago, "
        f"{left:.0f} s are left of its cooldown; a person has to decide"
    )


# what the run would do
def limit_of(book: Runbook, configuration: Configuration) -> Oscillation:
    """How often runs may take a target back: as the runbook says, or else the autonomy table's file."""
    return book.oscillation or configuration.oscillation


def oscillating(tx: Transaction, configuration: Configuration, run: Run, book: Runbook, now: float) -> str | None:
    """Why the run would take a target back once too often, None when it would not."""
    limit = limit_of(book, configuration)
    found = (swinging(moves, coming, limit) for coming, moves in moved(tx, configuration, run, book, now))
    return next((why for why in found if why is not None), None)


def moved(
    tx: Transaction, configuration: Configuration, run: Run, book: Runbook, now: float
) -> list[tuple[Coming, tuple[Move, ...]]]:
    """What the run would do to each target, and what runs did to that in the time that counts."""
    steps = tuple(each for each in planned(run, book, configuration.catalog) if each.acts)
    if not steps:
        return []
    since, canonical = now - limit_of(book, configuration).per, Canonical(configuration.catalog)
    runs = [each for each in tx.runs(limit=LOOKED_AT, since=since - LONGEST) if each.id != run.id]
    return [(each, history(runs, each.target, since, canonical)) for each in _coming(steps, run, runs, canonical)]


def _coming(steps: tuple[Foreseen, ...], run: Run, runs: list[Run], canonical: Canonical) -> list[Coming]:
    """Where the run would take targets. What cannot be rendered goes where the last run of the sort took it."""
    found = [coming_of(each.options, canonical) for each in steps if each.options is not None]
    if any(each.options is None for each in steps):
        alike = (each for each in runs if each.runbook == run.runbook and each.inputs == run.inputs)
        last = next((moves for each in alike if (moves := moves_of(each, canonical))), ())
        found += [Coming(move.target, move.after) for move in last]
    return list(dict.fromkeys(coming for coming in found if coming is not None))
