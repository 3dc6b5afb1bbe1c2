"""The alert rules on Fireline itself: metrics that exist, and, where promtool is, alerts that fire when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from fireline.apps.web_health import known_metrics

FOLDER = Path("deploy") / "prometheus"


def promtool(repository: Path) -> str | None:
    unpacked = repository / ".tools" / "prometheus" / "usr" / "bin" / "promtool"
    return str(unpacked) if unpacked.exists() else shutil.which("promtool")


def rules(repository: Path) -> list[dict[str, object]]:
    (group,) = yaml.safe_load((repository / FOLDER / "fireline-alerts.yaml").read_text())["groups"]
    return list(group["rules"])


def test_alerts_ask_for_metrics_and_labels_that_exist(repository: Path):
    known = {sample.name: set(sample.labels) for family in known_metrics() for sample in family.samples}
    labels = set().union(*known.values())
    for rule in rules(repository):
        expression = str(rule["expr"])
        named = re.findall(r"\bfireline_\w+", expression)
        assert named, rule["alert"]
        assert set(named) <= set(known), rule["alert"]
        for grouped in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
            assert {label.strip() for label in grouped.split(",")} <= labels, rule["alert"]


def test_the_dashboard_shows_metrics_that_exist(repository: Path):
    board = json.loads((repository / "deploy" / "grafana" / "fireline-stream.json").read_text())
    known = {sample.name for family in known_metrics() for sample in family.samples}
    places = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            named = set(re.findall(r"\bfireline_\w+", target["expr"]))
            assert named, panel["title"]
            assert named <= known, panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        places.add((place["x"], place["y"]))
    assert len(places) == len(board["panels"]), "no panel lies on another"


def test_every_alert_says_what_it_means_and_what_to_do(repository: Path):
    names = [rule["alert"] for rule in rules(repository)]
    assert len(names) == len(set(names)) == 12
    for rule in rules(repository):
        told = rule["annotations"]
        assert isinstance(told, dict)
        assert set(told) == {"summary", "description"}
        assert len(told["description"]) > 60, rule["alert"]
        assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})


def test_alerts_are_all_tested_to_fire(repository: Path):
    """What promtool runs; without it at least nothing was forgotten there."""
    test = (repository / FOLDER / "fireline-alerts-test.yaml").read_text()
    fired = set(re.findall(r'alertname="(\w+)"', test))
    assert fired == {rule["alert"] for rule in rules(repository)}
    tool = promtool(repository)
    if tool is None:
        return
    for words in (["check", "rules", "fireline-alerts.yaml"], ["test", "rules", "fireline-alerts-test.yaml"]):
        done = subprocess.run(
            [tool, *words], cwd=repository / FOLDER, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
