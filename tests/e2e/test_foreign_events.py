"""Events of others open incidents with our labels: CloudEvents in both modes, mapped, and mapped anew while it runs."""

from datetime import UTC, datetime
from pathlib import Path
from time import time

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer

from tests.e2e.outside import Outside, eventually, put

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RULE = """\
rules:
  - name: failed_payments
    owner: platform
    on: metric
    where: {name: failures, team: payments}
    by: [service, region]
    window: 60s
    measures:
      n: {agg: sum}
    severity:
      outage: {when: "n >= 4", for: 0s}
    summary: "{{ measures.n }} payments failed in {{ region }}"
"""
TOPICS = """\
topics:
  payments.telemetry:
    format: cloudevents
    key: service
    labels: {region: cloud.region}
    add: {team: payments}
    service_aliases: true
"""
MORE = """\
  payments.more:
    kind: metric
    time: when
    labels: {name: what, value: count, service: app, region: where}
    add: {team: payments}
"""


class Sender:
    """Somebody else's program."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})

    def cloud_event(self, mode, number: int, **data: object) -> None:
        about = {"id": f"e-{number}", "source": "/psp", "type": "com.example.metric", "time": datetime.now(UTC)}
        message = mode(CloudEvent(attributes=about, data={"name": "failures", "value": 1, **data}), JSONFormat())
        self.put("payments.telemetry", message.value, b"arn:checkout", list(message.headers.items()))

    def put(self, topic: str, value: bytes, key: bytes | None = None, headers=()) -> None:
        self._producer.produce(topic, value, key, headers=list(headers))
        assert self._producer.flush(120) == 0


def regions(fireline: Outside) -> dict[str, str]:
    """The service of each region that fires."""
    entities = [dict(a.signal.entity) for incident in fireline.incidents() for a in incident.signals.values()]
    return {entity["region"]: entity["service"] for entity in entities if "region" in entity}


def test_cloudevents_of_both_modes_open_an_incident_with_our_labels(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    rules = tmp_path / "rules"
    (rules / "payments.yaml").write_text(RULE)
    (rules / "topics.yaml").write_text(TOPICS)
    catalog = (rules / "catalog.yaml").read_text()
    service = "  checkout-host:\n"
    assert service in catalog
    (rules / "catalog.yaml").write_text(catalog.replace(service, service + '    aliases: ["arn:checkout"]\n'))
    with fireline:
        others = Sender(fireline.bootstrap)
        for number, mode in enumerate([kafka.to_binary, kafka.to_structured] * 2):
            others.cloud_event(mode, number, cloud={"region": "eu"})
        others.put("payments.telemetry", b"no event at all")
        eventually("an incident", lambda: "eu" in regions(fireline), 20)
        assert regions(fireline) == {"eu": "checkout-host"}
        assert [incident.service for incident in fireline.incidents()] == ["checkout-host"]
        eventually("the dead letter is told", lambda: fireline.fact("stream").get("dead") == {"not-json": 1}, 10)

        worker = fireline.roles()["stream"]
        put(rules / "topics.yaml", TOPICS.replace("cloud.region", "zone"))
        eventually("the mapping is in force", lambda: fireline.lines("stream INFO", "rules in force"), 20)
        for number in range(4):
            others.cloud_event(kafka.to_binary, 10 + number, zone="us")
        eventually("a signal by the new mapping", lambda: "us" in regions(fireline), 20)
        assert fireline.roles()["stream"] == worker

        put(rules / "topics.yaml", TOPICS + MORE)
        eventually("it says why it ends", lambda: fireline.lines("have changed (payments.more)"), 20)
        eventually("the next worker reads", lambda: fireline.lines("reads 28 partitions of events"), 40)
        body = {"what": "failures", "count": 4, "app": "web-fleet", "where": "asia", "when": time()}
        others.put("payments.more", orjson.dumps(body))
        eventually("a signal of the new topic", lambda: regions(fireline).get("asia") == "web-fleet", 30)
        eventually("Kafka is sound", lambda: fireline.doctor()[1]["kafka"]["finding"] == "sound", every=1)
        assert "payments.more as native, reworded" in fireline.doctor()[1]["topics"]["found"]
