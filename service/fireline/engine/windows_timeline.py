"""A timeline: the entities that share a clock, which of them changed, and when the others are to be looked at again."""

import heapq
from collections.abc import Iterable, Iterator

from fireline.domain.windows import pane_of
from fireline.engine.partials import LIVE, Values
from fireline.engine.windows import Series

_INSTANT = 1e-6  # seconds; so far from a pane's border, a time is surely on its side of it, whatever rounding says


IDLE = 2.0
"""Seconds by the clock without an arrival after which a replay's pane in progress is judged as it is."""


class Timeline:
    """Live entities, or those of one replay.

    `high` is the highest event time seen, `touched` when something arrived last by the clock; both in seconds.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.high = 0.0
        self.touched = 0.0
        self._rules: dict[str, dict[Values, Series]] = {}
        self._dirty: dict[int, Series] = {}  # by the object
        self._wakes: list[tuple[float, int, bool, Series]] = []
        self._order = 0

    def get(self, rule: str, entity: Values) -> Series | None:
        """The entity, None when it is not known."""
        return self._rules.get(rule, {}).get(entity)

    def pool(self, rule: str) -> Series | None:
        """What belongs to no entity of the rule yet (feedback that names none)."""
        return self.get(rule, None)

    def shown(self, series: Series) -> tuple[Series, ...]:
        """What an entity is judged on: its own panes, and those of no entity when its measures pair with them."""
        pool = self.pool(series.rule.name)
        return (series,) if pool is None or pool is series or not series.pairs else (series, pool)

    def of(self, rule: str) -> Iterator[Series]:
        """The entities of a rule."""
        yield from self._rules.get(rule, {}).values()

    def all(self) -> Iterator[Series]:
        """All entities."""
        for series in self._rules.values():
            yield from series.values()

    def entities(self, rule: str) -> dict[Values, Series]:
        """The entities of a rule, also those that come later."""
        return self._rules.setdefault(rule, {})

    def size(self) -> int:
        """How many entities there are."""
        return sum(map(len, self._rules.values()))

    def add(self, series: Series) -> None:
        """Take an entity in."""
        self._rules.setdefault(series.rule.name, {})[series.entity] = series

    def remove(self, series: Series) -> None:
        """Forget an entity."""
        self._rules.get(series.rule.name, {}).pop(series.entity, None)
        self._dirty.pop(id(series), None)
        series.wake = None

    def pane(self, series: Series, now: float, *, arrived: bool) -> int:
        """The newest pane to judge an entity on at `now`.

        Live, that is the pane in progress. Where time passes by the events, a batch brings panes in advance: then it is
        the last one complete or, when something `arrived`, the one it arrived in; and it never goes back.
        """
        size = series.rule.pane
        if self.name == LIVE:
            return pane_of(now, size)
        known = [pane_of(now + 2 * _INSTANT, size) - 1]
        known += [series.seen] if series.seen is not None else []
        known += [series.arrived] if arrived and series.arrived is not None else []
        return max(known)

    def shows(self, pane: int, size: float) -> float:
        """When a pane is first judged: live at its beginning, where time passes by the events when it is complete."""
        return pane * size + _INSTANT if self.name == LIVE else (pane + 1) * size - _INSTANT

    def turns(self, series: Series, since: int | None) -> list[float]:
        """When what an entity is judged on shows something else next although nothing arrives; see `Series.slides`."""
        if series.seen is None:
            return []
        shown = self.shown(series) if series.pairs else (series,)
        panes = [each.slides(series.seen, since) for each in shown]
        return [self.shows(pane, series.rule.pane) for pane in panes if pane is not None]

    def touch(self, series: Series, pane: int, *, new: bool) -> None:
        """Something of a pane changed; `new` when it was empty before.

        Where time passes by the events, the entity is judged at the end of that pane or, if it was judged since, of the
        next one. So no verdict on events in order depends on where a batch ends.
        """
        for each in self.seeing(series):
            self._dirty[id(each)] = each
            if self.name == LIVE:
                continue
            shown = pane
            if self.shows(pane, each.rule.pane) <= each.judged:
                shown = pane_of(each.judged + 2 * _INSTANT, each.rule.pane)
            if (new and shown == pane) or shown not in (pane, each.awaited):
                each.awaited = shown
                self._push(self.shows(shown, each.rule.pane), each, ends_pane=True)

    def seeing(self, series: Series) -> list[Series]:
        """The entities that see what changed: all that pair streams, when it belongs to none yet."""
        if series.entity is not None:
            return [series]
        return [other for other in self.of(series.rule.name) if other.pairs]

    def revisit(self, series: Series) -> None:
        """Judge an entity that came back as it was, or under a changed rule."""
        if self.name == LIVE:
            self._dirty[id(series)] = series
            return
        series.judged = self.high - _INSTANT
        self._push(self.high, series, ends_pane=True)
        for pane in set(series.panes()):
            if self.shows(pane, series.rule.pane) > self.high:
                self._push(self.shows(pane, series.rule.pane), series, ends_pane=True)

    def resume(self, series: Series) -> None:
        """Go on with an entity that was saved; where time passes by the events it is judged when it would have been."""
        if self.name == LIVE or series.arrived is None:
            self.revisit(series)
            return
        if series.wake is not None:
            self._push(series.wake, series, ends_pane=False)
        ends = {self.shows(pane, series.rule.pane) for pane in (*series.panes(), series.awaited) if pane is not None}
        # what came for no entity and ended before was judged on, or came before this entity did: then nobody waits
        ahead = (self.shows(pane, series.rule.pane) for other in self.shown(series)[1:] for pane in other.panes())
        ends.update(at for at in ahead if at > self.high)
        waits = sorted(at for at in ends if at > series.judged)
        for at in waits:
            self._push(at, series, ends_pane=True)
        if waits or series.seen is None or series.seen < series.arrived:
            self._dirty[id(series)] = series

    def calm(self, series: Series) -> None:
        """All that arrived for the entity has been judged."""
        if series.arrived is None or (series.seen is not None and series.seen >= series.arrived):
            self._dirty.pop(id(series), None)

    def set_wake(self, series: Series, at: float | None) -> None:
        """Look at the entity again at `at`, and not at what was set before."""
        if at is not None and at != series.wake:
            self._push(at, series, ends_pane=False)
        series.wake = at

    def _push(self, at: float, series: Series, *, ends_pane: bool) -> None:
        self._order += 1
        heapq.heappush(self._wakes, (at, self._order, ends_pane, series))

    def _next(self) -> tuple[float, Series] | None:
        """The first wake that still counts; it stays in place."""
        while self._wakes:
            at, _, ends_pane, series = self._wakes[0]
            if self.get(series.rule.name, series.entity) is series and (
                at > series.judged if ends_pane else at == series.wake
            ):
                return at, series
            heapq.heappop(self._wakes)
        return None

    def next_wake(self) -> float | None:
        """When there is something to look at, in the clock's time; the beginning of time when there is already."""
        if self.name != LIVE:
            return 0.0 if self.passes else self.touched + IDLE if self._dirty else None
        if self._dirty:
            return 0.0
        found = self._next()
        return found[0] if found is not None else None

    def idle(self, now: float) -> bool:
        """Whether nothing arrived for so long that the recording seems to be over, for now."""
        return bool(self._dirty) and now - self.touched >= IDLE

    @property
    def passes(self) -> bool:
        """Whether the time of a recording has reached what was not judged yet."""
        found = self._next() if self.name != LIVE else None
        return found is not None and found[0] <= self.high

    def woken(self) -> tuple[Series, float] | None:
        """The next entity whose wake has come in a timeline that passes by its events, and when that was."""
        found = self._next()
        if found is None or found[0] > self.high:
            return None
        at, series = found
        heapq.heappop(self._wakes)
        if series.wake == at:
            series.wake = None
        return series, at

    def due(self, now: float) -> list[Series]:
        """The entities that changed, or whose wake has come at `now`; they are no longer due."""
        while (found := self._next()) is not None and found[0] <= now:
            heapq.heappop(self._wakes)
            series = found[1]
            if series.wake == found[0]:
                series.wake = None
            self._dirty[id(series)] = series
        due = list(self._dirty.values())
        self._dirty.clear()
        return due

    def wait(self, due: Iterable[Series]) -> None:
        """These are due still: it was not their turn."""
        self._dirty.update({id(series): series for series in due})
