"""CloudEvents in, native events or a reason out; what the project's own library writes is read rightly."""

import base64
from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as OlderEvent
from cloudevents.v1.kafka import to_binary as older_binary
from cloudevents.v1.kafka import to_structured as older_structured

from fireline.domain.events import Event, Kind, Malformed
from fireline.sources.cloudevents import CloudEvents

SOURCE = CloudEvents()
AT = datetime(2025, 11, 21, 0, 0, 0, 250_000, UTC)
ENVELOPE = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/checkout",
    "type": "com.example.metric.v1",
    "time": "2025-11-21T00:00:00.25Z",
}
METRIC = {"name": "latency_ms", "value": 812.5, "service": "checkout"}
JSON = "application/json"


def structured(data=METRIC, **changes) -> bytes:
    body = {**ENVELOPE, "data": data, **changes}
    return orjson.dumps({name: value for name, value in body.items() if value is not ...})


def one(value, headers=(), key=None) -> Event:
    decoded = SOURCE.decode(value, headers, key)
    assert not isinstance(decoded, Malformed), decoded
    (event,) = decoded
    assert isinstance(event, Event), event
    return event


def fault(value, headers=()) -> Malformed:
    decoded = SOURCE.decode(value, headers)
    assert isinstance(decoded, Malformed), decoded
    return decoded


def written_by(library):
    """The same event, as the library's versions and modes write it for Kafka."""
    attributes = {**ENVELOPE, "subject": "cart", "region": "eu", "datacontenttype": JSON}
    event = CloudEvent(attributes={**attributes, "time": AT}, data=dict(METRIC))
    older = OlderEvent(attributes, dict(METRIC))
    return {
        "binary": lambda: kafka.to_binary(event, JSONFormat()),
        "structured": lambda: kafka.to_structured(event, JSONFormat()),
        "older binary": lambda: older_binary(older),
        "older structured": lambda: older_structured(older),
        "older structured, data as bytes": lambda: older_structured(older, data_marshaller=orjson.dumps),
    }[library]()


@pytest.mark.parametrize(
    "library", ["binary", "structured", "older binary", "older structured", "older structured, data as bytes"]
)
def test_what_the_library_writes_is_read_rightly(library):
    message = written_by(library)
    event = one(message.value, list(message.headers.items()), message.key)
    assert (event.kind, event.at, event.id) == (Kind.METRIC, AT.timestamp(), "/checkout#A-1")
    labels = {"id": "A-1", "source": "/checkout", "subject": "cart", "region": "eu", "type": "com.example.metric.v1"}
    assert event.fields == {**METRIC, **labels}


@pytest.mark.parametrize("mode", [kafka.to_binary, kafka.to_structured])
def test_an_event_without_data_or_time_zone_of_its_own(mode):
    event = CloudEvent(attributes={**ENVELOPE, "type": "com.example.heartbeat", "time": AT})
    message = mode(event, JSONFormat())
    found = one(message.value, list(message.headers.items()))
    assert (found.kind, found.at) == (Kind.HEARTBEAT, AT.timestamp())


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("metric", Kind.METRIC),
        ("com.example.metric", Kind.METRIC),
        ("com.example.Metric.v2", Kind.METRIC),
        ("com.github.deployment.created", Kind.DEPLOYMENT),
        ("deployment.metric", Kind.METRIC),
        ("metric.heartbeat.v1", Kind.HEARTBEAT),
    ],
)
def test_the_last_word_of_the_type_that_is_ours_says_what_it_is(said, kind):
    assert one(structured(type=said)).kind is kind


def test_the_data_wins_over_the_envelope():
    data = {**METRIC, "type": "prediction", "ts": 5, "labels": {"id": "mine", "type": "gpu"}, "source": "s"}
    event = one(structured(data))
    assert (event.kind, event.at, event.id) == (Kind.PREDICTION, 5.0, "/checkout#A-1")
    assert (event.fields["id"], event.fields["type"], event.fields["source"]) == ("mine", "gpu", "s")


def test_a_type_in_the_data_that_is_not_ours_is_a_label():
    event = one(structured({**METRIC, "type": "gauge"}))
    assert (event.kind, event.fields["type"]) == (Kind.METRIC, "gauge")


@pytest.mark.parametrize(
    "value",
    [
        structured(orjson.dumps(METRIC).decode()),
        structured(..., data_base64=base64.b64encode(orjson.dumps(METRIC)).decode()),
    ],
)
def test_data_may_be_json_in_a_text_or_in_base64(value):
    assert one(value).fields["value"] == 812.5


def test_headers_in_any_case_and_with_parameters_say_the_mode():
    assert one(structured(), [("Content-Type", b"application/CloudEvents+JSON; charset=UTF-8")]).at == AT.timestamp()
    headers = [(f"CE_{name.title()}", value.encode()) for name, value in ENVELOPE.items()]
    assert one(orjson.dumps(METRIC), [("trace", b"\xff"), *headers]).fields["value"] == 812.5


def test_attributes_that_a_library_escapes_are_read_as_they_were_meant():
    said = {**ENVELOPE, "subject": "50 % & more"}
    escaped = [(f"ce_{name}", quote(value, safe="").encode()) for name, value in said.items()]
    event = one(orjson.dumps(METRIC), escaped)
    assert (event.at, event.id, event.fields["subject"]) == (AT.timestamp(), "/checkout#A-1", "50 % & more")
    plain = [(f"ce_{name}", value.encode()) for name, value in {**ENVELOPE, "subject": "a%20b"}.items()]
    assert one(orjson.dumps(METRIC), plain).fields["subject"] == "a%20b", "Kafka needs no escapes"


def test_what_is_null_is_not_there():
    event = one(structured(data_base64=None, subject=None))
    assert event.fields["value"] == 812.5
    assert "subject" not in event.fields


def test_the_content_type_decides_the_mode_not_headers_of_attributes():
    headers = [("content-type", b"application/cloudevents+json"), ("ce_id", b"another")]
    assert one(structured(), headers).id == "/checkout#A-1"


def test_of_a_batch_the_sound_events_count_and_the_others_say_which_they_are():
    ok, bad = orjson.loads(structured()), orjson.loads(structured(id=...))
    for headers in ([], [("content-type", b"application/cloudevents-batch+json")]):
        first, wrong, last = SOURCE.decode(orjson.dumps([ok, bad, {**ok, "id": "A-2"}]), headers)
        assert (first.id, last.id) == ("/checkout#A-1", "/checkout#A-2")
        assert wrong == Malformed(
            "attribute-missing", "event 2 of 3: found a CloudEvent without `id`; expected a non-empty string"
        )
    assert SOURCE.decode(b"[]", []) == []


@pytest.mark.parametrize(
    ("value", "headers", "reason", "says"),
    [
        (None, [], "empty", "without a value"),
        (b"{", [], "not-json", "no JSON"),
        (b"{", [("content-type", b"application/cloudevents+json")], "not-json", "no JSON"),
        (b"<event/>", [("content-type", b"application/cloudevents+xml")], "encoding-unknown", "+xml"),
        (orjson.dumps(METRIC), [], "not-cloudevents", "specversion"),
        (b"12", [], "not-cloudevents", "12"),
        (b"{}", [("content-type", b"application/cloudevents-batch+json")], "not-cloudevents", "a list"),
        (b"\xff", [("ce_id", b"1")], "not-json", "no JSON"),
        (orjson.dumps(METRIC), [("ce_id", b"1")], "attribute-missing", "`specversion`"),
        (orjson.dumps(METRIC), [("ce_id", b"\xff")], "attribute-wrong", "UTF-8"),
        (orjson.dumps(METRIC), [("ce_id", None), ("ce_specversion", b"1.0")], "attribute-missing", "`id`"),
        (structured(specversion="0.3"), [], "specversion-wrong", "'0.3'"),
        (structured(source=...), [], "attribute-missing", "`source`"),
        (structured(type=""), [], "attribute-missing", "`type`"),
        (structured(id=7), [], "attribute-wrong", "`id` 7"),
        (structured([1]), [], "data-wrong", "[1]"),
        (structured(3), [], "data-wrong", "3"),
        (structured("no json", datacontenttype="text/plain"), [], "data-wrong", "'no json' of 'text/plain'"),
        (structured(data_base64="e30="), [], "data-wrong", "both"),
        (structured(..., data_base64="%%"), [], "data-wrong", "Base64"),
        (structured(..., data_base64=3), [], "data-wrong", "Base64"),
        (structured(..., data_base64="/w=="), [], "not-json", "no JSON"),
        (structured(type="com.example.order"), [], "type-unknown", "com.example.order"),
        (structured({**METRIC, "type": "gauge"}, type="x"), [], "type-unknown", "word of the CloudEvent's type"),
        (structured(time=...), [], "time-missing", "attribute `time`"),
        (structured(time="soon"), [], "time-wrong", "`ts` or `time` 'soon'"),
        (structured({"name": "a"}), [], "field-missing", "`value`"),
        (structured({**METRIC, "labels": []}), [], "labels-wrong", "labels"),
        (b" " * 300_000, [], "too-large", "300000 bytes"),
    ],
)
def test_faults_say_what_was_found_and_what_was_expected(value, headers, reason, says):
    found = fault(value, headers)
    assert found.reason == reason
    assert says in found.detail
    assert "expected" in found.detail or "no JSON" in found.detail
