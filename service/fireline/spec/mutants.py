"""Mutants: a rule with one small change, to see whether its tests notice.

Each is read anew like a rule of a file; what no rule may be is no mutant. Changes are those that slip in when rules are
edited: a `for` dropped, a comparison turned, a threshold or a window in another size, a matcher gone.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from fireline.domain.durations import seconds, written
from fireline.domain.rules import Rule
from fireline.spec.documents import Path, plain
from fireline.spec.findings import Findings
from fireline.spec.mutant_conditions import changes
from fireline.spec.rule_forms import RuleForm
from fireline.spec.rule_reader import Known, Reader
from fireline.spec.rules import Placed, compiled

_Raw = dict[str, Any]
_SWAPPED = {
    "avg": "max",
    "max": "avg",
    "min": "avg",
    "sum": "avg",
    "last": "max",
    "stddev": "avg",
    "rate": "count",
    "increase": "last",
    "increase_rate": "last",
    "distinct": "count",
}
"""What else a measure could be, of the same inputs."""
_QUANTILE = 0.9


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a rule: its name for people (and `accept_mutants`), the line that it changes, and the rule then.

    `kind` is the sort of change. `was` and `now` are the text before and after.
    """

    name: str
    kind: str
    line: int
    was: str
    now: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class _Edit:
    """One change to be made: what sort, where, the value there before, and the value then; None removes it."""

    kind: str
    path: Path
    was: object
    now: object
    told: str = ""


def mutants(placed: Placed, known: Known) -> Iterator[Mutant]:
    """Every mutant of a rule of a file that is a sound rule again, and not the same one."""
    raw = plain(placed.document.node(placed.path))
    if not isinstance(raw, dict) or placed.path[:1] != ("rules",):
        return  # made of an objective, whose alerts are not written out
    bare = {name: value for name, value in raw.items() if name not in {"tests", "accept_mutants"}}
    hashes = {placed.rule.hash}
    for edit in _edits(bare):
        rule = _read(_edited(bare, edit), placed, known)
        if rule is None or rule.hash in hashes:
            continue
        hashes.add(rule.hash)
        line = placed.document.place((*placed.path, *edit.path), key=True).line
        was, now = _text(edit.was), _text(edit.now)
        name = f"{'.'.join(map(str, edit.path))}: {edit.told or f'{was} -> {now}'}"
        yield Mutant(name, edit.kind, line, was, now, replace(rule, tests=placed.rule.tests))


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_text(part)}" for name, part in value.items()) + "}"
    return "(nothing)" if value is None else str(value)


def _read(raw: _Raw, placed: Placed, known: Known) -> Rule | None:
    try:
        form = RuleForm.model_validate(raw)
    except ValidationError:
        return None
    read = compiled(form, Reader(placed.document, placed.path, placed.known, Findings()))
    return None if read is None else read.rule


def _edited(raw: _Raw, edit: _Edit) -> _Raw:
    made: _Raw = copy.deepcopy(raw)
    if edit.kind == "severities":
        made["severity"] = edit.now
        return made
    part: Any = made
    for name in edit.path[:-1]:
        part = part[name]
    last = edit.path[-1]
    if edit.now is not None:
        part[last] = edit.now
    elif isinstance(part, list):
        part.pop(int(last))
    else:
        part.pop(last)
    return made


def _edits(raw: _Raw) -> Iterator[_Edit]:
    for find in (_levels, _measures, _streams, _windows, _silence):
        yield from find(raw)


def _levels(raw: _Raw) -> Iterator[_Edit]:
    levels: Mapping[str, _Raw] = raw["severity"]
    for name, level in levels.items():
        path: Path = ("severity", name)
        yield from _drops(path, level, _LASTING)
        for word in ("when", "until"):
            if level.get(word) is not None:
                yield from _condition((*path, word), level[word])
        yield from _samples(path, level)
    yield from _drops((), raw, _LASTING)
    yield from _samples((), raw)
    names = list(levels)
    for one, other in itertools.pairwise(names):
        swapped = {**levels, one: levels[other], other: levels[one]}
        yield _Edit("severities", ("severity",), None, swapped, f"{one} and {other} change places")


_LASTING = ("for", "until", "clear_after", "keep_firing_for", "during", "outside")


def _drops(path: Path, raw: _Raw, words: Sequence[str]) -> Iterator[_Edit]:
    for word in words:
        if raw.get(word) is not None:
            yield _drop(word, (*path, word), raw[word])


def _samples(path: Path, raw: _Raw) -> Iterator[_Edit]:
    if isinstance(needed := raw.get("min_samples"), int) and needed > 1:
        yield _Edit("min_samples", (*path, "min_samples"), needed, 1)
        yield _Edit("min_samples", (*path, "min_samples"), needed, needed * 2)


def _drop(kind: str, path: Path, was: object) -> _Edit:
    return _Edit(kind, path, was, None, f"{_text(was)} dropped")


def _condition(path: Path, text: object) -> Iterator[_Edit]:
    for changed in changes(str(text)):
        told = f"`{changed.was}` dropped" if changed.kind == "operand" else ""
        yield _Edit(changed.kind, path, text, changed.text, told)


def _measures(raw: _Raw) -> Iterator[_Edit]:
    measures: Mapping[str, _Raw] = raw["measures"]
    for name, measure in measures.items():
        path: Path = ("measures", name)
        if (other := _SWAPPED.get(str(measure.get("agg")))) is not None:
            yield _Edit("agg", (*path, "agg"), measure["agg"], other)
        if isinstance(q := measure.get("q"), (int, float)):
            yield _Edit("quantile", (*path, "q"), q, 0.5 if q == _QUANTILE else _QUANTILE)
        if measure.get("condition") is not None:
            yield from _condition((*path, "condition"), measure["condition"])
        for word in ("offset", "on"):
            if measure.get(word) is not None:
                yield _drop(word, (*path, word), measure[word])
        yield from _matchers((*path, "where"), measure.get("where"))


def _streams(raw: _Raw) -> Iterator[_Edit]:
    yield from _matchers(("where",), raw.get("where"))
    for place, label in enumerate(raw.get("by") or ()):
        yield _Edit("by", ("by", place), label, None, f"{label} dropped")


def _matchers(path: Path, where: object) -> Iterator[_Edit]:
    for label, values in where.items() if isinstance(where, dict) else ():
        yield _drop("where", (*path, label), values)


def _windows(raw: _Raw) -> Iterator[_Edit]:
    yield from _sizes(("window",), raw.get("window"), raw)
    for name, measure in raw["measures"].items():
        yield from _sizes(("measures", name, "window"), measure.get("window"), raw)


def _sizes(path: Path, window: object, raw: _Raw) -> Iterator[_Edit]:
    """The window in half and double the size; whole panes where the rule says what a pane is."""
    if window is None:
        return
    size, pane = seconds(window), seconds(raw["pane"]) if raw.get("pane") else 0.0
    for part in (0.5, 2.0):
        changed = size * part if not pane else max(1, round(size * part / pane)) * pane
        yield _Edit("window", path, window, written(changed))


def _silence(raw: _Raw) -> Iterator[_Edit]:
    silence, heartbeat = raw.get("no_data"), raw.get("heartbeat")
    if isinstance(silence, dict):
        yield _drop("no_data", ("no_data",), silence)
        yield from _drops(("no_data",), silence, ("during", "outside"))
        yield _doubled("no_data", ("no_data", "after"), silence["after"])
    if isinstance(heartbeat, dict):
        yield _drop("heartbeat", ("heartbeat",), heartbeat)
        yield from _matchers(("heartbeat", "where"), heartbeat.get("where"))
        yield _doubled("heartbeat", ("heartbeat", "every"), heartbeat["every"])


def _doubled(kind: str, path: Path, duration: object) -> _Edit:
    return _Edit(kind, path, duration, written(seconds(duration) * 2))


def hint(mutant: Mutant) -> str:
    """What a test would have to hold to notice a change."""
    return _HINTS.get(mutant.kind, _PLAIN)


_PLAIN = "let a test run through the moment at which the two differ"
_HINTS = {
    "for": "let the condition hold for less than that, and expect that nothing fires",
    "until": "go back to between `until` and `when`, and expect that it still fires",
    "clear_after": "let it end, and expect that it still fires within that time, and is clear after it",
    "during": "give the same events while the calendar is open and while it is closed (`start:`)",
    "outside": "give the same events while the calendar is open and while it is closed (`start:`)",
    "heartbeat": "let heartbeats go on, or end, after the last event, and expect the `reason`",
    "keep_firing_for": "let it end, and expect that it still fires within that time, and is clear after it",
    "comparison": "let a test stand exactly on the threshold, and one on either side of it",
    "threshold": "let one test stay just below the threshold (within a tenth) and one go just above it",
    "operand": "let a test fulfil all of the condition but this part, and expect what follows",
    "min_samples": "expect `unknown` with fewer samples than that, and a verdict with as many",
    "severities": "expect both severities, each by a test that reaches only its own condition",
    "agg": "let values differ within a window, so that the two measures do",
    "quantile": "let between a tenth and a hundredth of the values be far off",
    "offset": "let the earlier stretch differ from the present one",
    "on": "give events of both kinds, with different values",
    "where": "give events that do not match, with values that would change the verdict",
    "by": "give events of two entities, of which one alone is bad",
    "window": "write down when it fires and when it is clear again, as `signals:`, to within less than the change",
    "no_data": "let events end, and expect what fires then, and when",
}
