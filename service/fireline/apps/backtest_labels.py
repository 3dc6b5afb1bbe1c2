"""Labelled windows from a JSON file: the Numenta benchmark's form, by file, or a list of windows."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from fireline.apps.backtest_files import Input
from fireline.apps.faults import Refused
from fireline.domain.labelled import Window

_KEYS = frozenset({"service", "rule", "metric", "start", "end"})
EXPECTED = (
    'expected {"FILE": [[START, END], ...]} or [{"service": ..., "rule": ..., "start": ..., "end": ...}]; '
    "times are seconds since the epoch, RFC 3339, or a date and time without a zone, which are UTC"
)


def read_labels(path: Path, inputs: Sequence[Input]) -> list[Window]:
    """The windows of a file; by file, those of recordings that are read. Raises Refused with the place of the fault."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise Refused(f"{path} cannot be read: {fault}") from fault
    if isinstance(content, dict):
        return [window for name, spans in content.items() for window in _of_file(path, name, spans, inputs)]
    if isinstance(content, list):
        return [_window(path, f"[{place}]", entry) for place, entry in enumerate(content)]
    raise Refused(f"{path}: {EXPECTED}")


def _of_file(path: Path, name: str, spans: object, inputs: Sequence[Input]) -> list[Window]:
    if not isinstance(spans, list):
        raise _fault(path, name, spans)
    windows = [_span(path, f"{name}[{place}]", span) for place, span in enumerate(spans)]
    read = [each for each in inputs if _called(each, name)]
    return [Window(start, end, metric=each.metric or "") for each in read for start, end in windows]


def _called(each: Input, name: str) -> bool:
    return each.label == name or each.path.as_posix().endswith(f"/{name}") or Path(name).name == each.label


def _span(path: Path, place: str, span: object) -> tuple[float, float]:
    if not isinstance(span, list) or len(span) != 2:
        raise _fault(path, place, span)
    start, end = (instant_of(each) for each in span)
    if start is None or end is None or end < start:
        raise _fault(path, place, span)
    return start, end


def _window(path: Path, place: str, entry: object) -> Window:
    if not isinstance(entry, Mapping) or not _KEYS.issuperset(entry):
        raise _fault(path, place, entry)
    start, end = _span(path, place, [entry.get("start"), entry.get("end")])
    texts = {name: entry.get(name, "") for name in ("service", "rule", "metric")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise _fault(path, place, entry)
    return Window(start, end, **texts)


def _fault(path: Path, place: str, found: object) -> Refused:
    return Refused(f"{path}: {place}: found {repr(found)[:80]}; {EXPECTED}")


def instant_of(value: object) -> float | None:
    """Seconds since the epoch of a number, RFC 3339 or a date and time without a zone (UTC); None of anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
