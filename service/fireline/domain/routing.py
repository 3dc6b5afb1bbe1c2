"""Routing: what a change of a service's route means for its lease, and what speaks against the change. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from fireline.domain.catalog import Service
from fireline.domain.routes import Lease, Route, Weights


def initial(service: Service) -> Route:
    """The route of a service that was never changed: everything on its primary, version 0."""
    return Route(service.id, {service.primary: 100}, version=0, changed_at=0.0, by="catalog", reason="never changed")


def clean(weights: Mapping[str, int]) -> dict[str, int]:
    """Weights without the targets that get nothing."""
    return {target: share for target, share in weights.items() if share}


def preflight(service: Service, weights: Weights, *, unhealthy: Collection[str] = ()) -> str | None:
    """Why the change must not be made, None when nothing speaks against it but what `capacity.room` knows.

    `unhealthy` targets are refused, except for the primary: the way back is never barred.
    """
    wrong = _malformed(service, weights)
    if wrong is not None:
        return wrong
    away = [target for target in clean(weights) if target != service.primary and target in unhealthy]
    return f"{away[0]} is unhealthy" if away else None


def _malformed(service: Service, weights: Weights) -> str | None:
    known = {target.name for target in service.targets} | {service.primary} | ({service.fallback} - {None})
    unknown = sorted(set(weights) - known)
    if unknown:
        return f"{service.id} has no target {unknown[0]!r}: it has {', '.join(sorted(map(str, known)))}"
    if any(
        isinstance(share, bool) or not isinstance(share, int) or not 0 <= share <= 100 for share in weights.values()
    ):
        return f"shares are whole percents from 0 to 100, not {dict(weights)}"
    if sum(weights.values()) != 100:
        return f"shares must sum to 100, not {sum(weights.values())}: {dict(weights)}"
    return None


def change(
    route: Route | None, service: Service, weights: Weights, *, by: str, reason: str, now: float, lease_for: float
) -> Route:
    """The route with new weights; the very same route (and version) when they are in force already.

    Leaving the primary opens a lease of `lease_for` seconds that remembers the weights before; moving further away
    renews it; coming back in part keeps it; all on the primary ends it. Raises ValueError for weights that `preflight`
    would call malformed.
    """
    wrong = _malformed(service, weights)
    if wrong is not None:
        raise ValueError(wrong)
    old, new = route or initial(service), clean(weights)
    if new == clean(old.weights):
        return old
    return replace(
        old,
        weights=new,
        version=old.version + 1,
        changed_at=now,
        by=by,
        reason=reason,
        lease=_lease(old, service, new, by, now + lease_for),
    )


def _lease(old: Route, service: Service, new: Weights, by: str, until: float) -> Lease | None:
    share, before = new.get(service.primary, 0), old.weights.get(service.primary, 0)
    if share == 100:
        return None
    if old.lease is None:
        return Lease(until, clean(old.weights), by)
    if share < before:
        return replace(old.lease, until=max(old.lease.until, until))
    return old.lease


def extend(route: Route, until: float, reason: str, now: float) -> Route:
    """The route with its lease prolonged, because what caused the fallback is not over; unchanged without a lease."""
    if route.lease is None:
        return route
    lease = replace(route.lease, until=until)
    return replace(route, lease=lease, version=route.version + 1, changed_at=now, reason=reason)


def expire(route: Route, service: Service, now: float) -> Route:
    """The route at the end of its lease: everything back on the primary; unchanged before that."""
    if route.lease is None or now < route.lease.until:
        return route
    reason = f"the lease of {route.lease.holder} ended"
    return change(route, service, {service.primary: 100}, by="lease", reason=reason, now=now, lease_for=0.0)


def blend(start: Weights, to: Weights, percent: int) -> dict[str, int]:
    """Weights `percent` of the way from `start` to `to`: whole percents that sum to 100."""
    names = sorted(set(start) | set(to))
    exact = {n: (start.get(n, 0) * (100 - percent) + to.get(n, 0) * percent) / 100 for n in names}
    shares = {n: int(exact[n]) for n in names}
    rest = sorted(names, key=lambda n: (shares[n] - exact[n], n))
    for name in rest[: 100 - sum(shares.values())]:
        shares[name] += 1
    return clean(shares)
