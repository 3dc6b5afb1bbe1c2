"""What stands between a runbook and its next run: each guard, whether it would let the run pass now, and why.

It only reads. The order is that in which a real start meets them (engine/starting.py).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fireline.domain.autonomy import unreviewed
from fireline.domain.configuration import Configuration
from fireline.domain.durations import written
from fireline.domain.expressions import EvaluationFault
from fireline.domain.incidents import Incident, Status
from fireline.domain.oscillation import reversals
from fireline.domain.reviews import day_of, due
from fireline.domain.runbooks import Autonomy, Run, Runbook, RunStatus
from fireline.domain.running import new_steps
from fireline.engine import guarding, permitting, reaching, stop_conditions, stops, values
from fireline.engine.approvers import approvers, owner_of
from fireline.engine.inner_guards import spent
from fireline.engine.ports import Transaction
from fireline.engine.run_inputs import Unfit, resolve
from fireline.spec.conditions import CelCondition


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: `passes` is None where a person has to say so, or where it is not set at all."""

    name: str
    passes: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that might be: of this runbook, with these inputs, for an incident or none."""

    book: Runbook
    inputs: Mapping[str, object]
    incident: Incident | None
    person: str
    now: float


def draft(tx: Transaction, configuration: Configuration, asked: Asked) -> Run:
    """The run as a start would make it; not stored. Raises Unfit naming the input or lock that cannot be had."""
    book, context = asked.book, {} if asked.incident is None else values.of_incident(asked.incident)
    known = values.of_start(context, values.of_catalog(configuration.catalog))
    inputs = resolve(book, asked.inputs, known, trusted=True)
    wanted = permitting.Asked(book, inputs, asked.incident, asked.person)
    permitted = permitting.permitted(tx, configuration, wanted, asked.now)
    try:
        lock = "" if book.lock is None else str(book.lock.render({**known, "inputs": inputs}))
    except EvaluationFault as fault:
        raise Unfit(f"guards.lock: {fault}") from fault
    return Run(
        id=0,
        runbook=book.name,
        hash=book.hash,
        text=book.text,
        inputs=inputs,
        incident=None if asked.incident is None else asked.incident.number,
        mode=permitted.mode,
        status=RunStatus.WAITING,
        steps=new_steps(book),
        created_at=asked.now,
        deadline=asked.now + book.deadline,
        lock=lock,
        allowed_by=permitted.line,
        context=context,
        requested_by=asked.person,
    )


def guards(tx: Transaction, configuration: Configuration, asked: Asked, run: Run) -> Iterator[Guard]:
    """Every guard, in the order in which a start meets them."""
    yield _incident(asked.incident)
    yield _start_when(asked, run, configuration)
    yield _review(asked)
    yield _autonomy(run)
    yield _approval(tx, run, asked.book, configuration)
    yield _stop_if(tx, run, asked, configuration)
    yield _stop_switch(tx, run, configuration)
    yield _lock(tx, run)
    yield _budget(tx, run, asked)
    yield _cooldown(tx, run, asked)
    yield _oscillation(tx, run, asked, configuration)
    yield _blast_radius(run, asked.book, configuration)


def _incident(incident: Incident | None) -> Guard:
    if incident is None:
        return Guard("incident", True, "it is for none")
    over = incident.status is Status.RESOLVED
    return Guard("incident", not over, f"{incident.id} is {incident.status.value}")


def _start_when(asked: Asked, run: Run, configuration: Configuration) -> Guard:
    condition = asked.book.start_when
    if condition is None:
        return Guard("start.when", True, "not set")
    if asked.incident is None:
        return Guard("start.when", True, f"`{condition.source}` is asked of incidents only")
    known = values.of_start(run.context, values.of_catalog(configuration.catalog))
    try:
        holds = condition.holds({**known, "inputs": dict(run.inputs)})
    except EvaluationFault as fault:
        return Guard("start.when", False, f"cannot be told: {fault}")
    said = f"`{condition.source}` {'holds' if holds else 'does not hold'} (severity {known['severity']})"
    return Guard("start.when", holds, said + ("" if holds else "; a person may start it all the same"))


def _review(asked: Asked) -> Guard:
    stale = unreviewed(asked.book, day_of(asked.now))
    last = due(asked.book.reviewed, asked.book.review_every)
    if stale:
        return Guard("review", None, f"{stale}: it does not go alone until somebody reads it and writes the new date")
    return Guard("review", True, "no date is set" if last is None else f"it holds until {last.isoformat()}")


def _autonomy(run: Run) -> Guard:
    only_told = run.mode in (Autonomy.SHADOW, Autonomy.SUGGEST)
    said = f"{run.mode.value}: {run.allowed_by}"
    return Guard("autonomy", not only_told, said + ("; it is written down, not done" if only_told else ""))


def _approval(tx: Transaction, run: Run, book: Runbook, configuration: Configuration) -> Guard:
    if run.mode is not Autonomy.APPROVE:
        return Guard("approval", True, "none is needed to start")
    terms, owner = book.approval, owner_of(run, book.owner)
    may = approvers(tx, configuration, run, terms.of, owner, now=run.created_at)
    people = sorted(may - ({run.requested_by} if terms.four_eyes and terms.count == 1 else set()))
    takes, patience = "one" if terms.count == 1 else str(terms.count), written(terms.timeout)
    return Guard("approval", None, f"{takes} of {', '.join(people) or 'nobody'} has to let it start within {patience}")


def _stop_if(tx: Transaction, run: Run, asked: Asked, configuration: Configuration) -> Guard:
    if asked.book.stop_if is None:
        return Guard("stop_if", True, "not set")
    condition = asked.book.stop_if
    against = stop_conditions.stopped(tx, run, asked.book, configuration, asked.now)
    known = stop_conditions.known(tx, run, configuration, condition.variables, asked.now)
    names = condition.names if isinstance(condition, CelCondition) else condition.variables
    told = ", ".join(f"{name} {value}" for name in sorted(names) if (value := _at(known, name)) is not None)
    said = f"`{condition.source}` does not hold" + (f" ({told})" if told else "")
    return Guard("stop_if", against is None, against or said)


def _at(values: Mapping[str, object], name: str) -> str | None:
    """The value of a dotted name, for people; None where it is no single one."""
    found: object = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if isinstance(found, (Mapping, list)) or found is None else json.dumps(found, default=str)


def _stop_switch(tx: Transaction, run: Run, configuration: Configuration) -> Guard:
    stop = stops.against(tx, run, configuration.catalog)
    return Guard(
        "stop switch", stop is None, "not pulled" if stop is None else f"{stop}; a run waits until it is lifted"
    )


def _lock(tx: Transaction, run: Run) -> Guard:
    if not run.lock:
        return Guard("lock", True, "none: several runs may act at once")
    holder = tx.lock_holder(run.lock)
    return Guard("lock", holder is None, f"{run.lock} is free" if holder is None else f"run {holder} holds {run.lock}")


def _budget(tx: Transaction, run: Run, asked: Asked) -> Guard:
    budget = asked.book.budget
    if budget is None:
        return Guard("budget", True, "not set")
    count = spent(tx, asked.book.name, run.lock, asked.now - budget.per)
    said = f"{count} of {budget.runs} runs in {written(budget.per)} on {run.lock or asked.book.name}"
    return Guard("budget", count < budget.runs, said)


def _cooldown(tx: Transaction, run: Run, asked: Asked) -> Guard:
    if not asked.book.cooldown:
        return Guard("cooldown", True, "not set")
    against = guarding.cooling(tx, run, asked.book, asked.now)
    return Guard("cooldown", against is None, against or f"none ended in the last {written(asked.book.cooldown)}")


def _oscillation(tx: Transaction, run: Run, asked: Asked, configuration: Configuration) -> Guard:
    against = guarding.oscillating(tx, configuration, run, asked.book, asked.now)
    if against is not None:
        return Guard("oscillation", False, against)
    limit = guarding.limit_of(asked.book, configuration)
    found = {c.target: moves for c, moves in guarding.moved(tx, configuration, run, asked.book, asked.now)}
    told = "; ".join(f"{target} was moved back {len(reversals(moves))} times" for target, moves in found.items())
    at = f"in {written(limit.per)}; the run that would make it {limit.reversals} is refused"
    return Guard("oscillation", True, f"{told} {at}" if told else "it moves nothing that is known to go to and fro")


def _blast_radius(run: Run, book: Runbook, configuration: Configuration) -> Guard:
    limit = book.blast_radius
    told = reaching.told(run, book, configuration.catalog)
    if limit is None:
        return Guard("blast radius", True, f"not limited: {told}")
    against = reaching.width(run, book, configuration.catalog, limit)
    if against is None:
        return Guard("blast radius", True, told)
    return Guard("blast radius", None if limit.asks else False, against)
