"""Native JSON in, events or a reason out."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.events import Event, Kind, Malformed
from fireline.sources.native import MAX_BYTES, Native, decode
from tests.examples import examples

NATIVE = Native()
METRIC = {"type": "metric", "name": "lat", "value": 812.4, "ts": 1763683200.25, "labels": {"service": "fraud"}}


def one(body) -> Event:
    decoded = decode(orjson.dumps(body))
    assert isinstance(decoded, list), decoded
    return decoded[0]


def fault(body) -> Malformed:
    decoded = decode(body if isinstance(body, bytes | None) else orjson.dumps(body))
    assert isinstance(decoded, Malformed), decoded
    assert NATIVE.rows([body if isinstance(body, bytes | None) else orjson.dumps(body)]) == [None]
    return decoded


@pytest.mark.parametrize(
    "ts", [1763683200.25, 1763683200250, 1763683200250.0, "2025-11-21T00:00:00.25Z", "2025-11-21T01:00:00.250+01:00"]
)
def test_time_is_seconds_milliseconds_or_rfc3339(ts):
    assert one(METRIC | {"ts": ts}).at == 1763683200.25


def test_labels_are_flattened_and_the_own_fields_win():
    event = one(METRIC | {"labels": {"service": "a", "name": "other", "value": "x", "type": "gpu"}, "unit": "ms"})
    assert event.kind is Kind.METRIC
    assert event.fields == {"service": "a", "name": "lat", "value": 812.4, "type": "gpu", "unit": "ms"}


def test_a_prediction_keeps_its_features_and_its_request_as_id():
    body = {"type": "prediction", "model": "m", "request_id": "r1", "ts": 1.5, "features": {"price": 2}}
    event = one(body)
    assert event.id == "r1"
    assert event.fields == {"model": "m", "request_id": "r1", "features": {"price": 2}, "error": ""}


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"type": "metrics"}, "type-unknown", "'metrics'"),
        ({"type": None}, "type-unknown", "expected one of metric"),
        ({"type": ["metric"]}, "type-unknown", "metric"),
        ({"ts": None}, "time-missing", "`ts`"),
        ({"ts": True}, "time-wrong", "True"),
        ({"ts": -1}, "time-wrong", "-1"),
        ({"ts": 1763683200250000}, "time-wrong", "milliseconds"),
        ({"ts": "yesterday"}, "time-wrong", "yesterday"),
        ({"ts": "2025-11-21T00:00:00"}, "time-wrong", "offset"),
        ({"ts": "2025-13-21T00:00:00Z"}, "time-wrong", "no instant"),
        ({"name": None}, "field-missing", "`name`"),
        ({"name": ""}, "field-wrong", "''"),
        ({"name": 5}, "field-wrong", "5"),
        ({"value": None}, "field-missing", "`value`"),
        ({"value": "812"}, "field-wrong", "'812'"),
        ({"value": True}, "field-wrong", "True"),
        ({"latency_ms": "81"}, "field-wrong", "latency_ms"),
        ({"labels": [1]}, "labels-wrong", "[1]"),
        ({"labels": "x"}, "labels-wrong", "'x'"),
    ],
)
def test_a_fault_says_what_was_found(change, reason, says):
    found = fault(METRIC | change)
    assert found.reason == reason
    assert says in found.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{", "not-json"),
        (b'{"type":"metric","name":"a","value":NaN,"ts":1}', "not-json"),
        (b"[1]", "not-an-object"),
        (b"\xff\xfe", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b" " * (MAX_BYTES + 1), "too-large"),
    ],
)
def test_bytes_that_are_no_event(value, reason):
    assert fault(value).reason == reason


@pytest.mark.parametrize(
    "body",
    [
        {"type": "feedback", "ts": 1.0},
        {"type": "evaluation", "name": "f1", "ts": 1.0},
        {"type": "alert", "ts": 1.0},
        {"type": "prediction", "confidence": "high", "ts": 1.0},
    ],
)
def test_each_kind_has_what_it_must_have(body):
    assert fault(body).reason.startswith("field-")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.sampled_from([1.0, 5, 1763683200250, 1e14, 0, -1.0, "2025-11-21T00:00:00Z", "2025", None, True])
BODIES = st.fixed_dictionaries(
    {"type": st.sampled_from([*Kind, "x"])},
    optional={
        "ts": TIMES | JSON,
        "name": st.sampled_from(["a", ""]) | JSON,
        "value": st.floats(allow_nan=False) | JSON,
        "score": st.floats(0, 1) | JSON,
        "request_id": JSON,
        "confidence": st.floats(0, 1) | JSON,
        "labels": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON,
        "extra": JSON,
    },
)


@given(st.binary(max_size=200))
def test_no_bytes_raise(value):
    assert isinstance(decode(value), list | Malformed)
    NATIVE.rows([value])


@settings(max_examples=examples(400))
@given(BODIES | JSON)
def test_the_fast_path_says_what_decode_says(body):
    value = orjson.dumps(body)
    decoded = NATIVE.decode(value, ())
    (row,) = NATIVE.rows([value])
    if isinstance(decoded, Malformed):
        assert row is None
    elif row is not None:
        assert row == (decoded[0].kind, decoded[0].at, decoded[0].fields)
    else:
        assert isinstance(body["ts"], str), "only a time in words is left to decode"
