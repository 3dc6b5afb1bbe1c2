"""OpenTelemetry: OTLP as the Collector's Kafka exporter writes it, protobuf (`otlp_proto`) or JSON (`otlp_json`).

Which of both a record is, its first byte tells: JSON begins with a brace, and no message of OTLP does. What it holds
the format must tell, because protobuf does not: `otlp` are metrics, `otlp-traces` traces, `otlp-logs` logs, one kind a
topic as the exporter does it. One record holds many events; those that are good count, whatever is wrong with others.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fireline.domain.events import Decoded, Event, Headers, Malformed, Row
from fireline.sources.otlp_json import fill
from fireline.sources.otlp_logs import events_of_logs
from fireline.sources.otlp_metrics import events_of_metrics
from fireline.sources.otlp_spans import events_of_spans

MAX_BYTES = 4 * 1024 * 1024
"""Longer records are refused. Kafka's own default is 1 MiB."""

EXAMPLE = b"""
{"resourceMetrics": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "fraud-scoring"}}]},
  "scopeMetrics": [{"scope": {"name": "scoring"}, "metrics": [
    {"name": "queue.length", "unit": "1", "gauge": {"dataPoints": [
      {"timeUnixNano": "1763683200250000000", "asInt": "17",
       "attributes": [{"key": "cloud.region", "value": {"stringValue": "eu-central-1"}}]}]}},
    {"name": "requests", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
      {"startTimeUnixNano": "1763683000000000000", "timeUnixNano": "1763683200250000000", "asDouble": 4211.0}]}},
    {"name": "latency", "unit": "ms", "histogram": {"aggregationTemporality": 1, "dataPoints": [
      {"timeUnixNano": "1763683200250000000", "count": "5", "sum": 900.0, "min": 80.0, "max": 410.0,
       "explicitBounds": [100.0, 250.0], "bucketCounts": ["2", "2", "1"]}]}},
    {"name": "size", "unit": "By", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
      {"timeUnixNano": "1763683200250000000", "count": "4", "sum": 29.0, "scale": 0, "zeroCount": "1",
       "positive": {"offset": 2, "bucketCounts": ["1", "2"]}}]}},
    {"name": "wait", "unit": "s", "summary": {"dataPoints": [
      {"timeUnixNano": "1763683200250000000", "count": "10", "sum": 2.5,
       "quantileValues": [{"quantile": 0.99, "value": 0.9}]}]}}]}]}]}
"""

TRACES_EXAMPLE = b"""
{"resourceSpans": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "support-assistant"}}]},
  "scopeSpans": [{"spans": [{
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-4o", "kind": 3,
    "startTimeUnixNano": "1763683200000000000", "endTimeUnixNano": "1763683201250000000", "attributes": [
      {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
      {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
      {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "812"}},
      {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "64"}}]}]}]}]}
"""


LOGS_EXAMPLE = b"""
{"resourceLogs": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "support-assistant"}}]},
  "scopeLogs": [{"logRecords": [{
    "timeUnixNano": "1763683201250000000", "eventName": "gen_ai.evaluation.result", "attributes": [
      {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
      {"key": "gen_ai.evaluation.name", "value": {"stringValue": "relevance"}},
      {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.82}},
      {"key": "gen_ai.evaluation.score.label", "value": {"stringValue": "pass"}}]}]}]}]}
"""


class Otlp:
    """One kind of OTLP message as a source: `top` is the name of its list in JSON, `events` reads the message."""

    def __init__(self, message: type[Message], top: str, events: Callable[[Any], Iterator[Event | Malformed]]) -> None:
        self._message = message
        self._top = top
        self._events = events

    def decode(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> Decoded:
        """The events of one record and what is wrong with others in it, or what was found instead of OTLP."""
        if not value:
            return Malformed("empty", "found a record without a value; expected OTLP as protobuf or JSON")
        if len(value) > MAX_BYTES:
            return Malformed("too-large", f"found {len(value)} bytes; expected at most {MAX_BYTES}")
        request = self._message()
        faults = self._parse_json(request, value) if value[:1] == b"{" else self._parse(request, value)
        return faults if isinstance(faults, Malformed) else [*self._events(request), *faults]

    def rows(self, values: Sequence[bytes | None]) -> Sequence[Row | None]:
        """None for each: a record of many events is always read by `decode`."""
        return [None] * len(values)

    def _parse(self, request: Message, value: bytes) -> list[Malformed] | Malformed:
        try:
            request.ParseFromString(value)
        except (DecodeError, RecursionError) as fault:
            # a line break, the first byte of protobuf here, may stand before JSON as well
            if value.lstrip()[:1] == b"{":
                return self._parse_json(request, value)
            return Malformed("not-protobuf", f"found no OTLP message: {str(fault)[:200]}")
        if not request.ListFields():
            return Malformed("not-otlp", f"found nothing of {type(request).__name__} in {len(value)} bytes")
        return []

    def _parse_json(self, request: Message, value: bytes) -> list[Malformed] | Malformed:
        try:
            body = orjson.loads(value)
        except (ValueError, RecursionError) as fault:
            return Malformed("not-json", f"found no JSON: {str(fault)[:200]}")
        if self._top not in body:
            return Malformed("not-otlp", f"found {', '.join(body)[:80] or 'nothing'}; expected `{self._top}`")
        return fill(request, body)


METRICS = Otlp(ExportMetricsServiceRequest, "resourceMetrics", events_of_metrics)
"""The format `otlp`."""

TRACES = Otlp(ExportTraceServiceRequest, "resourceSpans", events_of_spans)
"""The format `otlp-traces`."""

LOGS = Otlp(ExportLogsServiceRequest, "resourceLogs", events_of_logs)
"""The format `otlp-logs`."""
