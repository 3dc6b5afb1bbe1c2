"""Windows: the panes of one entity of one rule, and what they show when read.

A pane is made of chunk contributions: per source partition the newest word of the chunk in progress, and all that is
settled. Runs of panes are remembered merged, in blocks of eight, sixty-four and so on, so that reading a long window
costs a few dozen merges at most, and reading it again while only its newest pane changes costs one. Which panes there
are is known in order, so that no verdict looks at all of them: a replay may bring thousands of panes at once.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fireline.domain.judging import EntityState, leapt, under
from fireline.domain.rules import Rule
from fireline.domain.windows import Family, span
from fireline.engine.partials import Cell, SourceRef, Values, join
from fireline.engine.windows_panes import Settled, frozen, thawed
from fireline.engine.windows_stretches import Plan, Stretch, plan_of

_RADIX = 8
_LEVELS = 5  # 8^5 panes are more than any window has
_SOME = 4
"""Panes with chunks in progress after which it is worth a look whether some are not in progress any more."""


class Held(NamedTuple):
    """What is held of one chunk in one pane: all its records before `end`."""

    source: SourceRef
    start: int
    end: int
    cell: Cell


class _Middle(NamedTuple):
    """The aggregate of the panes from `first` to `last`, both included."""

    first: int
    last: int
    cell: bytes | None


class _Rest(NamedTuple):
    """A window without the chunks in progress of its newest pane.

    `cell` is the aggregate, `oldest` the oldest pane before the newest, `ahead` the first that lies ahead.
    """

    newest: int
    cell: Cell | None
    oldest: int | None
    ahead: int | None


@dataclass(slots=True)
class Series:
    """The panes and the verdict of one entity of one rule, on one timeline.

    `newest` is the event time of the newest sample it was judged on, None before the first. `judged` is when it was
    judged last and `wake` when it is to be judged again without anything arriving; both in the timeline's seconds.
    `seen` is the newest pane that it was judged on, `arrived` the newest with anything in it,
    `awaited` the one at whose end it is judged on what came late, and `unseen` the oldest that changed since.
    `plan` says what its measures read; None when that is the rule's window alone.
    """

    rule: Rule
    families: Sequence[Family]
    entity: Values
    state: EntityState
    newest: float | None = None
    judged: float = float("-inf")
    seen: int | None = None
    arrived: int | None = None
    awaited: int | None = None
    unseen: int | None = None
    wake: float | None = None
    settled: Settled = field(default_factory=Settled)
    open: dict[int, tuple[Held, ...]] = field(default_factory=dict)
    _blocks: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    _middle: _Middle | None = None
    _rest: _Rest | None = None
    _pruned: int | None = None
    plan: Plan | None = field(init=False)
    _order: list[int] | None = None
    _past: tuple[int, dict[Stretch, bytes | None]] | None = None
    _many: int = _SOME

    def __post_init__(self) -> None:
        self.plan = plan_of(self.rule, self.families)

    def follow(self, rule: Rule, families: Sequence[Family]) -> None:
        """Go on under a changed rule whose windows are made of the same; what was merged for its old window is not."""
        self.state = under(rule, self.rule, self.state)
        self.rule, self.families, self.plan = rule, families, plan_of(rule, families)
        self._middle = self._rest = self._past = None

    def put(self, pane: int, held: Held) -> bool:
        """Take what is known of a chunk; False when as much was known already, or nothing else of this pane.

        A later chunk of the same source settles the earlier one: all of that has been sent before.
        """
        others: list[Held] = []
        for before in self.open.get(pane, ()):
            if before.source != held.source:
                others.append(before)
            elif before.start != held.start:
                self._settle(pane, before.cell)
            elif before.end >= held.end or before.cell == held.cell:
                return False
        if self._order is not None and pane not in self.open and pane not in self.settled:
            insort(self._order, pane)
        self.open[pane] = (*others, held)
        self.arrived = pane if self.arrived is None else max(self.arrived, pane)
        self._touch(pane)
        return True

    def missed(self, before: int) -> list[int]:
        """The panes before `before` that changed since the entity was judged, and those in between; in order."""
        if self.unseen is None or self.unseen >= before:
            return []
        panes = self.ordered()
        return panes[bisect_left(panes, self.unseen) : bisect_left(panes, before)]

    def settle(self, high: Mapping[SourceRef, int]) -> None:
        """Fold chunks that a later one of their source has superseded, `high` being the newest chunk of each.

        Panes before the newest are then kept as bytes.
        """
        for pane, chunks in list(self.open.items()):
            for held in chunks:
                if held.start < high.get(held.source, held.start):
                    self._settle(pane, held.cell)
                    self.open[pane] = tuple(other for other in self.open[pane] if other is not held)
            if not self.open[pane]:
                del self.open[pane]
        self.settled.cool(before=self.arrived if self.arrived is not None else 0)
        self._many = max(_SOME, 2 * len(self.open))

    def settle_some(self, high: Mapping[SourceRef, int]) -> None:
        """`settle` when there are twice as many panes with chunks in progress as it left the last time.

        So each pane is looked at about twice, however many panes one chunk brings.
        """
        if len(self.open) >= self._many:
            self._many = 2 * len(self.open)  # also when a family's fault ends it
            self.settle(high)

    def _settle(self, pane: int, cell: Cell) -> None:
        """Nothing changes when a family cannot merge: the chunk then stays one in progress, and counts once."""
        kept, rest = self.settled.get(pane), self._rest
        settled = cell if kept is None else join(kept, cell, self.families)
        if rest is not None and pane == rest.newest:
            rest = rest._replace(cell=self._join(rest.cell, cell))
        self.settled.put(pane, settled)
        self._rest = rest

    def _touch(self, pane: int) -> None:
        """Forget what was remembered merged with this pane."""
        if self._rest is not None and pane != self._rest.newest:
            self._rest = None
        self._unblock(pane)

    def _unblock(self, pane: int) -> None:
        if self._past is not None and pane != self._past[0]:
            self._past = None
        if self._middle is not None and self._middle.first <= pane <= self._middle.last:
            self._middle = None
        if self._blocks:
            for level in range(1, _LEVELS + 1):
                self._blocks.pop((level, pane // _RADIX**level), None)

    def leap(self, seconds: float) -> None:
        """Move what was said and heard so far by so many seconds, as a clock that was set does; panes stay."""
        self.state = leapt(self.state, seconds)
        self.judged += seconds
        if self.newest is not None:
            self.newest += seconds

    def panes(self) -> Iterator[int]:
        """The panes with anything in them, in no order; one may come twice."""
        yield from self.settled
        yield from self.open

    def ordered(self) -> list[int]:
        """The panes with anything in them, in order."""
        if self._order is None:
            self._order = sorted({*self.settled, *self.open})
        return self._order

    def _within(self, first: int, last: int) -> bool:
        """Whether there is anything in these panes."""
        panes = self.ordered()
        place = bisect_left(panes, first)
        return place < len(panes) and panes[place] <= last

    def cell(self, pane: int) -> Cell | None:
        """All that is known of one pane."""
        found = self.settled.get(pane)
        for held in self.open.get(pane, ()):
            found = held.cell if found is None else join(found, held.cell, self.families)
        return found

    def _join(self, left: Cell | None, right: Cell | None) -> Cell | None:
        if left is None or right is None:
            return right if left is None else left
        return join(left, right, self.families)

    def _block(self, level: int, index: int) -> Cell | None:
        if level == 0:
            return self.cell(index)
        key = (level, index)
        if not self._within(index * _RADIX**level, (index + 1) * _RADIX**level - 1):
            return None  # nothing is to be remembered of time without events: no pane that goes would end that
        if key in self._blocks:
            held = self._blocks[key]
            return None if held is None else thawed(held)
        found: Cell | None = None
        for child in range(index * _RADIX, (index + 1) * _RADIX):
            found = self._join(found, self._block(level - 1, child))
        self._blocks[key] = None if found is None else frozen(found)
        return found

    def total(self, first: int, last: int) -> Cell | None:
        """The aggregate of the panes from `first` to `last`, both included; None of nothing."""
        found: Cell | None = None
        place = first
        while place <= last:
            level, size = 0, 1
            while level < _LEVELS and place % (size * _RADIX) == 0 and place + size * _RADIX - 1 <= last:
                level, size = level + 1, size * _RADIX
            found = self._join(found, self._block(level, place // size))
            place += size
        return found

    def window(self, newest: int) -> Cell | None:
        """The aggregate of the rule's window whose newest pane is `newest`."""
        found = self._resting(newest).cell
        for held in self.open.get(newest, ()):
            found = held.cell if found is None else join(found, held.cell, self.families)
        if found is not None and found.samples and (self.newest is None or found.newest > self.newest):
            self.newest = found.newest
        return found

    def _resting(self, newest: int) -> _Rest:
        rest = self._rest
        if rest is None or rest.newest != newest:
            first = newest - span(self.rule.window, self.rule.pane) + 1
            panes = self.ordered()
            begin, end = bisect_left(panes, first), bisect_right(panes, newest)
            oldest = panes[begin] if begin < len(panes) and panes[begin] < newest else None
            ahead = panes[end] if end < len(panes) else None
            before = self._complete(oldest, newest - 1) if oldest is not None else None
            rest = self._rest = _Rest(newest, self._join(before, self.settled.get(newest)), oldest, ahead)
        return rest

    def _complete(self, first: int, last: int) -> Cell | None:
        """`total`, with what it is made of remembered: its whole blocks change but every eighth pane."""
        begin, end = -(-first // _RADIX) * _RADIX, (last + 1) // _RADIX * _RADIX
        if begin >= end:
            return self.total(first, last)
        if self._middle is None or (self._middle.first, self._middle.last) != (begin, end - 1):
            made = self.total(begin, end - 1)
            self._middle = _Middle(begin, end - 1, None if made is None else frozen(made))
        held = self._middle.cell
        middle = None if held is None else thawed(held)
        return self._join(self._join(self.total(first, begin - 1), middle), self.total(end, last))

    def stretch(self, stretch: Stretch, newest: int) -> Cell | None:
        """The aggregate of a stretch of the past; all but the newest pane of it is remembered."""
        if self._past is None or self._past[0] != newest:
            self._past = (newest, {})
        kept, last = self._past[1], stretch.last(newest)
        if stretch not in kept:
            made = self.total(stretch.first(newest), min(last, newest - 1))
            kept[stretch] = None if made is None else frozen(made)
        held = kept[stretch]
        found = None if held is None else thawed(held)
        return self._join(found, self.cell(newest)) if last == newest else found

    def slides(self, newest: int, since: int | None = None) -> int | None:
        """The next newest pane with which measures read something else, although nothing arrives.

        `since` is the pane of the rule's first event: what lies before a stretch makes it known.
        """
        _, _, oldest, ahead = self._resting(newest)
        if oldest is None and (newest in self.settled or newest in self.open):
            oldest = newest
        turn = ahead
        if oldest is not None:
            leaves = oldest + span(self.rule.window, self.rule.pane)
            turn = leaves if ahead is None or leaves < ahead else ahead
        if self.plan is not None:
            past = self.plan.slides(newest, since, self.ordered())
            turn = past if turn is None or (past is not None and past < turn) else turn
        return turn

    def prune(self, before: int) -> bool:
        """Drop the panes before `before`; whether there were any."""
        if self._pruned is not None and before <= self._pruned:
            return False
        self._pruned = before
        panes = self.ordered()
        old = panes[: bisect_left(panes, before)]
        del panes[: len(old)]
        for pane in old:
            self.settled.drop(pane)
            self.open.pop(pane, None)
            self._unblock(pane)
        return bool(old)


def begun(rule: Rule, families: Sequence[Family], entity: Values, timeline: str) -> Series:
    """An entity of which nothing is known yet."""
    labels = tuple(zip(rule.by, entity or (), strict=entity is not None))
    return Series(rule, families, entity, EntityState(labels, timeline))
