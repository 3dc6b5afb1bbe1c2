"""Findings: the faults of all files, collected while reading goes on."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fireline.domain.configuration import Problem
from fireline.spec import codes
from fireline.spec.documents import Document, Path, Place, Scalar
from fireline.spec.faults import SyntaxFault


def path_text(path: Path) -> str:
    """A path as people read it: `rules[0].measures.p99`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: the nearest known one, or all of them when they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if not names:
        return "there are none"
    return "known are " + ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")


@dataclass(slots=True)
class Findings:
    """Collects problems; `count` tells how many of them are errors."""

    problems: list[Problem] = field(default_factory=list)

    def error(
        self,
        document: Document,
        path: Path,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        code: str = codes.INVALID,
    ) -> None:
        """Note an error at the value of `path` (or at its key)."""
        place = document.place(path, key=key)
        self.problems.append(_problem(document, path, place, message, hint, code=code))

    def warning(
        self,
        document: Document,
        path: Path,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        code: str = codes.INVALID,
    ) -> None:
        """Note something that works, and will be regretted."""
        place = document.place(path, key=key)
        self.problems.append(replace(_problem(document, path, place, message, hint, code=code), severity="warning"))

    def inside(
        self,
        document: Document,
        path: Path,
        fault: SyntaxFault,
        *,
        code: str = codes.SYNTAX,
        severity: str = "error",
    ) -> None:
        """Note a fault within the text at `path`, at its character where that can be told."""
        place = document.place(path)
        node = document.node(path)
        if fault.offset is not None and isinstance(node, Scalar) and node.exact:
            place = Place(place.line, place.column + fault.offset + (1 if node.quoted else 0))
        found = _problem(document, path, place, str(fault), fault.hint, code=code)
        self.problems.append(replace(found, severity=severity))

    def form(self, document: Document) -> None:
        """Note the faults of a document's form."""
        for fault in document.faults:
            self.problems.append(
                _problem(document, fault.path, fault.place, fault.message, fault.hint, code=codes.YAML)
            )

    def count(self) -> int:
        """How many errors there are so far."""
        return sum(problem.severity == "error" for problem in self.problems)

    def sorted(self) -> tuple[Problem, ...]:
        """All problems by file and place, each once."""
        unique = dict.fromkeys(self.problems)
        return tuple(sorted(unique, key=lambda p: (p.file, p.line, p.column, p.severity, p.message)))


def _problem(document: Document, path: Path, place: Place, message: str, hint: str, *, code: str) -> Problem:
    return Problem(document.file, place.line, place.column, message, hint, path_text(path), code=code)
