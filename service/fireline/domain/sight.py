"""Sight: whether Fireline itself still sees, decided without anything that it could have lost.

What it stands on (the database, the events) makes it blind when it cannot be seen for long enough. That is told at
once, again now and then as long as it lasts, and once more when it sees again. Short absences are told to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True, slots=True)
class Seeing:
    """All is well."""


@dataclass(frozen=True, slots=True)
class Doubting:
    """Something cannot be seen `since` (seconds since the epoch), not long enough to wake anybody."""

    since: float


@dataclass(frozen=True, slots=True)
class Blind:
    """It was told at `told_at`, `times` times so far."""

    since: float
    told_at: float
    times: int = 1


Sight = Seeing | Doubting | Blind


@dataclass(frozen=True, slots=True)
class TellBlind:
    """Say that we have been blind `since`, and why; `times` counts how often that was said before."""

    since: float
    why: str
    times: int


@dataclass(frozen=True, slots=True)
class TellSeeing:
    """Say that we see again, having been blind from `since` until `until`."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds until somebody is woken, and until they are again."""

    first: float
    again: float


def look(sight: Sight, why: str, now: float, patience: Patience) -> tuple[Sight, TellBlind | TellSeeing | None]:
    """What one more look changes, and what is to be told. `why` says what is not seen, empty when all is.

    The state that is returned counts what is to be told as told: keep the old one when nobody could be.
    """
    if not why:
        return Seeing(), TellSeeing(sight.since, now) if isinstance(sight, Blind) else None
    match sight:
        case Seeing():
            return Doubting(now), None
        case Doubting(since):
            if now - since < patience.first:
                return sight, None
            return Blind(since, now), TellBlind(since, why, 0)
        case Blind(since, told_at, times):
            if now - told_at < patience.again:
                return sight, None
            return Blind(since, now, times + 1), TellBlind(since, why, times)
        case _:
            assert_never(sight)


@dataclass(frozen=True, slots=True)
class Report:
    """What a stream worker last said of itself, `at` (by its clock, seconds since the epoch).

    `asked` is when Kafka last told where its logs end, 0.0 for never. `behind` is the age of what was read last in
    seconds, None when unknown. `unread` counts records that were not read, on `partitions`.
    """

    at: float
    asked: float = 0.0
    behind: float | None = None
    unread: float = 0.0
    partitions: float = 0.0


def unseen(report: Report, now: float, patience: float, excused: float = 0.0) -> tuple[str, float] | None:
    """Why no events are seen, and since when; None when they are, or have not been for less than `patience`.

    `excused` are the seconds since the report in which no worker could have made another one.
    """
    if now - report.at - excused >= patience:
        return "no stream worker reports", report.at
    if report.asked and now - report.asked - excused >= patience:
        return "Kafka does not answer the stream worker", report.asked
    # the last record of a partition may be the mark of a transaction, which nobody is given to read
    if report.behind is not None and report.behind >= 2 * patience and report.unread > report.partitions:
        return "the stream worker does not keep up", now - report.behind
    return None


def report_of(fact: Mapping[str, object], at: float) -> Report:
    """Read a worker's fact; what is missing or no number is unknown."""
    asked, behind, unread, partitions = (fact.get(name) for name in ("lag_as_of", "lag_seconds", "lag", "partitions"))
    return Report(at, _number(asked), None if behind is None else _number(behind), _number(unread), _number(partitions))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
