import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from fireline.adapters.embedded_broker import PARTITIONS, EmbeddedBroker
from fireline.apps.demo_scorers import FEATURES
from tests.servers.live_web import live_web

CALM = {"amount": 12.0, "night": 0.0, "foreign": 0.0, "attempts": 0.0, "account_days": 900.0}


class Running:
    def __init__(self, url, process):
        self.url, self.process = url, process

    def call(self, path, body=None):
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, raw, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def stats(self):
        return self.call("/stats")

    def score(self, number=1):
        return self.call("/score", {"request_id": f"r{number}", "features": CALM})


@pytest.fixture
def broker():
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def start(broker):
    started = []

    def begin(fireline, *options):
        command = [sys.executable, "-m", "fireline.apps.gateway", "--fireline", fireline, "--kafka", broker.bootstrap]
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(process)
        return Running(process.stdout.readline().split()[1], process)

    yield begin
    for process in started:
        process.terminate()
        process.wait(120)
        process.stdout.close()


def consumed(broker, topic, enough):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": topic})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
    found, end = [], time.monotonic() + 120
    try:
        while not enough(found) and time.monotonic() < end:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(json.loads(message.value()))
    finally:
        consumer.close()
    return found


def targets(events):
    return {event["target"] for event in events}


def test_it_follows_the_route_and_keeps_it_when_fireline_is_away(tmp_path, start):
    with live_web(tmp_path) as web:
        gateway = start(web.url, "--rate", "0")
        assert gateway.score() == {
            "prediction": "allow",
            "confidence": gateway.score()["confidence"],
            "target": "primary",
        }
        web.move(fallback=100)
        web.eventually(lambda: gateway.score()["target"] == "fallback")
        assert gateway.stats()["route"]["version"] == 1
    time.sleep(0.3)
    assert gateway.score()["target"] == "fallback"
    assert gateway.stats()["route"]["weights"] == {"fallback": 100}


def test_a_split_is_kept_over_requests(tmp_path, start):
    with live_web(tmp_path) as web:
        web.move(primary=50, fallback=50)
        gateway = start(web.url, "--rate", "0")
        web.eventually(lambda: gateway.stats()["route"]["version"] == 1)
        first = [gateway.score(i)["target"] for i in range(30)]
        assert set(first) == {"primary", "fallback"}
        assert first == [gateway.score(i)["target"] for i in range(30)]


def test_a_broken_primary_fails_its_callers_until_traffic_moves_and_is_probed_meanwhile(tmp_path, start, broker):
    with live_web(tmp_path) as web:
        gateway = start(web.url, "--rate", "60")
        web.eventually(lambda: gateway.stats()["requests"] > 20)
        assert gateway.stats()["failures"] == 0
        gateway.call("/break", {})
        web.eventually(lambda: gateway.stats()["failures"] > 10)
        web.move(fallback=100)
        web.eventually(lambda: gateway.stats()["cycles"][0]["on_fallback"] > 60)
        stats = gateway.stats()
        (cycle,) = stats["cycles"]
        assert cycle["failed_before"] > 10
        assert cycle["failed_after"] == 0
        assert cycle["first_bad_at"] <= cycle["first_on_fallback_at"]
        web.eventually(lambda: gateway.stats()["probes_failed"] > 0)
        gateway.call("/heal", {})
        web.move(version=2, lease=False, primary=100)
        web.eventually(lambda: gateway.stats()["cycles"][0]["back_on_primary_at"] is not None)
    predictions = consumed(broker, "fireline.predictions", lambda found: targets(found) == {"primary", "fallback"})
    assert targets(predictions) == {"primary", "fallback"}
    one = predictions[0]
    assert (one["type"], one["service"], one["model"]) == ("prediction", "fraud-scoring", "fraud")
    assert (one["target"], one["probe"]) == ("primary", "false")
    assert one["version"] == "14"
    assert set(one["features"]) == set(FEATURES)
    assert abs(one["ts"] - time.time()) < 120
    (metric,) = consumed(broker, "fireline.metrics", bool)
    assert metric["name"] == "inference_latency_ms"
    assert set(metric["labels"]) == {"service", "target", "probe"}


def test_failures_are_those_its_callers_counted(tmp_path, start):
    with live_web(tmp_path) as web:
        gateway = start(web.url, "--rate", "0", "--break-after", "0.01", "--heal-after", "600")
        web.eventually(lambda: gateway.stats()["primary_broken"])
        for number in range(5):
            try:
                gateway.score(number)
            except urllib.error.HTTPError as failed:
                failed.close()
        stats = gateway.stats()
        assert stats["requests"] == 5
        assert stats["cycles"][0]["first_bad_at"] is not None
        assert (stats["calls"], stats["failures"], stats["cycles"][0]["failed_before"]) == (0, 0, 0)


def test_it_breaks_and_heals_by_itself_when_told_to(tmp_path, start):
    with live_web(tmp_path) as web:
        gateway = start(web.url, "--rate", "20", "--break-after", "0.5", "--heal-after", "0.5")
        web.eventually(lambda: gateway.stats()["cycles"] and gateway.stats()["cycles"][0]["healed_at"] is not None)


def test_a_request_without_features_is_refused(start):
    gateway = start("http://127.0.0.1:9", "--rate", "0")
    for body in ({}, [], {"features": {"amount": 1}}, {"features": {**CALM, "amount": "x"}}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            gateway.call("/score", body)
        assert refused.value.code == 400, body
        refused.value.close()
        assert gateway.score()["target"] == "primary", body
