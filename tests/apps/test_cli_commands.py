"""Every command: what it prints in a pipe and as JSON, and how it ends."""

import json

import pytest

from tests.apps.command import LATE


def rows(text: str) -> list[dict[str, str]]:
    """Tab-separated lines under their headers."""
    head, *lines = [line.split("\t") for line in text.splitlines()]
    assert all(len(line) == len(head) for line in lines)
    return [dict(zip(head, line, strict=True)) for line in lines]


@pytest.fixture
def incident(house):
    return house.incident()


def test_incidents_ls(house, incident):
    (row,) = rows(house("incidents", "ls").out)
    assert row["id"] == "INC-1"
    assert row["severity"] == "outage"
    assert row["status"] == "triggered"
    assert row["on it"] == "-"
    (told,) = json.loads(house("incidents", "ls", "--json").out)
    assert list(told) == [
        "id", "severity", "status", "service", "title", "owner", "acknowledged_by", "paged", "opened_at", "resolved_at",
        "timeline", "silenced",
    ]  # fmt: skip
    assert told["id"] == "INC-1"


def test_incidents_ls_of_none_says_so_beside_an_empty_answer(house):
    said = house("incidents", "ls")
    assert (said.code, said.out) == (0, "")
    assert "No incident is open" in said.err
    assert json.loads(house("incidents", "ls", "--json").out) == []


def test_incidents_show(house, incident):
    said = house("incidents", "show", "INC-1")
    assert said.code == 0
    for expected in ("INC-1", "fraud-scoring", "payments-ml", "fraud_latency", "page 1 to", "because p99"):
        assert expected in said.out
    told = json.loads(house("incidents", "show", "1", "--json").out)
    assert told["signals"][0]["measures"] == {"p99": 2500.0, "n": None}
    assert told["signals"][0]["firing"] is True
    assert told["pages"][0]["why"]["schedule"] == "payments-ml"
    assert next(entry["kind"] for entry in told["timeline"]) == "opened"


def test_an_incident_is_taken_handed_on_noted_and_closed(house, incident):
    said = house("incidents", "ack", "inc-1", "--as", "ann")
    assert said.code == 0
    assert "INC-1" in said.out
    assert rows(house("incidents", "ls").out)[0]["on it"] == "ann"
    assert house("incidents", "note", "1", "looking at it", "--as", "ben").code == 0
    assert house("incidents", "escalate", "1", "--as", "ann").code == 0
    assert house("incidents", "resolve", "1", "--as", "ann").code == 0
    assert house("incidents", "ls").out == ""
    (row,) = rows(house("incidents", "ls", "--all").out)
    assert row["status"] == "resolved"
    shown = house("incidents", "show", "1").out
    assert "looking at it" in shown


def test_explain(house, incident):
    said = house("explain", "INC-1")
    assert said.code == 0
    for expected in (
        "p99=2500",
        "no value",
        "note       9 % of this window came late",
        "schedule payments-ml",
        "next is",
        "Every decision",
    ):
        assert expected in said.out
    one = house("explain", "INC-1", "--page", "1").out
    assert one.startswith("Page 1 of INC-1")
    assert "Every decision" not in one
    told = json.loads(house("explain", "INC-1", "--json").out)
    assert list(told) == ["incident", "title", "signals", "pages", "not_paged", "decisions"]
    assert told["pages"][0]["person"] in {"ann", "ben", "cleo"}
    assert told["pages"][0]["told"].startswith("Page 1")
    assert all(decision["reason"] for decision in told["decisions"])
    assert told["signals"][0]["late"] == 4
    assert told["signals"][0]["notes"] == told["decisions"][0]["data"]["notes"] == [LATE]
    assert LATE in told["decisions"][0]["reason"]


def test_runs(house, incident):
    number = house.run(incident.number)
    (row,) = rows(house("runs", "ls").out)
    assert row["runbook"] == "route-to-fallback"
    assert row["incident"] == "INC-1"
    (told,) = json.loads(house("runs", "ls", "--json").out)
    assert told["inputs"]["target"] == "fallback"
    shown = house("runs", "show", str(number))
    assert "reroute" in shown.out
    assert "version\twhat changed" in shown.out
    whole = json.loads(house("runs", "show", str(number), "--json").out)
    assert [step["id"] for step in whole["steps"]][:2] == ["before", "reroute"]
    assert whole["journal"]
    said = house("runs", "approve", str(number), "--as", "ann")
    assert said.code == 1
    assert said.out.strip()
    assert house("runs", "reject", str(number), "--as", "ann").code == 1
    assert house("runs", "abort", str(number), "--as", "ann", "--reason", "enough").code == 0
    assert house("runs", "ls").out == ""
    (row,) = rows(house("runs", "ls", "--all").out)
    assert row["status"] == "aborted"
    assert house("runs", "abort", str(number), "--as", "ann").code == 1


def test_routes(house):
    before = {row["service"]: row for row in rows(house("routes", "ls").out)}
    assert before["fraud-scoring"]["weights"] == "primary=100"
    said = house("routes", "set", "fraud-scoring", "primary=25", "fallback=75", "--reason", "trying", "--as", "ann")
    assert said.code == 0
    assert "fallback 75 %" in said.out
    after = {row["service"]: row for row in json.loads(house("routes", "ls", "--json").out)}
    assert after["fraud-scoring"]["weights"] == {"primary": 25, "fallback": 75}
    assert after["fraud-scoring"]["by"] == "person:ann"
    assert after["fraud-scoring"]["lease"]["prior"] == {"primary": 100}
    (row,) = [row for row in rows(house("routes", "ls").out) if row["service"] == "fraud-scoring"]
    assert row["fallback until"].endswith("UTC")
    assert row["why"] == "trying"


def test_oncall(house):
    people = {row["person"] for row in rows(house("oncall", "now").out) if row["service"] == "fraud-scoring"}
    assert people & {"ann", "ben", "cleo"}
    at = json.loads(house("oncall", "now", "--at", "2026-12-25T03:00:00+01:00", "--json").out)
    first = next(row for row in at if row["service"] == "fraud-scoring" and row["level"] == 1)
    assert first["person"] == "ben"
    assert "override" in first["because"]
    assert set(first) == {"service", "owner", "level", "person", "reached_on", "because", "until", "next"}
    shifts = rows(house("oncall", "show", "payments-ml", "--days", "30").out)
    assert len(shifts) >= 4
    assert shifts[0]["until"] == shifts[1]["from"]
    everything = json.loads(house("oncall", "show", "--json").out)
    assert {row["schedule"] for row in everything} == {"payments-ml", "market-ml", "platform"}


def test_check(house):
    said = house("check")
    assert said.code == 0
    assert "sound" in said.err
    assert json.loads(house("check", "--json").out)["ok"] is True


@pytest.mark.parametrize("name", ["rules", "runbooks", "catalog", "oncall", "severities"])
def test_schema(house, name):
    said = house("schema", name)
    assert said.code == 0
    assert json.loads(said.out)["$schema"]


def test_version(house):
    assert house("version").out.startswith("fireline 0.")
