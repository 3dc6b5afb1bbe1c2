"""What the proof that somebody is reached says: instants, chains, and how many more."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fireline.domain.deciding_world import World
from fireline.domain.durations import spelled
from fireline.domain.intervals import Interval
from fireline.domain.paging import policy_of, reach
from fireline.domain.reachability import About, Prospect, Way

_FEW = 3


def when(stretch: Interval, prospect: Prospect) -> str:
    """A stretch, with how long it lasts."""
    start, end = stretch
    if end >= prospect.end:
        return "at any time" if start <= prospect.start else f"from {_at(start)} UTC on"
    return f"from {_at(start)} to {_at(end)} UTC ({spelled(end - start)})"


def times(stretches: Sequence[Interval], days: int) -> str:
    """How many more there are, and in which time was looked."""
    more = len(stretches) - 1
    return f", and {more} more time{'s' if more > 1 else ''} in the next {days} days" if more else ""


def chain(way: Way, about: About, world: World, stretches: Sequence[Interval]) -> str:
    """Why nobody is reached at the first instant: every level of every team that is asked, and what it finds."""
    instant = stretches[0][0]
    parts = []
    for name, role in zip(way, ("owner", "backup team"), strict=True):
        policy = policy_of(world.team(name), world)
        if policy is None:
            continue
        levels = [
            f"level {number}: {', '.join(reach(level, world, instant).missed) or f'not asked at {about.severity}'}"
            for number, level in enumerate(policy.levels, 1)
        ]
        parts.append(f"{role} {name} -> policy {policy.id} -> {'; '.join(levels) or 'it has no levels'}")
    return " -> ".join([*parts, "nobody"])


def few(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    shown = ", ".join(names[:_FEW])
    return f"{shown} and {len(names) - _FEW} more" if len(names) > _FEW else shown


def _at(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S}".removesuffix(":00")
