"""Stretches: the panes that measures read when these are not the rule's window.

A measure may have its own window, end earlier, or compare with the past. A *plan* says so in panes. What ends earlier
than the rule's window says nothing of a time before the rule was read: it has a value when the rule's first event (of
any entity) lies before the stretch, and the entity gave the measure something in it.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from fireline.domain.durations import spelled
from fireline.domain.rules import Measure, Rule
from fireline.domain.windows import Ages, Compares, Family, Lookback, reach, span


class Stretch(NamedTuple):
    """A run of so many panes, the last of them `back` panes before the newest pane of the rule's window."""

    back: int
    panes: int

    def first(self, newest: int) -> int:
        """The index of its first pane."""
        return newest - self.back - self.panes + 1

    def last(self, newest: int) -> int:
        """The index of its last pane."""
        return newest - self.back

    def known(self, newest: int, since: int | None) -> bool:
        """Whether enough is known of it; `since` is the pane of the rule's first event."""
        return self.back == 0 or (since is not None and since < self.first(newest))


@dataclass(frozen=True, slots=True)
class Look:
    """What one measure reads: its own stretch (None: the rule's window) of `window` seconds, and what it compares with.

    `ages`: its value changes with time alone.
    `said` tells people so, and `lacks` why it has no value yet; both are clauses that begin with the measure's name.
    """

    own: Stretch | None
    window: float
    compares: bool
    ages: bool
    others: tuple[Stretch, ...]
    said: str
    lacks: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What the measures of a rule read, in their order; `reach` is how far back that is, in seconds."""

    looks: tuple[Look, ...]
    stretches: tuple[Stretch, ...]
    reach: float

    def slides(self, newest: int, since: int | None, panes: Sequence[int]) -> int | None:
        """The next newest pane with which a stretch shows something else; `panes` are those with anything in them."""
        turns = [at for stretch in self.stretches for at in _slides(stretch, newest, panes)]
        if panes and any(look.ages for look in self.looks):
            turns.append(newest + 1)
        if since is not None:  # from then on enough is known of one more stretch
            ripe = (since + stretch.back + stretch.panes for stretch in self.stretches if stretch.back)
            turns += [at for at in ripe if at > newest]
        return min(turns, default=None)


def _slides(stretch: Stretch, newest: int, panes: Sequence[int]) -> Iterator[int]:
    """When the first pane leaves the stretch, and when the next one enters it."""
    first, last = stretch.first(newest), stretch.last(newest)
    leaves = bisect_left(panes, first)
    if leaves < len(panes) and panes[leaves] <= last:
        yield panes[leaves] + stretch.back + stretch.panes
    enters = bisect_right(panes, last)
    if enters < len(panes):
        yield panes[enters] + stretch.back


def plan_of(rule: Rule, families: Sequence[Family]) -> Plan | None:
    """What the rule's measures read; None when that is its window and nothing else."""
    if all(_plain(each, family) for each, family in zip(rule.measures, families, strict=True)):
        return None
    asked = [_asked(rule, each, family) for each, family in zip(rule.measures, families, strict=True)]
    return _plan(rule.window, rule.pane, tuple(asked))


def _plain(measure: Measure, family: Family) -> bool:
    apart = measure.window is not None or measure.offset > 0.0
    return not (apart or _compares(type(family)) or _ages(type(family)))


@cache
def _compares(family: type[Family]) -> bool:
    return issubclass(family, Compares)


@cache
def _ages(family: type[Family]) -> bool:
    return issubclass(family, Ages)


class _Asked(NamedTuple):
    name: str
    window: float
    offset: float
    compares: bool
    ages: bool
    lookbacks: tuple[Lookback, ...]


def _asked(rule: Rule, measure: Measure, family: Family) -> _Asked:
    window = measure.window or rule.window
    backs: tuple[Lookback, ...] = ()
    if isinstance(family, Compares):
        try:
            backs = tuple(Lookback(float(back.window), float(back.offset)) for back in _backs(family, window, measure))
        except Exception:  # a family is a plugin: it compares with nothing then, and is told so
            backs = ()
    kind = type(family)
    return _Asked(measure.name, window, measure.offset, _compares(kind), _ages(kind), backs)


def _backs(family: Compares, window: float, measure: Measure) -> Sequence[Lookback]:
    found = family.lookbacks(window, measure.options)
    return found if all(0.0 < each.window < math.inf and 0.0 <= each.offset < math.inf for each in found) else ()


@lru_cache(maxsize=4096)  # all entities of a rule share one
def _plan(window: float, pane: float, asked: tuple[_Asked, ...]) -> Plan:
    looks = tuple(_look(each, window, pane) for each in asked)
    stretches = {stretch: None for look in looks for stretch in (look.own, *look.others) if stretch is not None}
    furthest = max(reach(each.window, each.offset, each.lookbacks) for each in asked)
    return Plan(looks, tuple(stretches), max(window, furthest))


def _look(asked: _Asked, window: float, pane: float) -> Look:
    own: Stretch | None = _stretch(asked.window, asked.offset, pane)
    if own == (0, span(window, pane)):
        own = None
    others = tuple(_stretch(back.window, asked.offset + back.offset, pane) for back in asked.lookbacks)
    far = spelled(reach(asked.window, asked.offset, asked.lookbacks))
    lacks = f"{asked.name} has no value before the rule has been read for {far}"
    return Look(own, asked.window, asked.compares, asked.ages, others, _said(asked, window), lacks)


def _stretch(window: float, offset: float, pane: float) -> Stretch:
    return Stretch(max(0, math.ceil(offset / pane - 1e-9)), span(window, pane))


def _said(asked: _Asked, window: float) -> str:
    parts = [f"covers {spelled(asked.window)}"] if asked.offset or asked.window != window else []
    if asked.offset:
        parts[0] += f" that ended {spelled(asked.offset)} earlier"
    backs = asked.lookbacks
    if len(backs) == 1:
        ended = spelled(asked.offset + backs[0].offset)
        parts.append(f"compares with {spelled(backs[0].window)} that ended {ended} earlier")
    elif backs:
        furthest = spelled(reach(0.0, asked.offset, backs))
        parts.append(f"compares with {len(backs)} stretches of up to {furthest} earlier")
    return f"{asked.name} {' and '.join(parts)}" if parts else ""
