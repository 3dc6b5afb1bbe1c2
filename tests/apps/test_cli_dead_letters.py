"""`fireline dead-letter` on the embedded broker of a running `fireline up`: list, show, mend, replay, each once."""

import asyncio
import json
import os
import pty
import subprocess
import sys

import pytest

from fireline.adapters.kafka import Outgoing, Producer
from fireline.adapters.kafka_reading import read_topic
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.dead_letter_marks import begun
from fireline.apps.stream_ingest import dead_letter
from fireline.engine.ingest import DeadLetter, Ingest, Record, SourceRef
from fireline.sources import FORMATS

METRICS = "fireline.metrics"


class Desk:
    """Letters on a broker, and the command line in front of them."""

    def __init__(self, house, broker, connection) -> None:
        self.house, self.connection = house, connection
        broker.create(["fireline.dead-letter", METRICS, "fireline.replay"])
        self.now = house.clock.now()
        with house.store.transaction() as tx:
            tx.put_fact(BROKER_FACT, {"bootstrap": broker.bootstrap, "generation": broker.generation}, self.now)

    def __call__(self, *words):
        said = self.house("dead-letter", *words)
        assert "Traceback" not in said.err
        return said

    def put(self, *records: Outgoing) -> None:
        async def put() -> None:
            producer = Producer(self.connection)
            try:
                await producer.send(records)
            finally:
                await producer.close()

        asyncio.run(put())

    def metric(self, **fields: object) -> bytes:
        event = {"type": "metric", "name": "requests", "value": 1, "ts": self.now, "labels": {"service": "fraud"}}
        return json.dumps({name: value for name, value in {**event, **fields}.items() if value is not ...}).encode()

    def aside(self, *values, times=1, headers=(("trace", b"t1"),), first=100) -> None:
        """Put values aside as a stream worker does, at offsets 100, 101 ... of partition 2."""
        source = SourceRef(METRICS, 2, "live")
        records = [Record(first + i, self.now, b"k", value, headers) for i, value in enumerate(values)]
        dead = Ingest((), {}, FORMATS["native"], 1).batch(source, records).dead
        assert len(dead) == len(values), "all of them are bad"
        for _ in range(times):
            self.put(*(dead_letter(source, letter) for letter in dead))

    def read(self, topic: str = METRICS):
        async def read():
            return [record async for record in read_topic(self.connection, topic)]

        return asyncio.run(read())

    def lines(self, *words):
        return [json.loads(line) for line in self("ls", "--json", *words).out.splitlines()]


@pytest.fixture
def desk(house, embedded_broker, embedded) -> Desk:
    return Desk(house, embedded_broker, embedded)


def test_none_at_all_is_no_fault(desk):
    said = desk("ls")
    assert (said.code, said.out) == (0, "")
    assert "No dead letters" in said.err
    refused = desk("show", "fireline.metrics/2@1")
    assert (refused.code, refused.out) == (1, "")
    assert "there is no dead letter" in refused.err


def test_without_a_broker_it_says_how_to_name_one(house):
    said = house("dead-letter", "ls")
    assert said.code == 1
    assert "FIRELINE_KAFKA" in said.err


def test_with_a_configured_broker_no_database_is_needed(desk, embedded_broker):
    desk.aside(b"{")
    desk.house.set(KAFKA=embedded_broker.bootstrap, DATABASE="postgresql://fireline@127.0.0.1:1/fireline")
    assert [line["reason"] for line in desk.lines()] == ["not-json"]


def test_ls_tells_each_once_and_counts_them_by_reason(desk):
    desk.aside(desk.metric(value=...), b"\x1b[31mred", None, times=2)
    said = desk("ls")
    head, *rows = [line.split("\t") for line in said.out.splitlines()]
    assert head == ["when", "place", "reason", "detail", "bytes", "state"]
    assert [row[1:3] for row in rows] == [
        ["fireline.metrics/2@100", "field-missing"], ["fireline.metrics/2@101", "not-json"],
        ["fireline.metrics/2@102", "empty"],
    ]  # fmt: skip
    assert rows[1][4] == "\\x1b[31mred"
    assert "\x1b" not in said.out
    assert "3 dead letters: 1 field-missing, 1 not-json, 1 empty; 3 repeats are left out" in said.err


def test_filters_and_limits(desk):
    desk.aside(b"{", b"[]", b"{}", b"5")
    assert [line["reason"] for line in desk.lines("--reason", "not-json", "--reason", "type-unknown")] == [
        "not-json", "type-unknown",
    ]  # fmt: skip
    assert [line["place"] for line in desk.lines("--limit", "2")] == [f"{METRICS}/2@102", f"{METRICS}/2@103"]
    assert desk.lines("--topic", "fireline.events") == []
    assert len(desk.lines("--topic", METRICS, "--since", "1h")) == 4
    assert desk.lines("--since", "2100-01-01T00:00:00Z") == []
    assert desk("ls", "--since", "yesterday").code == 1


def test_a_terminal_gets_a_table_without_escapes_of_events(desk):
    desk.aside(b"\x1b]0;title\x07\x1b[31mred")
    told = on_a_terminal(desk, "dead-letter", "ls")
    assert "\x1b]0;" not in told
    assert "\x1b[31mred" not in told
    assert "\\x1b]0;title" in told.replace("\r", "").replace("\n", "")


def on_a_terminal(desk, *words) -> str:
    here, there = pty.openpty()
    command = [sys.executable, "-m", "fireline.apps", *words]
    with subprocess.Popen(command, stdout=there, stderr=there, env={**os.environ, "COLUMNS": "200"}) as process:
        os.close(there)
        told = b""
        try:
            while part := os.read(here, 65536):
                told += part
        except OSError:
            pass
        assert process.wait(120) == 0
    os.close(here)
    return told.decode()


def test_who_has_read_enough_is_no_fault(desk):
    desk.aside(*[b"x" * 2000] * 200)
    command = f"{sys.executable} -m fireline.apps dead-letter ls --json | head -1"
    said = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert (said.stdout.count("\n"), said.returncode) == (1, 0)
    assert "Traceback" not in said.stderr
    assert "BrokenPipe" not in said.stderr


def test_show_says_everything_by_either_place(desk):
    desk.aside(b'{"type": "metric",', desk.metric(value="5"))
    shown = desk("show", "fireline.metrics/2@101")
    assert shown.code == 0
    for expected in ("field-wrong", "what to do", "header      trace: t1", "key         k", '>   "value": "5"', "open"):
        assert expected in shown.out
    (line,) = desk.lines("--reason", "field-wrong")
    assert desk("show", line["letter"]).out == shown.out
    assert "no JSON from line 1, column 19" in desk("show", "fireline.metrics/2@100").out
    assert json.loads(desk("show", "fireline.metrics/2@101", "--json").out)[0]["value"]["value"] == "5"


def test_replay_needs_to_be_told_what(desk):
    desk.aside(b"{")
    assert "nothing is chosen" in desk("replay").err
    assert "no dead letter is chosen" in desk("replay", "--reason", "late").err
    assert "expected record, arrival or now" in desk("replay", "--all", "--as-of", "noon").err
    assert "no stream worker reads events" in desk("replay", "--all", "--to", "fireline.routes").err
    assert [r.value for r in desk.read()] == []


def test_a_dry_run_shows_the_difference_and_sends_nothing(desk):
    desk.aside(desk.metric(value="5"), desk.metric(value="6", ts=5))
    said = desk("replay", "--all", "--set", "value=5", "--dry-run")
    assert said.code == 1
    assert '-  "value": "5"' in said.out
    assert '+  "value": 5' in said.out
    assert "fireline.metrics/2@101: not sent: it would be put aside again: late" in said.out
    assert "1 would be sent, 1 refused" in said.err
    assert desk.read() == []
    assert len(desk.read("fireline.dead-letter")) == 2, "no marks either"


def test_what_was_replayed_is_mended_marked_and_not_sent_twice(desk):
    desk.aside(desk.metric(value="5"), times=2)
    said = desk("replay", "fireline.metrics/2@100", "--set", "value=5")
    assert said.code == 0
    (record,) = desk.read()
    assert (record.partition, record.key, json.loads(record.value)["value"]) == (2, b"k", 5)
    assert record.timestamp == pytest.approx(desk.now, abs=0.001)
    assert [name for name, _ in record.headers] == ["trace", "fireline-replayed"]
    assert record.headers[1][1].startswith(b"fireline.dead-letter/")
    again = desk("replay", "fireline.metrics/2@100", "--set", "value=5")
    assert again.code == 1
    assert "--again" in again.out
    assert desk("replay", "--all", "--set", "value=5").code == 0
    assert len(desk.read()) == 1, "its repeat is the same record"
    assert desk.lines() == []
    (line,) = desk.lines("--all")
    assert (line["state"], line["sent_to"]) == ("replayed", "fireline.metrics/2@0")
    assert "it is fireline.metrics/2@0 now" in desk("show", "fireline.metrics/2@100").out
    assert desk("replay", "fireline.metrics/2@100", "--set", "value=5", "--again").code == 0
    assert len(desk.read()) == 2


def test_an_edited_list_is_replayed_as_it_was_edited(desk, tmp_path):
    desk.aside(b"{broken", desk.metric(value="5"), b"[]")
    broken, wrong, _ = desk.lines()
    del broken["text"]
    broken["value"] = json.loads(desk.metric(value=7))
    wrong["value"]["value"] = 5
    wrong["headers"].append(["mended", "yes"])
    wrong["key"] = "other"
    file = tmp_path / "mended.ndjson"
    file.write_text("\n".join(json.dumps(line) for line in (broken, wrong)))
    said = desk("replay", "--from-file", str(file))
    assert (said.code, said.err.strip()) == (0, "2 sent, 0 refused")
    one, other = sorted(desk.read(), key=lambda record: record.offset)
    assert [json.loads(r.value)["value"] for r in (one, other)] == [7, 5]
    assert (other.key, ("mended", b"yes") in other.headers) == (b"other", True)
    assert [line["reason"] for line in desk.lines()] == ["not-an-object"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"letter": "x"}', ""])
def test_a_file_that_cannot_be_used_is_told_with_its_line(desk, tmp_path, text):
    file = tmp_path / "mended.ndjson"
    file.write_text(text)
    said = desk("replay", "--from-file", str(file))
    assert said.code == 1
    assert "mended.ndjson" in said.err or "expected a place" in said.err


def test_truncated_ones_and_forged_targets_are_refused_even_by_force(desk):
    source = SourceRef("fireline.routes", 0, "live")
    whole = Record(1, desk.now, None, desk.metric(padding="x" * 1_100_000), ())
    desk.put(dead_letter(SourceRef(METRICS, 0, "live"), DeadLetter(whole, "too-large", "")))
    desk.put(dead_letter(source, DeadLetter(Record(2, desk.now, b"x", desk.metric(), ()), "late", "")))
    said = desk("replay", "--all", "--force")
    assert said.code == 1
    assert "bytes were kept" in said.out
    assert "no stream worker reads events from fireline.routes" in said.out
    assert desk.read() == []
    assert desk.read("fireline.routes") == []


def test_what_an_interrupted_replay_sent_is_found_and_the_rest_is_sent(desk):
    """As a crash between sending and the mark after it leaves it."""
    desk.aside(desk.metric(value="1"), desk.metric(value="2"))
    ids = [f"{METRICS}/2@{offset}#{round(desk.now * 1000)}" for offset in (100, 101)]
    desk.put(Outgoing(METRICS, desk.metric(), partition=2))
    desk.put(begun("crashed", ids, {(METRICS, 2): 1}, desk.now - 3600))
    where = "fireline.dead-letter/0@0"
    desk.put(
        Outgoing(METRICS, desk.metric(), partition=2, headers=[("fireline-replayed", f"{where} {ids[0]}".encode())])
    )
    assert {line["state"] for line in desk.lines()} == {"in doubt"}
    said = desk("replay", "--all", "--set", "value=1", "--json")
    assert said.code == 0
    told = {line["place"]: line for line in map(json.loads, said.out.splitlines())}
    assert told[f"{METRICS}/2@100"]["outcome"] == "sent before"
    assert told[f"{METRICS}/2@100"]["sent_to"] == f"{METRICS}/2@1"
    assert told[f"{METRICS}/2@101"]["outcome"] == "sent"
    assert len(desk.read()) == 3
    assert desk.lines() == []


def test_of_two_replays_at_the_same_time_one_waits(desk):
    desk.aside(desk.metric(value="1"))
    desk.put(begun("other", [f"{METRICS}/2@100#{round(desk.now * 1000)}"], {(METRICS, 2): 0}, desk.now))
    said = desk("replay", "--all", "--set", "value=1")
    assert said.code == 1
    assert "another replay of it began" in said.out
    assert desk.read() == []


def test_payloads_are_in_no_output_of_a_replay_that_is_not_dry(desk):
    desk.aside(desk.metric(value="1", token="canary-4711"), desk.metric(ts=5, token="canary-4711"))
    said = desk("replay", "--all", "--set", "value=1")
    assert "canary" not in said.out + said.err
    assert "1 sent, 1 refused" in said.err
