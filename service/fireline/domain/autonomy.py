"""Autonomy: how far a run may go alone. The lower of what is asked for and what policy allows. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from fireline.domain.autonomy_table import BUILT_IN, Case, Row, row_for
from fireline.domain.reviews import overdue
from fireline.domain.runbook_steps import entries
from fireline.domain.runbooks import Autonomy, Run, Runbook, Step

_ORDER = (Autonomy.SHADOW, Autonomy.SUGGEST, Autonomy.APPROVE, Autonomy.AUTO)


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far, and the line of policy that said so."""

    mode: Autonomy
    line: str


def allowed(
    runbook: Runbook,
    asked: Autonomy,
    history: Sequence[Run],
    *,
    timeline: str = "live",
    today: date | None = None,
    rows: Sequence[Row] = (),
    case: Case | None = None,
) -> Allowed:
    """How far a run may go. `history` are earlier runs of the runbook, newest first.

    On a day after its review ran out (`today`, or that of a runbook that it runs) it asks a person. `rows` are the
    table of `rules/autonomy.yaml`, `BUILT_IN` without; `case` what it is asked about. What is irreversible, an overdue
    review and a replay are not for the table to allow.
    """
    table = _by_table(rows or BUILT_IN, case or Case(runbook.name, 0.0, history=history))
    limits = [Allowed(asked, f"start.mode is {asked.value}; {table.line}")]
    if timeline != "live":
        limits.append(Allowed(Autonomy.SHADOW, "a recording is replayed: nothing real is done"))
    unasked = unapproved(runbook)
    if unasked:
        limits.append(Allowed(Autonomy.APPROVE, f"{unasked} is irreversible and no step before it asks"))
    if today is not None and (stale := unreviewed(runbook, today)):
        limits.append(Allowed(Autonomy.APPROVE, stale))
    limits.append(table)
    return min(limits, key=lambda limit: _ORDER.index(limit.mode))


def _by_table(rows: Sequence[Row], case: Case) -> Allowed:
    found = row_for(rows, case)
    if found is None:
        return Allowed(Autonomy.AUTO, "no row of the autonomy table speaks against it")
    row, why = found
    if not row.line:
        return Allowed(row.at_most, why)
    return Allowed(row.at_most, f"autonomy.yaml:{row.line} `{row.name}` allows {row.at_most.value} ({why})")


def unreviewed(runbook: Runbook, today: date) -> str:
    """Which review ran out, of the runbook or of one that it runs, and how long ago; empty when none did."""
    for book in (runbook, *(step.sub for _, step in entries(runbook) if step.sub is not None)):
        if days := overdue(book.reviewed, book.review_every, today):
            whose = "its review" if book is runbook else f"the review of {book.name}"
            return f"{whose} of {book.reviewed} is overdue by {days} day{'' if days == 1 else 's'}"
    return ""


def unapproved(runbook: Runbook) -> str:
    """The first irreversible step that no approval precedes, empty when there is none.

    What comes last comes after an abort too, so that no approval of a step precedes it for certain.
    """
    return _unasked(runbook.steps, asked=False) or _unasked(runbook.finally_, asked=False)


def _unasked(steps: Sequence[Step], *, asked: bool, around: str = "") -> str:
    over: dict[str, bool] = {}  # by step, whether somebody was asked once it is over
    for step in steps:
        known = over.values() if step.needs is None else (over.get(name, False) for name in step.needs)
        here = asked or any(known)
        over[step.id] = here or step.uses == "approval"
        if step.irreversible and not here:
            return around + step.id
        parts = [(branch.steps, around) for branch in step.branches]
        if step.sub is not None:
            parts.append((step.sub.steps, f"{around}{step.id}/"))
        found = next((name for inner, where in parts if (name := _unasked(inner, asked=here, around=where))), "")
        if found:
            return found
    return ""


def within(step: Step) -> Iterator[Step]:
    """The step, and those of its branches and of the runbook that it runs."""
    yield step
    inner = [each for branch in step.branches for each in branch.steps]
    inner += [] if step.sub is None else [*step.sub.steps, *step.sub.finally_]
    for each in inner:
        yield from within(each)
