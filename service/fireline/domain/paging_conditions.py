"""Conditions of policies: whether a level or target is asked about this incident at this hour, and if not, why. Pure.

What cannot be told is asked: a page too many is told from one too few by whom it wakes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.calendars import in_force, next_change, wall
from fireline.domain.deciding_world import World
from fireline.domain.expressions import EvaluationFault
from fireline.domain.incidents import Incident
from fireline.domain.policies import Count, When

NAMES = ("severity", "urgency", "service", "owner", "timeline", "level", "round")
"""What `when:` of a policy may name; level and round count from 1."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The incident that a level is asked about, and where in the policy; level and round count from 0."""

    incident: Incident
    level: int
    round: int


def unmet(when: When | None, asking: Asking, world: World, now: float) -> str:
    """The first condition that does not hold, for people; empty when all do."""
    if when is None:
        return ""
    if when.hours is not None and not in_force(when.hours, now):
        opens = wall(when.hours.calendar, next_change(when.hours.calendar, now))
        return f"only {when.hours}, again from {opens}"
    if when.condition is not None:
        try:
            if not when.condition.holds(_names(asking, world)):
                return f"`{when.condition.source}` does not hold at {asking.incident.severity}"
        except EvaluationFault:
            return ""
    return _too_few(when.count, asking, world, now) if when.count is not None else ""


def _names(asking: Asking, world: World) -> Mapping[str, object]:
    incident = asking.incident
    severity = world.severity(incident.severity)
    return {
        "severity": severity.name,
        "urgency": severity.urgency,
        "service": incident.service,
        "owner": incident.owner,
        "timeline": incident.timeline,
        "level": float(asking.level + 1),
        "round": float(asking.round + 1),
    }


def _too_few(count: Count, asking: Asking, world: World, now: float) -> str:
    others = {number for number, at in world.opened if at > now - count.within} - {asking.incident.number}
    found = len(others) + 1
    if found >= count.incidents:
        return ""
    within = f"{count.within / 60:g} min"
    return f"incident {found} of {asking.incident.service} in {within}, asked from the {_th(count.incidents)} on"


def _th(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
