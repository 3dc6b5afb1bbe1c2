"""Service objectives: the rules that they become, and when these fire, against sums done by hand and by brute force."""

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fireline.apps.bootstrap import plugins
from fireline.domain.catalog import Severity
from fireline.domain.rules import Rule, State
from fireline.engine.playback import Played, play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.rule_reader import Known
from fireline.spec.slos import read_slos
from tests.spec.world import load_files

START = 1_700_006_400.0  # a whole number of the longest panes
LEVELS = tuple(Severity(name, rank) for rank, name in enumerate(["outage", "degraded", "notice"]))


def rules_of(text: str) -> dict[str, Rule]:
    findings = Findings()
    slos = read_slos(read_document("slos.yaml", f"slos:\n{text}".encode()), Known(plugins(), LEVELS, {}), findings)
    assert findings.problems == []
    return {placed.rule.name: placed.rule for slo in slos for placed in slo.rules}


def slo(good: str, more: str = "objective: 99.9") -> str:
    return f"  - {{name: fraud, on: prediction, by: [service], good: {good}, {more}}}\n"


def pairs(rules: dict[str, Rule]) -> dict[str, tuple[str, str, int]]:
    return {
        name: (level.severity, level.when.source, level.min_samples)
        for name, rule in rules.items()
        for level in rule.levels
    }


def test_the_pairs_of_the_workbook_for_thirty_days():
    rules = rules_of(slo("\"error == ''\""))
    assert pairs(rules) == {
        "fraud_fast_burn": ("outage", "burn_1h > 14.4 && burn_5m > 14.4", 70),
        "fraud_slow_burn": ("degraded", "burn_6h > 6.0 && burn_30m > 6.0", 167),
        "fraud_creeping_burn": ("notice", "burn_3d > 1.0 && burn_6h > 1.0", 1000),
        "fraud_exhausted": ("notice", "budget_left <= 0.0", 1000),
    }
    assert [rule.window for rule in rules.values()] == [3600.0, 21600.0, 259200.0, 2592000.0]
    assert [rule.pane for rule in rules.values()] == [10.0, 60.0, 600.0, 3600.0]


def test_factors_follow_the_period():
    found = pairs(rules_of(slo("\"error == ''\"", "objective: 99.9, period: 28d")))
    assert found["fraud_fast_burn"][1] == "burn_1h > 13.44 && burn_5m > 13.44"
    assert found["fraud_slow_burn"][1] == "burn_6h > 5.6 && burn_30m > 5.6"
    assert found["fraud_creeping_burn"][1] == "burn_3d > 1.0 && burn_6h > 1.0", "below 1 some budget is left over"
    assert set(pairs(rules_of(slo("\"error == ''\"", "objective: 99, period: 2d")))) == {
        "fraud_fast_burn",
        "fraud_slow_burn",
        "fraud_exhausted",
    }


def test_pairs_and_severities_of_ones_own():
    own = "{name: burn, window: 30m, short: 5m, spends: 0.05, severity: outage, for: 1m, min_samples: 7}"
    rules = rules_of(
        slo("\"error == ''\"", f"objective: 95, period: 1d, alerts: [{own}], severity: {{exhausted: degraded}}")
    )
    assert pairs(rules) == {
        "fraud_burn": ("outage", "burn_30m > 2.4 && burn_5m > 2.4", 7),
        "fraud_exhausted": ("degraded", "budget_left <= 0.0", 20),
    }
    assert rules["fraud_burn"].levels[0].for_ == 60.0


def events(good_and_bad: list[tuple[float, dict[str, object]]]) -> list[bytes]:
    return [
        json.dumps({"type": "prediction", "service": "fraud", "ts": START + at, **fields}).encode()
        for at, fields in sorted(good_and_bad, key=lambda event: event[0])
    ]


def told(rule: Rule, records: list[bytes]) -> Played:
    played = play([rule], FAMILIES, Native(), records)
    assert played.dead == ()
    return played


def every(seconds: float, start: float, end: float, **fields: object) -> list[tuple[float, dict[str, object]]]:
    count = round((end - start) / seconds)
    return [(start + seconds * n, fields) for n in range(count)]


def test_an_hour_of_traffic_by_hand():
    # 3,600 events in the hour; from minute 50 on 1 of 10 fails: 60 bad of 3,600 is 16.7 times 0.1 %
    sound = every(1.0, 0.0, 3000.0, error="")
    ill = [(at, {"error": "timeout" if at % 10 == 0 else ""}) for at, _ in every(1.0, 3000.0, 3600.0)]
    rule = rules_of(slo("\"error == ''\""))["fraud_fast_burn"]
    played = told(rule, events(sound + ill))
    (signal,) = played.signals
    # above 14.4 needs 52 bad of 3,600 or fewer of the events so far: 51 of 3,510 are 14.5, reached at second 3,500
    assert (signal.state, signal.severity) == (State.FIRING, "outage")
    assert signal.at == pytest.approx(START + 3510.0, abs=0.001)
    assert signal.evidence.measures["burn_1h"] == float(Fraction(51, 3510) * 1000)
    assert signal.evidence.measures["burn_5m"] == pytest.approx(100.0, rel=0.05)
    assert (
        signal.summary == "fraud burns its error budget 14.5 times as fast as it may; so the budget of 30d lasts 2.1d"
    )


def test_what_stopped_burning_clears_by_the_short_window():
    ill = every(1.0, 0.0, 600.0, error="timeout")
    sound = every(1.0, 600.0, 3000.0, error="")
    played = told(rules_of(slo("\"error == ''\""))["fraud_fast_burn"], events(ill + sound))
    fired, cleared = played.signals
    assert (fired.state, cleared.state) == (State.FIRING, State.CLEAR)
    # the last bad event left five minutes of panes at 900; burn_1h is 200 then and still was at the end
    assert START + 880.0 <= cleared.at <= START + 910.0
    assert cleared.evidence.measures["burn_1h"] > 14.4


def test_one_bad_event_alone_pages_nobody():
    records = events([*every(60.0, 0.0, 3000.0, error=""), (1.0, {"error": "timeout"})])
    played = told(rules_of(slo("\"error == ''\""))["fraud_fast_burn"], records)
    assert played.signals == ()
    (verdict,) = played.verdicts
    assert verdict.state is State.UNKNOWN
    assert "at least 70 are needed" in verdict.reason


LEGS = '{fast: "latency_ms <= 800", cheap: "cost_usd <= 0.002", confident: "confidence >= 0.6"}'


def test_the_page_says_which_leg_burned_and_by_how_much():
    good = {"latency_ms": 80, "cost_usd": 0.001, "confidence": 0.9}
    slow = {**good, "latency_ms": 900}
    slow_and_unsure = {**slow, "confidence": 0.5}
    kinds = [slow, slow_and_unsure, good, good]
    records = events([(at, kinds[int(at) % 4]) for at, _ in every(1.0, 0.0, 200.0)])
    played = told(rules_of(slo(LEGS, "objective: 99"))["fraud_fast_burn"], records)
    (signal,) = played.signals
    # of the first ten events six are bad, all of them slow and three unsure; of 100 one may be
    assert signal.summary == (
        "fraud burns its error budget 60 times as fast as it may (by leg: fast 60 confident 30); "
        "so the budget of 30d lasts 12h"
    )
    assert signal.evidence.measures["cheap_1h"] == 0.0


def test_what_cannot_be_told_is_left_out_and_told():
    told_good, untold = {"latency_ms": 80}, {"note": "no latency"}
    fields = [told_good if n % 2 else untold for n in range(200)]
    bad = [{"latency_ms": 900}] * 60
    records = events([(float(n), each) for n, each in enumerate([*fields, *bad])])
    rule = rules_of(slo('"latency_ms <= 800"', "objective: 99"))["fraud_fast_burn"]
    signal = told(rule, records).signals[0]
    assert signal.evidence.measures["burn_1h"] > 14.4
    assert any(note.startswith("burn_1h leaves out 4") for note in signal.evidence.notes), signal.evidence.notes


def test_the_budget_that_is_left():
    records = events([(600.0 * n, {"error": "timeout" if n % 50 == 0 else ""}) for n in range(1200)])
    rule = rules_of(slo("\"error == ''\"", "objective: 99, severity: {exhausted: degraded}"))["fraud_exhausted"]
    played = told(rule, records)
    (signal,) = played.signals
    # with 100 events, 2 bad of 100 are twice what may be: the budget of 1 is spent, and -1 of it is left
    assert signal.severity == "degraded"
    assert signal.evidence.samples >= 100
    assert signal.evidence.measures["budget_left"] <= -1.0
    assert "of the error budget of fraud for 30d is left" in signal.summary


def test_money_burns_likewise():
    text = "  - {name: spend, on: prediction, by: [service], budget: {amount: 720, per: 30d}}\n"
    rules = rules_of(text)
    assert pairs(rules)["spend_fast_burn"] == ("outage", "burn_1h > 14.4 && burn_5m > 14.4", 1)
    assert pairs(rules)["spend_exhausted"] == ("notice", "burn_30d >= 1.0", 1)
    # 720 in 30 days is 1 an hour; 10 seconds of one dollar each are ten hours' worth, 15 are above 14.4
    records = events([(float(n), {"cost_usd": 1.0}) for n in range(15)])
    assert told(rules["spend_fast_burn"], records[:14]).signals == ()
    (signal,) = told(rules["spend_fast_burn"], records).signals
    assert signal.evidence.measures == {"burn_1h": 15.0, "burn_5m": 180.0}
    assert signal.summary == "spend spends its budget 15 times as fast as it may; so the budget of 30d lasts 2d"
    (spent,) = told(rules["spend_exhausted"], events([(0.0, {"cost_usd": 719.0}), (9.0, {"cost_usd": 1.0})])).signals
    assert spent.summary == "spend has spent 100 % of what 30d may cost"


def test_counters_of_good_and_bad():
    text = (
        "  - {name: web, on: metric, by: [service], objective: 99,"
        " counters: {total: {name: requests_total}, bad: {code: '~5..'}}}\n"
    )
    rule = rules_of(text)["web_fast_burn"]

    def points(failing: int) -> list[bytes]:
        made = []
        for minute in range(31):
            for code, value in (("200", 100 * minute), ("503", failing * minute)):
                labels = {"service": "fraud", "code": code}
                point = {"type": "metric", "name": "requests_total", "value": value, "cumulative": True, **labels}
                made.append((60.0 * minute, point))
        return events(made)

    (signal,) = told(rule, points(20)).signals
    measures = signal.evidence.measures
    assert measures["bad_1h"] / measures["total_1h"] == pytest.approx(20 / 120)
    assert "16.7 times as fast as it may" in signal.summary
    assert told(rule, points(10)).signals == ()


PAIR = "{name: burn, window: 5m, short: 1m, factor: 3, severity: outage, min_samples: 0}"


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    runs=st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.6, 1.0, None]), st.integers(1, 12)), min_size=3, max_size=16
    ),
    seed=st.integers(0, 10_000),
)
def test_an_alert_fires_exactly_while_both_windows_burn_faster(runs, seed):
    rule = rules_of(slo("\"error == ''\"", f"objective: 90, period: 1d, alerts: [{PAIR}]"))["fraud_burn"]
    pane, size = 2, 10  # seconds, and how many events come in a pane
    chance = random.Random(seed)
    marks: list[bool | None] = []
    for bad, panes in runs:
        marks += [None if bad is None else chance.random() >= bad for _ in range(panes * size * 3)]
    while marks and marks[-1] is None:  # time ends with the last event
        marks.pop()
    step = pane / size
    fields = [{"error": "" if mark else "timeout"} for mark in marks]
    records = events([(at * step, fields[at]) for at, mark in enumerate(marks) if mark is not None])
    firing, expected = False, []
    for end in range(-(-len(marks) // size)):
        long, short = (burn(marks[max(0, (end + 1 - panes) * size) : (end + 1) * size]) for panes in (150, 30))
        if long is not None and short is not None and (long > 3 and short > 3) is not firing:
            firing = not firing
            expected.append((end, firing))
    found = [
        (round((signal.at - START) // pane), signal.state is State.FIRING) for signal in told(rule, records).signals
    ]
    assert rule.pane == pane
    assert found == expected


def burn(marks: list[bool | None]) -> Fraction | None:
    """How many times as fast as one in ten bad, exactly; None of nothing."""
    known = [mark for mark in marks if mark is not None]
    return Fraction(known.count(False), len(known)) * 10 if known else None


def test_a_file_may_hold_objectives_alone(tmp_path: Path):
    text = "slos:\n  - {name: quick, on: metric, where: {service: checkout}, good: 'value < 800', objective: 99}\n"
    loaded = load_files(tmp_path, {"rules/slos.yaml": text})
    assert loaded.problems == ()
    assert loaded.configuration is not None
    assert [name for name in loaded.configuration.rules if name.startswith("quick")] == [
        "quick_fast_burn",
        "quick_slow_burn",
        "quick_creeping_burn",
        "quick_exhausted",
    ]
