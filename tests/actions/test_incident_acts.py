"""incident.* and page: what people may do to an incident, done by a run, once."""

from dataclasses import replace

import pytest

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.domain.effects import SendPage
from fireline.domain.incidents import Acknowledge
from fireline.domain.outcomes import Done, Failed
from fireline.engine import routes
from fireline.engine.outward import StepContext
from tests.engine.runs_world import SERVICE, world


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    made.fire(severity="degraded")
    yield made
    made.store.close()


async def do(w, name, key="run-7.step", incident=1, **given):
    now = w.clock.now()
    context = StepContext(key, 7, "step", incident, now, {}, now)
    action = build_actions(Ports(w.store, w.settings, w.clock, w.responder))[name]
    return await action.perform(OPTIONS[name].model_validate(given), context)


async def test_each_changes_the_incident_once_with_the_run_as_who_did_it(w):
    acts = [
        ("incident.note", {"text": "the scorer was restarted"}),
        ("incident.severity", {"severity": "safety", "reason": "patients wait"}),
        ("incident.link", {"url": "https://traces.example/7", "title": "a slow call"}),
        ("incident.task", {"text": "raise the limit", "assignee": "ann"}),
    ]
    for n, (name, given) in enumerate(acts):
        first = await do(w, name, f"run-7.{n}", **given)
        again = await do(w, name, f"run-7.{n}", **given)
        assert isinstance(first, Done), first
        assert again == first
    incident = w.incident(1)
    assert (incident.severity, incident.severity_override) == ("safety", "safety")
    assert [(link.url, link.by) for link in incident.links] == [("https://traces.example/7", "run:7")]
    assert [(task.text, task.assignee) for task in incident.tasks] == [("raise the limit", "ann")]
    with w.store.reading() as tx:
        entries = [entry for entry in tx.timeline(1) if entry.actor == "run:7"]
    assert {entry.kind for entry in entries} == {"note", "severity", "link", "task"}
    assert len(entries) == 4
    assert incident.updated_at is None, "a run is no person who tells people news"


async def test_an_incident_that_is_over_is_resolved_and_one_on_its_fallback_is_not(w):
    with w.store.transaction() as tx:
        moved = routes.change_route(
            tx, w.settings.current, SERVICE, {"fallback": 100}, by="run:7", reason="x", now=w.clock.now(), incident=1
        )
        w.responder.handle_in(tx, moved.report)
    before = w.texts(1)
    refused = await do(w, "incident.resolve", reason="it looks good")
    assert isinstance(refused, Failed)
    assert "fallback" in refused.reason
    assert w.texts(1) == before, "a refusal leaves nothing behind, not even the note"


async def test_a_run_resolves_it(w):
    outcome = await do(w, "incident.resolve", reason="it was a test")
    assert isinstance(outcome, Done)
    assert w.incident(1).resolved_by == "run:7"


async def test_a_page_asks_the_next_level_and_says_why(w):
    before = w.incident(1)
    outcome = await do(w, "page", reason="the fallback fails as well")
    incident = w.incident(1)
    again = await do(w, "page", reason="the fallback fails as well")
    assert again == outcome
    assert w.incident(1) == incident
    assert len(incident.pages) > len(before.pages)
    last, first = incident.pages[-1], before.pages[-1]
    assert (last.round, last.level) > (first.round, first.level)
    assert "the fallback fails as well" in " ".join(w.texts(1))
    assert w.effects(SendPage)


async def test_a_page_asks_a_named_team_from_its_first_level_also_when_somebody_has_it(w):
    w.responder.handle(Acknowledge(1, "ann", "test"))
    teams = w.settings.current.catalog.teams
    other = next(name for name in teams if name != w.incident(1).owner)
    outcome = await do(w, "page", to=other, reason="it is yours")
    assert isinstance(outcome, Done), outcome
    incident = w.incident(1)
    assert incident.escalation.team == other
    assert incident.pages[-1].why.policy == teams[other].policy
    assert incident.acknowledged_by is None


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("page", {"to": "nobody", "reason": "x"}, "'nobody' is not a team of the catalog"),
        ("incident.severity", {"severity": "terrible"}, "'terrible' is not a severity"),
        ("incident.link", {"url": "javascript:alert(1)"}, "is no link"),
        ("incident.task", {"text": "x", "assignee": "nobody"}, "is not in the catalog"),
    ],
)
async def test_what_is_refused_fails_with_the_reason_and_changes_nothing(w, name, given, reason):
    before = w.incident(1)
    outcome = await do(w, name, **given)
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert replace(w.incident(1), version=before.version) == before


async def test_a_run_without_an_incident_has_nothing_to_act_on(w):
    outcome = await do(w, "incident.note", incident=None, text="x")
    assert outcome == Failed("this run has no incident to act on")
