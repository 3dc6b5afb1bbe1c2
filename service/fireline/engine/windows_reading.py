"""Reading: windows into the values that conditions are told by, and the answers to watches."""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from fireline.domain.judging import Reading, names_of, tell_level
from fireline.domain.rules import Measure, State
from fireline.domain.windows import Caveats, Family, MeasureState, first_pane, pane_of, span
from fireline.engine.partials import Cell
from fireline.engine.watching import Watch, WatchAnswer
from fireline.engine.windows import Series


class Read(NamedTuple):
    """A reading, and how many measures could not be read for a fault of their family."""

    shown: Reading
    faults: int = 0


def read(series: Series, pool: Series | None, newest: int, now: float) -> Read:
    """What the rule's window with this newest pane shows at `now`; `pool` holds halves that belong to no entity."""
    rule = series.rule
    start = (newest - span(rule.window, rule.pane) + 1) * rule.pane
    try:
        cell, shared = series.window(newest), None
        if pool is not None and pool is not series and any(family.streams for family in series.families):
            shared = pool.window(newest)
    except Exception:  # a family is a plugin: what it cannot merge has no value, and judging goes on
        return Read(_reading(series, None, {}, start, now), 1)
    values, notes, faults = _values(series, cell, shared, rule.window)
    return Read(_reading(series, cell, values, start, now, notes=notes), faults)


def _reading(
    series: Series,
    cell: Cell | None,
    values: dict[str, float | None],
    start: float,
    end: float,
    *,
    notes: Sequence[str] = (),
) -> Reading:
    if not values:
        values = dict.fromkeys([measure.name for measure in series.rule.measures])
    samples, late = (cell.samples, cell.late) if cell is not None else (0, 0)
    return Reading(values, samples, start, end, series.newest, late, tuple(notes))


def _values(
    series: Series, cell: Cell | None, shared: Cell | None, window: float
) -> tuple[dict[str, float | None], list[str], int]:
    """The values by measure, what families say of how far they can be trusted, and how many could not be read."""
    values: dict[str, float | None] = {}
    notes: list[str] = []
    faults = 0
    nothing = (None,) * len(series.families)
    own, others = cell.states if cell is not None else nothing, shared.states if shared is not None else nothing
    for family, measure, state, other in zip(series.families, series.rule.measures, own, others, strict=True):
        try:
            value = None
            merged = _merged(family, state, other)
            value = family.read(merged, window, measure.options)
            if value is not None and _doubts(type(family)):
                notes.extend(_caveat(family, measure, merged, window))
        except Exception:  # as above; a value that was read stays, although what was to be said of it is not known
            faults += 1
        values[measure.name] = value if value is not None and math.isfinite(value) else None
    return values, notes, faults


@cache
def _doubts(family: type[Family]) -> bool:
    return issubclass(family, Caveats)


def _caveat(family: Family, measure: Measure, state: MeasureState, window: float) -> list[str]:
    said = family.caveat(state, window, measure.options) if isinstance(family, Caveats) else None
    return [f"{measure.name} {said}"] if said else []


def _merged(family: Family, own: object, shared: object) -> object:
    if shared is None or not family.streams:
        return family.fold([], [], {}) if own is None else own
    return shared if own is None else family.merge(own, shared)


def answer(watch: Watch, series: Series, pool: Series | None, now: float) -> WatchAnswer:
    """How the rule looks for one entity on the panes entirely after `watch.since`, within the watch's own window."""
    size = series.rule.pane
    first = max(math.ceil(watch.since / size - 1e-9), first_pane(now, watch.window, size))
    last = pane_of(now, size)
    try:
        cell, shared = series.total(first, last), pool.total(first, last) if pool is not None else None
        values, _, _ = _values(series, cell, shared, min(watch.window, max(now - watch.since, size)))
    except Exception:  # a family is a plugin: what it cannot merge cannot be told
        cell, values = None, {}
    reading = _reading(series, cell, values, first * size, now)
    state, reason = _told(watch, series, reading)
    name = ",".join(f"{label}={value}" for label, value in series.state.entity)
    return WatchAnswer(watch.id, name, state, reading.samples, dict(reading.values), reason, now)


def _told(watch: Watch, series: Series, reading: Reading) -> tuple[str, str]:
    """Firing when any level's condition holds, clear when none does, unknown otherwise; and why."""
    needed = max(1, watch.min_samples)
    values = names_of(series.state.entity, reading)
    told = [tell_level(level, values, reading.samples, needed) for level in series.rule.levels]
    for wanted, state in ((True, State.FIRING), (None, State.UNKNOWN), (False, State.CLEAR)):
        found = next((each for each in told if each.holds is wanted), None)
        if found is not None:
            return state.value, found.why
    return State.UNKNOWN.value, "the rule has no level to tell by"
