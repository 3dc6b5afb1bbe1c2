"""The files that ship with Fireline: sound, tested, and with somebody who can be reached."""

import shutil
from datetime import date
from pathlib import Path

from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.spec.loading import load, load_rules

ROOT = Path(__file__).parent.parent.parent


def shipped() -> Configuration:
    loaded = load(ROOT / "rules", ROOT / "runbooks", plugins(), today=date(2026, 11, 21))
    assert loaded.problems == ()
    assert loaded.configuration is not None
    return loaded.configuration


CONFIGURATION = shipped()


def test_every_rule_has_a_test() -> None:
    """That they pass is shown by `fireline test`, in tests/apps/test_rule_tests.py."""
    assert [rule.name for rule in CONFIGURATION.rules.values() if not rule.tests] == []


def test_the_packs_are_sound_and_every_rule_of_them_has_a_test() -> None:
    packs = load_rules([ROOT / "packs"], ROOT / "rules", plugins())
    assert packs.problems == ()
    assert len(packs.rules) >= 20
    assert [placed.rule.name for placed in packs.rules if not placed.rule.tests] == []


def test_a_pack_that_is_copied_gives_the_runbooks_that_it_names_what_they_need(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    catalog = tmp_path / "rules" / "catalog.yaml"
    about = "    what: Answers.\n    tier: 2\n    rollback: Say that nobody is there.\n    reviewed: 2026-11-01\n"
    catalog.write_text(catalog.read_text() + f"\n  chat:\n    owner: platform\n{about}    review_every: 365d\n")
    shutil.copy(ROOT / "packs" / "llm.yaml", tmp_path / "rules")
    loaded = load(tmp_path / "rules", ROOT / "runbooks", plugins(), today=date(2026, 11, 21))
    assert loaded.problems == ()
    assert loaded.configuration is not None
    named = {rule.name: rule.runbooks for rule in loaded.configuration.rules.values() if rule.name.startswith("llm_")}
    assert named["llm_tenant_spend"] == ("throttle-spender",)


def test_the_owner_of_every_service_can_be_reached() -> None:
    catalog = CONFIGURATION.catalog
    for service in catalog.services.values():
        team = catalog.teams[service.owner]
        assert team.policy in CONFIGURATION.oncall.policies
        assert all(catalog.people[member].contacts for member in team.members)
