"""Acceptance: warnings that the author of a file accepts in place, by a comment on their line or above it.

`# fireline: accept until-idle: it is meant to clear at once`: codes with commas, and why after a colon. Errors cannot
be accepted, and a comment that accepts nothing is a warning itself, so that none outlives its reason.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from fireline.domain.configuration import Problem
from fireline.spec import codes
from fireline.spec.documents import Document
from fireline.spec.findings import Findings, suggestion

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*fireline:\s*accept\b\s*(?P<codes>[\w-]*(?:\s*,\s*[\w-]+)*)")


@dataclass(frozen=True, slots=True)
class _Accepted:
    """One code of one comment: where it stands, and the line whose warnings it accepts; lines from 1."""

    file: str
    line: int
    column: int
    code: str
    of: int

    def warning(self, message: str, hint: str) -> Problem:
        return Problem(self.file, self.line, self.column, message, hint, severity="warning", code=codes.ACCEPT)


def settle(documents: Iterable[Document], findings: Findings, *, whole: bool) -> None:
    """Take accepted warnings out, and note what accepts nothing, if the `whole` was judged."""
    accepted = [each for document in documents for each in _accepted(document)]
    if not accepted:
        return
    places = {(each.file, each.of, each.code): each for each in accepted}
    used: set[_Accepted] = set()
    kept: list[Problem] = []
    for problem in findings.problems:
        found = places.get((problem.file, problem.line, problem.code))
        if found is None or problem.severity == "error":
            kept.append(problem)
        if found is not None:
            used.add(found)
    whole = whole and findings.count() == 0  # what is broken hides what would be found
    idle = (each for each in places.values() if each not in used)
    findings.problems = [*kept, *(said for each in idle if (said := _said(each, whole)) is not None)]


def _said(accepted: _Accepted, whole: bool) -> Problem | None:
    """What is wrong with a comment that accepted nothing; None when not everything could be found."""
    code = accepted.code
    if code not in codes.CODES:
        hint = suggestion(code, codes.CODES) if code else "such as `# fireline: accept until-idle: why`"
        return accepted.warning(f"there is no code `{code}` to accept" if code else "`accept` names no code", hint)
    if not whole:
        return None
    return accepted.warning(f"line {accepted.of} has no `{code}` to accept", "remove the comment")


def _accepted(document: Document) -> Iterator[_Accepted]:
    if "fireline:" not in document.text:
        return
    lines = document.text.splitlines()
    for number, line in enumerate(lines, 1):
        for found in _COMMENT.finditer(line):
            of = number if line[: found.start()].strip() else _next(lines, number)
            each = _Accepted(document.file, number, found.start() + 1, "", of)
            for code in found["codes"].split(","):
                yield replace(each, code=code.strip())


def _next(lines: list[str], number: int) -> int:
    """The first line after `number` that is more than a comment."""
    for at in range(number, len(lines)):
        text = lines[at].strip()
        if text and not text.startswith("#"):
            return at + 1
    return number
