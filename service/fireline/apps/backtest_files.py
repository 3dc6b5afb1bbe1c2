"""Recordings for back-tests: files and directories into blocks of decoded events, several merged in time order."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from fireline.apps.faults import Refused
from fireline.apps.replay_files import BadLine, Recorded, read_recording
from fireline.domain.events import Malformed, Row
from fireline.sources.native import Native

BLOCK = 16_384
"""Events in a block; no result depends on it."""
STDIN = "-"
_SUFFIXES = (".ndjson", ".jsonl", ".csv", ".ndjson.gz", ".jsonl.gz", ".csv.gz")
_SHOWN = 20
_at = itemgetter(1)

Rows = list[Row]


@dataclass(frozen=True, slots=True)
class Input:
    """One recording: `label` is how reports and label files call it, `metric` what the rows of a CSV are called."""

    path: Path
    label: str
    metric: str | None = None

    @property
    def csv(self) -> bool:
        """Whether it is a CSV of timestamp and value."""
        return self.label.removesuffix(".gz").lower().endswith(".csv")


@dataclass(slots=True)
class Heard:
    """What was read so far: lines that are no events, the first of them in words, and how many bytes of each file."""

    bad: int = 0
    told: list[tuple[str, BadLine]] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    def add(self, label: str, bad: BadLine) -> None:
        """Count a line that is no event."""
        self.bad += 1
        if len(self.told) < _SHOWN:
            self.told.append((label, bad))


def inputs_of(events: Sequence[str], names: Sequence[str]) -> list[Input]:
    """The recordings that were named, those of a directory by their names below it.

    `names` are metric names of CSV files: `cpu` for all of them, `host.csv=cpu` or `host=cpu` for one. Raises Refused.
    """
    found: list[Input] = []
    for text in events:
        path = Path(text)
        if text == STDIN:
            found.append(Input(path, "standard input"))
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.lower().endswith(_SUFFIXES) and p.is_file())
            if not inside:
                raise Refused(f"{path} has no recording; expected files ending in {', '.join(_SUFFIXES)}")
            found += [Input(each, each.relative_to(path).as_posix()) for each in inside]
        else:
            found.append(Input(path, path.name))
    return [Input(each.path, each.label, _metric(each, names)) for each in found]


def _metric(each: Input, names: Sequence[str]) -> str | None:
    if not each.csv:
        return None
    stem = Path(each.label.removesuffix(".gz")).stem
    given = [name for name in names if "=" not in name]
    for name in names:
        file, equals, metric = name.partition("=")
        if equals and file in (each.label, each.path.name, stem):
            return metric
    return given[-1] if given else stem


def sizes(inputs: Iterable[Input]) -> int:
    """How many bytes there are to read, as far as that is known."""
    return sum(each.path.stat().st_size for each in inputs if each.path.is_file())


def blocks(
    inputs: Sequence[Input],
    labels: Mapping[str, str],
    heard: Heard,
    between: tuple[float, float] = (float("-inf"), float("inf")),
    size: int = BLOCK,
) -> Iterator[Rows]:
    """The events of all recordings in blocks; those of several are merged by time, each in its own order.

    Only events whose time is in `between` (the end left out). Raises Refused when a file cannot be read.
    """
    each = [_blocks(one, labels, heard, size) for one in inputs]
    found = each[0] if len(each) == 1 else _merged(each, size)
    first, last = between
    if first == float("-inf") and last == float("inf"):
        return found
    return ([row for row in rows if first <= row[1] < last] for rows in found)


def _merged(streams: Sequence[Iterator[Rows]], size: int) -> Iterator[Rows]:
    rows = merge(*(chain.from_iterable(stream) for stream in streams), key=_at)
    while some := list(islice(rows, size)):
        yield some


def _blocks(one: Input, labels: Mapping[str, str], heard: Heard, size: int) -> Iterator[Rows]:
    try:
        if one.csv:
            yield from _of_recorded(read_recording(one.path, one.metric, labels), one, heard, size)
        else:
            yield from _of_lines(one, heard, size)
    except (OSError, EOFError, zlib.error) as fault:
        raise Refused(f"{one.path} cannot be read: {fault}") from fault


def _of_recorded(lines: Iterator[Recorded | BadLine], one: Input, heard: Heard, size: int) -> Iterator[Rows]:
    decode = Native()
    while some := list(islice(lines, size)):
        for line in some:
            if isinstance(line, BadLine):
                heard.add(one.label, line)
        yield [
            row for row in decode.rows([line.value for line in some if isinstance(line, Recorded)]) if row is not None
        ]
    heard.read[one.label] = sizes([one])


def _of_lines(one: Input, heard: Heard, size: int) -> Iterator[Rows]:
    decode = Native()
    number = 0
    with _opened(one.path) as raw:
        lines = _unpacked(one, raw)
        while some := list(islice(lines, size)):
            rows = decode.rows(some)
            if None in rows:
                yield _looked_at(rows, some, number, lambda bad: heard.add(one.label, bad))
            else:
                yield cast("Rows", rows)
            number += len(some)
            heard.read[one.label] = raw.tell() if one.path.name != STDIN else 0


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if path.name == STDIN else path.open("rb", buffering=1 << 20)


def _unpacked(one: Input, raw: BinaryIO) -> Iterable[bytes]:
    return cast("BinaryIO", gzip.open(raw)) if one.path.name.endswith(".gz") else raw


def _looked_at(
    rows: Sequence[Row | None], lines: Sequence[bytes], before: int, on_bad: Callable[[BadLine], None]
) -> Rows:
    """The rows, with those that the fast path left open decoded one by one; blank lines are nothing."""
    found: Rows = []
    decode = Native().decode
    for number, (row, line) in enumerate(zip(rows, lines, strict=True), start=before + 1):
        if row is not None:
            found.append(row)
            continue
        if not line.strip():
            continue
        decoded = decode(line.strip(), ())
        for item in [decoded] if isinstance(decoded, Malformed) else decoded:
            if isinstance(item, Malformed):
                on_bad(BadLine(number, item.detail))
            else:
                found.append((item.kind, item.at, dict(item.fields)))
    return found
