"""OpenTelemetry from a topic to an incident: protobuf as the Collector writes it, delta and cumulative, and traces."""

from pathlib import Path
from time import time
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from tests.e2e.outside import Outside, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
BOUNDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000]
RULES = """\
rules:
  - name: slow_requests
    owner: platform
    on: metric
    where: {name: http.server.request.duration}
    by: [service]
    window: 5m
    measures:
      p95: {agg: histogram_quantile, q: 0.95}
    severity:
      outage: {when: "p95 > 500", for: 0s}
    summary: "p95 of {{ service }} is {{ measures.p95 | round }} ms"
  - name: tokens
    owner: platform
    on: prediction
    where: {operation: chat, provider: openai}
    by: [service, model]
    window: 10m
    measures:
      used: {agg: sum, of: output_tokens}
    severity:
      notice: {when: "used > 1000", for: 0s}
    summary: "{{ model }} wrote {{ measures.used | round }} tokens"
"""
TOPICS = "topics:\n  otlp_metrics: {format: otlp}\n  otlp_spans: {format: otlp-traces}\n"


def request(service: str, temporality: AggregationTemporality, *counted: int) -> bytes:
    """Points a second apart, the last of them now, each with so many values in the bucket of 500 to 750 ms."""
    made = ExportMetricsServiceRequest()
    resource = made.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    metric = resource.scope_metrics.add().metrics.add(name="http.server.request.duration", unit="ms")
    metric.histogram.aggregation_temporality = temporality
    for place, count in enumerate(counted):
        point = metric.histogram.data_points.add(count=count + 1, sum=600.0 * count + 1, explicit_bounds=BOUNDS)
        point.bucket_counts.extend([0, 1, *[0] * 7, count, *[0] * 6])
        point.start_time_unix_nano = 10**18
        point.time_unix_nano = int((time() - len(counted) + 1 + place) * 1e9)
    metric.histogram.data_points.add()  # one without a time
    return made.SerializeToString()


def spans() -> bytes:
    named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in named.items()]
    attributes.append({"key": "gen_ai.usage.output_tokens", "value": {"intValue": "1500"}})
    end = int(time() * 1e9)
    span = {
        "name": "chat",
        "startTimeUnixNano": str(end - 10**9),
        "endTimeUnixNano": str(end),
        "attributes": attributes,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout-host"}}]}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})


def test_histograms_and_calls_of_opentelemetry_open_incidents_that_say_what_they_rest_on(
    tmp_path: Path, repository: Path
):
    fireline = Outside(tmp_path, repository)
    (tmp_path / "rules" / "opentelemetry.yaml").write_text(RULES)
    (tmp_path / "rules" / "topics.yaml").write_text(TOPICS)
    with fireline:
        collector = Producer({"bootstrap.servers": fireline.bootstrap, "log_level": 0})
        collector.produce("otlp_metrics", request("checkout-host", DELTA, 99))
        collector.produce("otlp_metrics", request("web-fleet", CUMULATIVE, 1000, 1050))
        collector.produce("otlp_spans", spans())
        assert collector.flush(120) == 0

        def fired() -> dict[tuple[str, str], tuple[int, Any]]:
            signals = [(i.number, a.signal) for i in fireline.incidents() for a in i.signals.values()]
            return {(signal.rule, signal.service): (number, signal.evidence) for number, signal in signals}

        eventually("three signals", lambda: len(fired()) == 3, 30)
        found = fired()
        number, evidence = found["slow_requests", "checkout-host"]
        assert evidence.notes == ("p95 lies between 500 and 750: it rests on 2 buckets",)
        assert "p95 lies between 500 and 750" in fireline.command("explain", f"INC-{number}").stdout
        _, evidence = found["slow_requests", "web-fleet"]
        assert evidence.notes == ("p95 lies between 500 and 750: it rests on 1 bucket",)
        assert found["tokens", "checkout-host"][1].measures == {"used": 1500.0}
        eventually("dead letters", lambda: fireline.fact("stream").get("dead") == {"time-missing": 2}, 10)
