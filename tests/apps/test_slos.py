"""`fireline slo`: what is listed and shown, and that what it prints can be read again."""

import json
from pathlib import Path

import pytest

from fireline.apps import slos
from fireline.apps.bootstrap import plugins
from fireline.spec.loading import load_rules, load_slos

SLOS = """\
slos:
  - name: answered
    on: prediction
    by: [service]
    good: {quick: "latency_ms <= 800", whole: "error == ''"}
    objective: 99.5
  - {name: spend, on: prediction, by: [service], budget: {amount: 500, per: 7d}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "slos.yaml").write_text(SLOS)
    return tmp_path


def test_objectives_are_listed_with_their_alerts(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert slos.ls(rules, as_json=False) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["answered", "99.5 %", "30d", "fast_burn", "1h, 5m", "14.4", "outage"]
    assert lines[4][3:] == ["exhausted", "30d", "nothing left", "notice"]
    assert lines[5][:6] == ["spend", "500 of cost_usd", "1w", "fast_burn", "1h, 5m", "3.36"]
    assert slos.ls(rules, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["alerts"][0]["rule"] == "answered_fast_burn"
    assert found[1]["budget"] == {"amount": 500, "of": "cost_usd"}


def test_the_rules_of_an_objective_can_be_written_as_they_are_shown(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slos.show("answered", rules) == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(capsys.readouterr().out)
    made = {placed.rule.name: placed.rule.hash for slo in load_slos(rules, plugins())[0] for placed in slo.rules}
    alone = load_rules([shown], tmp_path, plugins())
    assert alone.problems == ()
    assert {placed.rule.name: placed.rule.hash for placed in alone.rules}.items() <= made.items()
    assert len(alone.rules) == 4
    assert slos.show("answerd", rules) == 1
    assert "did you mean `answered`?" in capsys.readouterr().err


def test_faults_are_told_and_the_rest_is_listed(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rules / "more.yaml").write_text("slos:\n  - {name: odd, on: metric, service: a, good: 'value <', objective: 99}\n")
    assert slos.ls(rules, as_json=False) == 1
    told = capsys.readouterr()
    assert "more.yaml:2:" in told.err
    assert "answered" in told.out


def test_an_import_prints_objectives_and_tells_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: NAME}\nspec:\n  service: a\n  budgetingMethod: METHOD\n"
    indicator = "  indicator: {spec: {thresholdMetric: {metricSource: {type: Prometheus, spec: {query: latency}}}}}\n"
    text = f"{head}{indicator}  objectives: [{{op: lte, value: 0.5, target: 0.99}}]\n"
    first, second = text.replace("NAME", "one").replace("METHOD", "Occurrences"), text.replace("NAME", "two")
    file = tmp_path / "open.yaml"
    file.write_text(f"{first}---\n{second}")
    assert slos.import_([file]) == 1
    told = capsys.readouterr()
    assert "open.yaml:15:20: error: `METHOD` budgets cannot be taken over" in told.err
    (tmp_path / "taken.yaml").write_text(told.out)
    file.unlink()
    (slo,), problems = load_slos(tmp_path, plugins())
    assert problems == ()
    assert (slo.name, dict(slo.objective.legs)) == ("one", {"": "value <= 0.5"})
