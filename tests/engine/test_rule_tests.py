"""Tests of rules: what a test sees of a rule at any instant, and what it says when that is not what was expected."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fireline.apps.rule_test_kit import Asked, kit_of
from fireline.domain.rules import Rule
from fireline.engine.rule_tests import Failure, Outcome, first_failure, run, time_text

RULE = """\
rules:
  - name: slow
    on: metric
    where: {name: latency_ms, service: checkout}
    by: [service, region]
    window: 1m
    pane: 2s
    measures:
      mean: {agg: avg, of: value}
      n: {agg: count}
    severity:
      outage: {when: "mean > 2000 && n >= 5"}
      degraded: {when: "mean > 800 && n >= 5", for: 30s, until: "mean < 600", keep_firing_for: 20s}
    no_data: {after: 5m, severity: degraded}
    summary: "mean of {{ service }} is {{ measures.mean | round }} ms"
    tests:
"""


def outcomes(tmp_path: Path, tests: str, rule: str = RULE) -> list[tuple[Rule, Outcome]]:
    path = tmp_path / "slow.yaml"
    path.write_text(rule + tests)
    kit = kit_of(Asked((path,), tmp_path))
    kit_of.cache_clear()
    assert kit.errors == []
    (placed,) = kit.loaded.rules
    for test in placed.rule.tests:
        one = first_failure(placed.rule, test, kit.bench)
        assert one == next(iter(run(placed.rule, test, kit.bench).failures), None)
    return [(placed.rule, run(placed.rule, test, kit.bench)) for test in placed.rule.tests]


def failures(tmp_path: Path, tests: str, rule: str = RULE) -> tuple[Failure, ...]:
    (found,) = outcomes(tmp_path, tests, rule)
    return found[1].failures


EU = "{name: latency_ms, service: checkout, region: eu}"


def test_a_level_fires_between_two_events_when_its_for_runs_out(tmp_path):
    assert (
        failures(
            tmp_path,
            f"""\
      - name: t
        every: 20s
        series: [{{fields: {EU}, values: "900x1", every: 1s}}, {{fields: {EU}, values: "900x2", at: 2s, every: 1s}}]
        expect:
          - {{at: 33.9s, state: clear}}
          - {{at: 34s, state: firing, severity: degraded, evidence: {{mean: 900, n: 5, reason: ~for 30 s}}}}
        signals: [{{at: 34s, state: firing, severity: degraded, within: 0s}}]
""",
        )
        == ()
    )


def test_it_goes_on_firing_for_as_long_as_it_must_and_not_longer(tmp_path):
    tests = f"""\
      - name: "the sixth quick answer in fifteen, at 80 s, brings the mean below 600"
        every: 4s
        series: [{{fields: {EU}, values: "900x14 10x19"}}]
        expect:
          - {{at: 80s, state: firing, severity: degraded, evidence: {{mean: 544, reason: ~`mean < 600` holds}}}}
          - {{at: 99.9s, state: firing, severity: degraded}}
          - {{at: 100s, state: clear}}
        signals:
          - {{at: 46s, state: firing, severity: degraded, within: 0s}}
          - {{at: 100s, state: clear, within: 0s}}
"""
    assert failures(tmp_path, tests) == ()


def test_silence_is_judged_when_it_has_lasted_and_pages_once(tmp_path):
    assert (
        failures(
            tmp_path,
            f"""\
      - name: t
        series: [{{fields: {EU}, values: "10x2"}}]
        expect: [{{at: 5m1.999s, state: unknown}}, {{at: 5m2s, state: firing, severity: degraded}}]
        pages: 1
""",
        )
        == ()
    )


def test_an_event_may_arrive_late_and_too_late(tmp_path):
    tests = f"""\
      - name: t
        events:
          - {{at: 0s, fields: {{name: latency_ms, service: checkout, region: eu, value: 100}}}}
          - {{at: 1s, late: 20s, fields: {{name: latency_ms, service: checkout, region: eu, value: 300}}}}
        expect:
          - {{at: 20s, state: unknown, evidence: {{mean: 100, n: 1}}}}
          - {{at: 21s, state: unknown, evidence: {{mean: 200, samples: 2}}}}
      - name: u
        events: [{{at: 1s, late: 40s, fields: {EU[:-1]}, value: 300}}}}]
        signals: []
"""
    tests = tests.replace("state: unknown, evidence", "state: clear, evidence")
    first, second = outcomes(tmp_path, tests)
    assert first[1].failures == ()
    assert [(f.what, f.at) for f in second[1].failures] == [("event", 1.0)]
    assert second[1].failures[0].got.startswith("late: ")


def test_what_is_wrong_is_told_with_its_line_time_entity_values_and_reason(tmp_path):
    (failure,) = failures(
        tmp_path,
        f"""\
      - name: t
        series: [{{fields: {EU}, values: "700x9"}}]
        expect:
          - {{at: 9s, state: firing, severity: outage, entity: {{region: eu}}}}
""",
    )
    assert failure == Failure(
        line=20,
        what="verdict",
        at=9.0,
        entity="service=checkout, region=eu",
        wanted="firing (outage)",
        got="clear",
        detail=("why: no level's condition holds", "measures: mean 700, n 10; 10 samples"),
    )


@pytest.mark.parametrize(
    ("evidence", "got"),
    [
        ("mean: 750.4", None),
        ("mean: 750", None),
        ("mean: 751", "mean 750.4"),
        ("mean: 750.41", "mean 750.4"),
        ("mean: 750 +- 1", None),
        ("mean: 700 +- 10%", None),
        ("mean: 700 +- 5%", "mean 750.4"),
        ('mean: "> 750.4"', "mean 750.4"),
        ('mean: ">= 750.4"', None),
        ('mean: "< 750.4"', "mean 750.4"),
        ("mean: 750..751", None),
        ("mean: none", "mean 750.4"),
        ("samples: 5", None),
        ("reason: ~no level", None),
        ("reason: no level", "`no level's condition holds`"),
        ("reason: ~holds for", "`no level's condition holds`"),
    ],
)
def test_evidence_is_compared_as_precisely_as_it_is_written(tmp_path, evidence, got):
    found = failures(
        tmp_path,
        f"""\
      - name: t
        series: [{{fields: {EU}, values: "752 750 750 750 750"}}]
        expect: [{{at: 4s, state: clear, evidence: {{{evidence}}}}}]
""",
    )
    assert [failure.got for failure in found] == ([] if got is None else [got])


def test_signals_are_exact_and_each_one_that_is_too_much_or_missing_is_told(tmp_path):
    tests = f"""\
      - name: t
        series: [{{fields: {EU}, values: "3000x9"}}]
        signals: [{{at: 3s, state: firing, severity: outage, within: 500ms}}]
      - name: u
        series: [{{fields: {EU}, values: "3000x9"}}]
        signals: []
      - name: v
        series: [{{fields: {EU}, values: "3000x9"}}]
        signals: []
        only: false
      - name: w
        series: [{{fields: {EU}, values: "3000x9"}}]
        signals: [{{at: 4s, state: firing, severity: outage, evidence: {{n: 6, summary: mean of checkout is 3000 ms}}}}]
"""
    found = [[(f.wanted, f.got) for f in outcome.failures] for _, outcome in outcomes(tmp_path, tests)]
    assert found == [
        [
            ("signal firing (outage) (give or take 0.5s)", "at 4s"),
            ("no further signal", "signal firing (outage)"),
        ],
        [("no further signal", "signal firing (outage)")],
        [],
        [("n 6", "n 5")],
    ]


def test_an_entity_that_was_never_seen_is_told_and_one_that_is_forgotten_is_unknown(tmp_path):
    rule = RULE.replace("    no_data: {after: 5m, severity: degraded}\n", "")
    tests = f"""\
      - name: t
        series: [{{fields: {EU}, values: "10x2"}}]
        expect: [{{at: 10m, state: unknown, entity: {{region: eu}}}}, {{at: 1s, state: clear, entity: {{region: us}}}}]
      - name: u
        series: [{{fields: {EU}, values: "10x2"}}]
        expect: [{{at: 10m, state: clear, entity: {{region: eu}}}}]
      - name: v
        series: [{{fields: {{name: other}}, values: "10x2"}}]
        expect: [{{at: 1s, state: clear}}]
"""
    first, second, third = (outcome.failures for _, outcome in outcomes(tmp_path, tests, rule))
    assert [(f.got, f.detail) for f in first] == [
        ("no event of such an entity", ("known are service=checkout, region=eu",))
    ]
    assert [f.got for f in second] == ["nothing: all that is known of it is older than the window"]
    assert [f.got for f in third] == ["no event that the rule takes"]


def test_pages_are_those_of_incidents_that_open_reopen_or_get_worse(tmp_path):
    rule = RULE.replace(", for: 30s", "").replace(", keep_firing_for: 20s", "")
    tests = f"""\
      - name: it rises while it is open, and fires again after it has settled
        every: 4s
        series: [{{fields: {EU}, values: "900x9 3000x19 10x24 900x29"}}]
        pages: 2
      - name: a shadow pages nobody
        series: [{{fields: {EU}, values: "900x9"}}]
        pages: 0
"""
    (_, rising), (_, quiet) = outcomes(tmp_path, tests, rule)
    assert [(f.wanted, f.got) for f in rising.failures] == [("2 pages", "3 pages")]
    assert all("firing" in line for line in rising.failures[0].detail)
    assert [f.got for f in quiet.failures] == ["1 pages"]
    shadow = outcomes(tmp_path, tests, rule.replace("    window:", "    mode: shadow\n    window:"))
    assert shadow[1][1].failures == ()


def test_predictions_and_feedback_of_a_series_are_paired_by_their_numbers(tmp_path):
    rule = """\
rules:
  - name: agreement
    on: prediction
    by: [model]
    window: 1m
    measures: {right: {agg: agreement}, n: {agg: count}}
    severity: {outage: {when: "right < 0.5"}}
    service: fraud
    tests:
      - name: t
        start: 2026-03-29T00:59:00+01:00
        series:
          - {fields: {model: m, request_id: "a{n}", prediction: deny}, count: 3 _ 2}
          - {fields: {request_id: "a{n}", label: deny}, on: feedback, count: 4, at: 10s}
        expect: [{at: 11s, state: clear, evidence: {right: 1, n: 5}}]
"""
    ((made, outcome),) = outcomes(tmp_path, "", rule)
    assert outcome.failures == ()
    assert len(outcome.events) == 9
    assert made.tests[0].start == 1774742340.0


def test_an_event_that_is_none_fails_the_test_with_its_reason(tmp_path):
    found = failures(
        tmp_path,
        """\
      - name: t
        events: [{at: 3s, fields: {name: latency_ms}}]
        signals: []
""",
    )
    assert [(f.what, f.at) for f in found] == [("event", 3.0)]
    assert "without `value`" in found[0].got


def test_the_same_test_gives_the_same_outcome_whatever_ran_before(tmp_path):
    tests = f"""\
      - name: t
        series: [{{fields: {EU}, values: "900x49 3000x49 10x99"}}]
        signals: []
"""
    ((rule, one),) = outcomes(tmp_path, tests)
    ((_, other),) = outcomes(tmp_path, tests)
    assert one == other
    assert len(one.signals) >= 2
    assert {span.state.value for span in one.spans} >= {"clear", "firing"}
    assert {span.pending for span in one.spans} >= {None, "degraded"}
    assert replace(rule.tests[0], line=0) == replace(one.test, line=0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.1, "0.1s"), (90, "1m30s"), (86_400 * 2 + 3600, "2d1h"), (3600.5, "1h0.5s")]
)
def test_times_are_told_as_they_are_written(seconds, text):
    assert time_text(seconds) == text


EVENTS = st.fixed_dictionaries(
    {"at": st.sampled_from(["0s", "1ms", "59.999s", "1h", "7d"])},
    optional={
        "late": st.sampled_from(["0s", "31s", "2d"]),
        "on": st.sampled_from(["feedback", "heartbeat", "metric", "evaluation"]),
        "fields": st.dictionaries(
            st.sampled_from(["name", "value", "service", "region", "ts", "type", "labels", "request_id"]),
            st.sampled_from([None, "latency_ms", "checkout", 5, -1e300, True, [], {"a": {"b": 1}}, "{n}"]),
        ),
    },
).map(lambda event: {"fields": {}, **event})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    events=st.lists(EVENTS, max_size=5),
    at=st.sampled_from(["0s", "1s", "10m", "400d"]),
    state=st.sampled_from(["firing", "clear", "unknown"]),
)
def test_whatever_a_test_says_it_ends_with_an_outcome(tmp_path, events, at, state):
    expected = [{"at": at, "state": state, "evidence": {"mean": 1, "reason": "~x", "summary": "x"}}]
    body = {"name": "t", "events": events, "expect": expected, "signals": [], "pages": 0}
    ((_, outcome),) = outcomes(tmp_path, f"      - {json.dumps(body)}\n")
    assert all(failure.wanted and failure.got and failure.line > 0 for failure in outcome.failures)
