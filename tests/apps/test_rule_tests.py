"""`fireline test`: what it prints for people, programs and CI, what its exit code says, and what mutation finds."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fireline.apps.rule_mutation import _names

RULE = """\
rules:
  - name: slow
    on: metric
    where: {name: latency_ms}
    by: [service]
    window: 10s
    pane: 1s
    measures:
      mean: {agg: avg, of: value}
    severity:
      outage: {when: "mean > 800"}
      degraded: {when: "mean > 400", for: 5s}
    service: checkout
    tests:
      - name: slow <answers> & "worse" ones
        series: [{fields: {name: latency_ms, service: checkout}, values: "500x9 900x19 100x11"}]
        signals:
          - {at: 5s, state: firing, severity: degraded, within: 0s}
          - {at: 17s, state: firing, severity: outage, within: 0s}
          - {at: 31s, state: firing, severity: degraded}
          - {at: 36s, state: clear}
"""
WRONG = RULE.replace("at: 17s", "at: 20s")


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "slow.yaml").write_text(RULE)
    monkeypatch.chdir(folder)
    return folder / "slow.yaml"


def test_the_shipped_rules_pass(house):
    said = house("test", "--json", "-j", "1")
    report = json.loads(said.out)
    assert (said.code, report["ok"], report["failed"]) == (0, True, 0)
    assert report["passed"] == len(report["tests"]) > 20


def test_the_report_does_not_depend_on_how_many_processes_made_it(house):
    one, two = (house("test", "--rule", "fraud_latency", "--json", "-j", jobs) for jobs in "12")
    assert (one.code, one.out) == (0, two.out)
    assert json.loads(one.out)["passed"] >= 4


def test_a_file_of_its_own_needs_no_catalog_and_says_how_much_was_run(house, rules):
    said = house("test", "slow.yaml")
    assert said.code == 0
    assert said.out == ""
    assert "1 tests of 1 rules: 1 passed, 0 failed" in said.err


def test_a_timeline_is_drawn_in_plain_ascii(house, rules):
    said = house("test", "slow.yaml", "--verbose")
    assert (
        said.out
        == """\
slow.yaml:15: slow: slow <answers> & "worse" ones passed

                    0s          12s         24s         36s
  events            ##########################################
  service=checkout  dddddDDDDDDDDDDDDOOOOOOOOOOOOOODDDDD......
                         ^           ^             ^    ^
                    a column is 1s; . clear, D degraded fires, O outage fires, d degraded pending, ^ as expected
"""
    )
    assert said.out.isascii()


def test_a_difference_names_the_line_the_time_and_the_values_and_the_timeline_marks_it(house, rules):
    rules.write_text(WRONG)
    said = house("test", "slow.yaml")
    assert said.code == 1
    assert "1 tests of 1 rules: 0 passed, 1 failed" in said.err
    lines = said.out.splitlines()
    assert lines[0] == 'slow.yaml:15: slow: slow <answers> & "worse" ones FAILED'
    assert lines[1:4] == [
        "  slow.yaml:19: at 20s signal",
        "    - expected  signal firing (outage) (give or take 0s)",
        "    + got       at 17s",
    ]
    assert "  slow.yaml:15: at 17s signal of service=checkout" in lines
    assert "      why: `mean > 800` holds" in lines
    assert "      measures: mean 820; 10 samples" in lines
    (marks,) = [line for line in lines if "X" in line and "^" in line and "column" not in line]
    assert [place for place, mark in enumerate(marks[20:]) if mark == "X"] == [17, 20]


def test_json_tells_the_differences(house, rules):
    rules.write_text(WRONG)
    said = house("test", "slow.yaml", "--json")
    report = json.loads(said.out)
    (test,) = report["tests"]
    assert (said.code, report["ok"], report["failed"]) == (1, False, 1)
    assert test["failures"][0] == {
        "line": 19,
        "what": "signal",
        "at": 20.0,
        "entity": "",
        "expected": "signal firing (outage) (give or take 0s)",
        "got": "at 17s",
        "detail": [
            "given: 17s firing (outage) service=checkout",
            "given: 31s firing (degraded) service=checkout",
            "given: 36s clear service=checkout",
        ],
    }
    assert [signal["at"] for signal in test["signals"]] == pytest.approx([5, 17, 31, 36], abs=1e-3)


def test_junit_has_a_suite_a_file_a_case_a_test_and_a_failure_an_expectation(house, rules):
    rules.write_text(WRONG + RULE.split("    tests:\n")[1].replace("slow <answers>", "bell \\u0007 here"))
    said = house("test", "slow.yaml", "--junit", "out/report.xml")
    assert said.code == 1
    root = ET.parse(rules.parent / "out" / "report.xml").getroot()
    assert root.tag == "testsuites"
    (suite,) = root
    for node in (root, suite):
        assert {name: node.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "skipped": "0",
        }
        assert float(node.get("time", "")) >= 0
    assert suite.get("name") == "slow.yaml"
    cases = list(suite)
    assert [(case.tag, case.get("classname"), case.get("file"), case.get("line")) for case in cases] == [
        ("testcase", "slow", "slow.yaml", "15"),
        ("testcase", "slow", "slow.yaml", "22"),
    ]
    assert cases[0].get("name") == 'slow <answers> & "worse" ones'
    failures = list(cases[0])
    assert [failure.tag for failure in failures] == ["failure", "failure"]
    assert failures[0].get("type") == "signal"
    assert failures[0].get("message") == "signal: expected signal firing (outage) (give or take 0s), got at 17s"
    assert (failures[0].text or "").startswith("slow.yaml:19: at 20s signal")
    assert list(cases[1]) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing.yaml"], "there is no missing.yaml"),
        (["slow.yaml", "--rule", "slwo"], "there is no rule 'slwo' in these files; did you mean `slow`?"),
        (["bare.yaml"], "1 rules, and none has a test"),
        (["bad.yaml"], "bad.yaml:2:5: error: `on` is missing"),
    ],
)
@pytest.mark.parametrize("mutate", [[], ["--mutate"]])
def test_what_cannot_be_run_is_told_and_exits_2(house, rules, words, told, mutate):
    rules.with_name("bare.yaml").write_text(RULE.partition("    tests:\n")[0])
    rules.with_name("bad.yaml").write_text("rules:\n  - name: slow\n")
    said = house("test", *words, *mutate)
    assert said.code == 2
    assert told in said.err
    if "none has" not in told:
        said = house("test", *words, *mutate, "--json")
        assert said.code == 2
        assert told.split(": ")[-1] in " ".join(json.loads(said.out)["problems"])


def test_a_report_that_cannot_be_written_is_told(house, rules):
    rules.with_name("out").write_text("a file")
    said = house("test", "slow.yaml", "--junit", "out/report.xml")
    assert said.code != 0
    assert "out/report.xml cannot be written" in said.err


def test_mutation_names_what_no_test_notices_with_its_line_and_a_hint(house, rules):
    said = house("test", "slow.yaml", "--mutate", "-j", "1")
    assert said.code == 1
    assert "slow.yaml:4: slow: no test notices  where.name: latency_ms dropped" in said.out
    assert "  - latency_ms\n  + (nothing)\n  hint: give events that do not match" in said.out
    assert "slow.yaml:12: slow: no test notices  severity.degraded.when: mean > 400 -> mean >= 400" in said.out
    assert "severity.degraded.for: 5s dropped" not in said.out
    rows = [line.split("\t") for line in said.out.splitlines() if "\t" in line]
    assert rows[0] == ["rule", "mutants", "noticed", "explained", "survived", "score"]
    assert rows[1][0] == "slow"
    assert int(rows[1][1]) == sum(map(int, rows[1][2:5]))


ACCEPT = """\
    accept_mutants:
      - {mutant: "severity.*: mean > *", reason: thresholds are round numbers}
      - {mutant: "where.name: latency_ms dropped", reason: nothing else is sent there}
      - {mutant: "by.0: *", reason: one service has a checkout}
      - {mutant: "severity.outage.until: *", reason: of another day}
"""


def test_a_mutant_may_be_explained_and_an_explanation_of_nothing_is_told(house, rules):
    rules.write_text(RULE.replace("    tests:\n", ACCEPT + "    tests:\n"))
    said = house("test", "slow.yaml", "--mutate", "--json", "-j", "1")
    report = json.loads(said.out)
    (rule,) = report["rules"]
    assert (said.code, report["survived"]) == (0, 0)
    assert report["explained"] >= 2
    assert rule["stale"] == ["severity.outage.until: *"]
    reasons = {each["explained_by"] for each in rule["mutants"] if each["noticed_by"] is None}
    assert reasons == {"thresholds are round numbers", "nothing else is sent there", "one service has a checkout"}
    told = house("test", "slow.yaml", "--mutate", "-j", "1")
    assert "slow.yaml:18: `severity.outage.until: *` is no mutant of slow that survives; remove it" in told.err


def test_mutation_says_nothing_of_rules_whose_tests_fail(house, rules):
    rules.write_text(WRONG)
    said = house("test", "slow.yaml", "--mutate", "-j", "1")
    assert said.code == 1
    assert "1 tests fail on the rules as they are" in said.err
    assert "no test notices" not in said.out


@pytest.mark.parametrize("name", ["entities_refused", "web_fleet_cpu"])
def test_no_small_change_of_a_shipped_rule_goes_unnoticed(house, name):
    said = house("test", "--mutate", "--rule", name, "--json", "-j", "1")
    report = json.loads(said.out)
    assert said.code == 0, [m["mutant"] for rule in report["rules"] for m in rule["mutants"] if m["hint"]]
    assert report["survived"] == 0


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("window: *", "window: 1m -> 30s", True),
        ("window: *", "measures.n.window: 1m -> 30s", False),
        ("a.[b]*", "a.[b] dropped", True),
        ("a.b", "a.b dropped", False),
        ("*", "anything", True),
    ],
)
def test_patterns_name_mutants(pattern, name, fits):
    assert _names(pattern, name) is fits
