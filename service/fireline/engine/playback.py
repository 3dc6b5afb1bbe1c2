"""Playback: recorded events through ingest and evaluate in one process, without Kafka; time passes by the events.

The same code as live. It powers detection tables, rule tests and back-tests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

from fireline.domain.events import Row, Source
from fireline.domain.rules import Rule, Signal
from fireline.domain.windows import Family
from fireline.engine.evaluate import Evaluation, Verdict
from fireline.engine.ingest import DeadLetter, Ingest, Record
from fireline.engine.partials import SourceRef

TIMELINE = "replay"
BATCH = 4096
"""Records taken at a time, a chunk; verdicts of a recording do not depend on it."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a recording: signals in order, the last verdicts, what was no event or came too late."""

    events: int
    signals: tuple[Signal, ...]
    verdicts: tuple[Verdict, ...]
    dead: tuple[DeadLetter, ...]


class Numbered(Sequence[Record]):
    """Records that are made when they are looked at: of a recording that is decoded already, few ever are."""

    __slots__ = ("_start", "_values")

    def __init__(self, values: Sequence[bytes | None], start: int) -> None:
        self._values, self._start = values, start

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> "Numbered": ...

    def __getitem__(self, place: int | slice) -> "Record | Numbered":
        if isinstance(place, slice):
            first, last, _ = place.indices(len(self._values))
            return Numbered(self._values[first:last], self._start + first)
        at = place if place >= 0 else place + len(self._values)
        return Record(offset=self._start + at, timestamp=0.0, key=None, value=self._values[at])


class Player:
    """One recording under one set of rules, block by block; signals come as the events pass their time."""

    def __init__(self, rules: Iterable[Rule], families: Mapping[str, Family], decode: Source) -> None:
        chosen = tuple(rules)
        self.events = 0
        self._decode = decode
        self._ingest = Ingest(chosen, families, decode, partitions=1)
        self._evaluation = Evaluation(chosen, families)
        self._source = SourceRef("playback", 0, TIMELINE)
        self._offset = 0

    def play(self, values: Sequence[bytes | None], rows: Sequence[Row | None]) -> tuple[list[Signal], list[DeadLetter]]:
        """Take the next records: their bytes, and what `decode.rows` made of them. Neither is changed."""
        taken = self._ingest.recorded(self._source, Numbered(values, self._offset), rows)
        self._offset += len(values)
        self.events += taken.events
        for payloads in taken.partials.values():
            for payload in payloads:
                self._evaluation.apply(payload, taken.newest)
        return self._evaluation.judge(taken.newest), list(taken.dead)

    def finish(self) -> list[Signal]:
        """What the last panes show, although no event came to end them."""
        return self._evaluation.finish()

    def verdicts(self) -> list[Verdict]:
        """What is said of every entity now."""
        return self._evaluation.verdicts()


def play(
    rules: Iterable[Rule], families: Mapping[str, Family], decode: Source, records: Iterable[bytes], batch: int = BATCH
) -> Played:
    """Judge `records` (wire bytes in the order of arrival) under `rules`."""
    player = Player(rules, families, decode)
    signals: list[Signal] = []
    dead: list[DeadLetter] = []
    for some in _batches(records, batch):
        more, letters = player.play(some, decode.rows(some))
        signals += more
        dead += letters
    signals += player.finish()
    return Played(player.events, tuple(signals), tuple(player.verdicts()), tuple(dead))


def _batches(values: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    each = iter(values)
    while some := list(islice(each, size)):
        yield some
