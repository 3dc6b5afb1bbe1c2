"""Garbage among events, end to end: each is put aside with its reason, and every good event beside it counts."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import time

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.e2e.outside import Outside, eventually, only_rules, troubles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

GOOD, OF_EACH = 10_000, 9
TOPIC = "fireline.metrics"
RULES = f"""\
rules:
  - name: counted
    owner: platform
    on: metric
    where: {{name: counted_here}}
    by: [service]
    window: 30m
    pane: 1m
    measures:
      n: {{agg: count}}
      total: {{agg: sum, of: value}}
    severity:
      outage: {{when: "n > {GOOD} || total > {GOOD}.0", for: 0s}}
      notice: {{when: "n == {GOOD} && total == {GOOD}.0", for: 0s}}
    summary: "{{{{ measures.n }}}} good events"
    tests:
      - name: nothing is too many
        series:
          - fields: {{name: counted_here, service: fraud-scoring}}
            values: "1x2"
        expect:
          - {{at: 10s, state: clear, entity: {{service: fraud-scoring}}}}
"""


def metric(**fields: object) -> bytes:
    body = {"type": "metric", "name": "counted_here", "value": 1, "ts": time(), "labels": {"service": "fraud-scoring"}}
    return orjson.dumps({name: value for name, value in {**body, **fields}.items() if value is not ...})


GARBAGE = {
    "future": lambda: metric(ts=time() + 3600),
    "late": lambda: metric(ts=time() - 3600),
    "too-large": lambda: metric(padding="x" * 270_000),
    "field-missing": lambda: metric(value=...),
    "time-missing": lambda: metric(ts=...),
    "field-wrong": lambda: metric(value="high"),
    "type-unknown": lambda: metric(type="gossip"),
    "not-json": lambda: b'{"type": "metric", "name": ' + b"\xff\xfe" + b"}",
    "empty": lambda: b"",
    "not-an-object": lambda: b"[1, 2, 3]",
    "labels-wrong": lambda: metric(labels=["a"]),
}
LAST = {
    "not-json": b"plainly not JSON",
    "empty": None,
    "time-wrong": metric(ts="tomorrow"),
    "field-wrong": metric(value=True),
}


@dataclass(frozen=True)
class Dead:
    reason: str
    detail: str
    value: bytes | None
    key: bytes | None
    place: tuple[str, int, int]


def dead_letters(bootstrap: str) -> list[Dead]:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "log_level": 0, "enable.auto.commit": False})
    found = []
    try:
        partitions = reader.list_topics("fireline.dead-letter", 120).topics["fireline.dead-letter"].partitions
        ends = {n: reader.get_watermark_offsets(TopicPartition("fireline.dead-letter", n), 120)[1] for n in partitions}
        reader.assign([TopicPartition("fireline.dead-letter", n, 0) for n in partitions])
        while len(found) < sum(ends.values()):
            record = reader.poll(120)
            assert record is not None, f"{len(found)} of {sum(ends.values())} dead letters"
            assert record.error() is None
            told = {name: value.decode() for name, value in record.headers()}
            place = (told["fireline-topic"], int(told["fireline-partition"]), int(told["fireline-offset"]))
            found.append(Dead(told["fireline-reason"], told["fireline-detail"], record.value(), record.key(), place))
    finally:
        reader.close()
    return found


def produce(fireline: Outside) -> Counter[tuple[str, bytes | None]]:
    """Good events with garbage between them; the garbage by reason and bytes."""
    wanted: Counter[tuple[str, bytes | None]] = Counter()
    kinds = list(GARBAGE.items())
    apart = GOOD // (len(kinds) * OF_EACH)
    for number in range(GOOD):
        fireline.produce(TOPIC, f"key-{number % 11}", metric())
        if number % apart == 0 and number // apart < len(kinds) * OF_EACH:
            reason, make = kinds[number // apart % len(kinds)]
            value = make()
            wanted[reason, value] += 1
            fireline.produce(TOPIC, f"key-{number % 11}", value)
    for reason, value in LAST.items():
        wanted[reason, value] += 1
        fireline.produce(TOPIC, "key-0", value)
    fireline.flush()
    return wanted


def test_garbage_is_put_aside_with_its_reason_and_every_good_event_counts(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    only_rules(fireline, RULES)
    with fireline:
        started = fireline.roles()
        wanted = produce(fireline)
        total = sum(wanted.values())
        eventually("all garbage is counted", lambda: fireline.fact("stream").get("dead_letters") == total, 40)
        by_reason: Counter[str] = Counter()
        for (reason, _), count in wanted.items():
            by_reason[reason] += count
        assert fireline.fact("stream")["dead"] == dict(by_reason)

        found = dead_letters(fireline.bootstrap)
        assert Counter((dead.reason, dead.value) for dead in found) == wanted, (
            "the original bytes, each under its reason"
        )
        places = [dead.place for dead in found]
        assert len(set(places)) == total
        assert {topic for topic, _, _ in places} == {TOPIC}
        assert all(dead.detail and dead.key for dead in found)

        (incident,) = eventually("the rule counted", fireline.incidents, 20)
        (attached,) = incident.signals.values()
        assert attached.signal.severity == "notice"
        assert attached.signal.evidence.measures == {"n": GOOD, "total": GOOD}

        told = [line for line in fireline.get("/metrics").splitlines() if "stream_dead_letters_total{" in line]
        assert sum(float(line.split()[-1]) for line in told) == total
        assert f"{total} dead letters" in fireline.get("/")
        eventually("the doctor is content", lambda: fireline.doctor()[0] == 0, every=1)
        checks = fireline.doctor()[1]
        assert f"{by_reason['late']} late" in checks["events"]["found"]
        assert checks["events"]["finding"] == "note"
        fireline.produce(TOPIC, "key", metric())
        fireline.flush()
        eventually("one more is one too many", lambda: fireline.incidents()[0].severity == "outage", 20)
        errors = [line for line in troubles(fireline.said()) if " WARNING " not in line]
        assert errors == [], "garbage is no error of ours"
        assert fireline.roles() == started, "nothing was started again"
        assert set(started) == {"stream", "respond", "web"}
