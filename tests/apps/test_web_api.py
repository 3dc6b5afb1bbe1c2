import dataclasses
import math

import pytest

from fireline.apps.run_asking import AskedRun, OnRun, Verdict
from fireline.domain.incidents import Acknowledge, AddNote, Entry, EscalateNow, Resolve, Status
from fireline.domain.runbooks import Autonomy, Run, RunStatus
from fireline.engine.ports import StaleVersion, Unavailable
from tests.servers.live_web import incident, live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def save_run(web, number=1):
    run = Run(number, "route-to-fallback", "h", "the text", {}, 1, Autonomy.AUTO, RunStatus.RUNNING, (), 1.0, 99.0)
    with web.store.transaction() as tx:
        tx.save_run(run, "made")


def test_incidents_newest_first_and_the_open_ones_alone(web):
    resolved = dataclasses.replace(incident(1), resolved_at=1100.0, status=Status.RESOLVED)
    web.save(resolved, incident(2))
    _, _, answer = web.request("GET", "/api/incidents")
    assert [i["id"] for i in answer["incidents"]] == ["INC-2", "INC-1"]
    _, _, answer = web.request("GET", "/api/incidents?open=true")
    assert [i["id"] for i in answer["incidents"]] == ["INC-2"]
    assert len(web.request("GET", "/api/incidents?limit=1")[2]["incidents"]) == 1


@pytest.mark.parametrize("name", ["1", "INC-1", "inc-1"])
def test_an_incident_with_its_timeline(web, name):
    web.save(incident(1))
    with web.store.transaction() as tx:
        tx.append(1, [Entry(1.0, "opened", "rule", "it opened", {"value": math.nan})])
    _, _, answer = web.request("GET", f"/api/incidents/{name}")
    assert answer["title"] == "p99 is 900 ms"
    assert [(e["kind"], e["text"]) for e in answer["timeline"]] == [("opened", "it opened")]


@pytest.mark.parametrize(("path", "status"), [("7", 404), ("x", 400), ("0", 400), ("9999999999", 400), ("%2e%2e", 400)])
def test_an_incident_that_is_not_there(web, path, status):
    found, headers, answer = web.request("GET", f"/api/incidents/{path}")
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert answer["status"] == found


@pytest.mark.parametrize(
    ("verb", "made"), [("acknowledge", Acknowledge), ("escalate", EscalateNow), ("resolve", Resolve)]
)
def test_what_a_person_does_is_an_input_of_the_decision(web, verb, made):
    web.save(incident(1))
    status, _, answer = web.request("POST", f"/api/incidents/1/{verb}", {"person": "ann", "version": 0})
    assert status == 200
    assert web.responder.inputs == [made(1, "ann", "api", 0)]
    assert answer["incident"]["id"] == "INC-1"
    assert answer["reason"] == "because the test said so"


def test_a_note(web):
    web.save(incident(1))
    status, _, _ = web.request("POST", "/api/incidents/INC-1/note", {"person": "bob", "text": "<b>looking</b>"})
    assert status == 200
    assert web.responder.inputs == [AddNote(1, "bob", "<b>looking</b>")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"person": "mallory"}, "ann, bob"),
        ({}, "person"),
        ({"person": ""}, "person"),
        ({"person": "ann", "version": "x"}, "version"),
        ({"person": "ann", "more": 1}, "more"),
        (b"{", "JSON"),
        ([], "body"),
    ],
)
def test_a_request_that_is_not_right_is_told_what_is_wrong_and_decides_nothing(web, body, said):
    web.save(incident(1))
    status, headers, answer = web.request("POST", "/api/incidents/1/acknowledge", body)
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert said in answer["detail"]
    assert web.responder.inputs == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Unavailable("the database is away"), 503), (StaleVersion("x"), 409), (RuntimeError("secret detail"), 500)],
)
def test_faults_are_problems_never_tracebacks(web, fault, status):
    web.save(incident(1))
    web.responder.fault = fault
    found, headers, answer = web.request("POST", "/api/incidents/1/resolve", {"person": "ann"})
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert "Traceback" not in str(answer)
    assert "secret detail" not in str(answer)


def test_who_is_on_call_and_why(web):
    (shift,) = web.request("GET", "/api/oncall")[2]["oncall"]
    assert shift["schedule"] == "payments"
    assert {shift["person"], shift["next_person"]} == {"ann", "bob"}
    assert shift["source"] == "layer weekly"
    assert shift["until"] > 0


def test_a_route_is_changed_by_hand_with_a_reason(web):
    body = {"weights": {"fallback": 100}, "person": "ann", "reason": "the primary is being replaced"}
    assert web.request("POST", "/api/routes/fraud-scoring", body)[0] == 200
    assert web.controls.asked == [("route", "fraud-scoring", {"fallback": 100}, "ann", body["reason"])]
    assert web.request("POST", "/api/routes/nothing", body)[0] == 404
    assert web.request("POST", "/api/routes/fraud-scoring", {**body, "reason": ""})[0] == 400
    web.controls.verdict = Verdict(False, "fallback is unhealthy")
    status, _, answer = web.request("POST", "/api/routes/fraud-scoring", body)
    assert (status, answer["detail"]) == (409, "fallback is unhealthy")


def test_runs_are_shown_and_answered(web):
    web.save(incident(1))
    save_run(web)
    run = web.request("GET", "/api/runs/1")[2]
    assert (run["runbook"], run["status"]) == ("route-to-fallback", "running")
    assert "text" not in run
    for verb in ("approve", "reject", "abort"):
        body = {"person": "ann", "reason": "because"}
        assert web.request("POST", f"/api/runs/1/{verb}", body)[0] == 200
    assert web.controls.asked == [
        ("answer", 1, None, "ann", True, "because"),
        ("answer", 1, None, "ann", False, "because"),
        ("abort", 1, "ann", "because"),
    ]
    assert web.request("POST", "/api/runs/2/approve", {"person": "ann"})[0] == 404


def test_a_person_starts_a_run(web):
    body = {"person": "ann", "inputs": {"service": "fraud-scoring"}, "reason": "because", "key": "k1"}
    web.save(incident(1))
    save_run(web)
    status, _, answer = web.request("POST", "/api/runbooks/route-to-fallback/run", {**body, "incident": "INC-1"})
    assert (status, answer["run"]["id"], answer["reason"]) == (200, 1, "done")
    assert web.controls.asked == [
        ("start", "route-to-fallback", "ann", AskedRun({"service": "fraud-scoring"}, 1, "because", "k1"))
    ]
    over = {**body, "overrule": ["cooldown"]}
    assert web.request("POST", "/api/runbooks/route-to-fallback/run", over)[0] == 200
    assert web.controls.asked[-1][-1].overrule == ("cooldown",)
    web.controls.verdict = Verdict(False, "its incident is over")
    status, _, answer = web.request("POST", "/api/runbooks/route-to-fallback/run", body)
    assert (status, answer["detail"]) == (409, "its incident is over")
    status, _, answer = web.request("POST", "/api/runbooks/route-bak/run", body)
    assert status == 404
    assert "did you mean" in answer["detail"]
    assert web.request("POST", "/api/runbooks/route-back/run", {**body, "person": "eve"})[0] == 400
    assert web.request("POST", "/api/runbooks/route-back/run", {**body, "incident": "INC-9"})[0] == 404


def test_runbooks_are_listed(web):
    books = web.request("GET", "/api/runbooks")[2]["runbooks"]
    assert {"route-back", "route-to-fallback"} <= {book["name"] for book in books}
    assert books[0]["inputs"][0] == {"name": "service", "type": "string", "required": True}


def test_a_run_is_held_passed_over_and_gone_on_with(web):
    save_run(web)
    for verb, more in (("pause", {}), ("resume", {}), ("skip", {"step": "before"}), ("retry", {"step": "before"})):
        body = {"person": "ann", "reason": "because", "version": 3, **more}
        assert web.request("POST", f"/api/runs/1/{verb}", body)[0] == 200
        assert web.controls.asked[-1] == (verb, 1, "ann", OnRun(more.get("step"), "because", 3))
    assert web.request("POST", "/api/runs/1/skip", {"person": "ann"})[0] == 400
    assert web.request("POST", "/api/runs/1/abort", {"person": "ann", "undo": True})[0] == 200
    assert web.controls.asked[-1] == ("abort and undo", 1, "ann", "")
    web.controls.verdict = Verdict(False, "it has changed since you looked")
    assert web.request("POST", "/api/runs/1/pause", {"person": "ann"})[0] == 409
