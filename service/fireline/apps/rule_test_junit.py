"""The report of `fireline test` for CI systems."""

from collections.abc import Sequence
from pathlib import Path

from fireline.apps import junit
from fireline.apps.rule_test_kit import Ran
from fireline.apps.rule_test_shown import failure_lines, file_of
from fireline.domain.rules import Rule


def write(path: Path, ran: Sequence[tuple[Rule, Ran]]) -> None:
    """Write the report; raises Refused where the file cannot be written."""
    junit.write(path, "fireline test", [_case(rule, each) for rule, each in ran])


def _case(rule: Rule, ran: Ran) -> junit.Case:
    file, test = file_of(rule), ran.outcome.test
    misses = tuple(
        junit.Miss(
            failure.what,
            f"{failure.what}: expected {failure.wanted}, got {failure.got}",
            "\n".join(failure_lines(file, failure)),
        )
        for failure in ran.outcome.failures
    )
    return junit.Case(file, test.line, rule.name, test.name, ran.took, misses)
