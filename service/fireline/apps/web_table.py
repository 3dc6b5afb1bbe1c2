"""The route table as gateways see it: every service of the catalog, changed or not, and whose request goes where."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fireline.domain.catalog import Catalog
from fireline.domain.routes import Route, Weights
from fireline.domain.routing import initial

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Table:
    """All routes by service; `etag` differs whenever a gateway could behave differently."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    etag: str = ""


def table_of(catalog: Catalog, changed: Iterable[Route]) -> Table:
    """The whole table; routes of services that left the catalog stay, for their traffic may still flow."""
    routes = {service.id: initial(service) for service in catalog.services.values()}
    routes |= {route.service: route for route in changed}
    ordered = dict(sorted(routes.items()))
    # by is in it: two databases may both know a version 3
    text = "\n".join(f"{r.service} {r.version} {r.changed_at!r} {r.by} {dict(r.weights)}" for r in ordered.values())
    return Table(ordered, hashlib.sha256(text.encode()).hexdigest()[:32])


def bucket(service: str, targeting_key: str) -> int:
    """Where one caller stands among `BUCKETS`, the same on every process and for ever."""
    digest = hashlib.sha256(f"{service}\0{targeting_key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def sole_target(weights: Weights) -> str | None:
    """The target that takes everything, None of a split."""
    taking = [target for target, share in weights.items() if share > 0]
    return taking[0] if len(taking) == 1 else None


def choose(route: Route, targeting_key: str) -> str:
    """The target of one caller. Of two targets, a caller that a growing share has reached stays with it."""
    place, reached = bucket(route.service, targeting_key), 0.0
    shares = sorted((target, share) for target, share in route.weights.items() if share > 0)
    total = sum(share for _, share in shares)
    for target, share in shares:
        reached += share * BUCKETS / total
        if place < reached:
            return target
    return shares[-1][0]
