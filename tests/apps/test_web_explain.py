"""Why, over HTTP: pages worked out again, reasons why somebody was not paged, and the audit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fireline.domain.audit import Act
from fireline.domain.incidents import Entry, Page, PageStatus, Why
from tests.servers.live_web import LiveWeb, incident, live_web

WHY = Why(
    "fraud_latency", "fraud-scoring", "payments-ml", "payments-ml", 0, None, "named by the policy", target="person:ann"
)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[LiveWeb]:
    with live_web(tmp_path) as running:
        running.save(replace(incident(1), pages=(Page(1, "ann", 0, 0, 5.0, WHY, PageStatus.DELIVERED),)))
        facts = {"configuration": "c" * 64, "target": "person:ann", "schedule": None, "channels": ["console"]}
        with running.store.transaction() as tx:
            tx.append(1, [Entry(5.0, "paged", "fireline", "Paged Ann", {"page": 1, "facts": facts})])
            tx.append(1, [Entry(6.0, "silenced", "fireline", "Silenced by S-1 of ben")])
            tx.record(Act(6.0, "ben", "api", "silence.made", "silence:1", "a drill"))
        yield running


def test_a_page_and_a_person_are_explained(web: LiveWeb) -> None:
    status, _, answer = web.request("GET", "/api/incidents/INC-1/explain?page=1&person=cleo")
    assert status == 200
    [page] = answer["pages"]
    assert (page["person"], page["checked"]["same"]) == ("ann", True)
    assert page["checked"]["configuration"] == "c" * 64
    assert {reason["word"] for reason in answer["person"]["reasons"]} >= {"silenced"}
    assert [reason["text"] for reason in answer["not_paged"]] == ["Silenced by S-1 of ben"]
    assert web.request("GET", "/api/incidents/1/explain?page=7")[0] == 404


def test_the_audit_is_listed(web: LiveWeb) -> None:
    _, _, answer = web.request("GET", "/api/audit?actor=ben")
    assert [entry["kind"] for entry in answer["entries"]] == ["silence.made"]
    assert web.request("GET", "/api/audit?limit=0")[2]["entries"][0]["number"] >= 1
