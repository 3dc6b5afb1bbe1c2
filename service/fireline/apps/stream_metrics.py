"""The stream workers' reports in the terms of Prometheus, one series a worker.

The number of series is bounded: rules and partitions beyond a limit are told together or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from fireline.apps.stream_counts import AGES, COUNTS, FACT, STARTS
from fireline.engine.ports import Transaction

FORGOTTEN = 30.0
"""Seconds after which a worker that tells nothing any more is no longer shown."""
MOST_NAMES = 200
"""Different values of one label that a worker shows; the rest are told together as `other`."""

_PLAIN = (
    # name in the report, metric, whether it only grows, help
    ("events", "events", True, "Events read"),
    ("partials", "partials", True, "Partial aggregates sent to the evaluating side"),
    ("skipped", "skipped_records", True, "Offsets that were gone before they were read: deleted by retention"),
    ("retries", "producer_retries", True, "Sends that Kafka did not acknowledge, and that were repeated"),
    ("rebalances", "rebalances", True, "Times that partitions were assigned anew"),
    ("checkpoints", "checkpoints", True, "Checkpoints written"),
    ("started", "start_time_seconds", False, "When the worker started, in seconds since the epoch"),
    ("newest", "newest_event_timestamp_seconds", False, "The newest event time read, in seconds since the epoch"),
    ("judged_at", "last_judged_timestamp_seconds", False, "When entities were last judged, in seconds since the epoch"),
    ("partitions", "partitions", False, "Partitions that the worker reads"),
    ("rules", "rules", False, "Rules in force"),
    ("entities", "entities", False, "Entities whose windows are held"),
    ("signals_waiting", "signals_waiting", False, "Signals that are not decided on yet"),
    ("signals_aside", "signals_set_aside", True, "Signals that nobody heard of, because deciding on them failed"),
    ("checkpoint_age", "checkpoint_age_seconds", False, "Age of what is not yet saved; 0 when all is"),
    (
        "checkpoint_bytes",
        "checkpoint_size_bytes",
        False,
        "Size of the last checkpoint: what changed since the one before",
    ),
    ("checkpoint_seconds", "checkpoint_duration_seconds", False, "How long the last checkpoint took to be written"),
)


@dataclass(frozen=True, slots=True)
class Workers:
    """What workers told: `reports` and `ages` (seconds since) by name; `counts` of starts and ends over all time."""

    reports: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ages: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, object] = field(default_factory=dict)


EXAMPLE = Workers(
    reports={
        "w": {
            **{name: 0 for name, *_ in _PLAIN},
            "dead": {"late": 0},
            "refused": {"rule": 0},
            "left_out": {"expired": 0},
            "signals_by": [["firing", "outage", 0]],
            "lags": [["topic", 0, 0, 0.0]],
            "ages": {"buckets": [0] * (len(AGES) + 1), "total": 0.0},
        }
    },
    ages={"w": 0.0},
    counts={STARTS: 0, "stalled": 0},
)
"""One of everything, for the reference."""


def read_workers(tx: Transaction, now: float) -> Workers:
    """The workers that were heard of lately."""
    found = {key.partition(":")[2]: fact for key, fact in tx.facts(f"{FACT}:").items()}
    heard = {name: fact for name, fact in found.items() if now - fact[1] <= FORGOTTEN}
    counts = tx.fact(COUNTS)
    return Workers(
        {name: fact[0] for name, fact in heard.items()},
        {name: max(0.0, now - fact[1]) for name, fact in heard.items()},
        {} if counts is None else counts[0],
    )


def stream_metrics(workers: Workers) -> Iterator[Metric]:
    """All metrics of the stream, those too that have no series now."""
    for name, metric, grows, help_ in _PLAIN:
        made = (CounterMetricFamily if grows else GaugeMetricFamily)(_named(metric), help_, labels=["worker"])
        for worker, report in workers.reports.items():
            if (value := _number(report.get(name))) is not None:
                made.add_metric([worker], value)
        yield made
    yield _heard(workers)
    yield _labelled(workers, "dead_letters", "Records put aside, by reason", "reason", _counted("dead"))
    yield _labelled(workers, "refused_events", "Events left out: their rule has its most entities", "rule", _refused)
    yield _labelled(
        workers,
        "left_out_rows",
        "Rows of partials not taken into a window: expired (older than it), stale (of another version of the rule), "
        "malformed, refused (over the rule's most entities), fault (of a measure)",
        "why",
        _counted("left_out"),
    )
    yield _signals(workers)
    yield from _lags(workers)
    yield _event_ages(workers)
    yield from _counts(workers.counts)


def _named(metric: str) -> str:
    return f"fireline_stream_{metric}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _heard(workers: Workers) -> Metric:
    made = GaugeMetricFamily(_named("report_age_seconds"), "Since the worker was heard of", labels=["worker"])
    for worker, age in workers.ages.items():
        made.add_metric([worker], age)
    return made


def _counted(name: str) -> Callable[[Mapping[str, object]], Mapping[str, float]]:
    """Reads counts by name from a report; beyond the limit, which the oldest keep, they are one."""

    def read(report: Mapping[str, object]) -> Mapping[str, float]:
        held = report.get(name)
        pairs = [(str(key), _number(value) or 0.0) for key, value in held.items()] if isinstance(held, dict) else []
        rest = sum(value for _, value in pairs[MOST_NAMES:])
        return dict(pairs[:MOST_NAMES]) | ({"other": rest} if rest else {})

    return read


_refused = _counted("refused")


def _labelled(
    workers: Workers, metric: str, help_: str, label: str, read: Callable[[Mapping[str, object]], Mapping[str, float]]
) -> Metric:
    made = CounterMetricFamily(_named(metric), help_, labels=["worker", label])
    for worker, report in workers.reports.items():
        for value, count in read(report).items():
            made.add_metric([worker, value], count)
    return made


def _rows(report: Mapping[str, object], name: str, width: int) -> Iterable[list[object]]:
    held = report.get(name)
    return [row for row in held if isinstance(row, list) and len(row) == width] if isinstance(held, list) else []


def _signals(workers: Workers) -> Metric:
    labels = ["worker", "state", "severity"]
    made = CounterMetricFamily(_named("signals"), "Signals decided on; a clear one has no severity", labels=labels)
    for worker, report in workers.reports.items():
        for state, severity, count in _rows(report, "signals_by", 3):
            made.add_metric([worker, str(state), str(severity)], _number(count) or 0.0)
    return made


def _lags(workers: Workers) -> Iterator[Metric]:
    labels = ["worker", "topic", "partition"]
    records = GaugeMetricFamily(
        _named("lag_records"), "Records not yet read, of the 256 partitions that lag most", labels=labels
    )
    seconds = GaugeMetricFamily(
        _named("lag_seconds"), "Age of the newest record read where there are more; 0 at the end", labels=labels
    )
    for worker, report in workers.reports.items():
        for topic, partition, count, behind in _rows(report, "lags", 4):
            where = [worker, str(topic), str(partition)]
            records.add_metric(where, _number(count) or 0.0)
            if (known := _number(behind)) is not None:
                seconds.add_metric(where, known)
    yield records
    yield seconds


def _event_ages(workers: Workers) -> Metric:
    made = HistogramMetricFamily(
        _named("event_age_seconds"),
        "How far a partition's newest event time was behind its records, once a batch",
        labels=["worker"],
    )
    for worker, report in workers.reports.items():
        held = report.get("ages")
        counts = held.get("buckets") if isinstance(held, dict) else None
        if isinstance(held, dict) and isinstance(counts, list) and len(counts) == len(AGES) + 1:
            made.add_metric([worker], _cumulative(counts), _number(held.get("total")) or 0.0)
    return made


def _cumulative(counts: Iterable[object]) -> list[tuple[str, float]]:
    reached, buckets = 0.0, []
    for bound, count in zip((*map(str, AGES), "+Inf"), counts, strict=True):
        reached += _number(count) or 0.0
        buckets.append((bound, reached))
    return buckets


def _counts(counts: Mapping[str, object]) -> Iterator[Metric]:
    """Those of the database: they go on over restarts."""
    starts = CounterMetricFamily(_named("starts"), "Starts of stream workers", labels=[])
    starts.add_metric([], _number(counts.get(STARTS)) or 0.0)
    yield starts
    ends = CounterMetricFamily(_named("gave_up"), "Workers that ended to be started again, by why", labels=["why"])
    for why, count in counts.items():
        if why != STARTS:
            ends.add_metric([why], _number(count) or 0.0)
    yield ends
