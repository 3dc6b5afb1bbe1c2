"""Dead letters as values: read from records, shown without harm, mended, planned, and each reason explained."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.adapters.kafka_reading import Stored
from fireline.apps.dead_letter_marks import Begun, Ended, Ledger, begun, ended, is_mark, mark_of
from fireline.apps.dead_letter_mending import CannotMend, Mended, edited, edits_of, from_line, mend
from fireline.apps.dead_letter_planning import Done, Planner, Refuse, Send, Wish
from fireline.apps.dead_letter_reasons import REASONS, explain
from fireline.apps.dead_letter_said import whole
from fireline.apps.dead_letter_shapes import as_json, fault_in, hexdump, line_of, pretty, shown_bytes
from fireline.apps.dead_letter_verdict import Judge
from fireline.apps.dead_letters import NOT_OURS, Chosen, Letter, Place, Repeats, letter_of, place_of, since_of
from fireline.apps.faults import Refused
from fireline.apps.stream_ingest import dead_letter
from fireline.domain.events import Event, Kind, Malformed
from fireline.engine.ingest import DeadLetter, Record, SourceRef
from fireline.sources import FORMATS

NOW = 1_763_683_200.0
GOOD = {"type": "metric", "name": "n", "value": 1, "ts": NOW}


def stored(record, offset=7, at=NOW + 1) -> Stored:
    return Stored("fireline.dead-letter", 0, offset, at, record.key, record.value, tuple(record.headers))


def put_aside(value, headers=(), reason="not-json", detail="found no JSON", offset=5) -> Stored:
    record = Record(offset, NOW, b"k", value, headers)
    return stored(dead_letter(SourceRef("fireline.metrics", 2, "live"), DeadLetter(record, reason, detail)))


def letter(value=b"{", **fields) -> Letter:
    known = {"where": Place("fireline.dead-letter", 0, 7), "at": NOW + 1, "timestamp": NOW, "reason": "not-json"}
    known |= {"origin": Place("fireline.metrics", 2, 5), "detail": "", "key": b"k"}
    return Letter(**{**known, "value": value, **fields})


# reading
def test_a_dead_letter_is_read_back_as_it_was_put_aside():
    found = letter_of(put_aside(b"{", headers=[("trace", b"\x01"), ("fireline-reason", b"forged"), ("x", b"")]))
    assert found.origin == Place("fireline.metrics", 2, 5)
    assert (found.reason, found.detail, found.key, found.value) == ("not-json", "found no JSON", b"k", b"{")
    assert found.headers == (("trace", b"\x01"), ("fireline-reason", b"forged"), ("x", b"")), "as they came"
    assert (found.timestamp, found.at, found.truncated) == (NOW, NOW + 1, None)
    assert str(found.place) == "fireline.metrics/2@5"


def test_a_value_that_was_cut_says_so():
    found = letter_of(put_aside(b"x" * 1_200_000))
    assert found.truncated == 1_200_000
    assert len(found.value) < 1_000_000


def test_a_record_of_somebody_else_is_a_letter_without_an_origin():
    found = letter_of(Stored("fireline.dead-letter", 1, 3, NOW, None, b"?", (("a", b"b"),)))
    assert (found.reason, found.origin, found.place) == (NOT_OURS, None, Place("fireline.dead-letter", 1, 3))
    broken = (("fireline-reason", b"late"), ("fireline-topic", b"t"), ("fireline-partition", b"one"))
    assert letter_of(Stored("fireline.dead-letter", 1, 3, NOW, None, b"?", broken)).origin is None


def test_places_and_times_of_a_command_line():
    assert place_of("fireline.metrics/2@1234") == Place("fireline.metrics", 2, 1234)
    assert place_of("0@17") == Place("fireline.dead-letter", 0, 17)
    for wrong in ("fireline.metrics", "a/b@c", "1@", ""):
        with pytest.raises(Refused, match="expected a place"):
            place_of(wrong)
    assert since_of("2h", NOW) == NOW - 7200
    assert since_of("2025-11-21T00:00:00Z", NOW) == NOW
    assert since_of(None, NOW) is None
    for wrong in ("2025-11-21T00:00:00", "yesterday", "5"):
        with pytest.raises(Refused, match="--since"):
            since_of(wrong, NOW)


def test_choosing_and_repeats():
    one = letter()
    assert Chosen().takes(one)
    assert not Chosen()
    assert Chosen(places=frozenset({one.where})).takes(one)
    assert Chosen(places=frozenset({Place("fireline.metrics", 2, 5)})).takes(one)
    assert not Chosen(reasons=frozenset({"late"})).takes(one)
    assert not Chosen(topics=frozenset({"other"})).takes(one)
    assert not Chosen(since=NOW + 2).takes(one)
    repeats = Repeats()
    again = letter(where=Place("fireline.dead-letter", 0, 99))
    assert [repeats.knows(x) for x in (one, again, letter(reason="late"), letter(timestamp=NOW + 9))] == [
        False, True, False, False,
    ]  # fmt: skip
    assert repeats.count == 1


# marks
def test_marks_come_back_and_tell_what_is_open():
    first = stored(begun("run", ["a", "b"], {("t", 1): 9}, NOW), offset=3, at=NOW)
    last = stored(ended("run", {"a": "t/1@9"}, NOW))
    assert is_mark(first)
    assert mark_of(first) == Begun("run", ("a", "b"), {("t", 1): 9}, NOW, 3)
    assert mark_of(last) == Ended("run", {"a": "t/1@9"})
    ledger = Ledger()
    for record in (first, last):
        ledger.take(mark_of(record))
    assert [ledger.state(x) for x in "abc"] == ["replayed", "in doubt", "open"]
    assert [len(ledger.doubt(x)) for x in "abc"] == [0, 1, 0]


def test_a_dead_letter_that_calls_itself_a_mark_is_none():
    forged = put_aside(b'{"run": "x", "sent": {}}', headers=[("fireline-mark", b"done")])
    assert not is_mark(forged)
    assert mark_of(forged) is None
    assert mark_of(Stored("t", 0, 0, NOW, None, b"no JSON", (("fireline-mark", b"done"),))) is None


# showing
@given(st.binary(max_size=200))
def test_nothing_that_is_shown_reaches_a_terminal_as_a_command(value):
    lines = [shown_bytes(value, 60), *pretty(value), *hexdump(value), *whole(letter(value), Ledger())]
    assert all(char.isprintable() for line in lines for char in line)
    assert line_of(as_json(letter(value, headers=(("\x1b[2J", value),)), "open")).isascii()
    assert len(shown_bytes(value, 60)) <= 60


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10,
).map(lambda body: json.dumps(body).encode("utf-8", "surrogatepass")), st.binary(max_size=9))  # fmt: skip
def test_a_line_that_was_not_edited_is_the_very_record(value, key):
    one = letter(value, key=key, headers=(("h", key),))
    back = from_line(one, json.loads(line_of(as_json(one, "open"))))
    assert not back.changed
    assert back == Mended(one, value, key, (("h", key),), NOW)


def test_where_a_text_stops_being_json_is_pointed_at():
    line, column, told = fault_in(b'{"a": 1,\n "b": nope}')
    assert (line, column) == (2, 7)
    assert told.split("\n")[1].index("^") == told.index("nope")
    assert fault_in(b"{}") is None


def test_show_marks_the_field_at_fault_and_names_reason_and_remedy():
    one = letter(b'{"name": "x", "value": "5"}', reason="field-wrong", detail="found `value` '5'; expected a number")
    text = "\n".join(whole(one, Ledger()))
    assert '>   "value": "5"' in text
    assert REASONS["field-wrong"].means in text
    assert REASONS["field-wrong"].remedy in text


# reasons
CODES = re.compile(r"""(?:Malformed|_bury|DeadLetter)\(\s*(?:[a-z_]+,\s*){0,2}"([a-z][a-z-]+)\"""")


def test_every_reason_that_the_code_gives_is_explained(repository: Path):
    places = [*(repository / "service/fireline/sources").glob("*.py"), repository / "service/fireline/engine/ingest.py"]
    codes = {code for path in places for code in CODES.findall(path.read_text())}
    assert {"empty", "late", "future", "field-missing", "attribute-wrong"} <= codes, "the pattern finds them"
    missing = sorted(codes - REASONS.keys())
    assert not missing, f"explain {missing} in apps/dead_letter_reasons.py"
    assert all(words.means and words.remedy for words in REASONS.values())


def test_a_reason_that_nobody_knows_is_explained_as_such():
    assert "does not know" in explain("of-a-plugin").means


# mending
def test_edits_of_a_command_line():
    value = b'{"a": 1, "labels": {"x": "y"}, "list": [{"b": 1}], "dotted.name": 1}'
    done = edited(
        value, edits_of(["a=labels.a", "nothing=else"], ["labels.x", "no.such"], ["ts=5", "name=5x", "q=[1]"])
    )
    assert json.loads(done) == {
        "labels": {"a": 1}, "list": [{"b": 1}], "dotted.name": 1, "ts": 5, "name": "5x", "q": [1],
    }  # fmt: skip
    assert json.loads(edited(value, edits_of([], [], ["list.0.b=2", "dotted.name=2", "new.deep.one=true"]))) == {
        "a": 1, "labels": {"x": "y"}, "list": [{"b": 2}], "dotted.name": 2, "new": {"deep": {"one": True}},
    }  # fmt: skip
    assert edited(value, edits_of([], ["not-there"], [])) is value, "the very bytes"


def test_texts_that_look_like_numbers_and_numbers_that_look_like_nothing():
    told = edited(b"{}", edits_of([], [], ['a="5"', "b=5", "c=NaN", "d=", "e=null", "f=2026-11-21T00:00:00Z"]))
    assert json.loads(told) == {"a": "5", "b": 5, "c": "NaN", "d": "", "e": None, "f": "2026-11-21T00:00:00Z"}


def test_edits_that_cannot_be():
    for wrong in (["=1"], ["x"]):
        with pytest.raises(Refused, match="--set"):
            edits_of([], [], wrong)
    with pytest.raises(Refused, match="OLD=NEW"):
        edits_of(["a="], [], [])
    for value in (None, b"[1]", b"\xff", b"{"):
        with pytest.raises(CannotMend, match="no JSON object"):
            edited(value, edits_of([], [], ["a=1"]))
    with pytest.raises(CannotMend, match="leads through"):
        edited(b'{"a": 1}', edits_of([], [], ["a.b=1"]))


def test_the_time_of_an_event():
    late = letter(json.dumps({**GOOD, "ts": 5}).encode())
    assert mend(late, (), "record", NOW + 60).timestamp == NOW
    arrived = mend(late, (), "arrival", NOW + 60)
    assert (json.loads(arrived.value)["ts"], arrived.timestamp) == (NOW, NOW)
    now = mend(late, (), "now", NOW + 60)
    assert (json.loads(now.value)["ts"], now.timestamp) == (NOW + 60, NOW + 60)


def test_the_time_of_a_cloudevent_is_moved_where_its_format_looks():
    envelope = {"specversion": "1.0", "id": "1", "source": "s", "type": "metric", "time": "2020-01-01T00:00:00Z"}
    data = {"name": "n", "value": 1}
    one = letter(json.dumps({**envelope, "data": data}).encode(), reason="late", origin=Place("cloud", 0, 1))
    cloud = {"cloud": FORMATS["cloudevents"]}
    assert isinstance(plan(one, formats=cloud), Refuse)
    sent = plan(one, as_of="arrival", formats=cloud)
    assert isinstance(sent, Send)
    assert json.loads(sent.mended.value)["data"]["ts"] == NOW


def test_a_line_that_cannot_be_used_says_why():
    for line in ({}, {"value": 1, "text": "x"}, {"base64": "!"}, {"text": 5}, {"value": {}, "headers": "x"}):
        with pytest.raises(CannotMend, match="line in the file"):
            from_line(letter(), line)


# planning
def planner(now=NOW + 10, appended=(), formats=None, **wish) -> Planner:
    formats = {"fireline.metrics": FORMATS["native"], **(formats or {})}
    return Planner(Judge(formats, 30.0, 300.0), Wish(**wish), now, frozenset(appended))


def plan(one: Letter, sent=None, edits=(), **options):
    made = planner(edits=edits, **options)
    return made.plan(one, sent, mend(one, edits, made.wish.as_of, made.now))


MENDABLE = json.dumps({**GOOD, "value": "5"}).encode()


def test_what_is_mended_is_sent_with_key_headers_partition_and_time_as_they_were():
    one = letter(MENDABLE, reason="field-wrong", headers=(("trace", b"\x01"),))
    record = plan(one, edits=edits_of([], [], ["value=5"])).record
    assert (record.topic, record.partition, record.key, record.at_ms) == ("fireline.metrics", 2, b"k", NOW * 1000)
    assert record.headers[0] == ("trace", b"\x01")
    assert record.headers[1][0] == "fireline-replayed"
    assert record.headers[1][1].startswith(b"fireline.dead-letter/0@7 fireline.metrics/2@5#")
    assert json.loads(record.value)["value"] == 5


def test_what_would_be_put_aside_again_is_refused_with_the_fault_that_is_left():
    refused = plan(letter(MENDABLE))
    assert isinstance(refused, Refuse)
    assert "field-wrong: found `value` '5'" in refused.why
    forced = plan(letter(MENDABLE), force=True)
    assert isinstance(forced, Send)
    assert forced.faults[0][0] == "field-wrong"


def test_a_late_event_is_late_again_unless_its_time_is_moved():
    late = letter(json.dumps({**GOOD, "ts": NOW - 100}).encode(), reason="late")
    refused = plan(late)
    assert "late: event time" in refused.why
    assert "--as-of arrival" in refused.why
    sent = plan(late, as_of="arrival")
    assert isinstance(sent, Send)
    assert "not when it happened" in sent.notes[0]
    assert isinstance(plan(late, as_of="now"), Send)


def test_a_topic_with_the_time_of_its_broker_makes_old_events_late():
    one = letter(json.dumps(GOOD).encode(), reason="future")
    assert isinstance(plan(one, now=NOW + 100), Send)
    refused = plan(one, now=NOW + 100, appended=["fireline.metrics"])
    assert "--as-of now" in refused.why


def test_an_old_event_is_sent_with_a_word_about_its_age():
    assert "2 h ago" in plan(letter(json.dumps(GOOD).encode()), now=NOW + 7200).notes[0]


def test_nothing_is_sent_twice_unless_asked_and_some_things_never():
    fine = letter(json.dumps(GOOD).encode())
    assert plan(fine, sent="t/0@1") == Done(fine, "t/0@1")
    assert isinstance(plan(fine, sent="t/0@1", again=True), Send)
    for barred, why in (
        (letter(json.dumps(GOOD).encode(), truncated=9), "bytes were kept"),
        (letter(json.dumps(GOOD).encode(), origin=None), "not known"),
        (letter(json.dumps(GOOD).encode(), origin=Place("fireline.routes", 0, 1)), "no stream worker reads"),
    ):
        refused = plan(barred, force=True)
        assert isinstance(refused, Refuse)
        assert why in refused.why
    big = plan(letter(json.dumps({**GOOD, "x": "y" * 1_000_000}).encode()), force=True)
    assert "a broker takes" in big.why


def test_another_topic_has_another_format_and_partitions_by_key():
    class Other:
        def decode(self, value, headers, key=None):
            return [Event(Kind.METRIC, NOW, {})] if value == b"other" else Malformed("not-other", "?")

        def rows(self, values):
            return [None] * len(values)

    sent = plan(letter(b"other"), to="others", formats={"others": Other()})
    assert isinstance(sent, Send)
    assert (sent.topic, sent.partition) == ("others", None)


def test_a_record_of_which_some_events_were_counted_is_not_sent_again():
    class Many:
        def decode(self, value, headers, key=None):
            return [Event(Kind.METRIC, NOW, {}), Event(Kind.METRIC, NOW, {}), Malformed("bad-one", "?")]

        def rows(self, values):
            return [None] * len(values)

    one = letter(b"many", reason="bad-one", origin=Place("many", 0, 1))
    refused = plan(one, formats={"many": Many()})
    assert "2 events of this record were good" in refused.why
    forced = plan(one, formats={"many": Many()}, force=True)
    assert isinstance(forced, Send)
    assert "count twice" in forced.notes[-1]


def test_a_format_that_keeps_time_elsewhere_is_not_moved_in_silence():
    class Fixed:
        def decode(self, value, headers, key=None):
            return [Event(Kind.METRIC, NOW, {})]

        def rows(self, values):
            return [None] * len(values)

    one = letter(b"{}", origin=Place("fixed", 0, 1))
    assert "another field than `ts`" in plan(one, now=NOW + 20, as_of="now", formats={"fixed": Fixed()}).why
