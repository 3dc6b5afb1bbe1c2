"""What people and Fireline do ends in the audit: who, through what, before and after."""

import json
from pathlib import Path

from fireline.adapters.clock import FakeClock
from fireline.domain.audit import Keys, changes
from fireline.domain.audit_checking import Outside, check
from fireline.domain.incidents import Acknowledge, Attempt, Page, PageStatus, Resolve, Why
from tests.engine.runs_world import world

PAGE = Page(
    1, "ann", 0, 0, 1.0, Why("r", "s", "t", "p", 0), PageStatus.SENDING, (Attempt("slack", "U1", "sending", 1.0),)
)


def test_only_what_differs_is_put_down() -> None:
    one = {"a": 1, "pages": (PAGE,), "same": [1, 2], "gone": 3}
    after = {
        "a": 2,
        "pages": (Page(1, "ann", 0, 0, 1.0, PAGE.why, PageStatus.ACKNOWLEDGED, PAGE.attempts), PAGE),
        "same": [1, 2],
    }
    was, now = changes(one, after)
    assert was == {"a": 1, "pages": {"0": {"status": "sending"}}, "gone": 3}
    assert now["a"] == 2
    assert now["pages"]["0"] == {"status": "acknowledged"}  # type: ignore[index]  # JSON
    assert now["pages"]["1"]["person"] == "ann"  # type: ignore[index]  # JSON
    assert changes(None, PAGE)[0] == {}
    assert changes(PAGE, PAGE) == ({}, {})


def test_values_that_json_does_not_know_are_put_down_as_text() -> None:
    odd = {"when": FakeClock, "set": {2, 1}, "inf": float("inf"), "status": PageStatus.SENDING}
    was, now = changes({}, odd)
    assert was == {}
    assert json.loads(json.dumps(now, allow_nan=False))["set"] == [1, 2]
    assert now["status"] == "sending"
    assert now["inf"] == "inf"


async def test_a_run_and_the_routes_it_changes_are_put_down(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.begin()
    await here.drive(1.0)
    here.responder.handle(Acknowledge(1, "ann", "api"))
    said = here.runs.abort(1, "ben", "enough")
    assert said.done, said
    with here.store.reading() as tx:
        entries = [json.loads(entry.body) for entry in tx.audit_chain()]
        assert check(tx.audit_chain(), Keys.of(()), Outside(tx.audit_head())).damage is None
        lines = {name for entry in entries for name in entry.get("timeline", {})}
        assert len(lines) == len(tx.timeline(1))
    said = [(entry["kind"], entry["actor"], entry["subject"]) for entry in entries]
    assert said[0] == ("incident.opened", "fireline", "INC-1")
    assert ("run.started", "fireline", "run:1") in said
    assert ("incident.acknowledged", "ann", "INC-1") in said
    assert ("run.answered", "ben", "run:1") in said
    [route] = [entry for entry in entries if entry["kind"] == "route.changed"][:1]
    assert (route["actor"], route["via"]) == ("fireline", "run 1")
    assert route["before"]["weights"] == {"primary": 100}


def test_an_act_that_was_refused_is_put_down_with_who_asked_for_what_and_why_not(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.begin()
    here.responder.handle(Resolve(1, "ann", "api"))
    before = here.responder.explain(1)
    said = here.responder.handle(Acknowledge(1, "ben", "slack", version=1))
    assert said.refused
    here.responder.handle(Acknowledge(99, "ben", "slack"))
    assert here.responder.explain(1) == before, "the timeline is of what was done"
    with here.store.reading() as tx:
        entries = [json.loads(entry.body) for entry in tx.audit_chain()]
        assert check(tx.audit_chain(), Keys.of(()), Outside(tx.audit_head())).damage is None
    late, unknown = [entry for entry in entries if entry["kind"] == "incident.refused"]
    assert (late["actor"], late["via"], late["subject"]) == ("ben", "slack", "INC-1")
    assert late["text"] == said.reason
    assert late["after"] == {"asked": "Acknowledge"}
    assert (unknown["subject"], unknown["text"]) == ("INC-99", "INC-99 does not exist")
