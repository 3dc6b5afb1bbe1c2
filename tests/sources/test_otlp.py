"""OpenTelemetry metrics in, events out: every kind of point, both encodings, and what is wrong with some of it."""

import math

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from fireline.domain.events import Event, Kind, Malformed, field_of
from fireline.sources.otlp import MAX_BYTES, METRICS
from fireline.sources.otlp_buckets import MAX_BUCKETS, exponential_bound

NANO = 1_763_683_200_250_000_000
AT = 1_763_683_200.25
DELTA, CUMULATIVE = 1, 2


def attribute(place, name, value):
    item = place.attributes.add(key=name)
    if isinstance(value, bool):
        item.value.bool_value = value
    elif isinstance(value, int):
        item.value.int_value = value
    elif isinstance(value, float):
        item.value.double_value = value
    else:
        item.value.string_value = value


def request(*metrics, resource=None, scope=None, **attributes):
    made = ExportMetricsServiceRequest()
    resource_metrics = made.resource_metrics.add()
    for name, value in (resource or {}).items():
        attribute(resource_metrics.resource, name, value)
    scope_metrics = resource_metrics.scope_metrics.add()
    for name, value in (scope or {}).items():
        attribute(scope_metrics.scope, name, value)
    scope_metrics.metrics.extend(metrics)
    return made


def points(kind, *changes, name="m", attributes=None, temporality=DELTA):
    """A metric with one point for each of the `changes`."""
    metric = Metric(name=name)
    data = getattr(metric, kind)
    if kind in ("sum", "histogram", "exponential_histogram"):
        data.aggregation_temporality = temporality
    for change in changes:
        point = data.data_points.add(time_unix_nano=NANO)
        for each, value in (attributes or {}).items():
            attribute(point, each, value)
        for field, value in change.items():
            if isinstance(value, list):
                getattr(point, field).extend(value)
            elif isinstance(value, dict):
                side = getattr(point, field)
                side.offset = value["offset"]
                side.bucket_counts.extend(value["counts"])
            else:
                setattr(point, field, value)
    return metric


def decoded(made):
    found = METRICS.decode(made.SerializeToString(), ())
    assert not isinstance(found, Malformed), found
    return found


def one(*metrics, **more) -> Event:
    (event,) = decoded(request(*metrics, **more))
    assert isinstance(event, Event), event
    return event


def fault(*metrics) -> Malformed:
    (found,) = decoded(request(*metrics))
    assert isinstance(found, Malformed), found
    return found


def test_a_gauge_is_a_metric_event_with_the_time_of_its_point():
    event = one(points("gauge", {"as_double": 0.75}, name="gpu.utilization"))
    assert (event.kind, event.at) == (Kind.METRIC, AT)
    assert event.fields == {"name": "gpu.utilization", "value": 0.75}
    assert one(points("gauge", {"as_int": 2**62})).fields["value"] == 2**62


def test_the_nearer_place_wins_and_well_known_names_are_ours_as_well():
    event = one(
        points("gauge", {"as_int": 1}, attributes={"cloud.region": "eu", "team": "point", "value": 9, "slow": True}),
        resource={"service.name": "shop", "service.version": "7", "deployment.environment.name": "prod", "team": "a",
                  "cloud.region": "us", "k8s.pod.name": "shop-1"},
        scope={"team": "scope", "library": "x"},
    )  # fmt: skip
    fields = event.fields
    assert {name: fields[name] for name in ("service", "version", "environment", "region")} == {
        "service": "shop", "version": "7", "environment": "prod", "region": "eu",
    }  # fmt: skip
    assert (fields["service.name"], fields["team"], fields["library"], fields["slow"]) == ("shop", "point", "x", True)
    assert field_of(fields, "k8s.pod.name") == "shop-1"
    assert fields["value"] == 1, "an attribute is never taken for the value"


def test_a_label_under_our_own_name_wins_over_one_that_means_it_and_new_names_over_old_ones():
    event = one(
        points("gauge", {"as_int": 1}),
        resource={"service": "ours", "service.name": "theirs", "deployment.environment.name": "new",
                  "deployment.environment": "old"},
    )  # fmt: skip
    assert (event.fields["service"], event.fields["environment"]) == ("ours", "new")


def test_a_sum_says_whether_it_is_cumulative_and_which_series_it_belongs_to():
    delta = one(points("sum", {"as_int": 3}))
    assert (delta.fields["temporality"], delta.fields["monotonic"], "series" in delta.fields) == ("delta", False, False)
    total = {"as_int": 3, "start_time_unix_nano": NANO - 10**9}
    first, again, other = (
        one(points("sum", total, temporality=CUMULATIVE, attributes=attributes)).fields
        for attributes in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"})
    )
    assert (first["temporality"], first["start"]) == ("cumulative", AT - 1)
    assert first["series"] == again["series"] != other["series"]


def test_a_histogram_is_its_mean_beside_its_buckets():
    point = {"count": 4, "sum": 50.0, "min": 1.0, "max": 30.0, "explicit_bounds": [10.0, 20.0],
             "bucket_counts": [2, 1, 1]}  # fmt: skip
    fields = one(points("histogram", point)).fields
    assert {name: fields[name] for name in ("value", "count", "sum", "min", "max", "buckets")} == {
        "value": 12.5, "count": 4, "sum": 50.0, "min": 1.0, "max": 30.0,
        "buckets": {"bounds": [10.0, 20.0], "counts": [2, 1, 1]},
    }  # fmt: skip
    empty = one(points("histogram", {"count": 0, "sum": 0.0}, attributes={"value": 7})).fields
    assert (empty["value"], empty["count"], "buckets" in empty) == (None, 0, False)


def test_an_exponential_histogram_has_bounds_and_keeps_its_zeros_apart():
    point = {"count": 7, "sum": 1.0, "scale": 0, "zero_count": 1, "positive": {"offset": 1, "counts": [0, 2, 1, 0]},
             "negative": {"offset": 0, "counts": [3]}}  # fmt: skip
    fields = one(points("exponential_histogram", point)).fields
    assert fields["buckets"] == {
        "bounds": [-2.0, -1.0, 0.0, 0.0, 4.0, 8.0, 16.0],
        "counts": [0, 3, 0, 1, 0, 2, 1, 0],
    }
    wide = one(points("exponential_histogram", {**point, "zero_threshold": 0.5})).fields
    assert wide["buckets"]["bounds"][2:4] == [-0.5, 0.5]


@pytest.mark.parametrize(
    ("scale", "index", "bound"),
    [(0, 0, 1.0), (0, 3, 8.0), (0, -1, 0.5), (-1, 1, 4.0), (-2, -1, 1 / 16), (1, 1, math.sqrt(2)), (3, 8, 2.0),
     (3, -8, 0.5), (20, 2**20, 2.0), (2, 3, 1.681792830507429), (20, 1, 1.0000006610368821), (-10, 0, 1.0)],
)  # fmt: skip
def test_bounds_of_exponential_buckets_are_the_nearest_numbers(scale, index, bound):
    assert exponential_bound(scale, index) == bound


@given(st.integers(-6, 19), st.integers(-900, 900))
def test_a_bound_that_two_scales_share_is_the_same_number(scale, index):
    index = index if scale >= 0 else index >> -scale
    assert exponential_bound(scale, index) == exponential_bound(scale + 1, 2 * index)
    assert exponential_bound(scale, index) <= exponential_bound(scale, index + 1)


def test_a_summary_is_its_mean_and_its_quantiles_by_name():
    metric = Metric(name="m")
    point = metric.summary.data_points.add(time_unix_nano=NANO, count=4, sum=10.0)
    point.quantile_values.add(quantile=0.99, value=7.0)
    point.quantile_values.add(quantile=0.5, value=math.nan)
    fields = one(metric).fields
    assert (fields["value"], field_of(fields, "quantiles.0.99"), fields["quantiles"]) == (2.5, 7.0, {"0.99": 7.0})


@pytest.mark.parametrize(
    ("kind", "point", "reason", "says"),
    [
        ("gauge", {"as_double": math.nan}, "not-finite", "found nan"),
        ("sum", {"as_double": math.inf}, "not-finite", "found inf"),
        ("gauge", {}, "value-missing", "asDouble or asInt"),
        ("gauge", {"as_int": 1, "flags": 1}, "no-recorded-value", "no value now"),
        ("gauge", {"as_int": 1, "time_unix_nano": 0}, "time-missing", "no time"),
        ("histogram", {"count": 3, "explicit_bounds": [1.0], "bucket_counts": [3]}, "buckets-wrong", "1 counts for 1"),
        ("histogram", {"count": 3, "explicit_bounds": [1.0], "bucket_counts": [1, 1]}, "buckets-wrong", "of 2 values"),
        ("histogram", {"explicit_bounds": [2.0, 1.0], "bucket_counts": [0, 0, 0]}, "buckets-wrong", "do not rise"),
        ("histogram", {"explicit_bounds": [math.inf], "bucket_counts": [0, 0]}, "buckets-wrong", "not finite"),
        ("histogram", {"bucket_counts": [0] * (MAX_BUCKETS + 1)}, "buckets-wrong", "at most 1000"),
        ("histogram", {"count": 1, "sum": math.nan}, "not-finite", "found nan"),
        ("exponential_histogram", {"scale": 99}, "buckets-wrong", "scale 99"),
        ("exponential_histogram", {"count": 1, "scale": -10, "positive": {"offset": 9, "counts": [1]}},
         "buckets-wrong", "beyond the largest"),
        ("summary", {"count": 1, "sum": math.inf}, "not-finite", "found inf"),
    ],
)  # fmt: skip
def test_a_bad_point_says_which_and_why(kind, point, reason, says):
    found = fault(points(kind, point, name="lat"))
    assert found.reason == reason
    assert found.detail.startswith("point 0 of metric `lat`: ")
    assert says in found.detail


def test_good_points_count_beside_bad_ones():
    found = decoded(request(points("gauge", {"as_int": 1}, {}, {"as_int": 3}), Metric(name="odd"), Metric()))
    assert [item.fields["value"] if isinstance(item, Event) else item.reason for item in found] == [
        1, "value-missing", 3, "metric-wrong", "metric-wrong",
    ]  # fmt: skip
    assert "point 1" in found[1].detail
    assert "`odd`" in found[3].detail


SOME = st.lists(st.sampled_from(["service.name", "a", "value", "k8s.pod.name"]), unique=True, max_size=4)
COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=12)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False).map(lambda v: ("gauge", {"as_double": v})),
            st.integers(-(2**63), 2**63 - 1).map(lambda v: ("sum", {"as_int": v})),
            COUNTS.map(lambda c: ("histogram", {
                "count": sum(c), "sum": 7.5, "explicit_bounds": [float(i) for i in range(len(c) - 1)],
                "bucket_counts": c,
            })),
            st.tuples(COUNTS, st.integers(-3, 20), st.integers(-50, 50)).map(lambda c: ("exponential_histogram", {
                "count": sum(c[0]), "scale": c[1], "positive": {"offset": c[2], "counts": c[0]},
            })),
        ),
        max_size=8,
    ),
    SOME,
)  # fmt: skip
def test_every_point_is_one_event_with_what_it_counted_in_both_encodings(made, names):
    labels = {name: f"v-{name}" for name in names}
    sent = request(*[points(kind, point, attributes=labels) for kind, point in made], resource={"host": "h"})
    found = decoded(sent)
    assert len(found) == len(made)
    for event, (_, point) in zip(found, made, strict=True):
        assert isinstance(event, Event)
        assert event.fields["host"] == "h"
        assert all(event.fields[name] == label for name, label in labels.items() if name != "value")
        if "count" in point:
            assert event.fields["count"] == point["count"] == sum(event.fields["buckets"]["counts"])
        else:
            assert event.fields["value"] == next(iter(point.values()))
    assert METRICS.decode(orjson.dumps(MessageToDict(sent)), ()) == found
    assert METRICS.decode(b"\n " + orjson.dumps(MessageToDict(sent)), ()) == found


def test_protobuf_that_looks_like_json_is_protobuf():
    metric = points("gauge", {"as_int": 1}, name="n")
    for size in range(200):
        sent = request(metric, resource={"pad": "x" * size}).SerializeToString()
        assert isinstance(METRICS.decode(sent, ()), list)
        if sent[1:2] == b"{":
            break
    else:
        pytest.fail("no message of 123 bytes was made")


def body(**point):
    metric = {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": str(NANO), "asDouble": 1.0, **point}]}}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}


@pytest.mark.parametrize(
    ("change", "value"),
    [({"asDouble": "1.5"}, 1.5), ({"asDouble": 2}, 2.0), ({"timeUnixNano": NANO}, 1.0), ({"unknown": [1]}, 1.0),
     ({"flags": None}, 1.0), ({"timeUnixNano": float(NANO)}, 1.0)],
)  # fmt: skip
def test_json_is_read_as_other_writers_write_it(change, value):
    (event,) = METRICS.decode(orjson.dumps(body(**change)), ())
    assert event.fields["value"] == value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timeUnixNano": "soon"}, "dataPoints[0].timeUnixNano: found 'soon'; expected an integer"),
        ({"timeUnixNano": -1}, "expected a value that fits"),
        ({"timeUnixNano": True}, "expected an integer"),
        ({"asDouble": "much"}, "expected a number"),
        ({"attributes": {}}, "expected a list"),
        ({"attributes": [7]}, "attributes[0]: found 7; expected an object"),
        ({"attributes": [{"key": 7}]}, "attributes[0].key: found 7; expected a text"),
        ({"attributes": [{"key": "k", "value": {"bytesValue": "?"}}]}, "expected base64"),
        ({"attributes": [{"key": "k", "value": {"boolValue": 1}}]}, "expected true or false"),
        ({"exemplars": [{"traceId": "xyz"}]}, "expected hexadecimal"),
    ],
)
def test_a_point_that_is_wrong_in_json_says_where_and_others_count(change, says):
    wrong = body()
    good = body(**change)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0]
    wrong["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"].insert(0, good)
    event, found = METRICS.decode(orjson.dumps(wrong), ())
    assert isinstance(event, Event)
    assert isinstance(found, Malformed)
    assert found.reason == "field-wrong"
    assert found.detail.startswith("resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0]")
    assert says in found.detail


def nested(levels):
    value: dict[str, object] = {"stringValue": "deep"}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return body(attributes=[{"key": "k", "value": value}])


def test_deep_json_is_refused_and_not_followed():
    (event,) = METRICS.decode(orjson.dumps(nested(3)), ())
    assert event.fields["k"] == [[["deep"]]]
    (found,) = METRICS.decode(orjson.dumps(nested(60)), ())
    assert "at most 40 levels" in found.detail
    assert METRICS.decode(b'{"resourceMetrics":' + b"[" * 5000 + b"]" * 5000 + b"}", ()).reason == "not-json"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"), (b"", "empty"), (b"{", "not-json"), (b"{}", "not-otlp"), (b"[]", "not-protobuf"),
        (b'{"resourceSpans": []}', "not-otlp"), (b'{"resourceMetrics": 7}', None), (b"\xff" * 40, "not-protobuf"),
        (b"\n" * (MAX_BYTES + 1), "too-large"), (b"\x7a\x01a", "not-otlp"),
    ],
)  # fmt: skip
def test_what_is_no_otlp_says_so(value, reason):
    found = METRICS.decode(value, ())
    if reason is None:
        (found,) = found
    assert isinstance(found, Malformed)
    assert found.reason == (reason or "field-wrong")


def test_a_truncated_message_never_raises():
    whole = request(points("histogram", {"count": 1, "bucket_counts": [1], "sum": 2.0}), resource={"service.name": "s"})
    sent = whole.SerializeToString()
    assert all(isinstance(METRICS.decode(sent[:end], ()), list | Malformed) for end in range(len(sent)))
    assert METRICS.decode(sent[:-1], ()).reason == "not-protobuf"


def test_rows_leave_it_to_decode():
    assert list(METRICS.rows([b"{}", None])) == [None, None]
