"""Traffic: how many requests a second services get, by the prediction events that the stream counts anyway. Pure.

A rule of Fireline's own counts them. It has no level, so it never says anything; it is there only where a target
declares a `capacity`, and costs nothing elsewhere. Probes are left out: they are not somebody's requests.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fireline.domain.capacity import measured
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.events import Kind
from fireline.domain.rules import Match, Matcher, Measure, Rule

RULE = "fireline.traffic"
"""No rule of a file can have this name."""
WINDOW = 10.0
PANE = 1.0


Told = tuple[str, float, float]
"""The name of a service, its requests a second, and when that was seen."""


@dataclass(frozen=True, slots=True)
class _Label:
    """The template of the rule's service, which nobody asks for as the rule never fires."""

    source: object = "{{ service }}"

    def render(self, values: Mapping[str, object]) -> object:
        return values.get("service", "")


def rules_of(configuration: Configuration) -> tuple[Rule, ...]:
    """All rules that a stream worker has: those of the files, and the one that counts requests where it is of use."""
    own = rule(configuration.catalog)
    return (*configuration.rules.values(), *(() if own is None else (own,)))


def rule(catalog: Catalog) -> Rule | None:
    """Counts the requests of services whose targets declare a capacity; None where none does."""
    names = sorted(name for service in measured(catalog) for name in (service.id, *service.aliases))
    if not names:
        return None
    where = (Matcher("service", Match.ANY_OF, tuple(names)), Matcher("probe", Match.NONE_OF, ("true",)))
    shape = hashlib.sha256("\n".join((RULE, *names)).encode()).hexdigest()
    return Rule(
        name=RULE,
        on=Kind.PREDICTION,
        where=where,
        by=("service",),
        window=WINDOW,
        pane=PANE,
        measures=(Measure("n", "count"),),
        levels=(),
        service=_Label(),
        summary=_Label(),
        hash=shape,
        shape=shape,
        reach=WINDOW,
    )


def per_second(samples: int, at: float) -> float:
    """Requests a second, of the events in the panes of the window that ends `at`, the last of which is filling."""
    covered = WINDOW - PANE + at % PANE
    return samples / covered


def merged(catalog: Catalog, told: Iterable[Told], since: float) -> dict[str, float]:
    """Requests a second by service: the latest word on each name, none from before `since`.

    What is told of a service's aliases belongs to the service.
    """
    latest: dict[str, tuple[float, float]] = {}
    for name, rate, at in told:
        if at >= since and at >= latest.get(name, (at, 0.0))[0]:
            latest[name] = at, rate
    found: dict[str, float] = {}
    for name, (_, rate) in latest.items():
        service = catalog.service(name)
        if service is not None:
            found[service.id] = found.get(service.id, 0.0) + rate
    return found
