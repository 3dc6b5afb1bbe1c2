"""The files that ship with Fireline: sound, and each rule's own tests hold under the engine that judges live events."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.rules import Rule, RuleTest
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load

ROOT = Path(__file__).parent.parent.parent
START = 1_700_000_000.0


def shipped() -> Configuration:
    loaded = load(ROOT / "rules", ROOT / "runbooks", plugins(), today=date(2026, 11, 21))
    assert loaded.problems == ()
    assert loaded.configuration is not None
    return loaded.configuration


CONFIGURATION = shipped()
CASES = [(rule, test) for rule in CONFIGURATION.rules.values() for test in rule.tests]


def events_of(rule: Rule, test: RuleTest, until: float) -> Iterator[tuple[float, dict[str, object]]]:
    for series in test.series:
        for index, value in enumerate(series.values):
            if value is not None and index * test.every <= until:
                yield index * test.every, {"type": rule.on.value, **series.fields, series.field: value}
    for at, fields in test.events:
        if at <= until:
            yield at, {"type": rule.on.value, **fields}


def records_of(rule: Rule, test: RuleTest, until: float) -> Iterator[bytes]:
    timed = sorted(events_of(rule, test, until), key=lambda event: event[0])
    for number, (at, fields) in enumerate(timed):
        yield json.dumps({"request_id": f"r{number}", **fields, "ts": START + at}).encode()


@pytest.mark.parametrize(("rule", "test"), CASES, ids=[f"{rule.name}: {test.name}" for rule, test in CASES])
def test_the_tests_of_each_rule_hold(rule: Rule, test: RuleTest) -> None:
    for expected in test.expect:
        played = play([rule], FAMILIES, Native(), records_of(rule, test, expected.at))
        assert played.dead == ()
        wanted = set(expected.entity.items())
        (verdict,) = [each for each in played.verdicts if wanted <= set(each.entity)]
        found = verdict.severity if verdict.state == "firing" else None
        assert (verdict.state.value, found) == (expected.state, expected.severity), (expected, verdict)


def test_every_rule_has_a_test() -> None:
    assert {rule.name for rule, _ in CASES} == set(CONFIGURATION.rules)


def test_the_owner_of_every_service_can_be_reached() -> None:
    catalog = CONFIGURATION.catalog
    for service in catalog.services.values():
        team = catalog.teams[service.owner]
        assert team.policy in CONFIGURATION.oncall.policies
        assert all(catalog.people[member].contacts for member in team.members)
