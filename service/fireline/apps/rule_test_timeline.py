"""A test's timeline as text: when events came, what was said of each entity, and where something was expected.

One column is a round stretch of time. Plain ASCII, so that it reads the same in a terminal, a log and a mail.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fireline.domain.rules import Entity, State
from fireline.engine.rule_test_playing import Span
from fireline.engine.rule_tests import Outcome, entity_text, time_text

WIDTH = 72
"""Columns of time at most."""
LANES = 8
"""Entities that are drawn at most."""
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_LONGER = (3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_419_200)
_DENSITY = " .:|#"
_TICK = 12
CLEAR, UNKNOWN, UNTOLD = ".", "?", "~"
MET, UNMET = "^", "X"


@dataclass(frozen=True, slots=True)
class Lane:
    """One line: who it is of, and a character a column; `kind` says how it may be coloured."""

    label: str
    cells: str
    kind: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines from top to bottom, and what the characters in them mean."""

    lanes: tuple[Lane, ...]
    legend: str


def draw(outcome: Outcome, width: int = WIDTH) -> Drawing:
    """The timeline of a test that was run."""
    step = _step(outcome.end, width)
    columns = int(outcome.end / step) + 1
    entities = list(dict.fromkeys(span.entity for span in outcome.spans))
    lanes = [Lane("", _axis(step, columns), "axis"), Lane("events", _density(outcome.events, step, columns), "events")]
    for entity in entities[:LANES]:
        spans = [span for span in outcome.spans if span.entity == entity]
        lanes.append(Lane(entity_text(entity) or "the rule", _lane(spans, step, outcome.end), "state"))
        marks = _marks(outcome, entity, step, columns)
        lanes += [Lane("", marks, "marks")] if marks.strip() else []
    if len(entities) > LANES:
        lanes.append(Lane(f"and {len(entities) - LANES} more", "", "axis"))
    return Drawing(tuple(lanes), f"a column is {time_text(step)}; " + _legend(lanes, outcome.spans))


def _step(end: float, width: int) -> float:
    return next((step for step in (*_STEPS, *_LONGER) if end / step < width), end / max(width - 1, 1))


def _axis(step: float, columns: int) -> str:
    text = ""
    for column in range(0, columns, _TICK):
        text = text.ljust(column) + time_text(column * step) + " "
    return text.rstrip()


def _density(events: Sequence[float], step: float, columns: int) -> str:
    counts = [0] * columns
    for at in events:
        counts[min(int(at / step + 1e-9), columns - 1)] += 1
    most = max(counts, default=0)
    return "".join(_DENSITY[0 if not n else 1 + (n * (len(_DENSITY) - 2)) // most] for n in counts)


def _lane(spans: Iterable[Span], step: float, end: float) -> str:
    cells = [" "] * (int(end / step) + 1)
    for span in sorted(spans, key=_weight):
        first = int(span.start / step + 1e-9)
        last = len(cells) if span.end >= end else max(first + 1, math.ceil(span.end / step - 1e-9))
        cells[first:last] = letter(span) * (last - first)
    return "".join(cells)


def _weight(span: Span) -> tuple[int, float]:
    """What is drawn last stays: of a column with several states the one that matters most."""
    rank = 3 if span.state is State.FIRING else 2 if span.pending else 1 if span.severity else 0
    return rank, span.start


def letter(span: Span) -> str:
    """The character of a state: capital for what fires, small for what waits for its `for`."""
    if span.state is State.FIRING and span.severity:
        return span.severity[0].upper()
    if span.severity:
        return UNTOLD
    if span.pending:
        return span.pending[0].lower()
    return CLEAR if span.state is State.CLEAR else UNKNOWN


def _marks(outcome: Outcome, entity: Entity, step: float, columns: int) -> str:
    cells = [" "] * columns
    missed = {(failure.line, failure.at) for failure in outcome.failures}
    for at, line, part in _expected(outcome):
        if part <= set(entity):
            cells[min(int(at / step + 1e-9), columns - 1)] = UNMET if (line, at) in missed else MET
    for failure in outcome.failures:
        if failure.at is not None and failure.what == "signal" and failure.entity == entity_text(entity):
            cells[min(int(failure.at / step + 1e-9), columns - 1)] = UNMET
    return "".join(cells).rstrip()


def _expected(outcome: Outcome) -> Iterator[tuple[float, int, set[tuple[str, str]]]]:
    for verdict in outcome.test.expect:
        yield verdict.at, verdict.line, set(verdict.entity.items())
    for signal in outcome.test.signals or ():
        yield signal.at, signal.line, set(signal.entity.items())


def _legend(lanes: Sequence[Lane], spans: Iterable[Span]) -> str:
    states = {cell for lane in lanes if lane.kind == "state" for cell in lane.cells}
    marks = {cell for lane in lanes if lane.kind == "marks" for cell in lane.cells}
    said: dict[str, str] = {}
    for span in spans:
        said.setdefault(letter(span), _meaning(span))
    known = [f"{cell} {meaning}" for cell, meaning in sorted(said.items()) if cell in states]
    known += [f"{cell} {meaning}" for cell, meaning in ((MET, "as expected"), (UNMET, "not so")) if cell in marks]
    return ", ".join(known)


def _meaning(span: Span) -> str:
    match letter(span):
        case ".":
            return "clear"
        case "?":
            return "unknown"
        case "~":
            return "still firing, cannot be told"
        case _:
            return f"{span.severity} fires" if span.state is State.FIRING else f"{span.pending} pending"
