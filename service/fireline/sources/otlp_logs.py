"""Logs of OpenTelemetry: events of the conventions for generative AI; other log records are left out.

`gen_ai.evaluation.result` becomes an `evaluation` with `name`, `score`, `label` and `explanation`. The details of a
call (`gen_ai.client.inference.operation.details`) become a `prediction` like a span of it, but without `latency_ms`:
read one of both, or calls count twice.

After the OTLP specification 1.x, opentelemetry/proto/logs/v1/logs.proto.
"""

import math
from collections.abc import Iterator
from typing import Any

from fireline.domain.events import Event, Kind, Malformed
from fireline.sources.genai import called
from fireline.sources.otlp_labels import NANOSECONDS, labels_of, scope_labels, under

_EVALUATION = "gen_ai.evaluation.result"
_DETAILS = "gen_ai.client.inference.operation.details"
_SCORE = "gen_ai.evaluation.score.value"


def events_of_logs(request: Any) -> Iterator[Event | Malformed]:
    """The events of an ExportLogsServiceRequest (or LogsData), and what is wrong with each bad one."""
    for resource_logs in request.resource_logs:
        resource = labels_of(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            labels = under(resource, scope_labels(scope_logs.scope))
            for place, record in enumerate(scope_logs.log_records):
                attributes = labels_of(record.attributes)
                name = record.event_name or attributes.get("event.name")
                if name in (_EVALUATION, _DETAILS):
                    yield _of_record(record, str(name), under(labels, attributes), place)


def _of_record(record: Any, name: str, fields: dict[str, object], place: int) -> Event | Malformed:
    at = (record.time_unix_nano or record.observed_time_unix_nano) / NANOSECONDS
    if not at:
        return Malformed("time-missing", f"log record {place} `{name}`: found no time")
    if record.trace_id:
        fields["trace_id"], fields["span_id"] = record.trace_id.hex(), record.span_id.hex()
    called(fields)
    if name == _DETAILS:
        return Event(Kind.PREDICTION, at, fields)
    fault = _evaluated(fields)
    if fault is not None:
        return Malformed(fault.reason, f"log record {place} `{name}`: {fault.detail}")
    return Event(Kind.EVALUATION, at, fields)


def _evaluated(fields: dict[str, object]) -> Malformed | None:
    """Add what an evaluation is called and found; or what is wrong with it."""
    name, score = fields.get("gen_ai.evaluation.name"), fields.get(_SCORE)
    if not isinstance(name, str) or not name:
        return Malformed("field-missing", "found no `gen_ai.evaluation.name`")
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return Malformed("field-missing", f"found no `{_SCORE}` that is a number")
    fields["name"], fields["score"] = name, score
    for ours, theirs in (("label", "gen_ai.evaluation.score.label"), ("explanation", "gen_ai.evaluation.explanation")):
        if theirs in fields:
            fields[ours] = fields[theirs]
    return None
