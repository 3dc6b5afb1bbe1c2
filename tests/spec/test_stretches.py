"""How far back measures look: the panes that fit, the reach of a rule, and hashes that outlive new words."""

import pytest

from fireline.domain.rules import Rule
from fireline.domain.windows import Lookback
from fireline.spec.stretches import Looks, fitting_pane
from tests.spec.world import load_files

RULE = """\
rules:
  - name: slow
    on: metric
    where: {{name: latency_ms, service: checkout}}
    by: [service]
    window: {window}
    measures:
      n: {{agg: count}}
      p99: {p99}
    severity:
      outage: {{when: "p99 > 2000 && n >= 50"}}
"""


def loaded(tmp_path, p99: str, window: str = "10m") -> Rule:
    found = load_files(tmp_path, {"rules/checkout.yaml": RULE.format(window=window, p99=p99)}, frozenset())
    assert found.configuration is not None, found.problems
    return found.configuration.rules["slow"]


def test_a_measure_takes_its_own_window_and_offset_and_the_rule_reaches_as_far(tmp_path):
    rule = loaded(tmp_path, "{agg: avg, window: 20m, offset: 1h}")
    assert (rule.measures[1].window, rule.measures[1].offset, rule.reach) == (1200.0, 3600.0, 4800.0)
    assert (rule.measures[0].window, rule.measures[0].offset) == (None, 0.0)


def test_what_a_family_compares_with_belongs_to_the_reach(tmp_path):
    assert loaded(tmp_path, "{agg: against, before: 1h, offset: 5m}").reach == 300.0 + 3600.0 + 600.0


def test_a_rule_that_looks_nowhere_else_reaches_as_far_as_its_window(tmp_path):
    rule = loaded(tmp_path, "{agg: avg}")
    assert (rule.reach, rule.pane) == (600.0, 20.0)


def test_hashes_change_with_window_and_offset_and_stay_without_them(tmp_path):
    plain = loaded(tmp_path, "{agg: avg}").hash
    assert plain == "8b57cc7648154e226761ec38801e3a8b75729a78b9ab4a405033b5b2a5c6030e", (
        "windows of rules as they were before must outlive an update"
    )
    others = [loaded(tmp_path, f"{{agg: avg, {words}}}").hash for words in ("window: 20m", "offset: 20m")]
    assert len({plain, *others}) == 3


def looks(window=None, offset=0.0, *lookbacks, rule=3600.0):
    return Looks("m", window, offset, window or rule, lookbacks)


@pytest.mark.parametrize(
    ("window", "found", "pane"),
    [
        (3600.0, [looks()], 60.0),
        (3600.0, [looks(), looks(offset=604_800.0)], 300.0),
        (3600.0, [looks(60.0)], 10.0),
        (60.0, [looks(rule=60.0, offset=3600.0)], 2.0),
        (60.0, [looks(rule=60.0, offset=604_800.0)], 10.0),
        (600.0, [looks(None, 0.0, Lookback(600.0, 86_400.0), rule=600.0)], 60.0),
    ],
)
def test_a_rule_that_sets_no_pane_gets_one_that_divides_all_it_reads(window, found, pane):
    assert fitting_pane(window, found) == pane
