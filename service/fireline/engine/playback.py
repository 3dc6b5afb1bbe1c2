"""Playback: recorded events through ingest and evaluate in one process, without Kafka; time passes by the events.

The same code as live. It powers detection tables, rule tests and back-tests.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from fireline.domain.events import Source
from fireline.domain.rules import Rule, Signal
from fireline.domain.windows import Family
from fireline.engine.evaluate import Evaluation, Verdict
from fireline.engine.ingest import DeadLetter, Ingest, Record
from fireline.engine.partials import SourceRef

TIMELINE = "replay"
BATCH = 500
"""Records taken at a time; verdicts of a recording do not depend on it."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a recording: signals in order, the last verdicts, what was no event or came too late."""

    events: int
    signals: tuple[Signal, ...]
    verdicts: tuple[Verdict, ...]
    dead: tuple[DeadLetter, ...]


def play(
    rules: Iterable[Rule], families: Mapping[str, Family], decode: Source, records: Iterable[bytes], batch: int = BATCH
) -> Played:
    """Judge `records` (wire bytes in the order of arrival) under `rules`."""
    chosen = tuple(rules)
    ingest = Ingest(chosen, families, decode, partitions=1)
    evaluation = Evaluation(chosen, families)
    source = SourceRef("playback", 0, TIMELINE)
    signals: list[Signal] = []
    dead: list[DeadLetter] = []
    events = 0
    for some in _batches(records, batch):
        taken = ingest.batch(source, some)
        events += taken.events
        dead += taken.dead
        for payload in (one for payloads in taken.partials.values() for one in payloads):
            evaluation.apply(payload, taken.newest)
        signals += evaluation.judge(taken.newest)
    signals += evaluation.finish()
    return Played(events, tuple(signals), tuple(evaluation.verdicts()), tuple(dead))


def _batches(values: Iterable[bytes], size: int) -> Iterator[list[Record]]:
    numbered = enumerate(values)
    while some := list(islice(numbered, size)):
        yield [Record(offset=n, timestamp=0.0, key=None, value=value, headers=()) for n, value in some]
