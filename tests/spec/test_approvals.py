"""Approvals at load: who may approve exists, is enough, and can be somebody else than who asked."""

import pytest

from fireline.domain.approving import Approval, OnTimeout
from tests.spec.world import CATALOG, RULES, RUNBOOK, load_files, told

MORE = CATALOG.replace("teams:\n", "teams:\n  one: {name: One, policy: web, members: [ann]}\n")


def read(tmp_path, start="", step=""):
    """The runbook with an approval at its start and a step that asks, or what is wrong with it."""
    text = RUNBOOK.replace(", mode: auto}", ", mode: auto, approval: {" + start + "}}")
    text = text.replace("steps:\n", "steps:\n  - {id: sure, uses: approval, with: {ask: Sure?" + step + "}}\n")
    loaded = load_files(tmp_path, {"runbooks/reroute.yaml": text, "rules/catalog.yaml": MORE})
    if loaded.configuration is None:
        return told(tmp_path, loaded)
    return next(iter(loaded.configuration.runbooks.values())).approval


def test_nothing_said_is_one_of_the_owners(tmp_path):
    assert read(tmp_path) == Approval()


def test_all_of_it(tmp_path):
    start = "of: [owner, 'person:ann', 'schedule:web', 'role:commander'], count: 2, four_eyes: false, timeout: 10m"
    found = read(tmp_path, f"{start}, on_timeout: escalate, escalate_to: 'team:web'")
    of = ("owner", "person:ann", "schedule:web", "role:commander")
    assert found == Approval(of, 2, False, 600.0, OnTimeout.ESCALATE, ("team:web",))


def test_a_name_alone_is_a_team(tmp_path):
    assert read(tmp_path, "of: web").of == ("web",)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("of: 'person:anna'", "there is no person `anna`"),
        ("of: 'team:wep'", "there is no team `wep`"),
        ("of: wep", "there is no team `wep`"),
        ("of: 'schedule:weg'", "there is no schedule `weg`"),
        ("of: 'role:comander'", "there is no role `comander`"),
        ("of: 'room:x'", "`room:x` is nobody"),
        ("of: web, count: 3", "3 people have to approve, and there are 2 who may"),
        ("of: 'schedule:web', count: 2", "2 people have to approve, and there is 1 who may"),
        ("of: ['person:ann', web], count: 3", "3 people have to approve, and there are 2 who may"),
        ("of: 'person:ann', four_eyes: true", "that person can never ask for the run"),
        ("of: one, four_eyes: true", "that person can never ask for the run"),
        ("on_timeout: escalate", "belong together"),
        ("escalate_to: web", "belong together"),
        ("on_timeout: continue", "one of refuse, escalate was expected"),
        ("on_timeout: {runbook: nowhere}", "there is no runbook `nowhere`"),
        ("on_timeout: {runbook: reroute}", "it would ask again and again"),
    ],
)
def test_an_approval_at_the_start_that_cannot_be_is_told(tmp_path, start, said):
    assert said in str(read(tmp_path, start))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (", of: 'person:anna'", "there is no person `anna`"),
        (", of: [web, 'team:x']", "there is no team `x`"),
        (", of: 'person:ann', four_eyes: true", "that person can never ask for the run"),
        (", of: web, count: 3", "3 people have to approve, and there are 2 who may"),
    ],
)
def test_a_step_that_asks_is_held_to_the_same(tmp_path, step, said):
    assert said in str(read(tmp_path, step=step))


def known(tmp_path, approval, catalog=MORE, rules="runbooks: [reroute]", book=RUNBOOK, step=False):
    """All that is told of a count, in a world of two people."""
    if step:
        asks = "  - {id: sure, uses: approval, with: {ask: Sure?, " + approval + "}}\n"
        book = book.replace("steps:\n", "steps:\n" + asks)
    else:
        book = book.replace(", mode: auto}", ", mode: auto, approval: {" + approval + "}}")
    files = {"runbooks/reroute.yaml": book, "rules/catalog.yaml": catalog}
    files["rules/checkout.yaml"] = RULES.replace("runbooks: [reroute]", rules)
    return told(tmp_path, load_files(tmp_path, files))


SMALL = MORE.replace("    owner: web\n    tier: 3", "    owner: one\n    tier: 3")
"""Ann alone answers for checkout."""


@pytest.mark.parametrize("step", [False, True])
def test_more_owners_than_anybody_has_are_told_where_they_are_asked_for(tmp_path, step):
    said = known(tmp_path, "count: 3", step=step)
    assert "error" in said
    assert "3 people have to approve, and `owner` never means more than 2 in this catalog" in said
    assert "lower `count`, name more in `of`, or add members to the owning team" in said
    assert said.startswith("runbooks/reroute.yaml:")
    also = known(tmp_path, "of: [owner, 'person:ben'], count: 3", step=step)
    assert "never means more than 2 in this catalog, those named beside it included" in also


@pytest.mark.parametrize("step", [False, True])
def test_a_rule_whose_owners_are_too_few_is_named(tmp_path, step):
    said = known(tmp_path, "count: 2", SMALL, step=step)
    assert "2 people have to approve, and when it is started for `checkout`, by the rule `slow`, only ann may" in said
    assert "warning" in said


@pytest.mark.parametrize(
    ("approval", "catalog", "rules"),
    [
        ("count: 2", MORE, "runbooks: [reroute]"),
        ("count: 1", SMALL, "runbooks: [reroute]"),
        ("of: [owner, 'person:ben'], count: 2", SMALL, "runbooks: [reroute]"),
        ("of: [owner, 'role:commander'], count: 2", SMALL, "runbooks: [reroute]"),
        ("of: [owner, 'role:responder'], count: 9", SMALL, "runbooks: [reroute]"),
        ("count: 2, on_timeout: escalate, escalate_to: web", SMALL, "runbooks: [reroute]"),
        ("of: 'person:ann', count: 2, on_timeout: escalate, escalate_to: 'person:ben'", MORE, "runbooks: [reroute]"),
        ("count: 2", SMALL.replace("owner: one\n", "owner: one\n    backup: web\n"), "runbooks: [reroute]"),
        ("count: 2", SMALL, "owner: web\n    runbooks: [reroute]"),
        ("count: 2", SMALL, "owner: web"),
    ],
)
def test_a_count_that_can_be_reached_is_not_told(tmp_path, approval, catalog, rules):
    assert "have to approve" not in known(tmp_path, approval, catalog, rules)


def test_owners_of_who_starts_it_by_hand_are_told_where_no_rule_does(tmp_path):
    book = RUNBOOK.replace("owner: web\n", "owner: one\n")
    by_hand = book.replace("inputs.service", "inputs.what").replace("  service: {type", "  what: {type")
    said = known(tmp_path, "count: 2", rules="owner: web", book=by_hand)
    assert "when it is started by a person, without an incident, only ann may" in said
    assert "have to approve" not in known(tmp_path, "count: 2", rules="owner: web", book=book)
    needs = by_hand.replace("start: {", "start: {needs_incident: true, ")
    assert "have to approve" not in known(tmp_path, "count: 2", rules="owner: web", book=needs)


def test_what_a_template_comes_to_is_not_guessed(tmp_path):
    assert read(tmp_path, step=", of: '{{ inputs.service }}', count: 9") == Approval()
