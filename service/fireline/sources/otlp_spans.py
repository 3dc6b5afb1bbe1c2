"""Traces of OpenTelemetry: every span of a call of a generative model becomes one `prediction` event.

`at` is the end of the span and `latency_ms` its length; model, tokens, error and the rest are what
`fireline.sources.genai` reads from its attributes. Spans of anything else are no events and are left out.

After the OTLP specification 1.x, opentelemetry/proto/trace/v1/trace.proto.
"""

from collections.abc import Iterator
from typing import Any

from fireline.domain.events import Event, Kind, Malformed
from fireline.sources.genai import called, is_call
from fireline.sources.otlp_labels import NANOSECONDS, labels_of, scope_labels, under

_ERROR = 2  # STATUS_CODE_ERROR


def events_of_spans(request: Any) -> Iterator[Event | Malformed]:
    """The events of an ExportTraceServiceRequest (or TracesData), and what is wrong with each bad call."""
    for resource_spans in request.resource_spans:
        resource = labels_of(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            labels = under(resource, scope_labels(scope_spans.scope))
            for place, span in enumerate(scope_spans.spans):
                attributes = labels_of(span.attributes)
                if is_call(attributes):
                    yield _of_span(span, under(labels, attributes), place)


def _of_span(span: Any, fields: dict[str, object], place: int) -> Event | Malformed:
    where = f"span {place} `{span.name[:80]}`"
    if span.end_time_unix_nano == 0:
        return Malformed("time-missing", f"{where}: found no end")
    if span.end_time_unix_nano < span.start_time_unix_nano:
        return Malformed("time-wrong", f"{where}: found an end before its start")
    called(fields)
    if span.status.code == _ERROR and not fields["error"]:
        fields["error"] = "_OTHER"
    if span.start_time_unix_nano:
        fields["latency_ms"] = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    fields["trace_id"], fields["span_id"] = span.trace_id.hex(), span.span_id.hex()
    fields.setdefault("request_id", f"{fields['trace_id']}/{fields['span_id']}")
    return Event(Kind.PREDICTION, span.end_time_unix_nano / NANOSECONDS, fields, str(fields["span_id"]))
