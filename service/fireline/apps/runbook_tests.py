"""`fireline runbook test`: plays the tests of runbooks, and tells what came of them and what none of them visits."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fireline.apps import junit
from fireline.apps.output import err, print_json, say, table
from fireline.apps.runbook_files import NOT_DONE, file_of, named, read
from fireline.apps.runbook_playing import play
from fireline.apps.runbook_tests_shown import lines, tell_test
from fireline.domain.configuration import Configuration
from fireline.domain.runbook_coverage import Part, parts, visited
from fireline.domain.runbook_tests import RunbookTest
from fireline.domain.runbook_verdicts import Difference, Played, differences
from fireline.domain.runbooks import Runbook

PASSED, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Ran:
    """A test, what it came to, and the seconds that it took."""

    book: Runbook
    file: str
    test: RunbookTest
    played: Played
    missed: tuple[Difference, ...]
    took: float


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of a runbook its tests went through."""

    book: Runbook
    file: str
    all: tuple[Part, ...]
    missing: tuple[Part, ...]


def run(
    names: Sequence[str],
    *,
    verbose: bool,
    as_json: bool,
    report: Path | None,
    strict: bool,
    rules: Path | None,
    runbooks: Path | None,
) -> int:
    """Play the tests of these runbooks, of all when none is named; the exit code."""
    found = read(rules, runbooks, as_json=as_json)
    if found is None:
        return NOT_DONE
    settings, configuration = found
    books = [named(configuration, name) for name in names] or list(configuration.runbooks.values())
    files = {book.name: file_of(book, configuration, settings.runbooks) for book in books}
    ran = [one for book in books for one in _played(book, files[book.name], configuration)]
    covered = [_covered(book, files[book.name], ran) for book in books]
    if report is not None:
        junit.write(report, "fireline runbook test", [_case(one) for one in ran])
    if as_json:
        print_json(_document(ran, covered))
    else:
        _tell(ran, covered, verbose=verbose)
    if not ran:
        return NOT_DONE
    gaps = strict and any(each.missing for each in covered)
    return FAILED if gaps or any(one.missed for one in ran) else PASSED


def _played(book: Runbook, file: str, configuration: Configuration) -> list[Ran]:
    return [_one(book, file, test, configuration) for test in book.tests]


def _one(book: Runbook, file: str, test: RunbookTest, configuration: Configuration) -> Ran:
    began = time.perf_counter()
    played = asyncio.run(play(book, test, configuration))
    missed = differences(test.expect, test.line, played)
    return Ran(book, file, test, played, missed, time.perf_counter() - began)


def _covered(book: Runbook, file: str, ran: Sequence[Ran]) -> Covered:
    runs = [one.played.run for one in ran if one.book is book and one.played.run is not None]
    seen, everything = visited(book, runs), parts(book)
    return Covered(book, file, everything, tuple(part for part in everything if part not in seen))


def _case(one: Ran) -> junit.Case:
    misses = tuple(
        junit.Miss(each.what, f"{each.what}: expected {each.wanted}, got {each.got}", "\n".join(lines(one.file, each)))
        for each in one.missed
    )
    return junit.Case(one.file, one.test.line, one.book.name, one.test.name, one.took, misses)


def _tell(ran: Sequence[Ran], covered: Sequence[Covered], *, verbose: bool) -> None:
    for one in ran:
        if one.missed or verbose:
            tell_test(one.file, one.book.name, one.test, one.played, one.missed, verbose=verbose)
    missing = [(each.book.name, part.step, part.what) for each in covered for part in each.missing]
    if missing:
        say("No test goes through:", "yellow")
        table(("runbook", "step", "what"), missing, "")
    failed, count = sum(bool(one.missed) for one in ran), sum(bool(each.book.tests) for each in covered)
    everything = sum(len(each.all) for each in covered)
    there = everything - len(missing)
    if not ran:
        say("none of these runbooks has a test: write `tests:` in its file", "red", to=err())
    words = f"{len(ran)} tests of {count} runbooks: {len(ran) - failed} passed, {failed} failed"
    words += f"; {there} of {everything} steps and branches visited"
    say(words, "red" if failed or not ran else "green", to=err())


def _document(ran: Sequence[Ran], covered: Sequence[Covered]) -> Mapping[str, object]:
    """Nothing in it depends on when, where or how fast it was played."""
    failed = sum(bool(one.missed) for one in ran)
    return {
        "ok": bool(ran) and not failed,
        "passed": len(ran) - failed,
        "failed": failed,
        "tests": [_test(one) for one in ran],
        "coverage": [
            {
                "runbook": each.book.name,
                "file": each.file,
                "of": len(each.all),
                "visited": len(each.all) - len(each.missing),
                "missing": [{"step": part.step, "what": part.what} for part in each.missing],
            }
            for each in covered
        ],
    }


def _test(one: Ran) -> Mapping[str, object]:
    return {
        "runbook": one.book.name,
        "test": one.test.name,
        "file": one.file,
        "line": one.test.line,
        "passed": not one.missed,
        "status": None if one.played.run is None else one.played.run.status.value,
        "reason": one.played.reason,
        "steps": list(one.played.order),
        "failures": [
            {
                "line": each.line,
                "what": each.what,
                "expected": each.wanted,
                "got": each.got,
                "detail": list(each.detail),
            }
            for each in one.missed
        ],
    }
