"""Carrying over: what a rule's windows keep when some of its measures change and others do not.

A measure is the same while it aggregates the same; its name, its window and its offset may change. Nothing is kept when
the rule reads other events, groups by other labels or has other panes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from fireline.domain.judging import under
from fireline.domain.rules import Measure, Rule
from fireline.domain.windows import Family
from fireline.engine.partials import Cell
from fireline.engine.windows import Series, begun

K = TypeVar("K")

Places = Sequence[int | None]
"""For each measure of the new rule, its place among those of the old one; None of one that is new."""


def places_of(before: Rule, after: Rule) -> Places | None:
    """Where each measure was before; None when nothing of the windows is of use."""
    if _frame(before) != _frame(after):
        return None
    found = [next((at for at, old in enumerate(before.measures) if _same(old, new)), None) for new in after.measures]
    return found if any(at is not None for at in found) else None


def _frame(rule: Rule) -> object:
    return rule.name, rule.on, rule.where, rule.by, rule.pane


def _same(one: Measure, other: Measure) -> bool:
    return (one.agg, one.of, one.options, one.on, one.where, one.condition) == (
        other.agg, other.of, other.options, other.on, other.where, other.condition,
    )  # fmt: skip


def carried(cell: Cell, places: Places) -> Cell:
    """A cell of the old rule as one of the new: nothing is known yet of measures that are new."""
    return cell._replace(states=tuple([None if at is None else cell.states[at] for at in places]))


def cells_under(
    rules: Mapping[str, Rule], cells: Mapping[K, tuple[int, Rule, Cell]]
) -> Iterator[tuple[K, tuple[int, Rule, Cell]]]:
    """What a chunk in progress keeps under other rules, so that what is sent of it goes on to stand for all of it."""
    for key, (partition, before, cell) in cells.items():
        rule = rules.get(before.name)
        if rule is not None and rule.made_of == before.made_of:
            yield key, (partition, before, cell)
        elif rule is not None and (places := places_of(before, rule)) is not None:
            yield key, (partition, rule, carried(cell, places))


def follow(series: Series, rule: Rule, families: tuple[Family, ...]) -> Series | None:
    """An entity under its rule as it is now, with what is of use of its windows; None when nothing is."""
    if rule.mode is not series.rule.mode:  # what fires was told of a shadow, or is cleared as an orphan: anew
        series.state = replace(series.state, levels={}, severity=None)
    if rule.made_of == series.rule.made_of:
        series.follow(rule, families)
        return series
    kept = begun(rule, families, series.entity, series.state.timeline)
    if (places := places_of(series.rule, rule)) is not None:
        _carry(series, kept, places)
        kept.state = under(rule, series.rule, series.state)
        return kept
    if series.state.severity is None or [name for name, _ in series.state.entity] != list(rule.by):
        return None
    kept.state, kept.newest = series.state, series.newest
    return kept


def _carry(before: Series, after: Series, places: Places) -> None:
    """Fill the empty windows of an entity under the new rule with what the old ones hold."""
    for pane in before.settled:
        if (cell := before.settled.get(pane)) is not None:
            after.settled.put(pane, carried(cell, places))
    for pane, chunks in before.open.items():
        after.open[pane] = tuple([held._replace(cell=carried(held.cell, places)) for held in chunks])
    for name in ("newest", "judged", "seen", "arrived", "awaited", "unseen"):
        setattr(after, name, getattr(before, name))
