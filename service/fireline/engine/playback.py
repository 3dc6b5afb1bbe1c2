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
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import DeadLetter, Ingest, Record
from fireline.engine.looking import Verdict
from fireline.engine.partials import SourceRef

TIMELINE = "replay"
BATCH = 16_384
"""Records taken at a time, a chunk; verdicts of a recording do not depend on it."""

_FEW, _PANES = 256, 64
"""Of a recording in which a batch spans more panes than these, fewer records are taken at a time."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a recording: signals in order, the last verdicts, what was no event or came too late."""

    events: int
    signals: tuple[Signal, ...]
    verdicts: tuple[Verdict, ...]
    dead: tuple[DeadLetter, ...]


class Numbered(Sequence[Record]):
    """The records of places `start` to `end` of a recording, made when they are looked at: few ever are.

    `values` are their bytes, None where these are not needed any more because all of them are decoded.
    """

    __slots__ = ("_end", "_start", "_values")

    def __init__(self, start: int, end: int, values: Sequence[bytes | None] | None = None) -> None:
        self._start, self._end, self._values = start, end, values

    def __len__(self) -> int:
        return self._end - self._start

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> "Numbered": ...

    def __getitem__(self, place: int | slice) -> "Record | Numbered":
        if isinstance(place, slice):
            first, last, _ = place.indices(len(self))
            values = None if self._values is None else self._values[first:last]
            return Numbered(self._start + first, self._start + last, values)
        at = range(len(self))[place]
        value = None if self._values is None else self._values[at]
        return Record(offset=self._start + at, timestamp=0.0, key=None, value=value)


class Player:
    """One recording under one set of rules, block by block; signals come as the events pass their time."""

    def __init__(self, rules: Iterable[Rule], families: Mapping[str, Family], decode: Source) -> None:
        chosen = tuple(rules)
        self.events = 0
        self._ingest = Ingest(chosen, families, decode, partitions=1, chunk=BATCH)
        self._evaluation = Evaluation(chosen, families)
        self._source = SourceRef("playback", 0, TIMELINE)
        self._offset = 0

    def play(
        self, rows: Sequence[Row | None], values: Sequence[bytes | None] | None = None
    ) -> tuple[list[Signal], list[DeadLetter]]:
        """Take the next records: what `decode.rows` made of them, and their bytes, which only a row of None needs.

        Neither is changed, so that several players may be given the same.
        """
        signals: list[Signal] = []
        dead: list[DeadLetter] = []
        for start, end in self._pieces(rows):
            some = None if values is None else values[start:end]
            taken = self._ingest.recorded(
                self._source, Numbered(self._offset, self._offset + end - start, some), rows[start:end]
            )
            self._offset += end - start
            self.events += taken.events
            for payloads in taken.partials.values():
                for payload in payloads:
                    self._evaluation.apply(payload, taken.newest)
            signals += self._evaluation.judge(taken.newest)
            dead += taken.dead
        return signals, dead

    def _pieces(self, rows: Sequence[Row | None]) -> Iterator[tuple[int, int]]:
        """Where to cut so that no entity gets many panes at once: each of its verdicts looks at all that it has."""
        start = 0
        while start < len(rows):
            end = len(rows) if self._dense(rows, start) else min(start + _FEW, len(rows))
            yield start, end
            start = end

    def _dense(self, rows: Sequence[Row | None], start: int) -> bool:
        """Whether the rest of the rows, by its ends, spans few panes of the rules that events have belonged to."""
        first, last, pane = rows[start], rows[-1], self._ingest.shortest
        return pane is not None and first is not None and last is not None and last[1] - first[1] <= _PANES * pane

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
        more, letters = player.play(decode.rows(some), some)
        signals += more
        dead += letters
    signals += player.finish()
    return Played(player.events, tuple(signals), tuple(player.verdicts()), tuple(dead))


def _batches(values: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    each = iter(values)
    while some := list(islice(each, size)):
        yield some
