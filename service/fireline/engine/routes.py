"""Changing a route: one place for runs, people and expiring leases, inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fireline.domain import capacity, routing
from fireline.domain.audit_acts import of_route
from fireline.domain.catalog import Catalog, Service
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Publish, Timer
from fireline.domain.incidents import RouteReported
from fireline.domain.routes import Route, Weights
from fireline.engine.hearing import standing_for
from fireline.engine.ports import Transaction
from fireline.engine.traffic import traffic_of

TOPIC = "fireline.routes"


@dataclass(frozen=True, slots=True)
class Changed:
    """The route as it is now. `report`, if any, is for the incident: the caller hands it to the responder.

    `notes` tell what the targets take of their capacity, and what of it nobody could compare.
    """

    route: Route
    changed: bool
    report: RouteReported | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The route stays as it is, because of `reason`."""

    reason: str


def lease_timer(service: str) -> str:
    """The key of the timer of a fallback that no incident watches over; its `kind` is `route_lease`."""
    return f"lease/{service}"


def current(tx: Transaction, service: Service) -> Route:
    """The route in force; one that was never changed is all on the primary."""
    return tx.route(service.id) or routing.initial(service)


def change_route(
    tx: Transaction,
    configuration: Configuration,
    service: str,
    weights: Weights,
    *,
    by: str,
    reason: str,
    now: float,
    incident: int | None = None,
    lease_for: float | None = None,
    key: str = "",
    fit: bool = False,
) -> Changed | Refused:
    """Send a service's traffic elsewhere, unless preflight speaks against it.

    With a `key` it happens once: a repetition finds the route as it is. `lease_for` in seconds, the configuration's
    lease when None. `by` is `run:12`, `person:ann` or `lease`. With `fit`, as much goes as the targets have room for.
    """
    known = configuration.catalog.service(service)
    if known is None:
        return Refused(f"there is no service {service!r} in the catalog")
    old = current(tx, known)
    if key and not tx.first_time(f"route/{key}", now):
        return Changed(old, False, notes=_told_before(tx, key))
    ill = {name for name in unhealthy_targets(tx, known.id) if weights.get(name, 0) > old.weights.get(name, 0)}
    against = routing.preflight(known, weights, unhealthy=ill)  # less of it in stages is no way to an ill target
    if against is not None:
        return _refused(old, against)
    weights, room = _admitted(tx, configuration.catalog, known, old, weights, now=now, fit=fit)
    if room.against is not None:
        return _refused(old, room.against)
    seconds = configuration.response.lease if lease_for is None else lease_for
    new = routing.change(old, known, weights, by=by, reason=reason, now=now, lease_for=seconds)
    if new.version == old.version:
        return Changed(old, False)
    if key and room.notes:
        tx.put_fact(f"route/{key}", {"notes": [*room.notes]}, now)
    return _save(tx, old, new, incident, now, notes=room.notes)


def _told_before(tx: Transaction, key: str) -> tuple[str, ...]:
    """What was told of a change that is asked for again: who repeats a step hears the same."""
    found = tx.fact(f"route/{key}")
    notes = None if found is None else found[0].get("notes")
    return tuple(str(note) for note in notes) if isinstance(notes, list | tuple) else ()


def _refused(route: Route, against: str) -> Refused:
    return Refused(f"{route.service} stays on {told(route.weights)}: {against}")


def _admitted(
    tx: Transaction, catalog: Catalog, service: Service, old: Route, weights: Weights, *, now: float, fit: bool
) -> tuple[Weights, capacity.Room]:
    """The weights that targets have room for. Who shares a pool is asked one after another: each sees what went before.

    Names are held in one order, so that two who need the same never wait for each other.
    """
    shared = capacity.places(catalog, service, weights).values()
    if not shared:
        return weights, capacity.Room()
    for name in sorted({place.name for place in shared if len(place.members) > 1}):
        tx.lock(f"capacity\n{name}")
    traffic = traffic_of(tx, catalog, old, now)
    room = capacity.room(catalog, service, weights, traffic)
    less = capacity.fitting(catalog, service, weights, traffic) if fit and room.against is not None else None
    if less is None:
        return weights, room
    notes = capacity.room(catalog, service, less, traffic).notes
    return less, capacity.Room(None, (f"no more fits than {told(less)}: {room.against}", *notes))


def _save(
    tx: Transaction, old: Route, new: Route, incident: int | None, now: float, *, notes: tuple[str, ...] = ()
) -> Changed:
    tx.save_route(new)
    tx.record(of_route(old, new))
    tx.enqueue(Publish(f"route/{new.service}/v{new.version}", TOPIC, new.service, record_of(new)), now)
    whose = _watched_by(tx, incident if incident is not None else _incident_of(tx, old))
    if new.lease is not None and whose is None:
        tx.arm(Timer(lease_timer(new.service), new.lease.until, "route_lease"))
    else:
        tx.disarm(lease_timer(new.service))
    return Changed(new, True, _report(tx, new, whose, notes), notes)


def _watched_by(tx: Transaction, incident: int | None) -> int | None:
    """The incident, unless it is closed: that is never opened again, so the lease itself sees to its end."""
    found = None if incident is None else tx.incident(incident)
    return None if found is None or standing_for(tx, found).closed_at is not None else incident


def _report(tx: Transaction, route: Route, incident: int | None, notes: tuple[str, ...]) -> RouteReported | None:
    if incident is None or tx.incident(incident) is None:
        return None
    detail = "; ".join((f"{route.service}: {told(route.weights)} (by {route.by}: {route.reason})", *notes))
    until = None if route.lease is None else route.lease.until
    return RouteReported(incident, route.service, route.lease is not None, detail, until=until)


def _incident_of(tx: Transaction, route: Route) -> int | None:
    """The incident of the run that holds the lease, so that it learns of what a person does to the route."""
    kind, _, number = route.lease.holder.partition(":") if route.lease else ("", "", "")
    run = tx.run(int(number)) if kind == "run" and number.isdigit() else None
    return None if run is None else run.incident


def lease_due(tx: Transaction, configuration: Configuration, service: str, now: float) -> Changed | Refused | None:
    """The end of a lease that no incident watches over: traffic goes back to the primary. None when it is not due."""
    known, route = configuration.catalog.service(service), tx.route(service)
    if known is None or route is None or route.lease is None:
        tx.disarm(lease_timer(service))
        return None
    new = routing.expire(route, known, now)
    return None if new.version == route.version else _save(tx, route, new, None, now)


def unhealthy_targets(tx: Transaction, service: str) -> frozenset[str]:
    """Targets that an open incident's firing signal names in its label `target`."""
    signals = [a.signal for i in tx.incidents(open_only=True) if i.timeline == "live" for a in i.firing]
    labels = [dict(s.entity) for s in signals if s.service == service]
    return frozenset(found["target"] for found in labels if "target" in found)


def record_of(route: Route) -> dict[str, object]:
    """The route as `fireline.routes`, the API and the stream tell it; times in seconds since the epoch."""
    lease = route.lease
    return {
        "service": route.service,
        "weights": dict(route.weights),
        "version": route.version,
        "changed_at": route.changed_at,
        "by": route.by,
        "reason": route.reason,
        "lease": None if lease is None else {"until": lease.until, "prior": dict(lease.prior), "holder": lease.holder},
    }


def told(weights: Mapping[str, int]) -> str:
    """Weights for people: `primary 75 %, fallback 25 %`."""
    shares: Sequence[tuple[str, int]] = sorted(weights.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{target} {share} %" for target, share in shares)
