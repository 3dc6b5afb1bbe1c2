"""Generative AI by OpenTelemetry's conventions: metrics and calls, as our models, tokens, latencies and errors."""

import orjson
import pytest

from fireline.domain.events import Event, Kind, Malformed
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES
from fireline.sources.otlp import LOGS, METRICS, TRACES, TRACES_EXAMPLE

START, END = 1_763_683_200_000_000_000, 1_763_683_202_500_000_000


def attributes(**named):
    """`gen_ai__request__model="m"` is `gen_ai.request.model`."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue"}
    found = []
    for name, value in named.items():
        if isinstance(value, list):
            wrapped: dict[str, object] = {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
        else:
            wrapped = {kinds[type(value)]: value}
        found.append({"key": name.replace("__", "."), "value": wrapped})
    return found


def traces(*spans):
    resource = {"attributes": attributes(service__name="assistant", service__version="2.1.0")}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})


def span(*, status=0, start=START, end=END, **named):
    return {
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-4o", "kind": 3,
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(end), "status": {"code": status},
        "attributes": attributes(**named),
    }  # fmt: skip


CALL = {"gen_ai__operation__name": "chat", "gen_ai__provider__name": "openai", "gen_ai__request__model": "gpt-4o",
        "gen_ai__response__model": "gpt-4o-2024-08-06", "gen_ai__usage__input_tokens": 812,
        "gen_ai__usage__output_tokens": 64, "gen_ai__response__id": "chatcmpl-1",
        "gen_ai__response__finish_reasons": ["stop"]}  # fmt: skip


def test_a_call_of_a_model_is_a_prediction():
    (event,) = TRACES.decode(traces(span(**CALL)), ())
    assert (event.kind, event.at, event.id) == (Kind.PREDICTION, END / 10**9, "eee19b7ec3c1b174")
    wanted = {
        "service": "assistant", "model": "gpt-4o", "version": "gpt-4o-2024-08-06", "service.version": "2.1.0",
        "provider": "openai", "operation": "chat", "input_tokens": 812, "output_tokens": 64, "latency_ms": 2500.0,
        "error": "", "request_id": "chatcmpl-1", "finish_reason": "stop",
        "trace_id": "5b8efff798038103d269b633813fc60c",
    }  # fmt: skip
    assert {name: event.fields.get(name) for name in wanted} == wanted


def test_names_of_older_conventions_are_understood():
    old = {"gen_ai__system": "openai", "gen_ai__response__model": "m2", "gen_ai__usage__prompt_tokens": 3,
           "gen_ai__usage__completion_tokens": 4}  # fmt: skip
    (event,) = TRACES.decode(traces(span(**old)), ())
    assert [event.fields[name] for name in ("provider", "model", "input_tokens", "output_tokens")] == [
        "openai", "m2", 3, 4,
    ]  # fmt: skip


@pytest.mark.parametrize(("named", "error"), [({"error__type": "timeout"}, "timeout"), ({}, "_OTHER")])
def test_a_failed_call_says_its_error(named, error):
    (event,) = TRACES.decode(traces(span(status=2, **CALL, **named)), ())
    assert event.fields["error"] == error


def test_spans_that_hold_calls_and_other_spans_are_no_events():
    others = [
        span(gen_ai__operation__name=name, gen_ai__request__model="m") for name in ("invoke_agent", "execute_tool")
    ]
    odd = span(gen_ai__operation__name=["chat"])
    assert TRACES.decode(traces(*others, odd, span(http__route="/")), ()) == []


def test_what_was_said_is_left_out():
    said = {"gen_ai__prompt": "my name is Ann", "gen_ai__output__messages": "hello Ann"}
    (event,) = TRACES.decode(traces(span(**CALL, **said)), ())
    assert "Ann" not in repr(event.fields)


def test_a_call_without_an_end_or_that_ends_before_it_starts_is_a_fault():
    good = span(**CALL)
    found = TRACES.decode(traces(good, span(end=0, **CALL), span(end=START - 1, **CALL)), ())
    assert [item.reason if isinstance(item, Malformed) else "" for item in found] == ["", "time-missing", "time-wrong"]
    assert "span 1 `chat gpt-4o`" in found[1].detail


def test_metrics_are_not_traces():
    assert TRACES.decode(b'{"resourceMetrics": []}', ()).reason == "not-otlp"
    assert METRICS.decode(TRACES_EXAMPLE.strip(), ()).reason == "not-otlp"


def logs(*records):
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]})


def log(name, time=START, **named):
    return {"timeUnixNano": str(time), "eventName": name, "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": "eee19b7ec3c1b174", "attributes": attributes(**named)}  # fmt: skip


EVALUATED = {"gen_ai__evaluation__name": "relevance", "gen_ai__evaluation__score__value": 0.25,
             "gen_ai__evaluation__score__label": "fail", "gen_ai__response__id": "chatcmpl-1"}  # fmt: skip


def test_an_evaluation_of_an_answer_is_an_evaluation():
    (event,) = LOGS.decode(logs(log("gen_ai.evaluation.result", **EVALUATED)), ())
    assert (event.kind, event.at) == (Kind.EVALUATION, START / 10**9)
    wanted = {"name": "relevance", "score": 0.25, "label": "fail", "request_id": "chatcmpl-1",
              "span_id": "eee19b7ec3c1b174"}  # fmt: skip
    assert {name: event.fields.get(name) for name in wanted} == wanted


def test_the_details_of_a_call_are_a_prediction_and_other_records_are_no_events():
    details = log("gen_ai.client.inference.operation.details", **CALL)
    other = {"timeUnixNano": str(START), "body": {"stringValue": "hello"}, "severityText": "INFO"}
    (event,) = LOGS.decode(logs(other, details, log("gen_ai.choice", **CALL)), ())
    assert (event.kind, event.fields["output_tokens"], "latency_ms" in event.fields) == (Kind.PREDICTION, 64, False)


@pytest.mark.parametrize(
    ("time", "change", "reason"),
    [(0, {}, "time-missing"), (START, {"gen_ai__evaluation__name": ""}, "field-missing"),
     (START, {"gen_ai__evaluation__score__value": "much"}, "field-missing")],
)  # fmt: skip
def test_an_evaluation_that_says_too_little_is_a_fault(time, change, reason):
    (found,) = LOGS.decode(logs(log("gen_ai.evaluation.result", time, **{**EVALUATED, **change})), ())
    assert isinstance(found, Malformed)
    assert found.reason == reason
    assert "log record 0 `gen_ai.evaluation.result`" in found.detail


def metric(name, temporality, unit="s", count=2, total=5.0, **named):
    point = {"timeUnixNano": str(END), "startTimeUnixNano": str(START), "count": count, "sum": total,
             "attributes": attributes(gen_ai__response__model="m-1", **named)}  # fmt: skip
    histogram = {"aggregationTemporality": temporality, "dataPoints": [point]}
    metrics = [{"name": name, "unit": unit, "histogram": histogram}]
    (event,) = METRICS.decode(orjson.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}), ())
    return event.fields


def test_durations_and_tokens_of_delta_metrics_have_our_names():
    fields = metric("gen_ai.client.operation.duration", 1, error__type="timeout")
    assert (fields["latency_ms"], fields["model"], fields["error"]) == (2500.0, "m-1", "timeout")
    for kind, name in (("input", "input_tokens"), ("output", "output_tokens")):
        fields = metric("gen_ai.client.token.usage", 1, "{token}", gen_ai__token__type=kind)
        assert (fields[name], fields["error"]) == (5.0, "")


def test_cumulative_ones_have_not_for_they_are_of_all_time():
    assert "latency_ms" not in metric("gen_ai.client.operation.duration", 2)
    assert "input_tokens" not in metric("gen_ai.client.token.usage", 2, "{token}", gen_ai__token__type="input")


@pytest.mark.shared_data
def test_a_captured_export_is_understood_whole(shared_data):
    captured = orjson.loads((shared_data / "payloads" / "otlp-metrics-genai.json").read_bytes())["body"]
    found = METRICS.decode(orjson.dumps(captured), ())
    assert all(isinstance(event, Event) for event in found)
    told = [(e.fields["name"], e.fields["model"], e.fields.get("error"), e.fields.get("count")) for e in found]
    assert told == [
        ("gen_ai.client.operation.duration", "gpt-4o", "", 20),
        ("gen_ai.client.operation.duration", "gpt-4o", "timeout", 1),
        ("gen_ai.client.token.usage", "gpt-4o", "", 20),
        ("gen_ai.client.token.usage", "gpt-4o", "", 20),
        ("app.gen_ai.cost", "gpt-4o", None, None),
    ]
    assert {(e.fields["service"], e.fields["environment"]) for e in found} == {("support-assistant", "production")}
    family = FAMILIES["histogram_quantile"]
    column = family.column(Kind.METRIC, [found[0].fields], Measure("p95", family.name))
    state = family.fold(list(column), [found[0].at], {"q": 0.95})
    assert family.caveat(state, 60.0, {"q": 0.95}) == "lies between 0.3 and 2.2: it rests on 1 bucket"
