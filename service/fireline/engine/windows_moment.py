"""Moments: what all entities of a rule have in common when rows come for them, or they are judged, at one time."""

from collections.abc import Iterable
from typing import NamedTuple

from fireline.domain.rules import Rule
from fireline.domain.windows import pane_of, span
from fireline.engine.partials import LIVE, Values
from fireline.engine.watching import Watch
from fireline.engine.windows import Series
from fireline.engine.windows_missed import Reached
from fireline.engine.windows_since import Since
from fireline.engine.windows_timeline import Timeline


class Moment(NamedTuple):
    """One rule at one time of one timeline, in seconds; panes are indices.

    `newest` is the pane of that time, `first` the first of the window that ends with it, and `oldest` the oldest that
    matters to anybody. Live, what comes for panes from `unread` on has not been judged; None before the first time.
    `timed`: whether verdicts may change by time alone, although nothing fires.
    """

    timeline: Timeline
    rule: Rule
    now: float
    newest: int
    first: int
    oldest: int
    unread: int | None
    timed: bool
    entities: dict[Values, Series]


class Moments:
    """The moments of one time, made when they are asked for."""

    def __init__(self, since: Since, reached: Reached) -> None:
        self._watched: dict[str, float] = {}
        self._since = since
        self._reached = reached
        self._known: dict[str, Moment] = {}

    def watch(self, watches: Iterable[Watch]) -> None:
        """These are open now: what they look back to matters."""
        self._watched.clear()
        for watch in watches:
            self._watched[watch.rule] = max(watch.window, self._watched.get(watch.rule, 0.0))
        self.forget()

    def forget(self) -> None:
        """Rules, watches, or how far was read have changed."""
        self._known.clear()

    def of(self, timeline: Timeline, rule: Rule, now: float) -> Moment:
        """That of a rule at `now`."""
        known = self._known.get(rule.name)
        if known is None or known.now != now or known.timeline is not timeline:
            known = self._known[rule.name] = self._made(timeline, rule, now)
        return known

    def _made(self, timeline: Timeline, rule: Rule, now: float) -> Moment:
        live, newest = timeline.name == LIVE, pane_of(now, rule.pane)
        back = max(self._since.reach.get(rule.name, rule.window), self._watched.get(rule.name, 0.0))
        read = self._reached.at if live else None
        return Moment(
            timeline,
            rule,
            now,
            newest,
            first=newest - span(rule.window, rule.pane) + 1,
            oldest=pane_of((self._reached.back_to(now) if live else now) - back, rule.pane),
            unread=None if read is None else pane_of(read, rule.pane),
            timed=rule.no_data is not None or any(level.hours is not None for level in rule.levels),
            entities=timeline.entities(rule.name),
        )
