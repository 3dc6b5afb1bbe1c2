"""What commands print: tables and colour on a terminal, plain text in a pipe, JSON on request.

Texts of events and of other systems are printed as they are, never as markup, and without what moves a cursor.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fireline.domain.texts import clean

SEVERITY_STYLES = {"safety": "bold white on red", "outage": "bold red", "degraded": "yellow", "notice": "cyan"}
STATUS_STYLES = {
    "triggered": "bold red",
    "acknowledged": "yellow",
    "mitigated": "blue",
    "resolved": "green",
    "closed": "dim",
    "merged": "dim",
}

_JSON = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS


def out() -> Console:
    """Standard output; plain and never wrapped at a terminal's width when it is a pipe."""
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, soft_wrap=not sys.stderr.isatty(), highlight=False)


def print_json(value: object) -> None:
    """One JSON document, indented, keys as they are."""
    try:
        encoded = orjson.dumps(value, option=_JSON, default=str)
    except TypeError:  # what orjson refuses: halves of surrogate pairs, integers beyond 64 bits
        encoded = json.dumps(value, indent=2, default=str).encode()
    sys.stdout.write(encoded.decode() + "\n")


def say(text: str, style: str = "", *, to: Console | None = None) -> None:
    """Print a text as it is, on standard output unless told otherwise."""
    (to or out()).print(Text(harmless(text), style=style))


def harmless(text: str) -> str:
    """`text` without what a terminal would obey; indentation is kept."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + clean(text)


def styled(word: str) -> Text:
    """A severity or status in its colour."""
    return Text(harmless(word), style=SEVERITY_STYLES.get(word) or STATUS_STYLES.get(word) or "")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows under headers: a table on a terminal, tab-separated lines in a pipe; `empty` when there are none."""
    lines = list(rows)
    if not lines:
        say(empty, to=err())
        return
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(headers) + "\n")
        for line in lines:
            sys.stdout.write("\t".join(_flat(cell) for cell in line) + "\n")
        return
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        drawn.add_column(header, overflow="fold")
    for line in lines:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(harmless(str(cell))) for cell in line))
    out().print(drawn)


def _flat(cell: object) -> str:
    return clean(str(cell), lines=False)


def instant(at: float | None) -> str:
    """An instant for people, in UTC so that logs, cards and tables agree; `-` when there is none."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(at: float | None, now: float) -> str:
    """How long ago, in the largest fitting unit: `12 s`, `4 min`, `3 h`, `2 d`."""
    if at is None:
        return "-"
    seconds = max(0.0, now - at)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def pairs(values: Mapping[str, object]) -> str:
    """`a=1, b=2`."""
    return ", ".join(f"{key}={value}" for key, value in values.items())
