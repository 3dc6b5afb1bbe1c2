"""Foreign fields in our words: before a body is checked, and after other formats were decoded."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.events import Event, Kind, Malformed
from fireline.domain.topics import FieldMap
from fireline.sources import source_of
from fireline.sources.mapped import Mapped
from fireline.sources.mapping import LONGEST_KEY, Rewording

FOREIGN = {"metric": "lat", "v": 12.5, "when": 1763683200, "app": "shop", "host": {"id": "h1", "zone": "eu"}}
IN_OUR_WORDS = FieldMap(
    labels={"name": ("metric",), "value": ("value", "v"), "service": ("app",), "region": ("region", "host.zone")},
    drop=frozenset({"host.id", "v"}),
    add={"team": "payments"},
    kind=Kind.METRIC,
    time=("when",),
)


def native(body, by: FieldMap, key: bytes | None = None):
    """The event of a body; the fast path must say the same, or leave it to `decode`."""
    source, value = source_of("native", by), orjson.dumps(body)
    decoded = source.decode(value, (), key)
    found = decoded if isinstance(decoded, Malformed) else decoded[0]
    (row,) = source.rows([value])
    if row is not None and by.key is None:
        assert isinstance(found, Event)
        assert row == (found.kind, found.at, found.fields)
    return found


def fields(body, by: FieldMap, key: bytes | None = None):
    found = native(body, by, key)
    assert isinstance(found, Event), found
    return found.fields


def test_a_body_that_is_not_ours_at_all_becomes_an_event():
    event = native(FOREIGN, IN_OUR_WORDS)
    assert (event.kind, event.at) == (Kind.METRIC, 1763683200.0)
    assert event.fields == {
        "metric": "lat",
        "when": 1763683200,
        "app": "shop",
        "host": {"zone": "eu"},
        "name": "lat",
        "value": 12.5,
        "service": "shop",
        "region": "eu",
        "team": "payments",
    }
    assert source_of("native", IN_OUR_WORDS).rows([orjson.dumps(FOREIGN)])[0] is not None


def test_without_a_mapping_it_is_none_and_the_source_is_not_wrapped():
    assert native(FOREIGN, FieldMap()).reason == "type-unknown"
    assert source_of("native") is source_of("native")


METRIC = {"type": "metric", "name": "lat", "value": 1.0, "ts": 5.0}


def test_the_first_field_that_is_there_counts_and_own_ones_before_labels():
    by = FieldMap(labels={"service": ("a", "b")})
    assert fields({**METRIC, "labels": {"a": "", "b": "x"}}, by)["service"] == "x"
    assert fields({**METRIC, "a": "own", "labels": {"a": "label"}}, by)["service"] == "own"
    assert fields({**METRIC, "service": "ours", "labels": {"b": "theirs"}}, by)["service"] == "theirs"
    assert fields({**METRIC, "labels": {"service": "ours"}}, by)["service"] == "ours"
    assert "service" not in fields(METRIC, by)


def test_names_with_dots_are_fields_or_lead_into_objects():
    by = FieldMap(labels={"service": ("service.name",)})
    assert fields({**METRIC, "labels": {"service.name": "a"}}, by)["service"] == "a"
    assert fields({**METRIC, "labels": {"service": {"name": "b"}}}, by)["service"] == "b"
    assert fields({**METRIC, "service": {"name": "c"}}, by)["service"] == "c"


def test_labels_may_be_swapped():
    by = FieldMap(labels={"a": ("b",), "b": ("a",)})
    found = fields({**METRIC, "a": "1", "b": "2"}, by)
    assert (found["a"], found["b"]) == ("2", "1")


def test_the_key_of_the_record_is_for_events_that_lack_the_field():
    by = FieldMap(key="service", add={"service": "some"})
    assert fields(METRIC, by, b"shop")["service"] == "shop"
    assert fields({**METRIC, "labels": {"service": "own"}}, by, b"shop")["service"] == "own"
    assert fields(METRIC, by, None)["service"] == "some"
    assert fields(METRIC, by, b"\xff\x00")["service"] == "some"
    assert fields(METRIC, by, b"k" * (LONGEST_KEY + 1))["service"] == "some"


def test_with_a_key_the_fast_path_takes_the_events_that_do_not_need_it():
    source = source_of("native", FieldMap(key="service"))
    needs, has = orjson.dumps(METRIC), orjson.dumps({**METRIC, "service": "own"})
    found = source.rows([needs, has])
    assert found[0] is None
    assert found[1] == (Kind.METRIC, 5.0, {"name": "lat", "value": 1.0, "service": "own"})


def test_what_is_dropped_may_be_given_anew_by_key_or_constant():
    by = FieldMap(drop=frozenset({"service", "team"}), key="service", add={"team": "payments"})
    found = fields({**METRIC, "team": "theirs", "labels": {"service": "theirs"}}, by, b"shop")
    assert (found["service"], found["team"]) == ("shop", "payments")


def test_services_are_called_as_the_catalog_calls_them():
    by = FieldMap(labels={"service": ("app",)}, services={"arn:shop": "checkout"})
    assert fields({**METRIC, "app": "arn:shop"}, by)["service"] == "checkout"
    assert fields({**METRIC, "labels": {"service": "arn:shop"}}, by)["service"] == "checkout"
    assert fields({**METRIC, "service": "other"}, by)["service"] == "other"
    assert fields({**METRIC, "service": ["arn:shop"]}, by)["service"] == ["arn:shop"]


def test_what_an_event_says_in_our_words_stays_so():
    by = FieldMap(kind=Kind.METRIC, time=("when",))
    assert native({"type": "heartbeat", "ts": 5, "when": 6}, by).kind is Kind.HEARTBEAT
    assert native({"type": "heartbeat", "ts": 5, "when": 6}, by).at == 5.0
    event = native({**METRIC, "type": "gauge"}, by)
    assert (event.kind, event.fields["type"]) == (Kind.METRIC, "gauge")


def test_an_event_that_is_none_in_our_words_either_is_a_fault():
    assert native({**METRIC, "v": "much"}, FieldMap(labels={"value": ("v",)})).reason == "field-wrong"
    assert native({**METRIC, "labels": [1]}, IN_OUR_WORDS).reason == "labels-wrong"
    assert native([METRIC], IN_OUR_WORDS).reason == "not-an-object"


def test_cloudevents_are_reworded_before_they_are_checked():
    by = FieldMap(labels={"service": ("source",), "value": ("v",)}, add={"name": "lat"}, kind=Kind.METRIC, time=("t",))
    body = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": {"v": 3, "t": 7}}
    (event,) = source_of("cloudevents", by).decode(orjson.dumps(body), ())
    assert (event.kind, event.at, event.id) == (Kind.METRIC, 7.0, "/shop#1")
    assert (event.fields["service"], event.fields["value"], event.fields["type"]) == ("/shop", 3, "order")


class Made:
    """A format that makes events of something else."""

    def decode(self, value, headers, key=None):
        if not value:
            return Malformed("empty", "")
        return [Event(Kind.METRIC, 5.0, {"name": "a", "value": 1.0, "app": "shop"}, "e1"), Malformed("half", "")]

    def rows(self, values):
        raise AssertionError("rows have no keys")


def test_events_of_other_formats_are_reworded_afterwards():
    by = FieldMap(labels={"service": ("app",)}, drop=frozenset({"app"}), key="host", add={"team": "x"})
    source = Mapped(Made(), Rewording(by))
    assert source.rows([b"x", None]) == [None, None]
    assert source.decode(None, ()) == Malformed("empty", "")
    event, fault = source.decode(b"x", (), b"h1")
    assert event.fields == {"name": "a", "value": 1.0, "service": "shop", "host": "h1", "team": "x"}
    assert (event.at, event.id, fault) == (5.0, "e1", Malformed("half", ""))


def test_an_event_that_the_mapping_breaks_is_a_fault():
    source = Mapped(Made(), Rewording(FieldMap(labels={"value": ("app",)})))
    broken, _ = source.decode(b"x", ())
    assert broken.reason == "field-wrong"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["a", "b", "c", "a.b", "a.b.c", "labels", "service", "name", "value", "type", "ts", "."])
MAPS = st.builds(
    FieldMap,
    labels=st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=2).map(tuple), max_size=3),
    drop=st.frozensets(NAMES, max_size=3),
    key=st.none() | NAMES,
    add=st.dictionaries(NAMES, st.text(max_size=2), max_size=2),
    services=st.dictionaries(st.text(max_size=1), st.text(max_size=1), max_size=1),
    kind=st.none() | st.sampled_from(list(Kind)),
    time=st.lists(NAMES, max_size=2).map(tuple),
)


@pytest.mark.parametrize("form", ["native", "cloudevents"])
@given(by=MAPS, body=st.dictionaries(NAMES, VALUES, max_size=6), key=st.none() | st.binary(max_size=3))
def test_no_mapping_of_anything_raises_and_both_ways_agree(form, by, body, key):
    if form == "cloudevents":
        body = {
            "specversion": "1.0",
            "id": "1",
            "source": "s",
            "type": "metric",
            "time": "2025-11-21T00:00:00Z",
            "data": body,
        }
        source_of(form, by).decode(orjson.dumps(body), (), key)
    else:
        native(body, by, key)
