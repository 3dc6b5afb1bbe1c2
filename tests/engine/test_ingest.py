"""Records in, cumulative partials out."""

import orjson
import pytest

from fireline.domain.events import Event, Kind, Malformed
from fireline.domain.rules import Measure
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.engine.ingest_plans import partition_of
from fireline.engine.ingest_records import TIMELINE_HEADER
from fireline.engine.partials import MAX_BYTES, decode
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, above, metric, record, rule

T = 1_763_683_200.0
REPLAY = SourceRef("fireline.replay", 0, "replay")


def ingest(*rules, partitions=1, **options):
    return Ingest(rules or [rule()], FAMILIES, Native(), partitions, **options)


def entries(ingested):
    """(rule, entity, pane) -> (samples, late, states) of all payloads in order, the later winning."""
    found = {}
    for payloads in ingested.partials.values():
        for payload in payloads:
            for entry in decode(payload).entries:
                cell = entry.cell
                found[entry.rule, entry.entity, entry.pane] = (cell.samples, cell.late, list(cell.states))
    return found


def chunks(ingested):
    return [(p.start, p.end) for payloads in ingested.partials.values() for p in map(decode, payloads)]


def test_a_batch_becomes_one_aggregate_per_rule_entity_and_pane():
    got = ingest().batch(SOURCE, [metric(0, T, 5), metric(1, T + 1, 7), metric(2, T + 11, 9), metric(3, T, 1, "b")])
    pane = int(T // 10)
    assert entries(got) == {
        ("latency", ("a",), pane): (2, 0, [2, 7.0]),
        ("latency", ("a",), pane + 1): (1, 0, [1, 9.0]),
        ("latency", ("b",), pane): (1, 0, [1, 1.0]),
    }
    assert (got.events, got.newest, got.commit, got.dead) == (4, T + 11, 0, [])


def test_partials_are_cumulative_over_a_chunk_and_only_of_what_was_touched():
    core = ingest(chunk=4)
    core.batch(SOURCE, [metric(0, T, 5), metric(1, T, 1, "b")])
    got = core.batch(SOURCE, [metric(2, T, 9)])
    assert entries(got) == {("latency", ("a",), int(T // 10)): (2, 0, [2, 9.0])}
    assert chunks(got) == [(0, 3)]
    assert got.commit == 0


def test_a_new_chunk_starts_over_and_moves_the_commit():
    core = ingest(chunk=4)
    got = core.batch(SOURCE, [metric(i, T, i) for i in range(6)])
    assert chunks(got) == [(0, 4), (4, 6)]
    assert entries(got) == {("latency", ("a",), int(T // 10)): (2, 0, [2, 5.0])}
    assert got.commit == 4
    assert core.batch(SOURCE, [metric(6, T), metric(7, T)]).commit == 8


def test_resuming_at_the_chunk_start_gives_the_same_aggregates():
    records = [metric(i, T + i, i) for i in range(7)]
    whole = ingest(chunk=8).batch(SOURCE, records)
    resumed = ingest(chunk=8)
    resumed.batch(SOURCE, records[:3])
    assert entries(resumed.batch(SOURCE, records)) == entries(whole)


def test_an_undelivered_batch_given_again_is_not_counted_twice_and_sent_in_full():
    core = ingest(chunk=8)
    core.batch(SOURCE, [metric(0, T, 5)])
    core.batch(SOURCE, [metric(1, T, 1, "b")])
    got = core.batch(SOURCE, [metric(1, T, 1, "b"), metric(2, T, 6)])
    pane = int(T // 10)
    assert entries(got) == {("latency", ("a",), pane): (2, 0, [2, 6.0]), ("latency", ("b",), pane): (1, 0, [1, 1.0])}


def test_malformed_records_are_dead_letters_and_stop_nothing():
    bad = Record(1, T, b"k", b"{", (("h", b"v"),))
    got = ingest().batch(SOURCE, [metric(0, T), bad, Record(2, T, None, None), metric(3, T)])
    assert [(d.record.offset, d.reason) for d in got.dead] == [(1, "not-json"), (2, "empty")]
    assert got.dead[0].record is bad
    assert entries(got)["latency", ("a",), int(T // 10)][0] == 2


class Several:
    """A format of many events a record: numbers are events' times, texts are faults."""

    def decode(self, value, headers, key=None):
        items = orjson.loads(value)
        fields = {"service": "a", "name": "lat", "value": 1.0}
        return [Malformed(i, f"point {i}") if isinstance(i, str) else Event(Kind.METRIC, i, fields) for i in items]

    def rows(self, values):
        return [None] * len(values)


def test_the_good_events_of_a_record_count_and_its_faults_are_one_dead_letter_a_reason():
    late, early = T - 31, T + 301
    core = Ingest([rule()], FAMILIES, Several(), 1)
    got = core.batch(SOURCE, [Record(0, T, None, orjson.dumps([T, "nan", T, "gap", "nan", late, early, late, "nan"]))])
    assert [(d.record.offset, d.reason) for d in got.dead] == [(0, "nan"), (0, "gap"), (0, "late"), (0, "future")]
    assert got.dead[0].detail == "point nan"
    assert entries(got)["latency", ("a",), int(T // 10)] == (2, 2, [2, 1.0])
    again = core.batch(SOURCE, [Record(1, T, None, b'["nan"]')])
    assert [(d.record.offset, d.reason) for d in again.dead] == [(1, "nan")]


def test_late_and_early_events_are_dead_letters_that_say_by_how_much():
    records = [metric(0, T - 31, timestamp=T), metric(1, T + 301, timestamp=T), metric(2, T - 30, timestamp=T)]
    got = ingest().batch(SOURCE, [*records, metric(3, T + 300, timestamp=T)])
    assert [(d.record.offset, d.reason) for d in got.dead] == [(0, "late"), (1, "future")]
    assert "31.000 s before its record's; at most 30 s" in got.dead[0].detail
    assert "301.000 s after" in got.dead[1].detail
    assert entries(got)["latency", ("a",), int(T // 10)] == (0, 1, [None, None]), "the rule hears of the late one"


def test_a_replay_has_its_own_lateness_and_time_passes_in_every_partition():
    core = ingest(partitions=4)
    got = core.batch(REPLAY, [metric(0, 9000, timestamp=T), metric(1, 5400, timestamp=T), metric(2, 5399, timestamp=T)])
    assert [(d.record.offset, d.reason) for d in got.dead] == [(2, "late")]
    assert sorted(got.partials) == [0, 1, 2, 3]
    assert {decode(payload).newest for payloads in got.partials.values() for payload in payloads} == {9000.0}
    assert sorted(core.batch(SOURCE, [metric(0, T)]).partials) == [partition_of("latency", ("a",), 4)]


def recorded(offset: int, at: float, name: str) -> Record:
    return metric(offset, at)._replace(headers=((TIMELINE_HEADER, name.encode()),))


def test_recordings_on_one_topic_keep_their_own_time():
    core = ingest(chunk=4)
    first = core.batch(REPLAY, [recorded(0, 90_000.0, "new"), recorded(1, 90_001.0, "new"), recorded(2, 5.0, "old")])
    assert first.dead == []
    partials = [decode(payload) for payloads in first.partials.values() for payload in payloads]
    assert [(p.source.timeline, p.newest) for p in partials] == [("new", 90_001.0), ("old", 5.0)]
    second = core.batch(REPLAY, [recorded(3, 6.0, "old"), recorded(4, 7.0, "old")])
    again = ingest(chunk=4).batch(REPLAY, [recorded(4, 7.0, "old")])
    assert entries(again).keys() <= entries(second).keys()


def test_a_recording_is_resumed_where_its_newest_event_is_known_from():
    core = ingest(chunk=4)
    commits = [
        core.batch(REPLAY, [metric(n, at)]).commit for n, at in enumerate([1, 2, 90, 3, 4, 5, 6, 7, 8, 91, 9, 9])
    ]
    assert commits == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8]


def test_a_header_cannot_make_a_recording_live():
    got = ingest().batch(REPLAY, [recorded(0, T, "live"), recorded(1, T, "")])
    assert {decode(p).source.timeline for ps in got.partials.values() for p in ps} == {"replay"}


def test_the_target_partition_is_the_same_in_every_process():
    assert [partition_of("latency", (f"s{i}",), 8) for i in range(6)] == [2, 4, 6, 0, 3, 5]


def test_entities_beyond_the_limit_are_refused_and_reported_once_a_minute():
    core = ingest(rule(max_entities=2), rule(name="other"))
    got = core.batch(SOURCE, [metric(i, T, service=f"s{i}") for i in range(5)])
    kept = {(name, entity) for name, entity, _ in entries(got)}
    assert {e for n, e in kept if n == "latency"} == {("s0",), ("s1",)}
    assert len({e for n, e in kept if n == "other"}) == 5
    assert got.refused == {"latency": 3}
    assert core.batch(SOURCE, [metric(5, T + 1, service="s9")]).refused == {}
    assert core.batch(SOURCE, [metric(6, T + 61, service="s9")]).refused == {"latency": 2}
    assert entries(core.batch(SOURCE, [metric(7, T + 3700), metric(8, T + 3700, service="s8")]))


def test_equal_numbers_of_other_types_are_other_labels():
    core = ingest(rule(by=("v",)))
    got = core.batch(SOURCE, [metric(i, T, v=v) for i, v in enumerate(["1", 1, 1.0, True, None, [1], {"a": 1}, ""])])
    assert {entity[0]: cell[0] for (_, entity, _), cell in entries(got).items()} == {"1": 3, "true": 1, "": 4}


def test_feedback_without_labels_goes_to_every_partition():
    paired = rule(on=Kind.PREDICTION, where=(), measures=(Measure("right", "agreement"),), levels=())
    core = ingest(paired, partitions=3)
    predicted = record(0, T, type="prediction", service="a", request_id="r1", prediction="up")
    got = core.batch(SOURCE, [predicted, record(1, T, type="feedback", request_id="r1", label="up")])
    found = {
        p: [e.entity for payload in payloads for e in decode(payload).entries] for p, payloads in got.partials.items()
    }
    home = partition_of("latency", ("a",), 3)
    assert found == {p: [("a",), None] if p == home else [None] for p in range(3)}


def test_large_payloads_are_cut_and_lose_nothing():
    core = ingest(rule(by=("service", "pod")))
    records = [metric(i, T, service="s" * 150, pod=f"{'p' * 100}{i}") for i in range(4000)]
    got = core.batch(SOURCE, records)
    (payloads,) = got.partials.values()
    assert len(payloads) > 1
    assert max(map(len, payloads)) <= MAX_BYTES
    assert len(entries(got)) == 4000


def test_a_family_that_raises_costs_its_own_value_only():
    class Broken:
        name, streams, needs, settings = "broken", (), "", dict

        def column(self, kind, rows, measure):
            raise ZeroDivisionError

    core = Ingest(
        [rule(measures=(Measure("n", "count"), Measure("b", "broken")))], {**FAMILIES, "broken": Broken()}, Native(), 1
    )
    got = core.batch(SOURCE, [metric(0, T)])
    assert entries(got)["latency", ("a",), int(T // 10)] == (1, 0, [1, None])
    assert core.faults == {"broken": 1}


def test_reload_keeps_aggregates_of_rules_that_stay():
    core = ingest(rule(), rule(name="old"))
    core.batch(SOURCE, [metric(0, T)])
    core.reload([rule(levels=()), rule(name="old", hash="h2", pane=5.0), rule(name="new")])
    got = core.batch(SOURCE, [metric(1, T)])
    assert {name: cell[0] for (name, _, _), cell in entries(got).items()} == {"latency": 2, "old": 1, "new": 1}


@pytest.mark.parametrize("kind", ["heartbeat", "deployment"])
def test_kinds_that_no_rule_reads_are_counted_and_otherwise_ignored(kind):
    got = ingest().batch(SOURCE, [Record(0, T, None, orjson.dumps({"type": kind, "service": "a", "ts": T}))])
    assert (got.events, got.partials, got.dead) == (1, {}, [])


def test_a_ratio_counts_events_for_which_its_condition_holds():
    shares = rule(measures=(Measure("slow", "ratio", condition=above("value", 10)),))
    got = ingest(shares).batch(SOURCE, [metric(i, T, value) for i, value in enumerate([1, 50, 2, 3])])
    assert entries(got)["latency", ("a",), int(T // 10)][2] == [[1, 4]]
