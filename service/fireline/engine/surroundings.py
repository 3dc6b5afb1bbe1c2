"""The incidents around one: what it may come of and what may come of it, read in the transaction that decides on it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from fireline.domain.deciding_impact import LINK, LOOK
from fireline.domain.deciding_world import World
from fireline.domain.impact import downstream, upstream
from fireline.domain.incidents import Incident, SignalArrived, TimerDue
from fireline.domain.rules import State

MOST = 100
"""So many incidents of a service are counted at most."""


class Neighbours(Protocol):
    """The part of a transaction that is asked here."""

    def lock(self, name: str) -> None:
        """Hold a name until the end of the transaction."""
        ...

    def opened(self, service: str, timeline: str, since: float, limit: int) -> Sequence[tuple[int, float]]:
        """Number and time of opening of the service's latest incidents."""
        ...

    def beside(self, timeline: str, services: Collection[str], numbers: Collection[int]) -> Sequence[Incident]:
        """The open incidents of these services, and those with these numbers; locks none of them."""
        ...


def hold_still(tx: Neighbours, what: SignalArrived, world: World) -> None:
    """Let no other incident that may be cause or effect begin meanwhile: two at once must not miss each other.

    Taken before any incident is locked, and only where services depend on each other.
    """
    home = world.catalog.dependencies.homes.get(what.signal.service)
    if home is not None and what.signal.state is State.FIRING:
        tx.lock(f"impact\n{what.signal.timeline}\n{home}")


def beside_signal(tx: Neighbours, what: SignalArrived, before: Incident | None, world: World) -> World:
    """The world of a decision on a signal of `before`, which is None when it has no incident yet."""
    if what.signal.state is not State.FIRING:
        return world
    return _seen(tx, what.signal.timeline, _near(what.signal.service, world), _causes(before), world)


def beside_timer(tx: Neighbours, what: TimerDue, incident: Incident | None, world: World) -> World:
    """The world of a decision on a deadline: others matter to those two that are about others."""
    if incident is None or what.kind not in (LOOK, LINK):
        return world
    if what.kind == LINK:
        name = what.key.rpartition("/v")[0].rpartition("/")[2]
        return _seen(tx, incident.timeline, (), [int(name)] if name.isdecimal() else [], world)
    return _seen(tx, incident.timeline, upstream(incident.service, world.catalog), _causes(incident), world)


def counted(tx: Neighbours, service: str, timeline: str, world: World, now: float) -> World:
    """The world of a decision under policies that count the incidents of a service."""
    within = world.counts_within
    return world if not within else replace(world, opened=tuple(tx.opened(service, timeline, now - within, MOST)))


def _seen(tx: Neighbours, timeline: str, services: Collection[str], numbers: Collection[int], world: World) -> World:
    if not services and not numbers:
        return world
    return replace(world, around=tuple(tx.beside(timeline, services, numbers)))


def _near(service: str, world: World) -> frozenset[str]:
    return upstream(service, world.catalog) | downstream(service, world.catalog)


def _causes(incident: Incident | None) -> list[int]:
    return [incident.impact.cause] if incident is not None and incident.impact is not None else []
