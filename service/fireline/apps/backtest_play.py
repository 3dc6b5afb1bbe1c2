"""A recording under one or two sets of rules: one decoding, and for each set the windows, verdicts and what follows."""

import gc
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

from fireline.apps.backtest_files import BLOCK, Heard, Input, Rows, blocks
from fireline.apps.bootstrap import plugins
from fireline.apps.files import BrokenFiles
from fireline.domain.configuration import Configuration
from fireline.domain.rules import Rule, Signal
from fireline.engine.playback import Player
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load

WEEK = 7 * 86_400.0
_at = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read: `between` are seconds since the epoch, the end left out; `labels` are for rows of CSV.

    With `begin` all times are moved by whole weeks, so that the first event lies in the week that begins there.
    """

    inputs: tuple[Input, ...]
    labels: tuple[tuple[str, str], ...] = ()
    between: tuple[float, float] = (float("-inf"), float("inf"))
    size: int = BLOCK
    begin: float | None = None


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Where a set of rules lies, and which of them are tried (empty: all)."""

    rules: Path
    runbooks: Path
    only: tuple[str, ...] = ()


@dataclass(slots=True)
class Played:
    """What was read, and the signals of each set of rules in the order of time."""

    heard: Heard = field(default_factory=Heard)
    events: int = 0
    first: float | None = None
    last: float | None = None
    late: int = 0
    weeks: int = 0
    signals: list[list[Signal]] = field(default_factory=list)

    def passed(self, rows: Rows, begin: float | None) -> Rows:
        """Note the span of the events, and move them where they are to be moved."""
        if begin is not None:
            if self.first is None:
                self.weeks = math.ceil((begin - rows[0][1]) / WEEK)
            rows = [(kind, at + self.weeks * WEEK, fields) for kind, at, fields in rows]
        self.events += len(rows)
        earliest, latest = min(map(_at, rows)), max(map(_at, rows))
        self.first = earliest if self.first is None or earliest < self.first else self.first
        self.last = latest if self.last is None or latest > self.last else self.last
        return rows


def configuration_of(book: Rulebook) -> Configuration:
    """The files of a set of rules; raises BrokenFiles with all of their faults."""
    loaded = load(book.rules, book.runbooks, plugins())
    if loaded.configuration is None:
        raise BrokenFiles(loaded.problems)
    return loaded.configuration


def rules_of(configuration: Configuration, only: Sequence[str]) -> list[Rule]:
    """The rules that are tried, by name."""
    return [rule for name, rule in sorted(configuration.rules.items()) if not only or name in only]


def play(asked: Asked, rules: Sequence[Sequence[Rule]], on_progress: Callable[[Played], None]) -> Played:
    """Play the recording once for all sets of rules, in this process. Raises Refused for files."""
    with _rarely_collected():
        return _played(asked, rules, on_progress)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Let Python look for circular garbage rarely: events make none, and each look costs as much as decoding does."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _played(asked: Asked, rules: Sequence[Sequence[Rule]], on_progress: Callable[[Played], None]) -> Played:
    played = Played(signals=[[] for _ in rules])
    players = [Player(some, FAMILIES, Native()) for some in rules]
    for rows in blocks(asked.inputs, dict(asked.labels), played.heard, asked.between, asked.size):
        if not rows:
            continue
        moved = played.passed(rows, asked.begin)
        for place, player in enumerate(players):
            more, dead = player.play(moved)
            played.signals[place] += more
            played.late += len(dead) if not place else 0
        on_progress(played)
    for place, player in enumerate(players):
        played.signals[place] += player.finish()
    played.signals = [_in_time(signals) for signals in played.signals]
    return played


def _in_time(signals: Iterable[Signal]) -> list[Signal]:
    """The order in which they are decided on, whatever process judged them."""
    return sorted(signals, key=lambda s: (s.at, s.rule, s.entity, s.episode, s.sequence))


def play_in(jobs: int, asked: Asked, books: Sequence[Rulebook]) -> Played:
    """The same in several processes: each plays all of the recording for some of the rules.

    Rules know nothing of each other, so the signals are those of one process.
    """
    shares = [(place, share) for place, book in enumerate(books) for share in _shares(book, max(1, jobs // len(books)))]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_play_share, [asked] * len(shares), [share for _, share in shares]))
    played = parts[0]
    signals: list[list[Signal]] = [[] for _ in books]
    for (place, _), part in zip(shares, parts, strict=True):
        signals[place] += part.signals[0]
    played.signals = [_in_time(some) for some in signals]
    return played


def _shares(book: Rulebook, count: int) -> list[Rulebook]:
    names = [rule.name for rule in rules_of(configuration_of(book), book.only)]
    parts = [tuple(names[place::count]) for place in range(count)]
    return [Rulebook(book.rules, book.runbooks, part) for part in parts if part] or [book]


def _play_share(asked: Asked, book: Rulebook) -> Played:
    return play(asked, [rules_of(configuration_of(book), book.only)], lambda played: None)
