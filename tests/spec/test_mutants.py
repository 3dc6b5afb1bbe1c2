"""Mutants: every small change that a rule allows, each a sound rule of its own, under a name of its own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.apps.bootstrap import plugins
from fireline.spec.conditions import compile_condition
from fireline.spec.faults import SyntaxFault
from fireline.spec.loading import load_rules
from fireline.spec.mutant_conditions import changes, moved
from fireline.spec.mutants import Mutant, hint, mutants

RULE = """\
rules:
  - name: slow
    on: prediction
    where: {env: prod}
    by: [service, region]
    window: 1m
    pane: 2s
    measures:
      p99: {agg: quantile, q: 0.99, of: latency_ms}
      mean: {agg: avg, of: latency_ms, where: {env: prod, target: primary}}
      errors: {agg: ratio, condition: "error != '' || latency_ms > 0"}
      n: {agg: count}
    severity:
      outage: {when: "(p99 > 800 || errors >= 0.20) && n >= 20", for: 30s, until: "p99 < 600", keep_firing_for: 1m}
      degraded: {when: "mean > 99.5 && !(n < 5)", min_samples: 4}
    no_data: {after: 5m, severity: degraded}
    tests: [{name: t, signals: []}]
"""


def made(tmp_path: Path, text: str = RULE) -> list[Mutant]:
    path = tmp_path / "slow.yaml"
    path.write_text(text)
    read = load_rules([path], tmp_path, plugins())
    assert [p for p in read.problems if p.severity == "error"] == []
    return list(mutants(read.rules[0], read.known))


def test_every_part_of_a_rule_is_changed_where_it_stands(tmp_path):
    found = {(mutant.line, mutant.name) for mutant in made(tmp_path)}
    when = "(p99 > 800 || errors >= 0.20) && n >= 20"
    expected = {
        (4, "where.env: prod dropped"),
        (5, "by.1: region dropped"),
        (6, "window: 1m -> 30s"),
        (6, "window: 1m -> 2m"),
        (9, "measures.p99.q: 0.99 -> 0.9"),
        (10, "measures.mean.agg: avg -> max"),
        (10, "measures.mean.where.target: primary dropped"),
        (11, "measures.errors.condition: `latency_ms > 0` dropped"),
        (11, "measures.errors.condition: error != '' || latency_ms > 0 -> error == '' || latency_ms > 0"),
        (14, "severity.outage.for: 30s dropped"),
        (14, "severity.outage.until: p99 < 600 dropped"),
        (14, "severity.outage.keep_firing_for: 1m dropped"),
        (14, f"severity.outage.when: {when} -> (p99 >= 800 || errors >= 0.20) && n >= 20"),
        (14, f"severity.outage.when: {when} -> (p99 < 800 || errors >= 0.20) && n >= 20"),
        (14, f"severity.outage.when: {when} -> (p99 > 880 || errors >= 0.20) && n >= 20"),
        (14, f"severity.outage.when: {when} -> (p99 > 800 || errors >= 0.18) && n >= 20"),
        (14, f"severity.outage.when: {when} -> (p99 > 800 || errors >= 0.20) && n >= 18"),
        (14, "severity.outage.when: `n >= 20` dropped"),
        (14, "severity.outage.when: `errors >= 0.20` dropped"),
        (14, "severity.outage.when: `p99 > 800` dropped"),
        (15, "severity.degraded.when: mean > 99.5 && !(n < 5) -> mean > 89.55 && !(n < 5)"),
        (15, "severity.degraded.min_samples: 4 -> 1"),
        (15, "severity.degraded.min_samples: 4 -> 8"),
        (13, "severity: outage and degraded change places"),
        (16, "no_data: {after: 5m, severity: degraded} dropped"),
        (16, "no_data.after: 5m -> 10m"),
    }
    assert expected <= found, expected - found


def test_mutants_are_sound_differ_from_their_rule_and_from_each_other_and_keep_its_tests(tmp_path):
    found = made(tmp_path)
    hashes = [mutant.rule.hash for mutant in found]
    assert len(set(hashes)) == len(hashes)
    assert len({mutant.name for mutant in found}) == len(found)
    assert all(mutant.rule.tests == found[0].rule.tests != () for mutant in found)
    assert all(hint(mutant).split() for mutant in found)
    assert [m.rule.service.render({"service": "x"}) for m in found if m.kind == "by"] == ["x"]


def test_what_no_rule_may_be_is_no_mutant(tmp_path):
    names = [mutant.name for mutant in made(tmp_path)]
    assert "by.0: service dropped" not in names, "the rule would belong to no service"
    with_pane = made(tmp_path, RULE.replace("window: 1m", "window: 6s"))
    assert [m.now for m in with_pane if m.kind == "window"] == ["4s", "12s"], "whole panes"


@pytest.mark.parametrize(
    ("number", "others"),
    [("800", ("720", "880")), ("5", ("4", "6")), ("0", ("1",)), ("0.0", ("0.1",)), ("0.05", ("0.045", "0.055"))],
)
def test_thresholds_move_a_tenth_and_whole_numbers_stay_whole(number, others):
    assert tuple(moved(number)) == others


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("a > 1 && b > 2", ["b > 2", "a > 1"]),
        ("a > 1 && b > 2 && c > 3", ["b > 2 && c > 3", "a > 1 && c > 3", "a > 1 && b > 2"]),
        ("a > 1 || b > 2 && c > 3", ["b > 2 && c > 3", "a > 1", "a > 1 || c > 3", "a > 1 || b > 2"]),
        ("!(a > 1 || b > 2)", ["!(b > 2)", "!(a > 1)"]),
        ("x == 'a && b' && y[0] > 1", ["y[0] > 1", "x == 'a && b'"]),
        ("a > 1 ? b > 2 : c > 3 && d > 4", []),
        ("min(a, b) > 1", []),
    ],
)
def test_operands_are_dropped_at_any_depth(condition, left):
    assert [changed.text for changed in changes(condition) if changed.kind == "operand"] == left


@given(st.text(alphabet="ab01.<>=!&|()' ?:-+", max_size=40))
def test_changes_of_any_text_never_raise_and_change_something(text):
    for changed in changes(text):
        assert changed.text != text


@given(
    st.recursive(
        st.sampled_from(["a > 1", "b <= 0.5", "c == 'x'", "(a + b) / 2 >= 10"]),
        lambda inner: st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        max_leaves=6,
    )
)
def test_every_change_of_a_sound_condition_is_a_sound_condition(condition):
    for changed in changes(condition):
        try:
            compile_condition(changed.text)
        except SyntaxFault as fault:
            raise AssertionError(f"{condition} became {changed.text}") from fault


def test_hours_heartbeats_and_what_a_rule_says_of_all_its_levels_are_changed_too(tmp_path):
    (tmp_path / "calendars.yaml").write_text(
        "calendars:\n  business: {time_zone: Europe/Berlin, hours: {mon-fri: '09:00-18:00'}}\n"
    )
    names = {
        mutant.name
        for mutant in made(
            tmp_path,
            RULE.replace("    window: 1m\n", "    window: 1m\n    clear_after: 10s\n    min_samples: 8\n")
            .replace("min_samples: 4}", "during: business}")
            .replace(
                "{after: 5m, severity: degraded}",
                "{after: 5m, severity: degraded, outside: business}\n"
                "    heartbeat: {where: {service: scorer, env: prod}, every: 20s}",
            ),
        )
    }
    assert {
        "clear_after: 10s dropped",
        "min_samples: 8 -> 1",
        "min_samples: 8 -> 16",
        "severity.degraded.during: business dropped",
        "no_data.outside: business dropped",
        "heartbeat: {where: {service: scorer, env: prod}, every: 20s} dropped",
        "heartbeat.where.env: prod dropped",
        "heartbeat.every: 20s -> 40s",
    } <= names
