"""Recorded events: NDJSON of native events, or a CSV of timestamp and value as the Numenta benchmark writes it."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import orjson

from fireline.domain.events import Event, Malformed
from fireline.sources.native import decode

KEYS = ("service", "model", "name")
"""What a record's key is taken from: the first of these fields that an event has."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event to feed: its bytes as recorded, its event time in seconds, and its key."""

    value: bytes
    at: float
    key: bytes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no event, and why; lines count from 1."""

    line: int
    reason: str


def read_recording(
    path: Path, name: str | None = None, labels: Mapping[str, str] | None = None
) -> Iterator[Recorded | BadLine]:
    """The events of a file, in its order; `.gz` is unpacked on the way. Raises OSError when it cannot be read.

    A CSV's rows become metrics called `name` (the file's name without it) with these labels.
    """
    plain = path.name.removesuffix(".gz")
    with path.open("rb") as raw, gzip.open(raw) if plain != path.name else raw as unpacked:
        text = TextIOWrapper(cast("BinaryIO", unpacked), encoding="utf-8", errors="replace", newline="")
        if plain.lower().endswith(".csv"):
            yield from _csv(text, name or Path(plain).stem, dict(labels or {}))
        else:
            yield from _ndjson(text)


def _ndjson(text: TextIO) -> Iterator[Recorded | BadLine]:
    for number, line in enumerate(text, start=1):
        if line.strip():
            yield _recorded(number, line.strip().encode())


def _csv(text: TextIO, name: str, labels: dict[str, str]) -> Iterator[Recorded | BadLine]:
    rows = csv.reader(text)
    for row in rows:
        number = rows.line_num
        if not row or (number == 1 and row[0].strip().lower() in {"timestamp", "ts", "time"}):
            continue
        try:
            at, value = _instant(row[0].strip()), float(row[1])
        except (ValueError, IndexError, OverflowError):
            yield BadLine(number, f"found {','.join(row)[:80]!r}; expected timestamp,value")
            continue
        body = {"type": "metric", "name": name, "value": value, "ts": at, "labels": labels}
        yield _recorded(number, orjson.dumps(body))


def _instant(text: str) -> float:
    """Seconds since the epoch, RFC 3339, or a date and time without a zone, which are UTC."""
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _recorded(number: int, value: bytes) -> Recorded | BadLine:
    found = decode(value)
    if isinstance(found, Malformed):
        return BadLine(number, found.detail)
    event = found[0]
    return Recorded(value, event.at, _key(event))


def _key(event: Event) -> bytes:
    return next((str(event.fields[name]) for name in KEYS if event.fields.get(name)), event.kind.value).encode()
