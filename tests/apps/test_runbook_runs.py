"""`fireline runbook run` and what a person does about runs: same guards as for a rule, and it says who asked."""

import json
import re

from fireline.domain.audit import Sought
from tests.apps.runbook_responder import responder

SERVICE = ("-i", "service=fraud-scoring")


def start(house, *words: str):
    said = house("runbook", "run", "route-back", *SERVICE, "--as", "ann", *words, "--json")
    return said.code, (json.loads(said.out) if said.out else said.err)


def run_of(house, number: int = 1):
    with house.store.reading() as tx:
        return tx.run(number)


def test_a_person_starts_a_run_and_is_its_requester(house):
    code, document = start(house, "--reason", "the lease ran out")
    assert (code, document["id"], document["status"]) == (0, 1, "running")
    assert document["requested_by"] == "ann"
    assert document["inputs"]["primary"] == "primary"
    with house.store.reading() as tx:
        assert "ann asked for it: the lease ran out" in tx.journal(1)[0][1]
        sealed = [str(entry) for entry in tx.audit_of(Sought())]
    assert any("ann asked for it: the lease ran out" in entry for entry in sealed)


def test_it_is_told_on_the_timeline_of_its_incident(house):
    incident = house.incident()
    assert start(house, "--incident", incident.id, "--reason", "to try")[0] == 0
    with house.store.reading() as tx:
        assert any("ann asked for it: to try" in entry.text for entry in tx.timeline(incident.number))


def test_the_same_key_starts_one_run(house):
    first, again = start(house, "--key", "deploy-7"), start(house, "--key", "deploy-7")
    assert first[1]["id"] == again[1]["id"] == 1


def test_guards_hold_a_person_too(house):
    path = house.runbooks / "route-back.yaml"
    path.write_text(path.read_text().replace("mode: auto", "mode: approve"))
    _, document = start(house)
    assert document["status"] == "waiting"
    assert house("runs", "approve", "1", "--as", "ann").out.startswith("You asked for this run yourself")
    path.write_text(path.read_text().replace("mode: approve", "mode: suggest"))
    code, told = start(house)
    assert code == 1
    assert "route-back is not started: Suggested: run route-back" in told


def test_a_runbook_whose_review_ran_out_asks_before_it_starts(house):
    path = house.runbooks / "route-back.yaml"
    path.write_text(re.sub(r"(?m)^reviewed: .*$", "reviewed: 2020-01-01", path.read_text()))
    _, document = start(house)
    assert document["status"] == "waiting"
    assert "its review of 2020-01-01 is overdue by " in document["allowed_by"]
    rehearsed = house("runbook", "rehearse", "route-back", *SERVICE).out
    assert "asks   review       its review of 2020-01-01 is overdue by " in rehearsed
    assert "route-back: its review of 2020-01-01 is overdue" in house("doctor").out


def test_a_guard_that_refuses_is_overruled_by_its_name_for_a_reason(house):
    path = house.runbooks / "route-back.yaml"
    path.write_text(path.read_text().replace("budget: {runs: 5, per: 1h}", "budget: {runs: 1, per: 1h}"))
    start(house)
    house("runs", "abort", "1", "--as", "ben")
    incident = house.incident()
    code, refused = start(house, "--incident", incident.id)
    assert (code, refused["status"]) == (1, "refused")
    assert refused["reason"].endswith("a person has to decide (--overrule budget)")
    assert "say why a guard is overruled" in start(house, "--overrule", "budget")[1]
    why = ("--reason", "the first was aborted")
    wrong = start(house, "--overrule", "lock", *why)
    assert wrong[0] == 1
    assert "'lock' is not to be overruled; only budget, cooldown, oscillation, blast_radius are" in wrong[1]
    code, document = start(house, "--overrule", "budget", "--incident", incident.id, *why)
    assert (code, document["status"]) == (0, "running")
    assert set(document["overruled"]) == {"budget"}
    shown = house("runs", "show", str(document["id"])).out
    assert "ann overruled budget, for 'the first was aborted': the budget is spent: 1 runs in 3600 s" in shown
    with house.store.reading() as tx:
        (line,) = [entry.text for entry in tx.timeline(incident.number) if "overrules" in entry.text]
    assert "ann overrules budget (the budget is spent" in line
    assert "run.overruled" in house("audit", "ls", "--json").out


def test_a_run_that_cannot_be_is_refused_with_the_reason(house):
    said = house("runbook", "run", "route-back", "--as", "ann")
    assert said.code == 1
    assert "refused input service is required" in said.out
    assert "there is no incident INC-9" in start(house, "--incident", "INC-9")[1]
    assert "is not in the catalog's people" in house("runbook", "run", "route-back", "--as", "nobody").err


def test_abort_may_undo_first(house):
    start(house)
    said = house("runs", "abort", "1", "--undo", "--as", "ben", "--reason", "wrong service")
    assert said.code == 0
    assert run_of(house).status.value == "undoing"


def test_pause_resume_and_skip(house):
    start(house)
    assert "paused" in house("runs", "pause", "1", "--as", "ben", "--reason", "looking").out
    assert run_of(house).paused.by == "ben"
    assert house("runs", "pause", "1", "--as", "ben").code == 1
    assert house("runs", "resume", "1", "--as", "ben").code == 0
    assert run_of(house).paused is None
    assert house("runs", "skip", "1", "before", "--reason", "known", "--as", "ben").code == 0
    assert run_of(house).steps[0].status.value == "skipped"
    said = house("runs", "skip", "1", "nothing", "--reason", "known", "--as", "ben")
    assert (said.code, "nothing" in said.out) == (1, True)


def test_retry_goes_on_with_a_run_that_was_aborted(house):
    start(house)
    house("runs", "abort", "1", "--as", "ben")
    assert house("runs", "retry", "1", "before", "--as", "ben", "--reason", "it is well again").code == 0
    assert run_of(house).status.value == "running"


def test_wait_follows_a_run_to_its_end(house):
    path = house.runbooks / "tell.yaml"
    path.write_text(
        "name: tell\nowner: payments-ml\nstart: {mode: auto}\nsteps:\n"
        "  - {id: first, uses: route.get, with: {service: fraud-scoring}}\n"
        "  - {id: then, uses: wait, with: {for: 100ms}}\n"
    )
    with responder(house):
        said = house("runbook", "run", "tell", "--as", "ann", "--wait")
    assert said.code == 0, said
    assert "[0/2]" in said.out
    assert "[2/2]" in said.out
    assert "Run 1: succeeded" in said.out
