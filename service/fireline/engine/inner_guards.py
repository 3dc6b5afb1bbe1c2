"""Guards of runbooks that others run: their budget counts, and their locks never wait for each other in a circle.

An inner run is counted like one of its own, wherever it was begun; a run that asks for it by itself counts those, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fireline.domain.runbooks import Run, Runbook, RunStatus, StepRun, StepStatus
from fireline.engine.ports import Transaction

AWAITS = "awaits"
"""What a step remembers of the lock that it waits for."""

LOOKED_AT = 200
"""How many runs are looked back at."""


@dataclass(frozen=True, slots=True)
class Waits:
    """It may not begin now: `why` it waits for its lock. With `never` there is no use in waiting, and it fails."""

    why: str
    never: str = ""


def spent(tx: Transaction, runbook: str, lock: str, since: float) -> int:
    """Runs of the runbook on this lock that began at or after `since`, those within runs of others among them."""
    return tx.count_runs(runbook, lock, since) + sum(
        1
        for run in tx.runs(limit=LOOKED_AT)
        for step in run.steps
        if step.rendered.get("runbook") == runbook
        and step.rendered.get("lock", "") == lock
        and step.started_at is not None
        and step.started_at >= since
    )


def inner_over_budget(tx: Transaction, run: Run, book: Runbook, options: Mapping[str, object], now: float) -> str:
    """Why a runbook within the run may not begin now; empty when it may, or when a person overruled budgets."""
    budget = book.budget
    if budget is None or "budget" in run.overrules:
        return ""
    lock = str(options.get("lock", ""))
    count = spent(tx, book.name, lock, now - budget.per)
    if count < budget.runs:
        return ""
    return f"the budget of {book.name} is spent: {count} runs in {budget.per:g} s on {lock or book.name}"


def entered(tx: Transaction, run: Run, book: Runbook | None, options: Mapping[str, object], now: float) -> Waits | None:
    """Take the lock of what begins within the run, and count it; what stands against it, None when nothing does."""
    lock = options.get("lock")
    had = isinstance(lock, str) and tx.lock_holder(lock) == run.id
    waits = take(tx, run, lock) if isinstance(lock, str) and not had else None
    spent_why = "" if waits is not None or book is None else inner_over_budget(tx, run, book, options, now)
    if not spent_why:
        return waits
    if isinstance(lock, str) and not had:
        tx.release_lock(lock, run.id)
    return Waits("", spent_why)


def take(tx: Transaction, run: Run, lock: str) -> Waits | None:
    """Take a lock for a run that holds others; None when it has it now.

    Who waits is looked at one after another: of two that close a circle at once, the second sees the first.
    """
    if tx.take_lock(lock, run.id):
        return None
    tx.lock("runs that wait for locks")
    holder = tx.lock_holder(lock)
    why = f"waits for {lock}, which run {holder} holds"
    around = _circle(tx, run, lock)
    if not around:
        return Waits(why)
    chain = "; ".join(f"run {each.id} waits for {wanted}" for each, wanted in around)
    return Waits(why, f"run {holder} holds {lock}, and would never give it back: {chain}, which this run holds")


def _circle(tx: Transaction, run: Run, lock: str) -> tuple[tuple[Run, str], ...]:
    """The runs that wait for each other from the holder of `lock` to a lock of `run`; empty when there is no circle."""
    active = {each.id: each for each in tx.runs(active_only=True, limit=LOOKED_AT)}
    ways: list[tuple[str, tuple[tuple[Run, str], ...]]] = [(lock, ())]
    seen: set[int] = set()
    while ways:
        wanted, way = ways.pop()
        holder = tx.lock_holder(wanted)
        if holder == run.id:
            return way
        if holder is None or holder in seen or holder not in active:
            continue
        seen.add(holder)
        ways += [(each, (*way, (active[holder], each))) for each in awaited(active[holder])]
    return ()


def awaited(run: Run) -> Iterator[str]:
    """The locks that steps of a run wait for."""
    for step in run.steps if run.status in (RunStatus.RUNNING, RunStatus.FINISHING) else ():
        lock = step.memory.get(AWAITS)
        if step.status is StepStatus.PENDING and isinstance(lock, str):
            yield lock


def awaiting(step: StepRun, lock: str, why: str) -> StepRun:
    """The step, which waits for a lock."""
    return replace(step, error=why, memory={**step.memory, AWAITS: lock})


def free(step: StepRun) -> StepRun:
    """The step, which waits for no lock any more."""
    memory = {key: value for key, value in step.memory.items() if key != AWAITS}
    return step if AWAITS not in step.memory else replace(step, error="", memory=memory)
