"""Since when rules have been read: before that, nothing is known, and an empty stretch does not mean that it was quiet.

Kept for the rules that look further back than their window, by timeline; it is part of a checkpoint.
"""

from collections.abc import Iterable, Mapping

from fireline.domain.rules import Rule
from fireline.domain.windows import Family
from fireline.engine.partials import Entry, families_of
from fireline.engine.windows import Series
from fireline.engine.windows_checkpoint import Known
from fireline.engine.windows_stretches import plan_of
from fireline.engine.windows_timeline import Timeline


class Since:
    """The pane of the first event that each rule read.

    `reach` is how many seconds back the rules look that look further back than their window.
    """

    def __init__(self, rules: Iterable[Rule], families: Mapping[str, Family]) -> None:
        self._families = families
        self._hashes: dict[str, str] = {}
        self.reach: dict[str, float] = {}
        self._panes: dict[tuple[str, str], int] = {}
        self.go_on(rules)

    def go_on(self, rules: Iterable[Rule]) -> None:
        """Take the rules as they are now; what is known of others, or of other versions, is dropped.

        So it is of a rule that looks further back than before: its panes were not kept for as long.
        """
        before, self._hashes, self.reach = {name: (self._hashes[name], self.reach[name]) for name in self.reach}, {}, {}
        for rule in rules:
            plan = plan_of(rule, families_of(rule, self._families))
            if plan is not None:
                self._hashes[rule.name], self.reach[rule.name] = rule.made_of, plan.reach
        self._panes = {key: pane for key, pane in self._panes.items() if self._goes_on(key[1], *before[key[1]])}

    def _goes_on(self, rule: str, hash_: str, reach: float) -> bool:
        return self._hashes.get(rule) == hash_ and self.reach[rule] <= reach

    def note(self, timeline: Timeline, entries: Iterable[Entry]) -> None:
        """These rows were read."""
        for entry in entries if self.reach else ():
            if self._hashes.get(entry.rule) != entry.hash:
                continue
            first = self._panes.get((timeline.name, entry.rule))
            if first is None or entry.pane < first:
                self._panes[timeline.name, entry.rule] = entry.pane
                for series in timeline.of(entry.rule):  # what they look back to may be known from now on
                    timeline.touch(series, entry.pane, new=False)

    def pane(self, timeline: Timeline, rule: Rule) -> int | None:
        """The pane of the rule's first event; None before the first, and of rules that look at their window alone."""
        return self._panes.get((timeline.name, rule.name))

    def beside(self, timeline: Timeline, series: Series) -> tuple[Series | None, int | None]:
        """What an entity is judged on beside its own panes: those of no entity, and the pane of the first event."""
        return timeline.pool(series.rule.name), self.pane(timeline, series.rule)

    def kept(self) -> list[Known]:
        """What a checkpoint keeps."""
        return [
            (timeline, rule, self._hashes[rule], self.reach[rule], pane)
            for (timeline, rule), pane in self._panes.items()
        ]

    def restore(self, kept: Iterable[Known]) -> None:
        """Start from a checkpoint, with what it says of rules as they are now."""
        for timeline, rule, hash_, reach, pane in kept:
            if self._goes_on(rule, hash_, reach):
                self._panes[timeline, rule] = pane
