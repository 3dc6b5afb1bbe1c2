"""How `fireline check` tells what it found: to people, with the line on a terminal; as JSON; as GitHub annotations."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fireline.apps.output import harmless, print_json
from fireline.domain.configuration import Problem

_WIDEST = 160


def tell(problems: Sequence[Problem], console: Console) -> None:
    """Tell people; on a terminal with colour, the line in the file, and a caret below what is meant."""
    lines: dict[str, list[str]] = {}
    for problem in problems:
        kind = "red" if problem.severity == "error" else "yellow"
        place = (harmless(f"{problem.file}:{problem.line}:{problem.column}:"), "bold")
        code = (f" [{problem.code}]" if problem.code else "", "dim")
        said = (place, (f" {problem.severity}: ", f"bold {kind}"), harmless(problem.message), code)
        console.print(Text.assemble(*said), soft_wrap=True)
        if console.is_terminal:
            if problem.file not in lines:
                lines[problem.file] = _lines(problem.file)
            for shown in _context(problem, lines[problem.file], min(console.width, _WIDEST), kind):
                console.print(shown, soft_wrap=True)
        if problem.hint:
            console.print(Text(harmless(f"  hint: {problem.hint}"), style="dim"), soft_wrap=True)


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []


def _context(problem: Problem, lines: Sequence[str], width: int, style: str) -> list[Text]:
    """The line, cut to the width around its column, and the caret; nothing of a file that is gone or a place beyond."""
    if not 0 < problem.line <= len(lines) or problem.column < 1:
        return []
    number = f"{problem.line:>6} | "
    line, at = lines[problem.line - 1], problem.column - 1
    room = max(20, width - len(number) - 1)
    start = max(0, at - room // 2) if len(line) > room else 0
    cut = "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in line[start : start + room])
    caret = " " * (len(number) - 2) + "| " + " " * Text(cut[: at - start]).cell_len
    return [Text.assemble((number, "dim"), cut), Text.assemble((caret, "dim"), ("^", f"bold {style}"))]


def tell_json(problems: Sequence[Problem]) -> None:
    """One document: whether it is sound, and every problem with its code and place."""
    ok = all(problem.severity != "error" for problem in problems)
    print_json({"ok": ok, "problems": [_document(problem) for problem in problems]})


def _document(problem: Problem) -> Mapping[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "path": problem.path,
    }


def tell_github(problems: Iterable[Problem]) -> None:
    """Workflow commands of GitHub Actions, which it shows at the lines of a pull request."""
    for problem in problems:
        text = problem.message + (f" ({problem.hint})" if problem.hint else "")
        properties = {
            "file": _in_repository(problem.file),
            "line": str(problem.line),
            "col": str(problem.column),
            "title": f"fireline {problem.code}".strip(),
        }
        said = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        sys.stdout.write(f"::{problem.severity} {said}::{_data(harmless(text))}\n")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(harmless(text)).replace(":", "%3A").replace(",", "%2C")


def _in_repository(file: str) -> str:
    """The file as GitHub names it: from the root of the checkout."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    try:
        return Path(file).resolve().relative_to(root.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):
        return file
