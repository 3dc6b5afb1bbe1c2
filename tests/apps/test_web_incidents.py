"""What people sort out and keep, over HTTP: each request is one input of the decision."""

import dataclasses

import pytest

from fireline.domain.incident_acts import (
    AddLink,
    AddTask,
    ChangeSeverity,
    ChangeTask,
    Close,
    Merge,
    SetRole,
    Split,
    WritePostMortem,
)
from fireline.domain.incident_records import Role
from fireline.domain.incidents import Entry, Status
from tests.servers.live_web import incident, live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body", "made"),
    [
        ("severity", {"severity": "outage", "reason": "why"}, ChangeSeverity(1, "ann", "api", "outage", "why", 0)),
        ("severity", {"severity": None}, ChangeSeverity(1, "ann", "api", None, "", 0)),
        ("merge", {"into": "INC-2"}, Merge(1, 2, "ann", "api", "", 0)),
        ("split", {"signals": ["a", "b"]}, Split(1, "ann", "api", ("a", "b"), "", 0)),
        (
            "roles",
            {"role": "commander", "holder": "bob", "held": False},
            SetRole(1, "ann", "api", Role.COMMANDER, "bob", False, 0),
        ),
        ("links", {"url": "https://x.example"}, AddLink(1, "ann", "api", "https://x.example", "", 0)),
        ("tasks", {"text": "mend", "assignee": "bob"}, AddTask(1, "ann", "api", "mend", "bob", 0)),
        ("tasks/2", {"done": True}, ChangeTask(1, "ann", "api", 2, True, None, 0)),
        ("postmortem", {"owner": "bob"}, WritePostMortem(1, "ann", "api", None, "bob", None, 0)),
        ("close", {}, Close(1, "ann", "api", 0)),
    ],
)
def test_each_is_an_input_of_the_decision(web, path, body, made):
    web.save(incident(1))
    status, _, answer = web.request("POST", f"/api/incidents/INC-1/{path}", {"person": "ann", "version": 0, **body})
    assert status == 200, answer
    assert web.responder.inputs == [made]
    assert answer["incident"]["id"] == "INC-1"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("severity", {}, "severity"),
        ("merge", {"into": "the other"}, "is not a number"),
        ("split", {"signals": []}, "signals"),
        ("roles", {"role": "king", "holder": "bob"}, "commander"),
        ("tasks", {"text": "x" * 4001}, "text"),
        ("close", {"force": True}, "force"),
    ],
)
def test_a_request_that_is_not_right_decides_nothing(web, path, body, said):
    web.save(incident(1))
    status, headers, answer = web.request("POST", f"/api/incidents/1/{path}", {"person": "ann", **body})
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert said in answer["detail"]
    assert web.responder.inputs == []


def test_what_is_refused_is_a_conflict_with_the_reason(web):
    web.save(incident(1))

    @dataclasses.dataclass
    class Refusal:
        reason: str = "because"
        reply: str = "INC-1 changed after what you saw"
        refused: bool = True

    web.responder.handle = lambda given: Refusal()
    status, _, answer = web.request("POST", "/api/incidents/1/acknowledge", {"person": "ann", "version": 0})
    assert (status, answer["detail"]) == (409, "INC-1 changed after what you saw")


def test_the_draft_of_a_post_mortem(web):
    web.save(incident(1))
    with web.store.transaction() as tx:
        data = {"rule": "r", "entity": {"service": "x"}, "at": 1.0, "measures": {"p99": 900.0}, "severity": "outage"}
        tx.append(1, [Entry(1.0, "opened", "fireline", "it | opened", data)])
    _, headers, text = web.request("GET", "/api/incidents/1/postmortem")
    assert headers["content-type"].startswith("text/markdown")
    assert "it \\| opened" in text
    _, headers, page = web.request("GET", "/api/incidents/1/postmortem?format=html")
    assert headers["content-type"].startswith("text/html")
    assert "<polyline" in page
    assert web.request("GET", "/api/incidents/7/postmortem")[0] == 404


def test_the_status_of_what_is_over_says_how(web):
    over = dataclasses.replace(incident(1), resolved_at=1100.0, status=Status.RESOLVED)
    closed, merged = dataclasses.replace(over, closed_at=1200.0), dataclasses.replace(incident(2), merged_into=1)
    merged = dataclasses.replace(merged, resolved_at=1100.0, status=Status.RESOLVED)
    web.save(closed, merged)
    _, _, answer = web.request("GET", "/api/incidents")
    assert [(i["id"], i["status"]) for i in answer["incidents"]] == [("INC-2", "merged"), ("INC-1", "closed")]
