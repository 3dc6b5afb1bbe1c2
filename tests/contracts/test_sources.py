"""What every wire format must do, whoever wrote it: add a format to FORMATS and EXAMPLES and it is held to this."""

import math
import re

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fireline.domain.events import Event, Kind, Malformed
from fireline.domain.rules import Measure, Rule
from fireline.domain.topics import FieldMap
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.engine.partials import decode as decode_partial
from fireline.measures import FAMILIES
from fireline.sources import BODIES, EXAMPLES, FORMATS, source_of
from fireline.sources.otlp_json import fill
from tests.engine.streams import rule
from tests.examples import examples

NAMES = sorted(FORMATS)
MAPPED = FieldMap(
    labels={"service": ("service.name", "source", "app.name"), "model": ("gen_ai.request.model", "labels.model")},
    drop=frozenset({"host.id", "region"}),
    key="team",
    add={"platform": "shared"},
    services={"checkout": "shop"},
)
MAPPED_BODY = FieldMap(labels=MAPPED.labels, kind=Kind.HEARTBEAT, time=("time", "labels.ts"))
FILLERS = {
    "otlp": ExportMetricsServiceRequest,
    "otlp-traces": ExportTraceServiceRequest,
    "otlp-logs": ExportLogsServiceRequest,
}


def protobuf(name: str) -> list[tuple[bytes, tuple[()]]]:
    """The examples of OTLP, as the other half of its producers writes them."""
    if name not in FILLERS:
        return []
    message: Message = FILLERS[name]()
    assert fill(message, orjson.loads(EXAMPLES[name][0][0])) == []
    return [(message.SerializeToString(), ())]


SOUND = {name: [*EXAMPLES[name], *protobuf(name)] for name in NAMES}


def variants(name: str):
    """The format as it is, and with mappings."""
    with_bodies = [source_of(name, MAPPED_BODY)] if name in BODIES else []
    return [FORMATS[name], source_of(name, MAPPED), *with_bodies]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["1763683200250000000", "metric", "1.0", "NaN", "e30=", "", "2025-11-21T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
HEADERS = st.lists(
    st.tuples(
        st.text(max_size=6)
        | st.sampled_from(
            ["content-type", "Content-Type", "ce_specversion", "ce_id", "ce_source", "ce_type", "CE_time"]
        ),
        st.none()
        | st.binary(max_size=6)
        | st.sampled_from(
            [b"1.0", b"application/cloudevents+json", b"application/cloudevents-batch+json", b"a.metric"]
        ),
    ),
    max_size=6,
)
KEYS = st.none() | st.binary(max_size=8)


def paths(value: object, path: tuple = ()) -> list[tuple]:
    """The way to every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(way for key, part in inner for way in paths(part, (*path, key)))]


def changed(value: object, path: tuple, new: object) -> object:
    """A JSON value with another part; `...` leaves the part out."""
    if not path:
        return None if new is ... else new
    head, *rest = path
    if isinstance(value, list):
        parts = [changed(part, tuple(rest), new) if i == head else part for i, part in enumerate(value)]
        return [p for i, p in enumerate(parts) if not (new is ... and not rest and i == head)]
    made = {key: changed(part, tuple(rest), new) if key == head else part for key, part in value.items()}
    if new is ... and not rest:
        del made[head]
    return made


@st.composite
def mutated(draw, name: str) -> tuple[bytes, tuple]:
    """A sound record with some of it changed: bytes anywhere, or a part of its JSON."""
    value, headers = draw(st.sampled_from(SOUND[name]))
    if value.lstrip()[:1] in (b"{", b"[") and draw(st.booleans()):
        body = orjson.loads(value)
        for _ in range(draw(st.integers(1, 3))):
            body = changed(body, draw(st.sampled_from(paths(body))), draw(JSON | st.just(...)))
        return orjson.dumps(body), headers
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(st.binary(max_size=3)) + value[at + draw(st.integers(0, 4)) :]
    return value, headers


def anything(name: str):
    """Records: garbage of any kind, or nearly sound."""
    records = st.tuples(st.binary(max_size=60) | JSON.map(orjson.dumps), HEADERS)
    return records | mutated(name) | st.tuples(st.sampled_from([v for v, _ in SOUND[name]]), HEADERS)


def check(found: object) -> None:
    """What any answer of `decode` is like."""
    if isinstance(found, Malformed):
        assert re.fullmatch(r"[a-z][a-z0-9-]{2,40}", found.reason)
        assert found.detail
        assert len(found.detail) < 2_000
        return
    for item in found:
        if isinstance(item, Malformed):
            check(item)
            continue
        assert isinstance(item, Event)
        assert isinstance(item.kind, Kind)
        assert math.isfinite(item.at)
        assert item.at > 0
        assert isinstance(item.id, str)
        assert all(isinstance(name, str) for name in item.fields)


def test_every_format_has_examples():
    assert EXAMPLES.keys() == FORMATS.keys()
    assert all(EXAMPLES.values())
    assert FORMATS.keys() >= BODIES


@pytest.mark.parametrize("name", NAMES)
def test_its_examples_are_events_without_a_fault(name):
    for value, headers in SOUND[name]:
        for source in variants(name):
            found = source.decode(value, headers, b"payments")
            check(found)
            assert found
            assert all(isinstance(item, Event) for item in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_holds_for_every_event(name):
    for value, headers in SOUND[name]:
        for event in source_of(name, MAPPED).decode(value, headers, b"payments"):
            assert (event.fields["team"], event.fields["platform"]) == ("payments", "shared")
            assert event.fields["service"] != "checkout"
            assert "region" not in event.fields


@pytest.mark.parametrize("name", NAMES)
def test_both_ways_of_writing_say_the_same(name):
    found = [FORMATS[name].decode(value, headers) for value, headers in [*EXAMPLES[name], *protobuf(name)]]
    if name in FILLERS:
        assert found[0] == found[-1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_never_raises(name, value):
    for source in variants(name):
        check(source.decode(value, (), None))
        assert list(source.rows([value])) == [None]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_is_too_large_is_refused(name):
    found = FORMATS[name].decode(b" " * (9 * 1024 * 1024), ())
    assert isinstance(found, Malformed)
    assert found.reason == "too-large"


@pytest.mark.parametrize("name", NAMES)
def test_json_nested_deeply_never_raises(name):
    for value in (b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000):
        for source in variants(name):
            check(source.decode(value, ()))
            assert list(source.rows([value])) == [None]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(90), deadline=None)
@given(data=st.data())
def test_whatever_comes_it_never_raises_and_says_the_same_again(name, data):
    value, headers = data.draw(anything(name))
    key = data.draw(KEYS)
    for source in variants(name):
        found = source.decode(value, headers, key)
        check(found)
        assert repr(source.decode(value, headers, key)) == repr(found)
    check(FORMATS[name].decode(value, list(headers), key))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_the_fast_path_says_what_decode_says_or_leaves_it_to_it(name, data):
    values = data.draw(st.lists(anything(name).map(lambda record: record[0]), max_size=6))
    for source in variants(name):
        rows = list(source.rows([*values, None]))
        assert len(rows) == len(values) + 1
        for value, row in zip(values, rows, strict=False):
            if row is not None:
                (event,) = source.decode(value, ())
                assert repr(row) == repr((event.kind, event.at, dict(event.fields)))


def every_event(kind: Kind) -> Rule:
    """Counts all events of a kind."""
    measures = (Measure("n", "count"),)
    return rule(name=f"all-{kind.value}", on=kind, where=(), by=(), pane=60.0, measures=measures, hash=kind.value)


def counted(ingested) -> int:
    """The events in the partials, the last of each rule and pane winning."""
    cells = {}
    for payloads in ingested.partials.values():
        for payload in payloads:
            for entry in decode_partial(payload).entries:
                cells[entry.rule, entry.entity, entry.pane] = entry.cell.samples
    return sum(cells.values())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_garbage_never_stops_its_neighbours(name, data):
    value, headers = SOUND[name][0]
    good = FORMATS[name].decode(value, headers)
    at = good[0].at
    garbage = data.draw(st.lists(anything(name), max_size=5))
    mixed = [(value, headers), *[part for bad in garbage for part in (bad, (value, headers))]]
    records = [Record(offset, at, None, value, headers) for offset, (value, headers) in enumerate(mixed)]
    for source in (FORMATS[name], source_of(name, MAPPED)):
        core = Ingest([every_event(kind) for kind in Kind], FAMILIES, source, 1)
        ingested = core.batch(SourceRef("t", 0), records)
        sound = [core_events(source, bad, at) for bad in garbage]
        assert counted(ingested) == len(good) * (len(garbage) + 1) + sum(sound)
        assert {letter.record.offset % 2 for letter in ingested.dead} <= {1}
        assert ingested.commit == 0
        assert not core.faults


def core_events(source, record, at: float) -> int:
    """How many events of a record are in time."""
    found = source.decode(record[0], record[1], None)
    items = [] if isinstance(found, Malformed) else found
    return sum(1 for item in items if isinstance(item, Event) and -300.0 <= at - item.at <= 30.0)
