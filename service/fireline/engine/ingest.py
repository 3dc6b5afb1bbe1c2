"""Ingest: records of one source partition into cumulative partial aggregates, a batch at a time.

What leaves a batch are partials: for every (rule, entity, pane) that the batch touched, the aggregate of all events of
the *chunk* so far. A chunk is a fixed, aligned range of source offsets. Evaluate replaces what it held of a chunk by a
partial with a higher end, so sending one again counts nothing twice; and because `commit` never passes the start of
the chunk in progress, whoever resumes there rebuilds the same aggregates.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import attrgetter, itemgetter

from fireline.domain.events import Kind, Malformed, Row, Source
from fireline.domain.rules import Rule
from fireline.domain.windows import Family, pane_of
from fireline.engine.admission import Admission, Refusal
from fireline.engine.carrying import cells_under
from fireline.engine.ingest_columns import RUN, SEVERAL, Drawn, Folding
from fireline.engine.ingest_lateness import STRETCH, Aged, Mark, aged_live, aged_recorded
from fireline.engine.ingest_order import Span, in_order, in_turn
from fireline.engine.ingest_plans import EVERYWHERE, Lane, Plan, Target, draw_together, lanes_of
from fireline.engine.ingest_records import Arrived, DeadLetter, Ingested, Record, Rows, Undecoded, runs_of, together
from fireline.engine.joining import joiner
from fireline.engine.partials import LIVE, Cell, Entry, Partial, SourceRef, Values, encode, families_of

__all__ = ["LIVE", "DeadLetter", "Ingest", "Ingested", "Record", "SourceRef"]

_Key = tuple[str, Values, int]


@dataclass(slots=True)
class _Chunk:
    """The chunk in progress of one source partition; `raised`: it has the newest event so far."""

    start: int
    next: int
    raised: bool = False
    mark: Mark = field(default_factory=Mark)
    cells: dict[_Key, tuple[int, Rule, Cell]] = field(default_factory=dict)


@dataclass(slots=True)
class _Batch:
    """What one call of `batch` collects; its records' timestamps are in `unit` seconds."""

    source: SourceRef
    newest: float
    unit: float
    dead: list[DeadLetter] = field(default_factory=list)
    payloads: dict[int, list[bytes]] = field(default_factory=dict)
    events: int = 0
    touched: list[Plan] = field(default_factory=list)
    late: Counter[tuple[Target, int]] = field(default_factory=Counter)


_offset = attrgetter("offset")
_at = itemgetter(1)


def _place(source: SourceRef) -> tuple[str, int]:
    return source.topic, source.partition


class Ingest:
    """The ingest side of one worker, for any number of source partitions. Not thread safe; does no I/O.

    `decode` reads every topic that `formats` (topic -> source) does not name. `partitions` is the number of partitions
    of `fireline.partials`. `chunk` must not change while a generation lives. Live events more than `allowed_lateness`
    seconds older than their record, or `future_bound` newer, are dead letters; in other timelines an event may be
    `replay_lateness` seconds older than the newest of its chunk. `faults` counts exceptions of measure families.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        families: Mapping[str, Family],
        decode: Source,
        partitions: int,
        *,
        chunk: int = 4096,
        allowed_lateness: float = 30.0,
        future_bound: float = 300.0,
        replay_lateness: float = 3600.0,
        formats: Mapping[str, Source] | None = None,
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._families = families
        self._decode = decode
        self._formats = dict(formats or {})
        self._partitions = partitions
        self._size = chunk
        self._lateness = allowed_lateness
        self._future = future_bound
        self._replay_lateness = replay_lateness
        self._chunks: dict[SourceRef, _Chunk] = {}
        self._newest: dict[SourceRef, float] = {}
        self._peaks: dict[SourceRef, int] = {}  # where chunks begin that have the newest event before the present one
        self._admission = Admission()
        self.reload(rules)

    def reload(self, rules: Iterable[Rule], formats: Mapping[str, Source] | None = None) -> None:
        """Go on with other rules, and other `formats` where given; aggregates of measures that stay go on."""
        self._formats = self._formats if formats is None else dict(formats)
        self._rules = {rule.name: rule for rule in rules}
        self._joins = {name: joiner(families_of(rule, self._families)) for name, rule in self._rules.items()}
        self._admission.clear()
        self._lanes = lanes_of(self._rules.values(), self._families, self._admission, self._partitions)
        for chunk in self._chunks.values():
            chunk.cells = dict(cells_under(self._rules, chunk.cells))

    @property
    def shortest(self) -> float | None:
        """The shortest pane, in seconds, of the rules that any event belonged to so far; None before the first."""
        panes = [rule.pane for lane in self._lanes.values() for rule in lane.heard.values()]
        return min(panes, default=None)

    def forget(self, source: SourceRef) -> None:
        """Drop what is held of a source partition that was taken away, recordings in it too."""
        for held in [held for held in self._chunks if _place(held) == _place(source)]:
            del self._chunks[held]
            self._newest.pop(held, None)
            self._peaks.pop(held, None)

    def batch(self, source: SourceRef, records: Sequence[Arrived], unit: float = 1.0) -> Ingested:
        """Aggregate records of one source partition, in offset order. Never raises for what is in them.

        The records' timestamps are in `unit` seconds: a client's own records, which have milliseconds, go as they are.

        After a start, a rebalance or a seek the first record must be at a chunk start (the committed offset). A batch
        whose partials were not acknowledged may be given again: it is not counted twice, and sent again in full.
        Records that are not live may name the recording they belong to in a header: each has a timeline of its own.
        """
        form = self._formats.get(source.topic, self._decode)
        if source.timeline == LIVE:
            return self._batch(source, records, Undecoded(form, records), unit)
        rows = form.rows([record.value for record in records])
        runs = runs_of(records, source.timeline)
        named = [(source._replace(timeline=name), run) for name, run in runs]
        return self._let_go(
            source, [part for own, run in named for part in self._in_turn(own, records[run], rows[run])]
        )

    def recorded(self, source: SourceRef, records: Sequence[Arrived], rows: Sequence[Row | None]) -> Ingested:
        """`batch` for records of one recording that were decoded already: `rows` are what `Source.rows` gave of them.

        Whoever plays a recording under several sets of rules decodes it once. Rows are not changed.
        """
        return self._let_go(source, list(self._in_turn(source, records, rows)))

    def _in_turn(self, source: SourceRef, records: Sequence[Arrived], rows: Sequence[Row | None]) -> Iterator[Ingested]:
        """A recording's records, cut where an event comes for a pane that others have ended."""
        newest = self._newest.get(source, 0.0)
        if not in_order(rows, newest):
            panes = {rule.pane for rule in self._rules.values()}
            for run in in_turn(self._spans(source, records, rows), newest, panes):
                yield self._batch(source, records[run], rows[run], 1.0)
        else:
            yield self._batch(source, records, rows, 1.0)

    def _spans(self, source: SourceRef, records: Sequence[Arrived], rows: Sequence[Row | None]) -> list[Span]:
        """The lowest and the highest event time of each record."""
        form = self._formats.get(source.topic, self._decode)
        spans: list[Span] = []
        for record, quick in zip(records, rows, strict=True):
            if quick is not None:
                spans.append((quick[1], quick[1]))
                continue
            times = [at for _, at, _ in self._slow(_Batch(source, 0.0, 1.0), form, record)]
            spans.append((min(times), max(times)) if times else None)
        return spans

    def _let_go(self, source: SourceRef, parts: Sequence[Ingested]) -> Ingested:
        """Forget chunks of recordings that ended before the chunk in progress: they are complete."""
        start = parts[-1].commit if parts else 0
        for held in [s for s, chunk in self._chunks.items() if _place(s) == _place(source) and chunk.next < start]:
            del self._chunks[held]
            self._newest.pop(held, None)
            self._peaks.pop(held, None)
        return together(parts)

    def _batch(self, source: SourceRef, records: Sequence[Arrived], rows: Rows, unit: float) -> Ingested:
        batch = _Batch(source, self._newest.get(source, 0.0), unit)
        seen, again = self._seen(source, records)
        for start, group in self._by_chunk(records, seen):
            self._advance(batch, start, records, rows, group)
        chunk = self._chunks.get(source)
        if again and chunk is not None:
            self._emit(batch, chunk, list(chunk.cells))
        self._newest[source] = batch.newest
        commit = self._commit(source, chunk) if chunk is not None else 0
        partials = {partition: tuple(payloads) for partition, payloads in batch.payloads.items()}
        refusals = self._refusals(records, unit)
        refused = {refusal.rule.name: refusal.events for refusal in refusals if refusal.events}
        return Ingested(partials, batch.dead, commit, batch.events, batch.newest, refused, refusals)

    def _commit(self, source: SourceRef, chunk: _Chunk) -> int:
        """Where reading resumes: at a chunk's start and, in a recording, at one from which the newest event is known.

        Where a recording is cut depends on that.
        """
        commit = chunk.next - chunk.next % self._size
        if source.timeline == LIVE:
            return commit
        peak = chunk.start if chunk.raised and commit > chunk.start else self._peaks.get(source, commit)
        return min(commit, peak)

    def _seen(self, source: SourceRef, records: Sequence[Arrived]) -> tuple[int, bool]:
        """How many of the records are counted already, and whether all of the chunk is to be sent again for it."""
        chunk = self._chunks.get(source)
        if chunk is None or not records or records[0].offset >= chunk.next:
            return 0, False
        if records[0].offset <= chunk.start:
            del self._chunks[source]
            return 0, False
        return bisect_left(records, chunk.next, key=_offset), True

    def _by_chunk(self, records: Sequence[Arrived], at: int) -> Iterator[tuple[int, range]]:
        """The start of each chunk and which of the records are its, from place `at` on; some offsets may be missing."""
        while at < len(records):
            start = records[at].offset - records[at].offset % self._size
            end = bisect_left(records, start + self._size, at, key=_offset)
            yield start, range(at, end)
            at = end

    def _refusals(self, records: Sequence[Arrived], unit: float) -> Sequence[Refusal]:
        """What is to be told of entities left out; and those that nothing was heard of for long make room."""
        now = records[-1].timestamp * unit if records else 0.0
        if self._admission.turn(self._rules.values(), now):
            for lane in self._lanes.values():
                lane.forget()
        return self._admission.report(self._rules, now)

    def _advance(self, batch: _Batch, start: int, records: Sequence[Arrived], rows: Rows, group: range) -> None:
        """Take the records of one chunk: collect by label set, fold, and send what they touched."""
        chunk = self._chunks.get(batch.source)
        if chunk is None or chunk.start != start:
            if chunk is not None and chunk.raised:
                self._peaks[batch.source] = chunk.start
            chunk = self._chunks[batch.source] = _Chunk(start, start)
        touched: dict[_Key, None] = {}
        before = batch.newest
        held: list[Sequence[Row]] = []  # so that rows are let go of in their order, not plan by plan: it is faster
        for begin in group[::RUN]:
            run = slice(begin, min(begin + RUN, group.stop))
            held.append(self._rows(batch, chunk, records[run], rows[run]))
            if self._collect(batch, held[-1]):
                held.pop()
        chunk.raised = chunk.raised or batch.newest > before
        draw_together(batch.touched)
        for plan in batch.touched:
            drawn = plan.take()
            for name in plan.refused:
                self._admission.refuse(name, len(drawn.times))
            self._fold_plan(chunk, plan, drawn, touched)
        batch.touched.clear()
        chunk.next = records[group[-1]].offset + 1
        for (target, pane), late in batch.late.items():
            self._add(chunk, target, pane, Cell(0, late, 0.0, (None,) * len(target.shapes)), touched)
        batch.late.clear()
        self._emit(batch, chunk, list(touched))

    def _collect(self, batch: _Batch, rows: Sequence[Row]) -> bool:
        """Put every event with its plan; whether none is left to be drawn later.

        This loop runs once an event, hence its local names and its flat shape.
        """
        batch.newest = max(batch.newest, max(map(_at, rows), default=0.0))
        touched = batch.touched
        kind: Kind | None = None
        lane: Lane | None = None
        for row in rows:
            if row[0] is not kind:
                kind = row[0]
                lane = self._lanes.get(kind)
                if lane is not None:
                    key, quick = lane.direct, lane.quick
            if lane is None:
                continue
            fields = row[2]
            try:
                plan = quick[key(fields)]
            except (KeyError, TypeError):
                key = lane.padded  # where one event lacks a name, others will
                plan = lane.plan(fields)
            waiting = plan.rows
            if not waiting and plan.drawn is None:
                touched.append(plan)
            waiting.append(row)
        for plan in touched:
            if len(plan.rows) >= SEVERAL:
                plan.draw()
        return not any(plan.rows for plan in touched)

    def _rows(self, batch: _Batch, chunk: _Chunk, records: Sequence[Arrived], quick: Sequence[Row | None]) -> list[Row]:
        """The events of the records that count; the others are dead letters."""
        found = list(quick)
        if not all(found):  # a row is never empty; looking for None would compare it with each
            source = self._formats.get(batch.source.topic, self._decode)
            records = list(records)
            slow = [(at, self._slow(batch, source, records[at])) for at, row in enumerate(found) if row is None]
            for at, some in reversed(slow):  # from the end, so that places before stay what they are
                found[at : at + 1] = some
                records[at : at + 1] = [records[at]] * len(some)
        rows: list[Row] = found  # type: ignore[assignment]  # nothing of it is None now
        batch.events += len(rows)
        ages = self._ages(batch, chunk, records, rows) if rows else []
        return self._timely(batch, records, rows, ages) if ages else rows

    def _ages(self, batch: _Batch, chunk: _Chunk, records: Sequence[Arrived], rows: Sequence[Row]) -> Aged:
        """The places and ages of events that are late or early."""
        if batch.source.timeline == LIVE:
            return aged_live(records, rows, batch.unit, self._lateness, self._future)
        return aged_recorded(chunk.mark, records, rows, self._replay_lateness, min(self._size, STRETCH))

    def _timely(self, batch: _Batch, records: Sequence[Arrived], rows: Sequence[Row], ages: Aged) -> list[Row]:
        """The events that are neither late nor early; the others are dead letters."""
        kept = list(rows)
        for at, _ in reversed(ages):  # from the end, so that places before stay what they are
            del kept[at]
        for at, age in ages:
            self._untimely(batch, records[at], rows[at], age)
        return kept

    def _slow(self, batch: _Batch, source: Source, record: Arrived) -> list[Row]:
        """The events of a record that is out of the ordinary; what is malformed in it becomes a dead letter."""
        decoded = source.decode(record.value, record.headers, record.key)
        rows: list[Row] = []
        for item in [decoded] if isinstance(decoded, Malformed) else decoded:
            if isinstance(item, Malformed):
                self._bury(batch, record, item.reason, item.detail)
            else:
                rows.append((item.kind, item.at, dict(item.fields)))
        return rows

    def _bury(self, batch: _Batch, record: Arrived, reason: str, detail: str, age: float | None = None) -> None:
        """Dead-letter a record, once for each reason however many of its events have it."""
        own = takewhile(lambda letter: letter.record is record, reversed(batch.dead))
        if all(letter.reason != reason for letter in own):
            batch.dead.append(DeadLetter(record, reason, detail, age))

    def _untimely(self, batch: _Batch, record: Arrived, row: Row, age: float) -> None:
        """Dead-letter an event that is too late or too early; the rules it was meant for count the late ones."""
        kind, at, fields = row
        if age < 0:
            detail = f"event time {at:.3f} is {-age:.3f} s after its record's; at most {self._future:g} s are allowed"
            self._bury(batch, record, "future", detail, age)
            return
        live = batch.source.timeline == LIVE
        behind, allowed = ("its record's", self._lateness) if live else ("the newest seen", self._replay_lateness)
        detail = f"event time {at:.3f} is {age:.3f} s before {behind}; at most {allowed:g} s are allowed"
        self._bury(batch, record, "late", detail, age)
        lane = self._lanes.get(kind)
        for target in lane.plan(fields).targets if lane is not None else ():
            batch.late[target, pane_of(at + age, target.rule.pane)] += 1

    def _fold_plan(self, chunk: _Chunk, plan: Plan, drawn: Drawn, touched: dict[_Key, None]) -> None:
        """Add what came of a plan's events to the chunk, target by target and pane by pane."""
        folding = Folding(drawn, self.faults)
        for target, picks in zip(plan.targets, plan.picks, strict=True):
            for pane in folding.panes(target.rule.pane):
                states: list[object] = [None] * len(target.shapes)
                for place, shape in picks:
                    states[place] = folding.state(shape, pane)
                count, newest = (len(pane.times), pane.newest) if target.counts else (0, 0.0)
                self._add(chunk, target, pane.number, Cell(count, 0, newest, tuple(states)), touched)

    def _add(self, chunk: _Chunk, target: Target, pane: int, cell: Cell, touched: dict[_Key, None]) -> None:
        key = (target.rule.name, target.entity, pane)
        held = chunk.cells.get(key)
        if held is not None:
            cell = self._joins[target.rule.name]((held[2], cell))
        chunk.cells[key] = (target.partition, target.rule, cell)
        touched[key] = None

    def _emit(self, batch: _Batch, chunk: _Chunk, keys: Iterable[_Key]) -> None:
        """Write the cells of `keys` for the partitions they go to; a replay's time passes in all of them."""
        everyone = range(self._partitions)
        live = batch.source.timeline == LIVE
        entries: dict[int, list[Entry]] = {} if live else {partition: [] for partition in everyone}
        for name, entity, pane in keys:
            target, rule, cell = chunk.cells[name, entity, pane]
            entry = Entry(name, rule.made_of, entity, pane, cell)
            for partition in everyone if target == EVERYWHERE else (target,):
                entries.setdefault(partition, []).append(entry)
        for partition, rows in entries.items():
            partial = Partial(batch.source, chunk.start, chunk.next, batch.newest, rows)
            batch.payloads.setdefault(partition, []).extend(encode(partial))
