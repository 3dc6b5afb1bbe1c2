"""A label whose values never end: bounded, told, no burden to other rules, and over when it is over."""

import time

import orjson
import pytest

from fireline.domain.events import Event, Kind
from fireline.engine.admission import EVENT, IDLE, Admission, Refusal
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, Text, equals, metric, rule

T = 1_763_683_200.0
WIDE = rule(name="wide", by=("service", "request"), max_entities=100, service=Text("{service}"))
OTHER = rule(name="other", where=(equals("name", "lat"), equals("kind", "steady")))


def requests(first, count, at):
    """Events of requests that never come twice."""
    return [metric(first + i, at, service="shop", request=f"r{first + i}") for i in range(count)]


def test_what_is_left_out_is_told_at_once_and_then_once_a_minute_with_examples_and_at_last_that_it_is_over():
    core = Ingest((WIDE, OTHER), FAMILIES, Native(), 1)
    told = []
    for second in range(300):
        found = requests(second * 50, 50 if second < 130 else 0, T + second)
        found.append(metric(20_000 + second, T + second, kind="steady"))
        batch = [record.__class__(second * 51 + i, *record[1:]) for i, record in enumerate(found)]
        told += [(second, each) for each in core.batch(SOURCE, batch).refusals]
    assert [(second, each.events > 0) for second, each in told] == [
        (1, True),
        (61, True),
        (121, True),
        (181, True),
        (241, False),
    ]
    assert sum(each.events for _, each in told) == 130 * 50 - 99, "every event that was left out, in one report"
    second = told[1][1]
    assert (second.rule.name, second.label) == ("wide", "request")
    assert second.told == "service=shop, request=r99; service=shop, request=r100; service=shop, request=r101"


def test_its_event_can_be_read_and_names_the_service_the_rule_and_the_limit():
    body = Refusal(WIDE, 7, "request", (("shop", "r1"), ("shop", "r2"))).event(T)
    (event,) = Native().decode(body, ())
    assert isinstance(event, Event)
    assert (event.kind, event.at) == (Kind.ALERT, T)
    assert event.fields["name"] == EVENT
    told = {name: event.fields[name] for name in ("service", "rule", "value", "limit", "label", "examples")}
    assert told == {
        "service": "shop",
        "rule": "wide",
        "value": 7,
        "limit": 100,
        "label": "request",
        "examples": "service=shop, request=r1; service=shop, request=r2",
    }


@pytest.mark.parametrize("text", ["\ud800", "x" * 5000, "{}", "\x00"])
def test_examples_may_hold_anything(text):
    body = Refusal(WIDE, 1, "request", ((text, text),)).event(T)
    assert len(body) < 6000
    assert len(orjson.loads(body)["examples"]) <= 200


def test_who_is_heard_of_keeps_its_place_and_who_is_not_makes_room():
    admission = Admission()
    assert admission.admits(WIDE, ("shop", "lasting"))
    for number in range(200):
        admission.admits(WIDE, ("shop", f"r{number}"))
    now = T
    assert not admission.turn((WIDE,), now)
    for _ in range(2):
        now += IDLE + 1
        assert admission.turn((WIDE,), now)
        assert admission.admits(WIDE, ("shop", "lasting"))
    assert admission.admits(WIDE, ("shop", "new")), "a hundred requests were heard of no more"


def test_a_place_lasts_as_long_as_the_window():
    day = rule(window=86_400.0, pane=600.0)
    admission = Admission()
    admission.turn((day,), T)
    assert not admission.turn((day,), T + 2 * IDLE)
    assert admission.turn((day,), T + 86_401)


def test_while_new_ones_come_without_end_the_steady_ones_stay():
    core = Ingest((WIDE,), FAMILIES, Native(), 1)
    evaluation = Evaluation((WIDE,), FAMILIES)
    offset = 0
    for minute in range(30):
        at = T + minute * 60
        batch = [metric(offset, at, 500.0, service="shop", request="steady")]
        batch += [metric(offset + 1 + i, at, service="shop", request=f"r{minute}-{i}") for i in range(500)]
        offset += len(batch)
        for payload in core.batch(SOURCE, batch).partials.get(0, ()):
            evaluation.apply(payload, at)
        evaluation.judge(at)
        seen = {entity[1][1] for entity in (verdict.entity for verdict in evaluation.verdicts())}
        assert "steady" in seen
        assert evaluation.entities <= 100


def test_an_explosion_costs_the_other_rules_little_time_and_the_worker_little_memory():
    """100,000 new label sets of one rule cost a worker a second or so of each minute, and no plan each."""
    steady = [metric(i, T + i / 5_000, service=f"s{i % 20}", kind="steady") for i in range(20_000)]
    wide = [metric(i, T + i / 5_000, service="shop", request=f"r{i}") for i in range(100_000)]

    def seconds(records):
        core, spent = Ingest((WIDE, OTHER), FAMILIES, Native(), 1), 0.0
        for at in range(0, len(records), 5_000):
            begun = time.process_time()
            core.batch(SOURCE, records[at : at + 5_000])
            spent += time.process_time() - begun
        plans = [plan for lane in core._lanes.values() for plan in lane.plans.values()]
        return spent / len(records), len(plans), len({id(plan) for plan in plans})

    usual, _, _ = seconds(steady)
    exploding, remembered, distinct = seconds(wide)
    assert remembered <= 50_000
    assert distinct <= 200, "what is refused shares one plan"
    assert exploding < 200e-6, (
        f"an event of a new label set costs {exploding * 1e6:.0f} us, a usual one {usual * 1e6:.0f}"
    )
