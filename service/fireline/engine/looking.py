"""Looking: what is said of every entity now, and what its window shows at any time that is still held."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from fireline.domain.judging import EntityState
from fireline.domain.rules import Entity, Rule, State
from fireline.domain.telling import Reading
from fireline.domain.windows import pane_of
from fireline.engine.partials import LIVE
from fireline.engine.watching import Watch, WatchAnswer
from fireline.engine.windows_reading import answer, read
from fireline.engine.windows_since import Since
from fireline.engine.windows_timeline import Timeline


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an entity now: `severity` is the one that fires, also while the verdict is unknown."""

    rule: str
    entity: Entity
    timeline: str
    state: State
    severity: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """What an entity's window shows at one time, and what was said of it when it was judged last."""

    rule: Rule
    state: EntityState
    reading: Reading


def verdicts(timelines: Iterable[Timeline]) -> list[Verdict]:
    """What is said of every entity, in the order of timeline, rule and entity."""
    found = [
        Verdict(s.rule.name, s.state.entity, t.name, s.state.verdict, s.state.severity, s.state.reason)
        for t in timelines
        for s in t.all()
        if s.entity is not None
    ]
    return sorted(found, key=lambda verdict: (verdict.timeline, verdict.rule, verdict.entity))


def looks(timeline: Timeline, rule: str, since: Since, at: float) -> Iterator[Look]:
    """Every entity of a rule, its window ending at `at` (seconds since the epoch)."""
    for series in list(timeline.of(rule)):
        if series.entity is not None:
            shown, _ = read(series, *since.beside(timeline, series), pane_of(at, series.rule.pane), at)
            yield Look(series.rule, series.state, shown)


def answers(watch: Watch, timeline: Timeline, since: Since, now: float, behind: float) -> Iterator[WatchAnswer]:
    """What the entities that a watch is on say to it; live as of `behind` seconds before `now`."""
    at, lag = (now, behind) if timeline.name == LIVE else (timeline.high, 0.0)
    for series in timeline.of(watch.rule):
        labels = dict(series.state.entity)
        if series.entity is not None and all(labels.get(k) == v for k, v in watch.entity.items()):
            yield replace(answer(watch, series, *since.beside(timeline, series), at - lag), at=at, behind=lag)
