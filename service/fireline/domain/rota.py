"""Rota: who is on call at an instant, exactly, also where clocks change.

Overrides win, those made at run time over those of files, and among either the last one made. Then the first layer that
covers the instant decides, in the order in which layers are written; the later ones fill what it leaves open. Hand-offs
and restrictions are wall times of the schedule's zone, with the rule of `rota_times`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fireline.domain.oncall import Override, Schedule, Shift
from fireline.domain.rota_layers import layer_edges, on_layer
from fireline.domain.rota_times import instant_of, utc

__all__ = ["HORIZON", "gaps", "instant_of", "shifts", "who"]

HORIZON = timedelta(days=400)
"""How far ahead `until` is looked for; beyond it a shift counts as endless."""


def who(schedule: Schedule, instant: datetime | float) -> Shift | None:
    """The person on call at `instant` (aware, or seconds since the epoch), why, until when, and who takes over.

    Overrides win, the last written first; then the first layer that covers the instant. `until` is when the person
    is relieved or nobody is on call any more, None when that is not within `HORIZON`; `next_person` is who takes over
    at `until`. None when nobody is on call.
    """
    at = utc(instant)
    found = _answer(schedule, at)
    if found is None:
        return None
    person, source = found
    until = next((edge for edge in _edges(schedule, at, at + HORIZON) if not _same(schedule, edge, person)), None)
    after = None if until is None else _answer(schedule, until)
    return Shift(person, schedule.id, source, until, None if after is None else after[0])


def shifts(schedule: Schedule, start: datetime | float, end: datetime | float) -> Iterator["Stretch"]:
    """`[start, end)` cut where the person or what says so changes, gaps included: they touch, and none is empty."""
    first, last = utc(start), utc(end)
    opened, answer = first, _answer(schedule, first)
    for edge in _edges(schedule, first, last):
        found = _answer(schedule, edge)
        if found != answer:
            yield _stretch(opened, edge, answer)
            opened, answer = edge, found
    if opened < last:
        yield _stretch(opened, last, answer)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Who is on call from `start` until `end` (UTC), and what says so; `person` None is a gap."""

    start: datetime
    end: datetime
    person: str | None
    source: str


def said(override: Override) -> str:
    """What says so, for people: `override: sick leave`, or `override 3 by ann: sick leave`."""
    made = f"override {override.number} by {override.author}" if override.number is not None else "override"
    return f"{made}: {override.reason}" if override.reason else made


def gaps(schedule: Schedule, start: datetime | float, end: datetime | float) -> list[tuple[datetime, datetime]]:
    """The stretches of `[start, end)` in which nobody is on call, in UTC, in order, none touching the next."""
    first, last = utc(start), utc(end)
    found: list[tuple[datetime, datetime]] = []
    opened: datetime | None = None
    for edge in [first, *_edges(schedule, first, last)]:
        covered = _answer(schedule, edge) is not None
        if not covered and opened is None:
            opened = edge
        elif covered and opened is not None:
            found.append((opened, edge))
            opened = None
    if opened is not None and opened < last:
        found.append((opened, last))
    return found


def _answer(schedule: Schedule, at: datetime) -> tuple[str, str] | None:
    """Person and source (`override: sick leave`, `layer weekly`) at an instant in UTC."""
    override = _override(schedule.overrides, at)
    if override is not None:
        return override.person, said(override)
    for layer in schedule.layers:
        person = on_layer(layer, schedule, at)
        if person is not None:
            return person, f"layer {layer.name}"
    return None


def _stretch(start: datetime, end: datetime, answer: tuple[str, str] | None) -> Stretch:
    person, source = answer if answer is not None else (None, "gap")
    return Stretch(start, end, person, source)


def _same(schedule: Schedule, at: datetime, person: str) -> bool:
    found = _answer(schedule, at)
    return found is not None and found[0] == person


def _override(overrides: Iterable[Override], at: datetime) -> Override | None:
    active = [o for o in overrides if o.start <= at < o.end]
    return active[-1] if active else None


def _edges(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant in `(start, end)` at which the answer may change, ascending."""
    at = start
    while True:
        later = [edge for edge in _next_edges(schedule, at) if edge > at]
        if not later or min(later) >= end:
            return
        at = min(later)
        yield at


def _next_edges(schedule: Schedule, at: datetime) -> Iterator[datetime]:
    for override in schedule.overrides:
        yield override.start.astimezone(UTC)
        yield override.end.astimezone(UTC)
    for layer in schedule.layers:
        yield from layer_edges(layer, schedule, at)
