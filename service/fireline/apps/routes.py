"""The work behind `fireline routes`."""

import re

from fireline.apps.bootstrap import assemble, settings_with
from fireline.apps.controls import Controls
from fireline.apps.faults import Refused
from fireline.apps.output import ago, instant, pairs, print_json, say, table
from fireline.domain.catalog import Service
from fireline.domain.routes import Route


def ls(as_json: bool) -> int:
    """The route of every service of the catalog."""
    parts = assemble(settings_with())
    with parts.store.reading() as tx:
        changed = {route.service: route for route in tx.routes()}
    rows = [
        document(service, changed.get(name)) for name, service in sorted(parts.files.current.catalog.services.items())
    ]
    if as_json:
        print_json(rows)
        return 0
    now = parts.clock.now()
    headers = ("service", "weights", "version", "changed", "by", "why", "fallback until")
    table(headers, [_row(row, now) for row in rows], "The catalog has no services.")
    return 0


def document(service: Service, route: Route | None) -> dict[str, object]:
    """One route as JSON; a service whose route was never changed is all on its primary."""
    if route is None:
        return {
            "service": service.id,
            "weights": {service.primary: 100},
            "version": 0,
            "changed_at": None,
            "by": "",
            "reason": "never changed",
            "lease": None,
        }
    lease = route.lease and {"until": route.lease.until, "prior": dict(route.lease.prior), "holder": route.lease.holder}
    return {
        "service": service.id,
        "weights": dict(route.weights),
        "version": route.version,
        "changed_at": route.changed_at,
        "by": route.by,
        "reason": route.reason,
        "lease": lease,
    }


def _row(row: dict[str, object], now: float) -> tuple[object, ...]:
    weights, lease, changed = row["weights"], row["lease"], row["changed_at"]
    assert isinstance(weights, dict)
    until = instant(lease["until"]) if isinstance(lease, dict) else "-"
    since = ago(changed, now) if isinstance(changed, float) else "-"
    return (row["service"], pairs(weights), row["version"], since, row["by"] or "-", row["reason"], until)


_PERCENT = re.compile(r"^[0-9]{1,3}$")


def parse_weights(words: list[str]) -> dict[str, int]:
    """`["fallback=100"]` as weights; raises Refused that says what was found."""
    weights: dict[str, int] = {}
    for word in words:
        target, equals, percent = word.partition("=")
        if not equals or not target or not _PERCENT.match(percent):
            raise Refused(f"found {word[:50]!r}, expected target=percent, such as fallback=100")
        if target in weights:
            raise Refused(f"{target[:50]!r} is here twice, expected each target once")
        weights[target] = int(percent)
    return weights


def put(service: str, words: list[str], reason: str, person: str | None) -> int:
    """Change a route by hand; 1 when preflight speaks against it."""
    weights = parse_weights(words)
    if not 3 <= len(reason.strip()) <= 1000:
        raise Refused("a reason has 3 to 1000 characters: it is shown wherever the route is")
    parts = assemble(settings_with())
    verdict = Controls(parts).change_route(service, weights, parts.person(person).id, reason)
    say(verdict.reason)
    return 0 if verdict.done else 1
