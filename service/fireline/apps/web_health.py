"""How Fireline itself is: health with reasons, and metrics for whoever watches the watcher.

The other roles put small facts into the database; this reads them, so that one address tells about all processes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fireline.apps.stream_metrics import EXAMPLE, Workers, read_workers, stream_metrics
from fireline.domain.catalog import Catalog
from fireline.domain.stops import Stop
from fireline.engine.ports import Clock, Settings, Store, Transaction, Unavailable

STREAM_FACT = "stream"
RESPOND_FACT = "heartbeat:timers"
LATE = {STREAM_FACT: 15.0, RESPOND_FACT: 20.0}
"""Seconds after which a role that has not been heard of counts as gone."""
BEHIND = 30.0
"""Seconds that the newest judged event may be old before pages come noticeably late."""
ROLE = {STREAM_FACT: "the stream worker", RESPOND_FACT: "the responder"}
NAME = {STREAM_FACT: "stream", RESPOND_FACT: "respond"}


@dataclass(frozen=True, slots=True)
class Health:
    """What is known at an instant. `ages` are seconds since each role was heard of, None for never."""

    facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ages: Mapping[str, float | None] = field(default_factory=dict)
    open_by_severity: Mapping[str, int] = field(default_factory=dict)
    fallbacks: int = 0
    stops: tuple[Stop, ...] = ()
    held: int = 0
    outbox: int = 0
    troubles: tuple[str, ...] = ()
    database: bool = True
    workers: Workers = field(default_factory=Workers)

    def number(self, fact: str, name: str) -> float | None:
        """A number that a role reported; None when it did not."""
        value = self.facts.get(fact, {}).get(name)
        return float(value) if isinstance(value, int | float) else None


def read_health(store: Store, settings: Settings, clock: Clock) -> Health:
    """Read everything in one transaction; a database that does not answer is a health, not a fault."""
    try:
        with store.reading() as tx:
            return _health(tx, settings.current.catalog, clock.now())
    except Unavailable as error:
        return Health(troubles=(f"the database does not answer: {error}",), database=False)


def _health(tx: Transaction, catalog: Catalog, now: float) -> Health:
    found = {name: tx.fact(name) for name in LATE}
    ages = {name: None if fact is None else max(0.0, now - fact[1]) for name, fact in found.items()}
    workers = read_workers(tx, now)
    open_ = Counter(incident.severity for incident in tx.incidents(open_only=True, limit=10_000))
    return Health(
        facts={name: fact[0] for name, fact in found.items() if fact is not None},
        ages=ages,
        open_by_severity={level.name: open_.get(level.name, 0) for level in catalog.severities} | dict(open_),
        stops=tuple(tx.stops()),
        held=sum(1 for run in tx.runs(active_only=True, limit=10_000) if run.held or run.reason.startswith("held: ")),
        fallbacks=sum(1 for route in tx.routes() if route.lease is not None),
        outbox=tx.backlog(),
        troubles=tuple(_troubles(ages, found[STREAM_FACT], workers)),
        workers=workers,
    )


def _troubles(
    ages: Mapping[str, float | None], stream: tuple[Mapping[str, object], float] | None, workers: Workers
) -> Iterator[str]:
    for name, age in ages.items():
        if age is None:
            yield f"{ROLE[name]} has not been heard of"
        elif age > LATE[name]:
            yield f"{ROLE[name]} was last heard of {age:.0f} s ago"
    told = [*workers.reports.values(), *(() if stream is None else (stream[0],))]
    behind = max((lag for report in told if isinstance(lag := report.get("lag_seconds"), int | float)), default=0.0)
    if behind > BEHIND:
        yield f"the stream worker is {behind:.0f} s behind"
    doubted = None if stream is None else stream[0].get("clock_doubted")
    if isinstance(doubted, int | float) and doubted:
        yield f"the clock of the stream worker's machine jumped by {doubted:+.0f} s, which nothing confirms: set it"


class _Reported(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        health = self._health
        yield GaugeMetricFamily("fireline_database_up", "Whether the database answers", float(health.database))
        yield GaugeMetricFamily("fireline_healthy", "Whether /healthz is 200", float(not health.troubles))
        if not health.database:
            return  # a zero would not be true, and a counter that is gone for a while is not one that began anew
        yield GaugeMetricFamily("fireline_outbox_depth", "Effects that wait to be performed", health.outbox)
        open_ = GaugeMetricFamily("fireline_open_incidents", "Incidents not resolved", labels=["severity"])
        for severity, count in health.open_by_severity.items():
            open_.add_metric([severity], count)
        yield open_
        yield GaugeMetricFamily("fireline_fallbacks_active", "Services off their primary", health.fallbacks)
        yield GaugeMetricFamily("fireline_stops_pulled", "Stop switches that are pulled", len(health.stops))
        yield GaugeMetricFamily("fireline_runs_held", "Runs that a stop switch keeps from acting", health.held)
        beats = GaugeMetricFamily("fireline_heartbeat_age_seconds", "Since a role was heard of", labels=["role"])
        for name, age in health.ages.items():
            if age is not None:
                beats.add_metric([NAME[name]], age)
        yield beats
        yield from stream_metrics(health.workers)


def metrics_text(health: Health) -> bytes:
    """The exposition format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reported(health))
    return generate_latest(registry)


def known_metrics() -> list[Metric]:
    """Every metric there may be, with its name, help and labels."""
    health = Health(ages=dict.fromkeys(LATE, 0.0), open_by_severity={"outage": 0}, workers=EXAMPLE)
    return list(_Reported(health).collect())
