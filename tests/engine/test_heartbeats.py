"""Heartbeats and business hours through ingest and evaluate, from YAML."""

import json
from datetime import UTC, datetime

from fireline.apps.bootstrap import plugins
from fireline.domain.catalog import Severity
from fireline.domain.rules import Rule, State
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.calendars import read_calendars
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.rule_reader import Known
from fireline.spec.rules import read_rules

FRIDAY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
CALENDARS = """
calendars:
  business: {time_zone: Europe/Berlin, hours: {mon-fri: "09:30-17:30"}}
"""
RULES = """
rules:
  - name: fed
    on: prediction
    by: [service]
    window: 5m
    measures: {errors: {agg: ratio, condition: "error != ''"}}
    severity: {degraded: {when: "errors > 0.5"}}
    no_data: {after: 5m, severity: outage}
    heartbeat: {where: {from: feeder}, every: 1m}
  - name: staffed
    on: prediction
    by: [service]
    window: 1h
    min_samples: 3
    clear_after: 2m
    during: business
    measures: {errors: {agg: ratio, condition: "error != ''"}}
    severity: {degraded: {when: "errors > 0.5"}, notice: {when: "errors > 0.1", clear_after: 0s, min_samples: 1}}
"""


def rules(calendars: str = CALENDARS) -> dict[str, Rule]:
    findings = Findings()
    known = read_calendars(read_document("calendars.yaml", calendars.encode()), findings)
    levels = [Severity(name, rank) for rank, name in enumerate(["outage", "degraded", "notice"])]
    placed = read_rules(read_document("r.yaml", RULES.encode()), Known(plugins(), levels, known), findings)
    assert findings.problems == []
    return {each.rule.name: each.rule for each in placed}


def events(*given: tuple[float, dict[str, object]]) -> list[bytes]:
    timed = sorted(given, key=lambda event: event[0])
    return [json.dumps({"service": "a", "ts": FRIDAY + at, **fields}).encode() for at, fields in timed]


def beats(start: float, end: float, **fields: object) -> list[tuple[float, dict[str, object]]]:
    beat = {"type": "heartbeat", "from": "feeder", **fields}
    return [(at * 60.0 + 1, beat) for at in range(int(start), int(end))]


SOUND = {"type": "prediction", "error": ""}
BAD = {"type": "prediction", "error": "timeout"}


def test_heartbeats_tell_no_traffic_from_a_dead_producer():
    traffic = [(float(at), SOUND) for at in range(0, 300, 10)]
    clock = beats(0, 30, service="b", **{"from": "feeder"})
    alive = play([rules()["fed"]], FAMILIES, Native(), events(*traffic, *beats(0, 30)))
    dead = play([rules()["fed"]], FAMILIES, Native(), events(*traffic, *beats(0, 5), *clock))
    for played, word in ((alive, "no traffic"), (dead, "dead producer")):
        (signal,) = played.signals
        assert (signal.severity, signal.entity) == ("outage", (("service", "a"),))
        assert signal.evidence.reason.endswith(word)
        assert 290 + 299 <= signal.at - FRIDAY <= 290 + 310, "heartbeats are no events, and break no silence"


def test_hours_begin_although_nothing_arrives_at_that_moment():
    bad = [(float(at), BAD) for at in range(0, 120, 10)]  # 09:00 to 09:02 in Berlin
    later = [(2400.0, {**SOUND, "service": "b"})]
    played = play([rules()["staffed"]], FAMILIES, Native(), events(*bad, *later))
    (signal,) = played.signals
    assert (signal.state, signal.severity) == (State.FIRING, "degraded")
    assert signal.at == FRIDAY + 1800.0
    assert signal.evidence.reason == "`errors > 0.5` holds, during business"


def test_levels_take_what_the_rule_says_and_their_own_where_they_say_it():
    degraded, notice = rules()["staffed"].levels
    assert (degraded.min_samples, degraded.keep_firing_for, str(degraded.hours)) == (3, 120.0, "during business")
    assert (notice.min_samples, notice.keep_firing_for, str(notice.hours)) == (1, 0.0, "during business")


def test_a_changed_calendar_is_a_changed_rule():
    longer = CALENDARS.replace("17:30", "18:00")
    assert rules(longer)["staffed"].hash != rules()["staffed"].hash
    assert rules(longer)["fed"].hash == rules()["fed"].hash
