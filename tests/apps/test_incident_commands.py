"""Commands that sort incidents out and keep what people know of them."""

import json

import pytest

from fireline.domain.incidents import SignalArrived
from fireline.domain.rules import Evidence, Signal, State


@pytest.fixture
def incident(house):
    return house.incident()


def signals(house, service="ranking", rule="ranking_errors", state=State.FIRING, severity="degraded"):
    now = house.clock.now()
    told = Signal(
        id=f"{rule}/{service}/{state}/{now!r}",
        rule=rule,
        entity=(("service", service),),
        service=service,
        state=state,
        severity=severity if state is State.FIRING else None,
        at=now,
        started=now - 5,
        episode=now - 5,
        summary=f"{rule} of {service}",
        evidence=Evidence({"share": 0.25 if state is State.FIRING else 0.0}, 40, now - 10, now, "share > 0.1", ""),
    )
    return house.parts()[1].handle(SignalArrived(told)).incident


def told(house, *words):
    return json.loads(house("incidents", *words, "--json").out)


def test_a_severity_by_hand_is_shown_and_taken_back(house, incident):
    said = house("incidents", "severity", "1", "safety", "--reason", "customers call", "--as", "ann")
    assert said.code == 0
    assert "INC-1 is at safety, set by hand" in said.out
    shown = house("incidents", "show", "1").out
    assert "severity safety set by hand" in shown
    assert "customers call" in shown
    assert told(house, "show", "1")["severity_by_hand"] == "safety"
    assert told(house, "severity", "1", "auto", "--as", "ann")["incidents"][0]["severity"] == "outage"


def test_what_is_refused_says_why_beside_an_empty_answer_and_exits_with_1(house, incident):
    said = house("incidents", "severity", "1", "terrible", "--as", "ann")
    assert (said.code, said.out) == (1, "")
    assert "'terrible' is not a severity; known: safety, outage, degraded, notice, or auto" in said.err
    answer = house("incidents", "close", "1", "--as", "ann", "--json")
    assert answer.code == 1
    assert json.loads(answer.out)["done"] is False


def test_an_act_on_what_was_seen_before_others_acted_is_refused(house, incident):
    version = told(house, "show", "1")["version"]
    assert house("incidents", "ack", "1", "--as", "ann").code == 0
    said = house("incidents", "escalate", "1", "--as", "ben", "--seen", str(version))
    assert said.code == 1
    assert "INC-1 changed after what you saw: Ann Keller took it via command line" in said.err
    assert house("incidents", "escalate", "1", "--as", "ben").code == 0


def test_merge_and_split(house, incident):
    assert signals(house).id == "INC-2"
    said = house("incidents", "merge", "INC-2", "--into", "INC-1", "--reason", "one cause", "--as", "ann")
    assert (said.code, said.out) == (0, "INC-2 is part of INC-1 now\n")
    assert told(house, "show", "2")["status"] == "merged"
    one = told(house, "show", "1")
    assert one["merged"] == ["INC-2"]
    assert len(one["signals"]) == 2
    assert "merged into INC-1" in house("incidents", "show", "2").out
    answer = told(house, "split", "1", "--signal", "ranking_errors", "--as", "ann")
    assert [each["id"] for each in answer["incidents"]] == ["INC-1", "INC-3"]
    assert told(house, "show", "3")["split_from"] == "INC-1"
    assert "split off: INC-3" in house("incidents", "show", "1").out


def test_roles_links_and_tasks(house, incident):
    assert house("incidents", "role", "1", "commander", "ben", "--as", "ann").code == 0
    assert house("incidents", "link", "1", "https://graphs.example/d/1", "--title", "latency", "--as", "ann").code == 0
    assert house("incidents", "task", "1", "raise the limit", "--for", "ben", "--as", "ann").code == 0
    assert house("incidents", "task", "1", "--number", "1", "--done", "--as", "ben").code == 0
    shown = house("incidents", "show", "1").out
    for expected in ("commander ben", "link latency: https://graphs.example/d/1", "by ben, for ben: raise the limit"):
        assert expected in shown
    [task] = told(house, "task", "1")
    assert (task["number"], task["done_by"], task["assignee"]) == (1, "ben", "ben")
    assert "done" in house("incidents", "task", "1").out
    assert house("incidents", "role", "1", "commander", "ben", "--remove", "--as", "ann").code == 0
    assert told(house, "show", "1")["roles"] == []


@pytest.mark.parametrize(
    "words",
    [
        ["task", "1", "new", "--number", "2"],
        ["task", "1", "--done"],
        ["role", "1", "king", "ann"],
        ["severity", "1"],
        ["merge", "1"],
        ["split", "1"],
        ["postmortem", "1", "--root-cause", "x", "--html", "x.html"],
    ],
)
def test_a_wrong_command_line_is_told(house, incident, words):
    said = house("incidents", *words)
    assert said.code == 2
    assert "Traceback" not in said.err


def test_a_post_mortem_from_the_timeline_with_charts(house, incident, tmp_path):
    signals(house, rule="queue | <b>full</b>", service="fraud-scoring")
    house("incidents", "ack", "1", "--as", "ann")
    draft = house("incidents", "postmortem", "1")
    assert draft.code == 0
    for expected in (
        "# Post-mortem of INC-1: p99 of fraud-scoring is 2500 ms",
        '--root-cause "..."`',
        "fraud\\_latency{service=fraud-scoring}",
        "p99 2500",
        "queue \\| \\<b\\>full\\</b\\>",
        "Ann Keller took it via command line",
    ):
        assert expected in draft.out
    target = tmp_path / "report.html"
    assert house("incidents", "postmortem", "1", "--html", str(target)).code == 0
    page = target.read_text()
    assert page.count("<svg") >= 3  # what fired when, and each measure
    assert "<polyline" in page
    assert "2500, outage" in page
    assert page.count("fires at outage") == 1
    assert "<b>full" not in page
    assert "<script" not in page
    assert house("incidents", "postmortem", "1", "--html", str(tmp_path / "no" / "where.html")).code == 1


def test_closing_needs_the_post_mortem_that_the_severity_asks_for(house, incident):
    signals(house, "fraud-scoring", "fraud_latency", State.CLEAR)
    assert house("incidents", "resolve", "1", "--as", "ann").code == 0
    said = house("incidents", "close", "1", "--as", "ann")
    assert said.code == 1
    assert "a post-mortem is required after outage and lacks a root cause, an owner, a due date" in said.err
    words = ["--root-cause", "a full queue", "--owner", "ben", "--due", "2026-12-24", "--as", "ann"]
    assert "complete" in house("incidents", "postmortem", "1", *words).out
    answer = told(house, "postmortem", "1")
    assert (answer["root_cause"], answer["missing"]) == ("a full queue", [])
    assert house("incidents", "close", "1", "--as", "ann").code == 0
    assert told(house, "ls", "--all")[0]["status"] == "closed"
    assert house("incidents", "ack", "1", "--as", "ben").code == 1
