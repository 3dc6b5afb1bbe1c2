"""Metrics of OpenTelemetry: every data point becomes one `metric` event.

`name` and `unit` are the metric's, `at` is the point's time. A gauge and a sum have their `value`; a sum also has
`temporality` and `monotonic`. Of a histogram (explicit or exponential), `value` is the mean of what it counted, beside
`count`, `sum`, `min`, `max` and `buckets`; of a summary the mean too, and `quantiles` (`of: quantiles.0.99`).

A cumulative point tells of everything since `start`, so its `value` is no news of the last minute: measures that
difference (`increase`, `histogram_quantile`) tell its series apart by `series`, a hash of all its attributes.

After the OTLP specification 1.x, opentelemetry/proto/metrics/v1/metrics.proto.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from fireline.domain.events import Event, Kind, Malformed
from fireline.sources.genai import measured
from fireline.sources.otlp_buckets import Buckets, explicit_buckets, exponential_buckets
from fireline.sources.otlp_labels import NANOSECONDS, labels_of, scope_labels, under

_NO_VALUE = 1  # DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_TEMPORALITY = {0: "unspecified", 1: "delta", 2: "cumulative"}
Fields = dict[str, object]


def events_of_metrics(request: Any) -> Iterator[Event | Malformed]:
    """The events of an ExportMetricsServiceRequest (or MetricsData), and what is wrong with each bad point."""
    for resource_metrics in request.resource_metrics:
        resource = labels_of(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            labels = under(resource, scope_labels(scope_metrics.scope))
            for metric in scope_metrics.metrics:
                yield from _of_metric(metric, labels)


def _of_metric(metric: Any, labels: Fields) -> Iterator[Event | Malformed]:
    which = metric.WhichOneof("data")
    if not metric.name or which is None:
        what = "without a name" if not metric.name else f"`{metric.name[:80]}` without data of a known kind"
        yield Malformed("metric-wrong", f"found a metric {what}; expected a name and its data points")
        return
    data, read = getattr(metric, which), _READERS[which]
    own: Fields = {"name": metric.name}
    if metric.unit:
        own["unit"] = metric.unit
    if which not in ("gauge", "summary"):
        own["temporality"] = _TEMPORALITY.get(data.aggregation_temporality, "unspecified")
    if which == "sum":
        own["monotonic"] = data.is_monotonic
    for place, point in enumerate(data.data_points):
        yield _of_point(point, read, labels, own, place)


def _of_point(
    point: Any, read: Callable[[Any], Fields | Malformed], labels: Fields, own: Fields, place: int
) -> Event | Malformed:
    if point.time_unix_nano == 0:
        return _bad(Malformed("time-missing", "found no time"), own, place)
    if point.flags & _NO_VALUE:
        return _bad(Malformed("no-recorded-value", "found the mark of a series that has no value now"), own, place)
    values = read(point)
    if isinstance(values, Malformed):
        return _bad(values, own, place)
    fields = {**labels, **labels_of(point.attributes), **own}
    if own.get("temporality") == "cumulative":
        values["start"], values["series"] = point.start_time_unix_nano / NANOSECONDS, _series(fields)
    fields.update(values)
    if own["name"].startswith("gen_ai."):  # type: ignore[attr-defined]  # a text
        measured(fields)
    return Event(Kind.METRIC, point.time_unix_nano / NANOSECONDS, fields)


def _bad(fault: Malformed, own: Mapping[str, object], place: int) -> Malformed:
    return Malformed(fault.reason, f"point {place} of metric `{str(own['name'])[:80]}`: {fault.detail}")


def _series(labels: Mapping[str, object]) -> str:
    """The name of a series: the same for the same attributes in any order."""
    text = orjson.dumps(labels, default=str, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=8).hexdigest()


def _number(point: Any) -> Fields | Malformed:
    which = point.WhichOneof("value")
    if which is None:
        return Malformed("value-missing", "found no value; expected asDouble or asInt")
    value = point.as_int if which == "as_int" else point.as_double
    return {"value": value} if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> Malformed:
    return Malformed("not-finite", f"found {value}; expected a finite number")


def _histogram(point: Any) -> Fields | Malformed:
    return _distribution(point, explicit_buckets(point))


def _exponential(point: Any) -> Fields | Malformed:
    return _distribution(point, exponential_buckets(point))


def _distribution(point: Any, buckets: Buckets | Malformed | None) -> Fields | Malformed:
    if isinstance(buckets, Malformed):
        return buckets
    fields: Fields = {"count": point.count}
    if buckets is not None:
        fields["buckets"] = buckets
    for name in ("sum", "min", "max"):
        if point.HasField(name):
            number = getattr(point, name)
            if not math.isfinite(number):
                return _not_finite(number)
            fields[name] = number
    fields["value"] = point.sum / point.count if point.count and point.HasField("sum") else None
    return fields


def _summary(point: Any) -> Fields | Malformed:
    """The mean and the reporter's own quantiles; a quantile that is NaN (nothing was seen) is left out."""
    if not math.isfinite(point.sum):
        return _not_finite(point.sum)
    known = {
        f"{q.quantile:g}": q.value for q in point.quantile_values if math.isfinite(q.value) and 0 <= q.quantile <= 1
    }
    mean = point.sum / point.count if point.count else None
    return {"value": mean, "count": point.count, "sum": point.sum, "quantiles": known}


_READERS: Mapping[str, Callable[[Any], Fields | Malformed]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
