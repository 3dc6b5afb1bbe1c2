"""Exports of the audit: NDJSON, an entry a line with the mac before it, and a signed line at the end."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from fireline.domain.audit import START, Keys, Sealed, canonical, is_signed, signed
from fireline.domain.audit_checking import Damage, Found, Kind, Outside, check, check_alone

_FIELDS = {"number", "key", "previous", "mac", "act"}
_END = {"end", "key", "seal"}


def write(entries: Iterable[tuple[Sealed, str]], to: TextIO, keys: Keys, *, whole: bool, at: float) -> int:
    """Write entries, each with the mac before it; how many there were. `whole`: they are all there are."""
    digest, count = hashlib.sha256(), 0
    for entry, previous in entries:
        act = json.loads(entry.body) if entry.body else None
        line = {"number": entry.number, "key": entry.key, "previous": previous, "mac": entry.mac, "act": act}
        to.write(canonical(line) + "\n")
        digest.update(entry.mac.encode())
        count += 1
    end = {"entries": count, "macs": digest.hexdigest(), "whole": whole, "at": at}
    to.write(canonical({"end": end, "key": keys.current, "seal": signed(end, keys.current, keys)}) + "\n")
    return count


def verify(path: Path, keys: Keys) -> Found:
    """Whether an export is what was written; raises OSError when it cannot be read."""
    end = _end(path, keys)
    if end is None:
        found = check_alone(_entries(path), keys)
        text = "the last line is not the one that an export ends with, or without a seal of ours: the end is missing"
        return found if found.damage else Found(found.good, found.mac, Damage(found.good + 1, Kind.TRUNCATED, text))
    if end.get("whole"):
        found = check((entry for entry, _ in _entries(path)), keys, Outside())
    else:
        found = check_alone(_entries(path), keys)
    return found if found.damage else _counted(path, found, end)


def _counted(path: Path, found: Found, end: Mapping[str, object]) -> Found:
    digest = hashlib.sha256()
    for entry, _ in _entries(path):
        digest.update(entry.mac.encode())
    if end.get("entries") == found.good and end.get("macs") == digest.hexdigest():
        return found
    text = f"the export had {end.get('entries')} entries, and {found.good} are there"
    return Found(found.good, found.mac, Damage(found.good + 1, Kind.TRUNCATED, text))


def _end(path: Path, keys: Keys) -> Mapping[str, object] | None:
    last = ""
    for line in _lines(path):
        last = line
    found = _parsed(last)
    if found is None or set(found) != _END or not isinstance(found["end"], dict):
        return None
    return found["end"] if is_signed(found["end"], str(found["key"]), str(found["seal"]), keys) else None


def _entries(path: Path) -> Iterator[tuple[Sealed, str]]:
    """The entries; a line that is none has number 0 and holds for nothing."""
    held = None
    for line in _lines(path):
        if held is not None:
            yield _entry(held)
        held = line
    if held is not None and '"end":' not in held:
        yield _entry(held)


def _entry(line: str) -> tuple[Sealed, str]:
    found = _parsed(line)
    texts = () if found is None else (found.get("key"), found.get("previous"), found.get("mac"))
    if found is None or set(found) != _FIELDS or not all(isinstance(text, str) for text in texts):
        return Sealed(0, "", line, ""), START
    number = found["number"] if type(found["number"]) is int else 0
    return Sealed(number, found["key"], canonical(found["act"]), found["mac"]), found["previous"]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are different: with one twice, readers would differ about what it says."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.strip():
                yield line
