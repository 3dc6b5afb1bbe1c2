"""`fireline explain RULE`, and the conditions of signals part by part."""

import json

import pytest

from fireline.adapters.kafka_topics import PARTIALS
from fireline.domain.rules import Mode
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.engine.watching import Checkpoint
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.explaining import explained
from tests.engine.streams import SOURCE, record

SERVICE = {"service": "fraud-scoring", "target": "primary", "probe": "false", "model": "fraud", "version": "14"}


def watched(house, count=40, latency=2500.0):
    """What a stream worker saved of `count` slow predictions, now."""
    files, _ = house.parts()
    rules, now = files.current.rules.values(), house.clock.now()
    ingest, evaluation = Ingest(rules, FAMILIES, Native(), 1), Evaluation(rules, FAMILIES)
    events = [
        record(n, now - 1, type="prediction", request_id=f"r{n}", latency_ms=latency, prediction="deny", **SERVICE)
        for n in range(count)
    ]
    for payload in ingest.batch(SOURCE._replace(topic="fireline.predictions"), events).partials.get(0, ()):
        evaluation.apply(payload, now)
    evaluation.judge(now)
    with house.store.transaction() as tx:
        tx.save_checkpoint(Checkpoint(PARTIALS, 0, "g", 1, evaluation.header(), evaluation.changes()))
    return now


def test_a_rule_says_what_it_sees_and_what_each_level_makes_of_it(house):
    watched(house)
    said = house("explain", "fraud_latency", "--entity", "service=fraud-scoring")
    assert said.code == 0, said.err
    for line in (
        "Rule fraud_latency, ",
        "service=fraud-scoring: firing outage",
        "40 samples, newest event",
        "outage: fires; held since",
        "└─ n ",
        "paged      nobody yet",
    ):
        assert line in said.out, line
    tree = [line.split() for line in said.out.splitlines() if "p99" in line and "─" in line]
    assert ["├─", "p99", ">", "800", "true"] in tree


def test_as_json_with_every_part_of_every_condition(house):
    now = watched(house, count=5, latency=80.0)
    told = json.loads(house("explain", "fraud_latency", "--json").out)
    (entity,) = told["entities"]
    assert entity["entity"] == {"service": "fraud-scoring"}
    assert (entity["samples"], entity["verdict"], entity["measures"]["n"]) == (5, "clear", 5.0)
    condition = entity["levels"][0]["condition"]
    assert condition["value"] is False
    assert [part["value"] for part in condition["parts"]] == [False, False]
    assert condition["parts"][1]["parts"] == [{"source": "n", "value": 5.0, "parts": []}]
    assert now - 60 < entity["newest"] <= now
    assert entity["paged"] == ["nobody: nothing was told of it"]


def test_whoever_was_paged_is_named(house):
    watched(house)
    house.incident()
    said = house("explain", "fraud_latency")
    assert "paged      INC-1, triggered, opened" in said.out
    assert "UTC: ann (sending)" in said.out


def test_long_ago_nothing_is_held(house):
    watched(house)
    said = house("explain", "fraud_latency", "--at", "2026-01-05T09:00:00Z")
    assert "so far back nothing is held any more" in said.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["fraud_latncy"], "there is no rule 'fraud_latncy'; did you mean `fraud_latency`"),
        (["fraud_latency", "--entity", "servce=a"], "is no label of fraud_latency; expected service=..."),
        (["fraud_latency", "--at", "yesterday"], "is not an instant"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_reason(house, words, reason):
    said = house("explain", *words)
    assert said.code != 0
    assert reason in said.err


def test_of_an_entity_that_nobody_heard_of_it_says_so(house):
    said = house("explain", "fraud_latency", "--entity", "service=nowhere")
    assert said.code == 0
    assert "Nothing is known of service=nowhere" in said.out


def test_the_condition_of_an_incident_is_told_part_by_part(house):
    house.incident()
    assert "p99 > 800" in house("explain", "INC-1").out
    told = json.loads(house("explain", "1", "--json").out)
    assert told["signals"][0]["condition_parts"]["source"] == told["signals"][0]["condition"]


def test_parts_that_cannot_be_told_say_why():
    part = explained("p99 > 2 * base || region in ['eu']", {"p99": 5.0, "base": None, "region": "eu"})
    assert part.value is True
    comparison, within = part.parts
    assert (comparison.value, within.value) == (None, True)
    assert "`base` has no value" in comparison.why
    assert [each.source for each in comparison.parts] == ["p99", "2 * base"]


def test_shadow_is_the_reason_why_nobody_was_paged(house):
    path = house.rules / "fraud.yaml"
    text = path.read_text()
    start = text.index("  - name: fraud_latency")
    path.write_text(
        text[:start] + text[start:].replace("    on: prediction", "    mode: shadow\n    on: prediction", 1)
    )
    assert house.parts()[0].current.rules["fraud_latency"].mode is Mode.SHADOW
    watched(house)
    assert "nobody: the rule is in shadow" in house("explain", "fraud_latency").out
