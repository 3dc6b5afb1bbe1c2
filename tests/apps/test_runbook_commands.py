"""`fireline runbook ls | show | check | schema`: what they print in a pipe and as JSON, and how they end."""

import json
import re

import pytest

from tests.apps.test_cli_commands import rows

FAULTY = """\
name: faulty
owner: payments-ml
steps:
  - id: a
    uses: route.gett
    with: {service: "{{ inputs.nothing }}"}
"""


@pytest.fixture
def old(house):
    """The shipped runbook, last reviewed long ago."""
    path = house.runbooks / "route-to-fallback.yaml"
    path.write_text(re.sub(r"(?m)^reviewed: .*$", "reviewed: 2020-01-01", path.read_text()))
    return path


def test_ls(house):
    found = {row["runbook"]: row for row in rows(house("runbook", "ls").out)}
    assert found["route-to-fallback"]["owner"] == "payments-ml"
    assert found["route-to-fallback"]["mode"] == "auto"
    assert found["route-to-fallback"]["must be told"] == "service"
    assert found["route-to-fallback"]["asked for by"] == "fraud_errors, fraud_latency"
    told = {book["name"]: book for book in json.loads(house("runbook", "ls", "--json").out)}
    assert told["route-back"]["required_inputs"] == ["service"]
    assert told["route-back"]["asked_for_by"] == []


def test_ls_says_which_review_ran_out(house, old):
    found = {row["runbook"]: row for row in rows(house("runbook", "ls").out)}
    assert found["route-to-fallback"]["review"].startswith("overdue by ")
    told = {book["name"]: book for book in json.loads(house("runbook", "ls", "--json").out)}
    assert told["route-to-fallback"]["overdue_days"] > 1000
    assert told["route-to-fallback"]["review_until"] == "2020-03-31"


def test_show(house):
    said = house("runbook", "show", "route-to-fallback")
    assert said.code == 0
    for expected in ("fallbacks_active > 5", "3 runs in 1h", "fraud_latency", "verify.rule", "{{ incident.rule }}"):
        assert expected in said.out
    told = json.loads(house("runbook", "show", "route-to-fallback", "--json").out)
    assert told["file"] == str(house.runbooks / "route-to-fallback.yaml")
    assert told["guards"]["budget"] == {"runs": 3, "per_seconds": 3600.0}
    assert (told["guards"]["oscillation"], told["guards"]["blast_radius"]) == (None, None)
    path = house.runbooks / "route-to-fallback.yaml"
    own = (
        "guards:\n  oscillation: {reversals: 2, per: 2h}\n  blast_radius: {services: 1, if_more: ask}\n  cooldown: 5m\n"
    )
    path.write_text(path.read_text().replace("guards:\n", own, 1))
    told = json.loads(house("runbook", "show", "route-to-fallback", "--json").out)
    assert told["guards"]["oscillation"] == {"reversals": 2, "per": 7200.0}
    assert told["guards"]["blast_radius"] == {"targets": None, "services": 1, "share": None, "asks": True}
    said = house("runbook", "show", "route-to-fallback").out
    for expected in ("at most 1 times a target is taken back in 2h", "at most 1 services; beyond, it asks", "5m"):
        assert expected in said
    assert [step["id"] for step in told["steps"]][:3] == ["before", "reroute", "verify"]
    assert told["steps"][1]["undo"]["uses"] == "route.set"


def test_an_unknown_name_is_told_with_the_nearest(house):
    said = house("runbook", "show", "route-bak")
    assert said.code == 1
    assert "did you mean `route-back`" in said.err


def test_check_tells_of_runbooks_alone_where_each_fault_is(house):
    assert house("runbook", "check").code == 0
    (house.runbooks / "faulty.yaml").write_text(FAULTY)
    (house.rules / "broken.yaml").write_text("rules: 7\n")
    said = house("runbook", "check")
    assert said.code == 1
    assert f"{house.runbooks / 'faulty.yaml'}:5:11: error: there is no action `route.gett`" in said.out
    assert "did you mean `route.get`" in said.out
    assert "broken.yaml" not in said.out
    told = json.loads(house("runbook", "check", str(house.runbooks / "faulty.yaml"), "--json").out)
    assert {problem["line"] for problem in told["problems"]} == {5, 6}
    assert house("runbook", "check", str(house.runbooks / "route-back.yaml")).code == 0


def test_a_review_that_ran_out_is_a_warning(house, old):
    said = house("runbook", "check", str(old))
    assert (said.code, said.out.count("review-overdue")) == (0, 1)
    assert house("runbook", "check", str(old), "--strict").code == 1


def test_faults_of_files_are_told_where_a_list_was_asked_for(house):
    (house.runbooks / "faulty.yaml").write_text(FAULTY)
    said = house("runbook", "ls")
    assert (said.code, said.out) == (2, "")
    assert "faulty.yaml:5:11: error" in said.err
    assert json.loads(house("runbook", "ls", "--json").out)["ok"] is False


def test_schema(house):
    told = json.loads(house("runbook", "schema").out)
    assert {"name", "owner", "steps", "tests"} <= set(told["properties"])
