"""The runbooks of the documentation that have tests pass them, and the guide's goes through everything it has."""

import asyncio
from dataclasses import replace

import pytest

from fireline.apps.bootstrap import plugins
from fireline.apps.runbook_playing import play
from fireline.domain.runbook_coverage import parts, visited
from fireline.domain.runbook_verdicts import differences
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.runbook_tests import with_tests
from fireline.spec.runbooks import read_placed
from tests.docs.texts import snippets
from tests.engine.runs_world import shipped

WITH_TESTS = [snippet for snippet in snippets("yaml") if "\ntests:\n" in snippet.text and "\nsteps:\n" in snippet.text]


@pytest.mark.parametrize("snippet", WITH_TESTS, ids=str)
def test_a_runbook_passes_its_tests_and_is_covered(snippet) -> None:
    findings = Findings()
    placed = read_placed(read_document("snippet.yaml", snippet.text.encode()), plugins(), findings)
    assert placed is not None, findings.problems
    book = with_tests(placed, plugins(), findings).runbook
    assert not findings.problems
    world = replace(shipped(), runbooks={book.name: book})
    played = [asyncio.run(play(book, test, world)) for test in book.tests]
    assert [differences(test.expect, test.line, each) for test, each in zip(book.tests, played, strict=True)] == [
        ()
    ] * len(played)
    assert set(parts(book)) <= visited(book, [each.run for each in played if each.run is not None])


def test_the_guide_has_one() -> None:
    assert WITH_TESTS
