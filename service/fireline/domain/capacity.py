"""Capacity: what would come on top of what stands behind a target, and whether it has room. Pure.

Several services may fall back to the same machines: targets that name one `pool` share one capacity. What is counted
is what the routes send there, at each service's whole rate: traffic that was moved a moment ago, and that nobody has
measured at its new place yet, counts from then on. That bars the stampede, in which each service by itself would fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.catalog import Catalog, Service
from fireline.domain.routes import Weights
from fireline.domain.routing import blend, clean

SLACK = 1e-6
"""Requests a second by which sums of fractions may be off."""


@dataclass(frozen=True, slots=True)
class Place:
    """What stands behind one or several targets: it serves `capacity` requests a second, of these (service, target)."""

    name: str
    capacity: float
    members: tuple[tuple[str, str], ...]

    def share(self, service: str, weights: Weights) -> int:
        """Percent of the service's traffic that goes here."""
        return sum(share for target, share in weights.items() if (service, target) in self.members)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known: requests a second by service (absent: nobody reports), and all routes but those that are all on
    the primary and were never changed.
    """

    rates: Mapping[str, float]
    routes: Mapping[str, Weights]

    def weights(self, service: Service) -> Weights:
        """Where a service's traffic goes."""
        return self.routes.get(service.id, {service.primary: 100})


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a change fits: `against` says why not; `notes` tell what fits, and what could not be compared."""

    against: str | None = None
    notes: tuple[str, ...] = ()


def place_of(catalog: Catalog, service: Service, target: str) -> Place | None:
    """What stands behind a target; None where no capacity is declared for it."""
    found = next((each for each in service.targets if each.name == target), None)
    if found is None:
        return None
    if not found.pool:
        return None if found.capacity is None else Place(target, found.capacity, ((service.id, target),))
    behind = [(s.id, t) for s in catalog.services.values() for t in s.targets if t.pool == found.pool]
    declared = [t.capacity for _, t in behind if t.capacity is not None]
    return Place(found.pool, min(declared), tuple((s, t.name) for s, t in behind)) if declared else None


def measured(catalog: Catalog) -> tuple[Service, ...]:
    """The services whose traffic matters, because a target of theirs, or its pool, declares what it can take."""
    services = catalog.services.values()
    pools = {t.pool for s in services for t in s.targets if t.pool and t.capacity is not None}
    return tuple(s for s in services if any(t.pool in pools if t.pool else t.capacity is not None for t in s.targets))


def places(catalog: Catalog, service: Service, weights: Weights) -> dict[str, Place]:
    """What the change must be compared with, by target: never the primary, because the way back is never barred."""
    away = [target for target in clean(weights) if target != service.primary]
    return {target: place for target in away if (place := place_of(catalog, service, target)) is not None}


def load(catalog: Catalog, place: Place, traffic: Traffic) -> tuple[float, tuple[str, ...]]:
    """Requests a second that the routes send to a place, and the services that are on it and report nothing."""
    names = sorted({service for service, _ in place.members})
    services = [service for name in names if (service := catalog.services.get(name)) is not None]
    shares = {s.id: place.share(s.id, traffic.weights(s)) for s in services}
    known = sum(traffic.rates[name] * share / 100 for name, share in shares.items() if name in traffic.rates)
    return known, tuple(name for name, share in shares.items() if share and name not in traffic.rates)


def room(catalog: Catalog, service: Service, weights: Weights, traffic: Traffic) -> Room:
    """Whether what the change brings finds room; a share that does not grow is never barred."""
    notes: list[str] = []
    for target, place in places(catalog, service, weights).items():
        grows = place.share(service.id, weights) - place.share(service.id, traffic.weights(service))
        if grows <= 0:
            continue
        rate, (there, silent) = traffic.rates.get(service.id), load(catalog, place, traffic)
        if rate is None:
            notes.append(
                f"not compared with the capacity of {_named(target, place)} ({_figure(place.capacity)} requests/s): "
                f"no requests of {service.id} are reported"
            )
            continue
        comes = rate * grows / 100
        said = f"{_figure(comes)} requests/s would come on top of {_figure(there)}, capacity {_figure(place.capacity)}"
        if there + comes > place.capacity + SLACK:
            return Room(f"{_named(target, place)} has no room: {said}", tuple(notes))
        notes.append(f"{_named(target, place)} takes {_figure(there + comes)} of {_figure(place.capacity)} requests/s")
        if silent:
            notes.append(f"not counted, as none of their requests are reported: {', '.join(silent)}")
    return Room(None, tuple(notes))


def fitting(catalog: Catalog, service: Service, weights: Weights, traffic: Traffic) -> dict[str, int] | None:
    """The weights furthest on the way to `weights` that find room; None when not one percent does."""
    start = traffic.weights(service)
    for percent in range(100, 0, -1):
        some = blend(start, weights, percent)
        if some != clean(start) and room(catalog, service, some, traffic).against is None:
            return some
    return None


def _named(target: str, place: Place) -> str:
    return target if place.name == target else f"{target} (pool {place.name})"


def _figure(rate: float) -> str:
    """Requests a second for people: `1,240`, `2.5`."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
