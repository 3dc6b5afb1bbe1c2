"""The rules of the documentation do what their own tests say: each is run as `fireline test` would."""

from pathlib import Path

import pytest

from fireline.apps.reference_examples import EXAMPLES
from fireline.apps.rule_test_kit import Asked, kit_of
from fireline.engine.rule_tests import run
from tests.docs.texts import ROOT, Snippet, snippets

TESTED = [each for each in snippets("yaml") if each.text.startswith("rules:") and "tests:" in each.text]
REFERENCE = Snippet(ROOT / "docs" / "reference" / "rules.md", 0, EXAMPLES["rules"])


@pytest.mark.parametrize("snippet", [*TESTED, REFERENCE], ids=str)
def test_the_tests_of_a_rule_in_the_documentation_hold(snippet: Snippet, tmp_path: Path) -> None:
    path = tmp_path / "snippet.yaml"
    path.write_text(snippet.text)
    kit = kit_of(Asked((path,), ROOT / "rules"))
    assert kit.errors == []
    for placed in kit.loaded.rules:
        for test in placed.rule.tests:
            assert run(placed.rule, test, kit.bench).failures == ()


def test_the_guide_begins_with_three_problems_and_each_has_a_test() -> None:
    assert len([each for each in TESTED if each.path.name == "rules.md"]) >= 3
