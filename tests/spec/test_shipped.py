"""The files that ship with Fireline: sound, and each rule's own tests hold under the engine that judges live events."""

from datetime import date
from pathlib import Path

import pytest

from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.rule_tests import RuleTest
from fireline.domain.rules import Rule
from fireline.engine.rule_tests import Bench, run
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load

ROOT = Path(__file__).parent.parent.parent


def shipped() -> Configuration:
    loaded = load(ROOT / "rules", ROOT / "runbooks", plugins(), today=date(2026, 11, 21))
    assert loaded.problems == ()
    assert loaded.configuration is not None
    return loaded.configuration


CONFIGURATION = shipped()
CASES = [(rule, test) for rule in CONFIGURATION.rules.values() for test in rule.tests]


BENCH = Bench(FAMILIES, Native(), {s.name: s for s in CONFIGURATION.catalog.severities}, CONFIGURATION.response)


@pytest.mark.parametrize(("rule", "test"), CASES, ids=[f"{rule.name}: {test.name}" for rule, test in CASES])
def test_the_tests_of_each_rule_hold(rule: Rule, test: RuleTest) -> None:
    assert run(rule, test, BENCH).failures == ()


def test_every_rule_has_a_test() -> None:
    assert {rule.name for rule, _ in CASES} == set(CONFIGURATION.rules)


def test_the_owner_of_every_service_can_be_reached() -> None:
    catalog = CONFIGURATION.catalog
    for service in catalog.services.values():
        team = catalog.teams[service.owner]
        assert team.policy in CONFIGURATION.oncall.policies
        assert all(catalog.people[member].contacts for member in team.members)
