"""Impact: an incident that comes of another one, of a service that its service depends on. Pure facts, no decisions.

An incident is impacted while a *cause* holds: an incident of a service that its own depends on (also by way of others)
which began before it, or at most `impact_within` later, by event time; which somebody has taken or is asked to take, or
which is impacted itself; and which is not over, or not for longer than `outlives`. What was told first does not matter:
the answer follows from the incidents and the time alone.
"""

from collections.abc import Iterator

from fireline.domain.catalog import Catalog
from fireline.domain.deciding_world import World
from fireline.domain.dependencies import reached
from fireline.domain.incidents import Incident

SAFETY = "safety"
"""The severity that is never impacted."""


def upstream(service: str, catalog: Catalog) -> frozenset[str]:
    """The services that this one depends on, directly or by way of others."""
    known = catalog.service(service)
    return frozenset() if known is None else reached(known.id, catalog.dependencies.needs) - {service}


def downstream(service: str, catalog: Catalog) -> frozenset[str]:
    """The services that depend on this one, directly or by way of others."""
    return reached(service, catalog.dependencies.needed_by)


def began(incident: Incident) -> float:
    """The event time of its first bad evidence since it (re)opened."""
    return incident.started if incident.began is None else incident.began


def over_at(incident: Incident) -> float | None:
    """Since when it is mitigated or resolved; None while it is neither."""
    return incident.resolved_at if incident.mitigated_at is None else incident.mitigated_at


def exempt(incident: Incident, world: World) -> bool:
    """Whether it pages whatever it comes of: for safety, by its service's entry, or because somebody asked for help."""
    service = world.service(incident.service)
    always = service is not None and service.impact == "page"
    return incident.severity == SAFETY or always or incident.impact_waived


def cause_of(incident: Incident, world: World, now: float) -> Incident | None:
    """The cause that holds now, among the incidents of `world.around`: what goes on before what is over, then what
    depends on no other of them, then what began first.
    """
    if exempt(incident, world):
        return None
    causes = list(_causes(incident, world, now))
    broken = {cause.service for cause in causes if over_at(cause) is None}

    def order(cause: Incident) -> tuple[bool, bool, float, str, str]:
        effect = bool(broken & upstream(cause.service, world.catalog))
        return over_at(cause) is not None, effect, began(cause), cause.service, cause.group

    return min(causes, key=order, default=None)


def _causes(incident: Incident, world: World, now: float) -> Iterator[Incident]:
    needed = upstream(incident.service, world.catalog)
    for other in world.around:
        if other.service in needed and other.timeline == incident.timeline and _holds(other, incident, world, now):
            yield other


def _holds(cause: Incident, incident: Incident, world: World, now: float) -> bool:
    if began(cause) > began(incident) + world.response.impact_within:
        return False
    over = over_at(cause)
    if over is not None:
        return began(incident) <= over and now < over + world.response.outlives
    return answered(cause, world)


def answered(incident: Incident, world: World) -> bool:
    """Whether somebody has taken it, is being asked to, or answers for what it comes of in turn.

    What nobody is paged for, and what everybody was asked in vain, excuses no page of another incident.
    """
    if incident.acknowledged_by is not None:
        return True
    if not world.severity(incident.severity).pages:
        return False
    if incident.impact is not None:
        return True
    return incident.escalation is not None and not incident.escalation.exhausted
