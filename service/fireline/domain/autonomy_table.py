"""The table of `rules/autonomy.yaml`: how far a runbook may go alone, by what it touches, when, and how it fared. Pure.

The first row that applies says it. What a row asks for and nobody can tell (a share that depends on what a step finds
out) counts as the worst it can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fireline.domain.calendars import Hours, in_force
from fireline.domain.runbooks import Autonomy, Run, RunStatus

_WENT_WRONG = frozenset({RunStatus.FAILED, RunStatus.UNDO_FAILED})
_SAYS_NOTHING = frozenset({RunStatus.REFUSED, RunStatus.ABORTED})


@dataclass(frozen=True, slots=True)
class Record:
    """At least `wrong` of a runbook's last `of` ended runs went wrong; refused and aborted ones say nothing."""

    wrong: int
    of: int


@dataclass(frozen=True, slots=True)
class Row:
    """What must be so for the row to apply (all that is set), and how far a run may go then. `line` is its place.

    `share` is a least percentage of a service's traffic that is moved off its primary, `touched` a least number of
    services; `asked_by` is `rule` or `person`.
    """

    name: str
    at_most: Autonomy
    line: int = 0
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    hours: Hours | None = None
    share: int | None = None
    touched: int | None = None
    irreversible: bool | None = None
    record: Record | None = None
    overdue: bool | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """The blast radius of a run: services, and the largest percentage moved off a primary. None: cannot be told."""

    services: frozenset[str] | None = frozenset()
    share: int | None = 0


@dataclass(frozen=True, slots=True)
class Case:
    """What is to run, as far as rows ask: `history` are earlier runs of the runbook, newest first."""

    runbook: str
    now: float
    severity: str = ""
    reach: Reach = Reach()
    irreversible: bool = False
    overdue: bool = False
    asked_by: str = "rule"
    history: Sequence[Run] = ()


BUILT_IN = (Row("its-record", Autonomy.APPROVE, record=Record(3, 3)),)
"""What holds without a file."""


def row_for(rows: Sequence[Row], case: Case) -> tuple[Row, str] | None:
    """The first row that applies, and why it does, for people; None when none does."""
    for row in rows:
        why = _why(row, case)
        if why is not None:
            return row, "; ".join(why) or "whatever the case"
    return None


def _why(row: Row, case: Case) -> list[str] | None:
    told = [_named(row, case), _reached(row, case), _fared(row, case)]
    return None if None in told else [line for lines in told if lines for line in lines]


def _named(row: Row, case: Case) -> list[str] | None:
    services = case.reach.services
    told = []
    for wanted, found, word in ((row.severities, case.severity, "severity"), (row.runbooks, case.runbook, "runbook")):
        if wanted and found not in wanted:
            return None
        told += [f"{word} {found}"] if wanted else []
    if row.asked_by and row.asked_by != case.asked_by:
        return None
    told += [f"asked for by a {row.asked_by}"] if row.asked_by else []
    if row.services and services is not None and not services & set(row.services):
        return None
    if row.services:
        told.append("services not known before" if services is None else f"service {', '.join(sorted(services))}")
    if row.hours is not None and not in_force(row.hours, case.now):
        return None
    return told + ([str(row.hours)] if row.hours is not None else [])


def _reached(row: Row, case: Case) -> list[str] | None:
    services, share, told = case.reach.services, case.reach.share, []
    if row.share is not None:
        if share is not None and share < row.share:
            return None
        told.append(f"share {'not known before' if share is None else f'{share} %'}, at least {row.share} %")
    if row.touched is not None:
        if services is not None and len(services) < row.touched:
            return None
        told.append(f"services {'not known before' if services is None else len(services)}, at least {row.touched}")
    return told


def _fared(row: Row, case: Case) -> list[str] | None:
    told = []
    for wanted, found, word in (
        (row.irreversible, case.irreversible, "irreversible"),
        (row.overdue, case.overdue, "its review is overdue"),
    ):
        if wanted is not None and wanted is not found:
            return None
        told += [word if found else f"not: {word}"] if wanted is not None else []
    if row.record is not None:
        ended = [run for run in case.history if run.over and run.status not in _SAYS_NOTHING][: row.record.of]
        wrong = sum(run.status in _WENT_WRONG for run in ended)
        if wrong < row.record.wrong:
            return None
        told.append(f"{wrong} of its last {len(ended)} runs went wrong")
    return told


def covers(earlier: Row, later: Row) -> bool:
    """Whether `earlier` applies whenever `later` does, so that `later` never says anything."""
    return (
        _wider(earlier.severities, later.severities)
        and _wider(earlier.services, later.services)
        and _wider(earlier.runbooks, later.runbooks)
        and earlier.hours in (None, later.hours)
        and _lower(earlier.share, later.share)
        and _lower(earlier.touched, later.touched)
        and earlier.irreversible in (None, later.irreversible)
        and earlier.overdue in (None, later.overdue)
        and earlier.asked_by in ("", later.asked_by)
        and _milder(earlier.record, later.record)
    )


def _wider(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    return not earlier or (bool(later) and set(later) <= set(earlier))


def _lower(earlier: int | None, later: int | None) -> bool:
    return earlier is None or (later is not None and earlier <= later)


def _milder(earlier: Record | None, later: Record | None) -> bool:
    return earlier is None or (later is not None and earlier.wrong <= later.wrong and earlier.of >= later.of)
