"""Since when rules have been read: before that, nothing is known, and an empty stretch does not mean that it was quiet.

Kept for the rules that look further back than their window, by timeline; it is part of a checkpoint.
"""

from collections.abc import Iterable, Mapping, Sequence

from fireline.domain.rules import Rule
from fireline.domain.windows import Family
from fireline.engine.partials import families_of
from fireline.engine.windows import Series
from fireline.engine.windows_stretches import plan_of
from fireline.engine.windows_timeline import Timeline


class Since:
    """The pane of the first event that each rule read, and how far back each rule looks."""

    def __init__(self, rules: Iterable[Rule], families: Mapping[str, Family]) -> None:
        self._families = families
        self._hashes: dict[str, str] = {}
        self._reach: dict[str, float] = {}
        self._panes: dict[tuple[str, str], int] = {}
        self.go_on(rules)

    def go_on(self, rules: Iterable[Rule]) -> None:
        """Take the rules as they are now; what is known of others, or of other versions, is dropped."""
        before, self._hashes, self._reach = self._hashes, {}, {}
        for rule in rules:
            plan = plan_of(rule, families_of(rule, self._families))
            if plan is not None:
                self._hashes[rule.name], self._reach[rule.name] = rule.hash, plan.reach
        same = {name for name, hash_ in self._hashes.items() if before.get(name) == hash_}
        self._panes = {key: pane for key, pane in self._panes.items() if key[1] in same}

    def reach(self, rule: Rule) -> float:
        """How many seconds back a rule looks: at least its window."""
        return self._reach.get(rule.name, rule.window)

    def note(self, timeline: Timeline, rule: str, pane: int) -> None:
        """An event of this pane was read."""
        if rule not in self._reach:
            return
        first = self._panes.get((timeline.name, rule))
        if first is None or pane < first:
            self._panes[timeline.name, rule] = pane
            for series in timeline.of(rule):  # what they look back to may be known from now on
                timeline.touch(series, pane, new=False)

    def beside(self, timeline: Timeline, series: Series) -> tuple[Series | None, int | None]:
        """What an entity is judged on beside its own panes: those of no entity, and the pane of the first event."""
        name = series.rule.name
        return timeline.pool(name), None if series.plan is None else self._panes.get((timeline.name, name))

    def turns(self, timeline: Timeline, series: Series) -> list[int]:
        """The next newest panes with which an entity's measures read something else, although nothing arrives."""
        if series.seen is None:
            return []
        panes = [shown.slides(series.seen) for shown in timeline.shown(series)]
        if series.plan is not None:
            panes.append(series.plan.ripens(series.seen, self._panes.get((timeline.name, series.rule.name))))
        return [pane for pane in panes if pane is not None]

    def kept(self) -> list[Sequence[str | int]]:
        """What a checkpoint keeps: timeline, rule, hash and pane."""
        return [(timeline, rule, self._hashes[rule], pane) for (timeline, rule), pane in self._panes.items()]

    def restore(self, kept: Iterable[Sequence[str | int]]) -> None:
        """Start from a checkpoint, with what it says of rules as they are now."""
        for timeline, rule, hash_, pane in kept:
            if self._hashes.get(str(rule)) == hash_:
                self._panes[str(timeline), str(rule)] = int(pane)
