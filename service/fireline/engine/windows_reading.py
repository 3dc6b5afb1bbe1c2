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
from fireline.engine.windows_past import Past, merged
from fireline.engine.windows_stretches import Plan


class Read(NamedTuple):
    """A reading, and how many measures could not be read for a fault of their family."""

    shown: Reading
    faults: int = 0


def read(series: Series, pool: Series | None, since: int | None, newest: int, now: float) -> Read:
    """What the rule's window with this newest pane shows at `now`; `pool` holds halves that belong to no entity.

    `since` is the pane of the first event that the rule read; only measures that look further back need it.
    """
    rule = series.rule
    start = (newest - span(rule.window, rule.pane) + 1) * rule.pane
    if pool is series or not series.pairs:
        pool = None
    try:
        cell, shared = series.window(newest), pool.window(newest) if pool is not None else None
        if series.plan is None:
            values, notes, faults = _values(series, cell, shared, rule.window)
        else:
            past = Past(series, pool, newest, since, (cell, shared))
            values, notes, faults = _values_apart(series, series.plan, past)
    except Exception:  # a family is a plugin: what it cannot merge has no value, and judging goes on
        return Read(_reading(series, None, {}, start, now), 1)
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
            whole = state if state is not None and other is None else merged(family, state, other)
            value = family.read(whole, window, measure.options)
            if value is not None and _doubts(type(family)):
                notes.extend(_caveat(family, measure, whole, window))
        except Exception:  # as above; a value that was read stays, although what was to be said of it is not known
            faults += 1
        values[measure.name] = value if value is not None and math.isfinite(value) else None
    return values, notes, faults


def _values_apart(series: Series, plan: Plan, past: Past) -> tuple[dict[str, float | None], list[str], int]:
    """As `_values`, where measures read other stretches than the rule's window: they say which, or what they lack."""
    values: dict[str, float | None] = {}
    notes: list[str] = []
    said: list[str] = []
    lacks: list[str] = []
    faults = 0
    for place, (look, measure) in enumerate(zip(plan.looks, series.rule.measures, strict=True)):
        family, value = series.families[place], None
        try:
            if (state := past.state(place, look.own)) is not None:
                value = past.value(place, look, state)
                if value is not None and _doubts(type(family)):
                    notes.extend(_caveat(family, measure, state, past.seconds(look)))
                if value is not None and (different := past.change(place, look, state)):
                    notes.append(f"{measure.name} {different}")
        except Exception:  # as above
            faults += 1
        values[measure.name] = value if value is not None and math.isfinite(value) else None
        if value is not None:
            said += [look.said] if look.said else []
        elif past.lacks(look):
            lacks.append(look.lacks)
    return values, [*lacks, *notes, *said], faults


@cache
def _doubts(family: type[Family]) -> bool:
    return issubclass(family, Caveats)


def _caveat(family: Family, measure: Measure, state: MeasureState, window: float) -> list[str]:
    said = family.caveat(state, window, measure.options) if isinstance(family, Caveats) else None
    return [f"{measure.name} {said}"] if said else []


def answer(watch: Watch, series: Series, pool: Series | None, since: int | None, now: float) -> WatchAnswer:
    """How the rule looks for one entity on the panes entirely after `watch.since`, within the watch's own window.

    What measures compare with, and what they read with an offset, may lie before that.
    """
    size = series.rule.pane
    begin = math.ceil(watch.since / size - 1e-9)
    first, last = max(begin, first_pane(now, watch.window, size)), pane_of(now, size)
    lasted = max(now - watch.since, size)
    try:
        cell, shared = series.total(first, last), pool.total(first, last) if pool is not None else None
        if series.plan is None:
            values, _, _ = _values(series, cell, shared, min(watch.window, lasted))
        else:
            past = Past(series, pool, last, since, (cell, shared), begin, min(watch.window, lasted), lasted)
            values, _, _ = _values_apart(series, series.plan, past)
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
