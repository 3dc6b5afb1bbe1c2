"""Selectors of Prometheus' query language, as far as they say which series are meant: `http_requests{code!~"5.."}`.

A selector may stand alone or within `sum(rate(...[5m]))` and the like, which say how to count what Fireline counts by
itself. Whatever else a query calculates is not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS = rf"\(\s*({_NAME}(?:\s*,\s*{_NAME})*)?\s*\)"
_OUTER = re.compile(rf"sum\s*(?:by\s*{_LABELS}\s*)?\((.*?)\)\s*(?:by\s*{_LABELS}\s*)?", re.DOTALL)
_COUNTED = re.compile(r"(?:rate|irate|increase|count_over_time)\s*\((.*)\)", re.DOTALL)
_SELECTOR = re.compile(rf"({_NAME})?\s*(?:\{{(.*)\}})?\s*(\[[0-9a-z]+(?::[0-9a-z]*)?\])?", re.DOTALL)
_MATCHER = re.compile(rf'\s*({_NAME})\s*(=~|!~|!=|=)\s*(?:"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\')\s*(?:,|$)')
_MARKS = {"=": "", "!=": "!", "=~": "~", "!~": "!~"}
_OTHER = {"": "!", "!": "", "~": "!~", "!~": "~"}


@dataclass(frozen=True, slots=True)
class Selector:
    """The series that a query counts: matchers by label as rules have them, and the labels that they are told apart by.

    `counted`: the query counts what they gained, and does not take their values as they are.
    """

    where: Mapping[str, str]
    by: tuple[str, ...] = ()
    counted: bool = False


def selector_of(query: str) -> Selector | None:
    """The selector of a query; None when it calculates something else."""
    text, grouped = query.strip(), ""
    outer = _OUTER.fullmatch(text)
    if outer is not None:
        text, grouped = outer[2].strip(), outer[1] or outer[3] or ""
    counted = _COUNTED.fullmatch(text)
    found = _SELECTOR.fullmatch(counted[1].strip() if counted is not None else text)
    if found is None or not (found[1] or found[2]) or bool(found[3]) is not (counted is not None):
        return None
    where = _matchers(found[2] or "")
    if where is None:
        return None
    named = {"name": found[1]} if found[1] else {}
    by = tuple(name.strip() for name in grouped.split(",") if name.strip())
    return Selector({**named, **where}, by, counted is not None or outer is not None)


def _matchers(text: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    place = 0
    while place < len(text.rstrip()):
        match = _MATCHER.match(text, place)
        if match is None or match[1] in found:
            return None
        label, value = match[1], re.sub(r"\\(.)", r"\1", match[3] if match[3] is not None else match[4])
        found["name" if label == "__name__" else label] = f"{_MARKS[match[2]]}{value}"
        place = match.end()
    return found


def complement(value: str) -> str:
    """The matcher of every value that this one does not match."""
    mark = next(mark for mark in ("!~", "~", "!", "") if value.startswith(mark))
    return f"{_OTHER[mark]}{value[len(mark) :]}"
