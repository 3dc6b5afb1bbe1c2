"""Replaying recordings: NDJSON and CSV, pace, bad lines, and all the way to a signal."""

import gzip
import json
import time
from pathlib import Path

import pytest

from fireline.apps.replay import replay
from fireline.apps.replay_files import BadLine, Recorded, read_recording
from tests.adapters.test_kafka import read_all
from tests.integration.streams import Streams

START = 1_400_000_000.0


def metric(at: float, **fields: object) -> dict[str, object]:
    return {"type": "metric", "name": "requests", "value": 1.0, "ts": at, "labels": {"service": "fraud"}, **fields}


def write(path: Path, lines: list[object]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_lines_are_kept_as_they_are_and_bad_ones_are_told_by_their_number(tmp_path, name):
    feedback = {"type": "feedback", "model": "fraud", "request_id": "r", "label": "x", "ts": START + 1}
    path = write(tmp_path / name, [metric(START), "{nonsense", "", feedback, {"type": "metric", "ts": START}])
    first, bad, second, incomplete = read_recording(path)
    assert first == Recorded(json.dumps(metric(START)).encode(), START, b"fraud")
    assert isinstance(bad, BadLine)
    assert bad.line == 2
    assert isinstance(second, Recorded)
    assert second.key == b"fraud"
    assert isinstance(incomplete, BadLine)
    assert incomplete.line == 5
    assert "name" in incomplete.reason


def test_a_csv_of_timestamps_and_values_becomes_metrics(tmp_path):
    rows = ["timestamp,value", "2014-03-07 03:41:00,45.868", "1394163960,1", "2014-03-07T03:51:00+00:00,2", "x,y", "7"]
    found = list(read_recording(write(tmp_path / "latency.csv", list(rows)), "ms", {"service": "elb"}))
    events = [json.loads(line.value) for line in found if isinstance(line, Recorded)]
    assert events[0] == {
        "type": "metric",
        "name": "ms",
        "value": 45.868,
        "ts": 1394163660.0,
        "labels": {"service": "elb"},
    }
    assert [e["ts"] for e in events] == [1394163660.0, 1394163960.0, 1394164260.0]
    assert [line.line for line in found if isinstance(line, BadLine)] == [5, 6]
    assert json.loads(next(iter(read_recording(tmp_path / "latency.csv"))).value)["name"] == "latency"


async def test_a_replay_keeps_bytes_order_and_key_and_reports(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["fireline.replay"])
    lines: list[object] = [metric(START + i, value=float(i)) for i in range(2500)]
    lines.insert(10, "bad")
    told, progress = [], []
    path = write(tmp_path / "e.ndjson", lines)
    done = await replay(path, embedded, on_bad=told.append, on_progress=progress.append)
    assert (done.sent, done.bad, done.first, done.last) == (2500, 1, START, START + 2499)
    assert [bad.line for bad in told] == [11]
    assert progress[-1] == done
    found = [r for p in range(4) for r in await read_all(embedded, "fireline.replay", p)]
    assert [json.loads(value or b"")["value"] for _, value in found] == [float(i) for i in range(2500)]
    assert {key for key, _ in found} == {b"fraud"}


async def test_a_recording_stays_in_its_order_whatever_services_are_in_it(embedded_broker, embedded, tmp_path):
    """Else a partition that is read first would be ahead of the others by more than a window."""
    embedded_broker.create(["fireline.replay"])
    lines: list[object] = [metric(START + i, value=float(i), labels={"service": f"s{i % 7}"}) for i in range(700)]
    await replay(write(tmp_path / "e.ndjson", lines), embedded, timeline="replay of e.ndjson, 1a2b")
    held = [await read_all(embedded, "fireline.replay", p) for p in range(4)]
    (whole,) = [records for records in held if records]
    assert [json.loads(value or b"")["value"] for _, value in whole] == [float(i) for i in range(700)]
    assert {key for key, _ in whole} == {f"s{i}".encode() for i in range(7)}


async def test_speed_is_so_many_times_faster_than_recorded(embedded_broker, embedded, tmp_path):
    embedded_broker.create(["fireline.replay"])
    path = write(tmp_path / "e.ndjson", [metric(START + i) for i in range(0, 101, 10)])
    began = time.monotonic()
    await replay(path, embedded, speed=100.0)
    assert time.monotonic() - began >= 0.9


@pytest.mark.shared_data
async def test_a_real_recording_fires_on_the_timeline_of_replays(embedded_broker, embedded, tmp_path, shared_data):
    embedded_broker.create(["fireline.metrics", "fireline.replay", "fireline.partials", "fireline.dead-letter"])
    streams = Streams(embedded, embedded_broker.generation, tmp_path, {"two": 2, "a-dozen": 12, "more": 15})
    try:
        worker = streams.start()
        await streams.ready(worker)
        path = shared_data / "nab" / "realKnownCause" / "ec2_request_latency_system_failure.csv"
        recording = list(read_recording(path, "requests", {"service": "elb"}))
        done = await replay(path, embedded, recording=recording)
        assert done.bad == 0
        assert done.sent > 4000
        # one value every five minutes, but a dozen at one instant; never more than 14 in ten minutes
        await streams.until(lambda: streams.fact().get("events") == done.sent)
        await streams.until(lambda: {"two", "a-dozen"} <= set(streams.fired()))
        assert "more" not in streams.fired()
        assert {s["timeline"] for s in streams.signals()} == {"replay"}
        assert streams.end(worker) == 0
    finally:
        streams.close()
