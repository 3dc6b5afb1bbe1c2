"""Windows: the panes of one entity of one rule, and what they show when read.

A pane is made of chunk contributions: per source partition the newest word of the chunk in progress, some that were in
progress before, and all that is settled. Runs of panes are remembered merged, in blocks of eight, sixty-four and so on,
so that reading a long window costs a few dozen merges at most, and reading it again while only its newest pane changes
costs one. Which panes there are is known in order, so that no verdict looks at all of them: a replay may bring
thousands of panes at once.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fireline.domain.judging import EntityState, leapt, under
from fireline.domain.rules import Rule
from fireline.domain.windows import Family, span
from fireline.engine.joining import Join, joined, joiner
from fireline.engine.partials import Cell, SourceRef, Values
from fireline.engine.windows_panes import Settled, frozen, thawed
from fireline.engine.windows_stretches import Plan, Stretch, plan_of

_RADIX = 8
_LEVELS = 5  # 8^5 panes are more than any window has
_SOME = 4
"""Panes with chunks in progress after which it is worth a look whether some are not in progress any more."""
_CROWD = 8
"""Chunks of a pane after which it is, too: many small ones are joined at once for what one costs alone."""


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

    `cell` is the aggregate; `leaves` and `ahead` are the newest panes with which the oldest pane before the newest is
    out of the window, and the first that lies ahead is in it.
    """

    newest: int
    cell: Cell | None
    leaves: int | None
    ahead: int | None


@dataclass(slots=True)
class Series:
    """The panes and the verdict of one entity of one rule, on one timeline.

    `newest` is the event time of the newest sample it was judged on, None before the first. `judged` is when it was
    judged last and `wake` when it is to be judged again without anything arriving; both in the timeline's seconds.
    `seen` is the newest pane that it was judged on, `arrived` the newest with anything in it,
    `awaited` the one at whose end it is judged on what came late, and `unseen` the oldest that changed since.
    `plan` says what its measures read; None when that is the rule's window alone. `pairs`: whether any of them pairs
    what belongs to the entity with what belongs to none.
    """

    rule: Rule
    families: tuple[Family, ...]
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
    pairs: bool = field(init=False)
    _join: Join = field(init=False)
    _order: list[int] | None = None
    _past: tuple[int, dict[Stretch, bytes | None]] | None = None
    _many: int = _SOME
    _crowd: int = _CROWD

    def __post_init__(self) -> None:
        self._measured(self.families)

    def _measured(self, families: tuple[Family, ...]) -> None:
        self.families, self.plan, self._join = families, plan_of(self.rule, families), joiner(families)
        self.pairs = any(family.streams for family in families)

    def follow(self, rule: Rule, families: tuple[Family, ...]) -> None:
        """Go on under a changed rule whose windows are made of the same; what was merged for its old window is not."""
        self.state = under(rule, self.rule, self.state)
        self.rule = rule
        self._measured(families)
        self._middle = self._rest = self._past = None

    def put(self, pane: int, held: Held) -> bool:
        """Take what is known of a chunk; False when as much was known already, or nothing else of this pane.

        Chunks of a source come in their order, and of those before the last all has been sent.
        """
        chunks = self.open.get(pane, ())
        for before in chunks:
            if before.start == held.start and before.source == held.source:
                if before.end >= held.end or before.cell == held.cell:
                    return False
                chunks = tuple([other for other in chunks if other is not before])
        if self._order is not None and not chunks and pane not in self.open and pane not in self.settled:
            insort(self._order, pane)
        self.open[pane] = (*chunks, held)
        if self.arrived is None or pane > self.arrived:
            self.arrived = pane
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
        for pane in list(self.open):
            self._settle(pane, high)
        self.settled.cool(before=self.arrived if self.arrived is not None else 0)
        self._many = max(_SOME, 2 * len(self.open))

    def settle_some(self, pane: int, high: Mapping[SourceRef, int]) -> None:
        """`settle` when there are twice as many panes with chunks in progress, or chunks in this one, as it left.

        So each is looked at about twice, however many panes one chunk brings.
        """
        if len(self.open) >= self._many:
            self._many = 2 * len(self.open)  # also when a family's fault ends it
            self.settle(high)
        elif len(chunks := self.open[pane]) >= self._crowd:
            self._crowd = 2 * len(chunks)  # as above
            self._settle(pane, high)
            self._crowd = max(_CROWD, 2 * len(self.open.get(pane, ())))

    def _settle(self, pane: int, high: Mapping[SourceRef, int]) -> None:
        """Nothing changes when a family cannot merge: the chunks then stay, and count once."""
        chunks, rest = self.open[pane], self._rest
        kept = tuple([held for held in chunks if held.start >= high.get(held.source, held.start)])
        cells = [held.cell for held in chunks if held.start < high.get(held.source, held.start)]
        if not cells:
            return
        settled = joined(self._join, (self.settled.get(pane), *cells))
        if rest is not None and pane == rest.newest:
            rest = rest._replace(cell=joined(self._join, (rest.cell, *cells)))
        assert settled is not None
        self.settled.put(pane, settled)
        self._rest = rest
        self.open[pane] = kept
        if not kept:
            del self.open[pane]

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
        return joined(self._join, (self.settled.get(pane), *[held.cell for held in self.open.get(pane, ())]))

    def _block(self, level: int, index: int) -> Cell | None:
        if level == 0:
            return self.cell(index)
        key = (level, index)
        if not self._within(index * _RADIX**level, (index + 1) * _RADIX**level - 1):
            return None  # nothing is to be remembered of time without events: no pane that goes would end that
        if key in self._blocks:
            held = self._blocks[key]
            return None if held is None else thawed(held)
        children = range(index * _RADIX, (index + 1) * _RADIX)
        found = joined(self._join, [self._block(level - 1, child) for child in children])
        self._blocks[key] = None if found is None else frozen(found)
        return found

    def total(self, first: int, last: int) -> Cell | None:
        """The aggregate of the panes from `first` to `last`, both included; None of nothing."""
        found: list[Cell | None] = []
        place = first
        while place <= last:
            level, size = 0, 1
            while level < _LEVELS and place % (size * _RADIX) == 0 and place + size * _RADIX - 1 <= last:
                level, size = level + 1, size * _RADIX
            found.append(self._block(level, place // size))
            place += size
        return joined(self._join, found)

    def window(self, newest: int) -> Cell | None:
        """The aggregate of the rule's window whose newest pane is `newest`."""
        rest = self._resting(newest).cell
        found = joined(self._join, [rest, *[held.cell for held in self.open.get(newest, ())]])
        if found is not None and found.samples and (self.newest is None or found.newest > self.newest):
            self.newest = found.newest
        return found

    def _resting(self, newest: int) -> _Rest:
        rest = self._rest
        if rest is None or rest.newest != newest:
            panes, whole = self.ordered(), span(self.rule.window, self.rule.pane)
            begin, end = bisect_left(panes, newest - whole + 1), bisect_right(panes, newest)
            oldest = panes[begin] if begin < len(panes) and panes[begin] < newest else None
            before = self._complete(oldest, newest - 1) if oldest is not None else None
            cell = joined(self._join, (before, self.settled.get(newest)))
            leaves, ahead = None if oldest is None else oldest + whole, panes[end] if end < len(panes) else None
            rest = self._rest = _Rest(newest, cell, leaves, ahead)
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
        return joined(self._join, (self.total(first, begin - 1), middle, self.total(end, last)))

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
        return joined(self._join, (found, self.cell(newest))) if last == newest else found

    def slides(self, newest: int, since: int | None = None) -> int | None:
        """The next newest pane with which measures read something else, although nothing arrives.

        `since` is the pane of the rule's first event: what lies before a stretch makes it known.
        """
        _, _, leaves, turn = self._resting(newest)
        if leaves is None and (newest in self.open or newest in self.settled):
            leaves = newest + span(self.rule.window, self.rule.pane)
        if leaves is not None and (turn is None or leaves < turn):
            turn = leaves
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


def begun(rule: Rule, families: tuple[Family, ...], entity: Values, timeline: str) -> Series:
    """An entity of which nothing is known yet."""
    labels = tuple(zip(rule.by, entity or (), strict=entity is not None))
    return Series(rule, families, entity, EntityState(labels, timeline))
