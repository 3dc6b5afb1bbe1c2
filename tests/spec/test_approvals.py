"""Approvals at load: who may approve exists, is enough, and can be somebody else than who asked."""

import pytest

from fireline.domain.approving import Approval, OnTimeout
from tests.spec.world import CATALOG, RUNBOOK, load_files, told

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


def test_what_a_template_comes_to_is_not_guessed(tmp_path):
    assert read(tmp_path, step=", of: '{{ inputs.service }}', count: 9") == Approval()
