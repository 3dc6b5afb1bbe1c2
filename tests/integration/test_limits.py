"""What a worker tells of limits: entities left out become an event that the shipped rule judges."""

from pathlib import Path
from types import SimpleNamespace

import orjson

from fireline.adapters.clock import FakeClock
from fireline.adapters.faust_batches import Batch
from fireline.apps.bootstrap import plugins
from fireline.apps.stream_ingest import EVENTS, IngestSide
from fireline.engine.ingest import Ingest
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load
from tests.engine.streams import Text, rule

ROOT = Path(__file__).parent.parent.parent
METRICS = "fireline.metrics"
WIDE = rule(name="wide", by=("service", "request"), max_entities=10, service=Text("{service}"))


class Kafka:
    """Takes everything."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    async def send(self, records):
        self.sent += records
        return []

    def told(self, topic: str) -> list[dict[str, object]]:
        return [orjson.loads(record.value) for record in self.sent if record.topic == topic]


class House:
    """The ingest side of a worker that reads `topics`, and brokers that stamp records with the time."""

    def __init__(self, *topics: str, rules=(WIDE,)) -> None:
        self.clock, self.kafka = FakeClock(), Kafka()
        ingest = Ingest(rules, FAMILIES, Native(), 1)
        self.side = IngestSide(ingest, self.kafka, dict.fromkeys(topics, ("live", "g")), self.clock)
        self.side.flows = True
        self.offset = 0

    async def hears(self, *bodies: dict[str, object], key: bytes | None = None) -> None:
        now = self.clock.now()
        records = []
        for body in bodies:
            value = orjson.dumps({"type": "metric", "name": "lat", "value": 1.0, "ts": now, **body})
            stamped = {"timestamp": now * 1000.0, "key": key, "headers": ()}
            records.append(SimpleNamespace(offset=self.offset, value=value, **stamped))
            self.offset += 1
        await self.side.handle(Batch(METRICS, 0, records))


async def test_a_label_that_explodes_becomes_a_notice_for_the_service_and_ends_with_it():
    house = House(METRICS, EVENTS)
    for minute in range(6):
        wide = [{"service": "shop", "request": f"{minute}/{i}"} for i in range(50 if minute < 3 else 0)]
        await house.hears(*wide, {"service": "shop", "request": "lasting"})
        house.clock.advance(61.0)
    told = house.kafka.told(EVENTS)
    assert [body["value"] for body in told] == [41, 51, 51, 1, 1, 1]
    assert {(body["service"], body["rule"], body["label"], body["limit"]) for body in told} == {
        ("shop", "wide", "request", 10)
    }
    shipped = load(ROOT / "rules", ROOT / "runbooks", plugins()).configuration.rules["entities_refused"]
    lines = [record.value for record in house.kafka.sent if record.topic == EVENTS]
    (verdict,) = play([shipped], FAMILIES, Native(), lines).verdicts
    assert (verdict.state.value, verdict.severity) == ("firing", "notice")
    assert dict(verdict.entity) == {"service": "shop", "rule": "wide", "label": "request"}


async def test_nothing_is_told_where_nobody_reads_it(caplog):
    house = House(METRICS)
    await house.hears(*[{"service": "shop", "request": f"{i}"} for i in range(50)])
    assert house.kafka.told(EVENTS) == []
    assert "rule wide takes no more than 10 entities: 40 events were left out" in caplog.text


async def test_a_sender_whose_clock_is_wrong_is_told_of_by_topic_partition_and_key(caplog):
    house = House(METRICS)
    for _ in range(30):
        now = house.clock.now()
        await house.hears({"ts": now - 41.5, "service": "a"}, {"ts": now - 39.0, "service": "b"}, key=b"pos-17")
        await house.hears({"service": "c"}, {"ts": now - 31.0, "service": "c"}, key=b"pos-18")
        await house.hears({"ts": now + 3600.0, "service": "d"})
        house.clock.advance(4.0)
    told = [record.getMessage() for record in caplog.records]
    wanted = "all 32 events of fireline.metrics/0 with key 'pos-17' were about 42 s older than their records"
    assert told == [f"{wanted}: is the clock of their sender behind?"]
    assert house.side.tally.dead_by == {(METRICS, "late"): 90, (METRICS, "future"): 30}
