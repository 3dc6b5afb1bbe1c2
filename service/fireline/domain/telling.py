"""Telling: whether a condition holds of what a window shows, or that it cannot be told, and why. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from fireline.domain.calendars import Hours, in_force, next_change, wall
from fireline.domain.expressions import Condition, EvaluationFault
from fireline.domain.rules import Entity, Level


class Reading(NamedTuple):  # a tuple, because one is made whenever an entity is judged
    """What a window shows: the measures' values (None: no value), its samples, and its bounds in seconds.

    `newest` is the event time of the entity's newest sample at all, also before the window; None when none is known.
    `late` counts events that came too late to be samples. `notes` are what measures say of how far their values can
    be trusted, as clauses for people: `p99 rests on 2 buckets`.
    """

    values: Mapping[str, float | None]
    samples: int
    start: float
    end: float
    newest: float | None
    late: int = 0
    notes: tuple[str, ...] = ()


class Told(NamedTuple):  # a tuple, because some are made whenever an entity is judged
    """Whether something holds, None when that cannot be told, and why."""

    holds: bool | None
    why: str


def tell(condition: Condition, values: Mapping[str, object]) -> Told:
    """Whether a condition holds; it cannot be told when a name it refers to has no value."""
    missing = [name for name in condition.variables if values.get(name) is None]
    if missing:
        return Told(None, f"`{condition.source}` cannot be told: {', '.join(sorted(missing))} has no value")
    try:
        holds = condition.holds(values)
    except EvaluationFault as fault:
        return Told(None, str(fault))
    return Told(holds, f"`{condition.source}` {'holds' if holds else 'does not hold'}")


def names_of(entity: Entity, reading: Reading) -> Mapping[str, object]:
    """What conditions may name: the entity's labels and the measures."""
    return {**dict(entity), **reading.values}


def tell_level(level: Level, values: Mapping[str, object], samples: int, needed: int) -> Told:
    """Whether the condition of a level holds, of which at least `needed` samples can tell."""
    if samples < needed:
        return Told(None, f"{samples} samples in the window, at least {needed} are needed")
    return tell(level.when, values)


def not_now(hours: Hours, source: str, now: float) -> Told:
    """That a condition does not count at this hour, whatever is measured, and when it will."""
    opens = wall(hours.calendar, next_change(hours.calendar, now))
    return Told(False, f"`{source}` counts {hours} only, again from {opens}")


def counts(hours: Hours | None, now: float) -> bool:
    """Whether what is limited to `hours` counts now."""
    return hours is None or in_force(hours, now)
