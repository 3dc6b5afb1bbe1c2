"""`fireline runbook rehearse`: what a run would do and what would stop it, with no effect at all."""

import json
from pathlib import Path

import pytest

from fireline.domain.routes import Route

BOOK = """\
name: gather
owner: payments-ml
inputs: {service: {type: string}, deep: {type: integer, default: 3}}
start: {mode: auto}
steps:
  - id: look
    uses: http.get
    with: {url: "https://deploy.example/{{ inputs.service }}?deep={{ inputs.deep }}"}
    outputs: {json: mapping}
  - id: ask
    uses: approval
    with: {ask: "Release {{ steps.look.json.release }} of {{ inputs.service }}?", of: owner}
  - id: call
    if: steps.look.json.bad == true
    uses: http.request
    with: {url: "https://deploy.example/undo", json: "{{ steps.look.json.release }}", timeout: "{{ steps.look.body }}"}
    irreversible: true
  - id: tell
    if: "!steps.ask.approved"
    uses: notify
    with: {text: "left as it is"}
"""
SERVICE = ("-i", "service=fraud-scoring")


@pytest.fixture
def gather(house):
    (house.runbooks / "gather.yaml").write_text(BOOK)
    return house


def told(house, *words: str):
    said = house("runbook", "rehearse", *words, "--json")
    return said.code, json.loads(said.out)


def guard(document, name: str):
    return next(each for each in document["guards"] if each["guard"] == name)


def everything(house) -> object:
    with house.store.reading() as tx:
        journal = [tx.journal(run.id) for run in tx.runs(limit=100)]
        return tx.runs(limit=100), tx.incidents(), tx.routes(), tx.backlog(), journal, tx.audit_head()


def test_it_shows_each_step_for_an_incident_and_changes_nothing(house):
    incident = house.incident()
    with house.store.transaction() as tx:
        tx.save_route(Route("fraud-scoring", {"primary": 80, "canary": 20}, 4, 0.0, "person:ann", "trial"))
    before = everything(house)
    code, document = told(house, "route-to-fallback", *SERVICE, "--incident", incident.id)
    assert (code, document["status"]) == (0, "succeeded")
    assert document["order"] == ["before", "reroute", "verify", "healthy", "back", "tell"]
    steps = {step["id"]: step for step in document["steps"]}
    assert steps["before"]["gives"]["route"] == {"primary": 80, "canary": 20}
    assert steps["reroute"]["with"]["reason"] == incident.title
    assert steps["reroute"]["undo"] == {
        "uses": "route.set",
        "with": {"service": "fraud-scoring", "to": {"primary": 80, "canary": 20}},
    }
    assert steps["verify"]["with"]["rule"] == "fraud_latency"
    assert guard(document, "start.when")["passes"] is True
    assert everything(house) == before


def test_a_step_that_fails_shows_what_would_be_undone(house):
    incident = house.incident()
    code, document = told(house, "route-to-fallback", *SERVICE, "--incident", incident.id, "--fail", "verify")
    assert (code, document["status"]) == (1, "undone")
    assert document["order"] == ["before", "reroute", "verify", "reroute.undo"]
    said = house("runbook", "rehearse", "route-to-fallback", *SERVICE, "--incident", incident.id, "--fail", "verify")
    assert "Undone, in this order: reroute" in said.out
    assert "4 healthy verify.rule  would not be reached" in said.out


def test_what_only_a_real_run_knows_is_a_placeholder_and_its_condition_is_taken_to_hold(gather):
    code, document = told(gather, "gather", *SERVICE, "-i", "deep=7")
    assert (code, document["status"]) == (0, "succeeded")
    steps = {step["id"]: step for step in document["steps"]}
    assert steps["look"]["with"]["url"] == "https://deploy.example/fraud-scoring?deep=7"
    assert steps["look"]["gives"]["json"] == "‹steps.look.json›"
    assert steps["ask"]["with"]["ask"] == "Release ‹steps.look.json.release› of fraud-scoring?"
    assert steps["call"]["assumed"] == ["steps.look.json.bad == true"]
    assert steps["call"]["with"]["json"] == "‹steps.look.json.release›"
    assert steps["call"]["irreversible"] is True
    assert steps["tell"]["status"] == "skipped"
    said = gather("runbook", "rehearse", "gather", *SERVICE)
    assert "(cannot be told now, taken to hold)" in said.out
    assert "is what only a real run knows" in said.out


def test_other_outputs_lead_other_ways(gather):
    assume = ("--assume", 'look.json={"release": "r7", "bad": false}', "--assume", "ask.approved=false")
    _, document = told(gather, "gather", *SERVICE, *assume)
    steps = {step["id"]: step for step in document["steps"]}
    assert steps["ask"]["with"]["ask"] == "Release r7 of fraud-scoring?"
    assert (steps["call"]["status"], steps["tell"]["status"]) == ("skipped", "done")


def test_guards_say_whether_they_would_let_it_pass_now(house):
    incident = house.incident()
    number = house.run(incident.number)
    code, document = told(house, "route-to-fallback", *SERVICE, "--incident", incident.id)
    assert code == 1
    assert guard(document, "lock") == {
        "guard": "lock",
        "passes": False,
        "why": f"run {number} holds service:fraud-scoring",
    }
    assert guard(document, "budget")["why"] == "1 of 3 runs in 1h on service:fraud-scoring"
    path = house.runbooks / "route-to-fallback.yaml"
    text = path.read_text().replace("fallbacks_active > 5", "runs_active > 0").replace("runs: 3", "runs: 1")
    path.write_text(text.replace("mode: auto", "mode: approve"))
    said = house("runbook", "rehearse", "route-to-fallback", *SERVICE, "--incident", incident.id, "--as", "ann")
    for expected in (
        "stops  lock",
        "stops  stop_if      stop_if holds: runs_active > 0",
        "stops  budget       1 of 1 runs",
        "asks   approval     one of ",
    ):
        assert expected in said.out
    assert "ann" not in said.out.partition("one of ")[2].splitlines()[0]


def test_every_guard_is_shown_with_what_it_says_now_the_newest_too(house):
    of = (*SERVICE, "--incident", house.incident().id)
    path = house.runbooks / "route-to-fallback.yaml"
    text = path.read_text()
    limit = (
        "  cooldown: 5m\n  blast_radius: {targets: 3, services: 1, share: 50}\n  oscillation: {reversals: 2, per: 2h}\n"
    )
    path.write_text(text.replace("guards:\n", "guards:\n" + limit, 1))
    code, document = told(house, "route-to-fallback", *of)
    assert [each["guard"] for each in document["guards"]] == [
        "incident",
        "start.when",
        "review",
        "autonomy",
        "approval",
        "stop_if",
        "stop switch",
        "lock",
        "budget",
        "cooldown",
        "oscillation",
        "blast radius",
    ]
    assert (code, document["status"]) == (1, "succeeded"), "what it would do is shown whatever stands in its way"
    assert guard(document, "cooldown") == {"guard": "cooldown", "passes": True, "why": "none ended in the last 5m"}
    assert guard(document, "oscillation") == {
        "guard": "oscillation",
        "passes": True,
        "why": "route of fraud-scoring was moved back 0 times in 2h; the run that would make it 2 is refused",
    }
    assert guard(document, "blast radius") == {
        "guard": "blast radius",
        "passes": False,
        "why": "its blast radius is too large: 100 % of a service's traffic off its primary, at most 50 %",
    }
    path.write_text(text)
    _, document = told(house, "route-to-fallback", *of)
    assert guard(document, "cooldown")["why"] == "not set"
    said = "not limited: targets 1, services 1, share off a primary 100 %"
    assert guard(document, "blast radius") == {"guard": "blast radius", "passes": True, "why": said}


def test_the_stop_switch_is_one_of_the_guards(house):
    assert house("stop", "--reason", "the fallback is worse", "--as", "ann").code == 0
    code, document = told(house, "route-back", *SERVICE)
    assert (code, guard(document, "stop switch")["passes"]) == (1, False)
    assert "the fallback is worse" in guard(document, "stop switch")["why"]


def test_a_guard_that_only_writes_down_stops_it(house):
    path = house.runbooks / "route-back.yaml"
    path.write_text(path.read_text().replace("mode: auto", "mode: suggest"))
    code, document = told(house, "route-back", *SERVICE)
    assert code == 1
    assert guard(document, "autonomy")["passes"] is False


def test_without_a_database_none_is_made(house):
    house.set(DATABASE=f"sqlite:///{house.home / 'none' / 'fireline.db'}")
    said = house("runbook", "rehearse", "route-back", *SERVICE)
    assert said.code == 0
    assert "guards are judged as of an empty one" in said.out
    assert not Path(house.home / "none").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("route-back",), "input service is required and was not given"),
        (("route-back", "-i", "servic=x"), "did you mean `service`"),
        (("route-back", "-i", "service"), "is not name=value"),
        (("route-to-fallback", *SERVICE, "-i", "probes=many"), "expected integer, found 'many'"),
        (("route-back", *SERVICE, "--incident", "INC-9"), "there is no incident INC-9"),
        (("route-back", *SERVICE, "--assume", "ask"), "is not step.output=value"),
        (("nothing",), "there is no runbook 'nothing'"),
    ],
)
def test_what_cannot_be_rehearsed_is_told(house, words, said):
    found = house("runbook", "rehearse", *words)
    assert (found.code, found.out) == (1, "")
    assert said in found.err
