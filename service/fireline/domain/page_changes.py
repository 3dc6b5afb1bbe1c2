"""What changed sets of rules would have changed in pages: added, removed, moved, at another severity. Pure.

Pages of one service and group belong together when their incidents overlap in time, or they are within an hour of each
other; of those the nearest are paired first, and no page twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.hindsight import Opened, Outcome, Paged

NEAR = 3600.0
"""Seconds within which two pages speak of the same thing, although their incidents do not overlap."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A page of the old rules and the one of the new rules in its place; `later` in seconds, negative earlier."""

    old: Paged
    new: Paged

    @property
    def later(self) -> float:
        """By how many seconds it comes later."""
        return self.new.at - self.old.at

    @property
    def same(self) -> bool:
        """Whether the person would notice no difference."""
        return not self.later and self.old.severity == self.new.severity and self.old.person == self.new.person


@dataclass(frozen=True, slots=True)
class Changes:
    """Old against new, each in the order of time; `pairs` are those that both sets of rules send."""

    added: tuple[Paged, ...]
    removed: tuple[Paged, ...]
    pairs: tuple[Pair, ...]

    @property
    def moved(self) -> tuple[Pair, ...]:
        """Those that come at another time."""
        return tuple(pair for pair in self.pairs if pair.later)

    @property
    def severities(self) -> tuple[Pair, ...]:
        """Those at another severity."""
        return tuple(pair for pair in self.pairs if pair.old.severity != pair.new.severity)


@dataclass(frozen=True, slots=True)
class _Side:
    pages: Sequence[Paged]
    incidents: Mapping[int, Opened]

    def span(self, page: Paged) -> tuple[float, float]:
        """From the page to the end of its incident, which may never come."""
        end = self.incidents[page.incident].resolved_at
        return page.at, float("inf") if end is None else max(end, page.at)


def compare(old: Outcome, new: Outcome) -> Changes:
    """Pair the pages of both."""
    before, after = _side(old), _side(new)
    pairs: list[Pair] = []
    new_pages = _by_key(new.pages)
    for key, some in sorted(_by_key(old.pages).items()):
        pairs += _paired(some, new_pages.get(key, []), before, after)
    told_old, told_new = {id(pair.old) for pair in pairs}, {id(pair.new) for pair in pairs}
    return Changes(
        added=tuple(page for page in new.pages if id(page) not in told_new),
        removed=tuple(page for page in old.pages if id(page) not in told_old),
        pairs=tuple(sorted(pairs, key=lambda pair: (pair.new.at, pair.new.incident, pair.old.at))),
    )


def _side(outcome: Outcome) -> _Side:
    return _Side(outcome.pages, {incident.number: incident for incident in outcome.incidents})


def _by_key(pages: Iterable[Paged]) -> dict[tuple[str, str], list[Paged]]:
    found: dict[tuple[str, str], list[Paged]] = defaultdict(list)
    for page in pages:
        found[page.service, page.group].append(page)
    return found


def _paired(old: Sequence[Paged], new: Sequence[Paged], before: _Side, after: _Side) -> Iterable[Pair]:
    spans_old, spans_new = [before.span(page) for page in old], [after.span(page) for page in new]
    near = sorted(
        (abs(new[j].at - old[i].at), old[i].person != new[j].person, i, j)
        for i in range(len(old))
        for j in range(len(new))
        if _together(spans_old[i], spans_new[j])
    )
    used_old: dict[int, None] = {}
    used_new: dict[int, None] = {}
    for _, _, i, j in near:
        if i not in used_old and j not in used_new:
            used_old[i] = used_new[j] = None
            yield Pair(old[i], new[j])


def _together(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return (one[0] <= other[1] and other[0] <= one[1]) or abs(one[0] - other[0]) <= NEAR
