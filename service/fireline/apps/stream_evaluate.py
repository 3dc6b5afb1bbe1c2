"""The evaluate side of a stream worker: partials into signals, and checkpoints that a crash resumes at."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fireline.adapters.faust_batches import Batch
from fireline.adapters.kafka_topics import PARTIALS
from fireline.apps.stream_counts import Saves
from fireline.apps.stream_signals import SignalLane
from fireline.domain.rules import Rule, Signal, State
from fireline.domain.traffic import RULE as TRAFFIC
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest_plans import partition_of
from fireline.engine.orphans import LIMIT, orphans
from fireline.engine.ports import JudgingClock, StaleVersion, Store, Transaction
from fireline.engine.watching import Checkpoint, Claim, Watch, WatchAnswer
from fireline.engine.windows_checkpoint import Snapshot, packed

log = logging.getLogger("fireline.stream")

LONGEST_REST = 1.0
"""Seconds after which a partition is judged again at the latest, however long judging takes."""

CATCH_UP = 30.0
"""Seconds that a partition just taken over may read on before it is judged as it is."""

FIRST_LOOK = 60.0
"""Seconds before the very first start of which it is still told: somebody may start in the middle of an outage."""

CAUGHT_UP = 1.0
"""Seconds behind the logs within which a worker that took a partition over has caught up."""

UNSEEN = 20.0
"""Seconds without a look (the process was stopped, or its machine) after which that time counts for nothing."""

MANY_WINDOWS = 2_000
"""Windows of a transaction beyond which the next partition gets one of its own."""

SLICE = 200
"""Verdicts on a recording after which others have their turn: some 20 ms of processor time."""

WINDOWS = 1_000
"""Windows of a checkpoint after which others have their turn: some 20 ms of processor time."""

QUICK = 0.004
"""Seconds that judging a partition may take without resting afterwards."""


class Missing(Exception):  # noqa: N818 - records, not a fault of a call
    """Partials were not delivered although the log has them; the worker must start over at its checkpoint."""


@dataclass(slots=True)
class Part:
    """One assigned partition of `fireline.partials`: `offset` is the next to read, `saved` the checkpoint's.

    `rests_until` is when it may be judged again, on the monotonic clock. `end` is where the log ended when it was taken
    over and `waits_until` when to judge at the latest: windows that are still being filled again would say that what
    fired is over. `current` is whether they are as far as they were, and events that waited meanwhile have been read.
    """

    number: int
    claim: Claim
    generation: str
    evaluation: Evaluation
    offset: int
    saved: int
    saved_at: float
    end: int = 0
    waits_until: float = 0.0
    read_until: float = 0.0
    rests_until: float = 0.0
    current: bool = False


class EvaluateSide:
    """Holds one `Evaluation` per assigned partition; `generation` names the log of `fireline.partials`.

    `partitions` is how many that topic has.
    """

    def __init__(
        self,
        make: Callable[[tuple[Rule, ...]], Evaluation],
        rules: Iterable[Rule],
        *,
        lane: SignalLane,
        store: Store,
        clock: JudgingClock,
        generation: str,
        partitions: int,
    ) -> None:
        self.parts: dict[int, Part] = {}
        self.saves, self.judged_at = Saves(), 0.0
        self.behind: Callable[[float], float] = lambda now: 0.0
        self._rules = tuple(rules)
        self._make = make
        self._lane = lane
        self._store = store
        self._clock = clock
        self._generation = generation
        self._partitions = partitions
        self._saving = asyncio.Lock()
        self._left_out: Counter[str] = Counter()
        self._leapt, self._looked = clock.leapt, (clock.now(), time.monotonic())

    async def resume(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Take over partitions, given where their logs begin and end: the offsets to go on at.

        That is the checkpoint's, whatever Kafka remembers. A checkpoint of another generation, or beyond the end of
        the log, belongs to a log that is gone: then everything that is left is read. Raises `Unavailable`.
        """
        kept = await asyncio.to_thread(self._load, bounds)
        self.drop()
        self.parts = {number: self._part(number, kept[number], *bound) for number, bound in bounds.items()}
        return {number: part.offset for number, part in self.parts.items()}

    async def handle(self, batch: Batch) -> None:
        """Apply a batch of partials and judge at once, or soon when judging takes long. Raises `Missing`.

        Where time passes by the events, a record may bring thousands of verdicts: others have their turn in between.
        """
        part = self.parts.get(batch.partition)
        if part is None:
            return  # taken away while it waited
        fresh = [record for record in batch.records if record.offset >= part.offset]
        if not fresh:
            return
        if fresh[0].offset > part.offset:
            raise Missing(f"{PARTIALS}/{part.number}: expected offset {part.offset}, got {fresh[0].offset}")
        now = self._look()
        for record in fresh:
            part.evaluation.apply(record.value or b"", now)
            part.offset = record.offset + 1
            while part.evaluation.pass_some(now):
                await asyncio.sleep(0)
                if self.parts.get(part.number) is not part:
                    return  # taken away meanwhile
                now = self._look()
        part.offset = batch.end
        part.read_until = fresh[-1].timestamp / 1000.0
        if self._current(part, now) and time.monotonic() >= part.rests_until:
            self._judge(part, now)

    def judge_due(self) -> None:
        """Judge what time alone brings: a `for` that is over, silence, a window that empties."""
        now = self._look()
        for part in self.parts.values():
            if not self._current(part, now) or time.monotonic() < part.rests_until:
                continue
            wake = part.evaluation.next_wake()
            if wake is not None and wake <= now:
                self._judge(part, now)

    def _current(self, part: Part, now: float) -> bool:
        if not part.current:
            caught_up = part.offset >= part.end and self.behind(now) < CAUGHT_UP
            part.current = caught_up or time.monotonic() >= part.waits_until
        return part.current

    @property
    def left_out(self) -> Counter[str]:
        """Rows of partials that were not taken since the worker started, by why."""
        found = Counter(self._left_out)
        for part in self.parts.values():
            found.update(part.evaluation.left_out)
        return found

    def drop(self) -> None:
        """The partitions are somebody else's now."""
        self._left_out = self.left_out
        self.parts = {}

    def answer(self, watches: Sequence[Watch]) -> list[WatchAnswer]:
        """What the entities of our partitions say to open watches."""
        now = self._clock.now()
        behind = self.behind(now)
        parts = [part for part in self.parts.values() if part.current]
        return [answer for part in parts for answer in part.evaluation.watches(watches, now, behind)]

    def reload(self, rules: Iterable[Rule]) -> None:
        """Go on with other rules; windows of rules that stayed are kept."""
        self._rules = tuple(rules)
        for part in self.parts.values():
            part.evaluation.reload(self._rules)

    async def clear_orphans(self) -> None:
        """Clear what fires on open incidents and no rule will ever clear. Raises `Unavailable`."""
        rules = {rule.name: rule for rule in self._rules}

        def look() -> list[Signal]:
            with self._store.reading() as tx:
                return orphans(tx, rules)

        for signal in await asyncio.to_thread(look):
            part = self.parts.get(_home(signal, self._partitions))
            if part is not None:
                self._lane.put(signal, part.claim)

    async def checkpoint(self) -> int:
        """Save all that changed, once the signals derived from it are handled; how many partitions that was.

        Few windows take one transaction; many take one a partition or so, which keeps each short and small.
        Raises `Unavailable`, and `StaleVersion` when another worker has taken one of our partitions over.
        """
        saved, taken = 0, list[tuple[Part, _Taken]]()
        async with self._saving:
            for part in tuple(self.parts.values()):
                if (found := await self._taken(part)) is not None:
                    taken.append((part, found))
                if sum(len(each.changes) for _, each in taken) >= MANY_WINDOWS:
                    saved += await self._save_some(taken)
                    taken = []
            return saved + await self._save_some(taken)

    async def _save_some(self, taken: Sequence[tuple[Part, "_Taken"]]) -> int:
        """Save these in one transaction; how many are ours still."""
        if not taken:
            return 0
        await self._lane.reached(self._lane.accepted)
        began = time.monotonic()
        taken = [(part, found) for part, found in taken if self.parts.get(part.number) is part]
        try:
            size = await asyncio.to_thread(self._save, [(part.claim, found) for part, found in taken])
        except StaleVersion:
            if any(self.parts.get(part.number) is part for part, _ in taken):
                raise
            return 0  # let go of meanwhile
        self.saves.add(time.monotonic() - began, size)
        now = self._clock.now()
        for part, found in taken:
            part.evaluation.saved()
            part.saved, part.saved_at = found.offset, now
        return len(taken)

    @property
    def rules(self) -> int:
        """How many rules of the files are in force."""
        return sum(rule.name != TRAFFIC for rule in self._rules)

    def oldest_checkpoint(self, now: float) -> float:
        """Seconds since the longest unsaved partition was saved, 0.0 when all that was read is saved."""
        return max((now - part.saved_at for part in self.parts.values() if part.offset != part.saved), default=0.0)

    def _look(self) -> float:
        """What time it is. What passed unseen, or was skipped by a clock that was set, counts for no `for` or silence.

        Otherwise every entity would be reported silent before the first event since was read.
        """
        now, steady, leapt = self._clock.now(), time.monotonic(), self._clock.leapt
        unseen = leapt - self._leapt
        if steady - self._looked[1] >= UNSEEN:
            unseen = now - self._looked[0]
        self._leapt, self._looked = leapt, (now, steady)
        if unseen:
            log.warning("%+.1f s passed unseen: they count for no `for` and no silence", unseen)
            for part in self.parts.values():
                part.evaluation.leap(unseen)
        return now

    def _judge(self, part: Part, now: float) -> None:
        """Judge what changed, and see that judging takes half of the time at most.

        Where thousands of entities change at every moment, what arrives meanwhile is then judged together.
        """
        begun, self.judged_at = time.monotonic(), now
        for signal in part.evaluation.judge(now, self.behind(now)):
            self._lane.put(signal, part.claim)
        ended = time.monotonic()
        spent = ended - begun
        part.rests_until = ended + min(len(self.parts) * spent, LONGEST_REST) if spent > QUICK else 0.0

    def _part(self, number: int, found: "_Kept", begin: int, end: int) -> Part:
        claim, generation, kept, told = found
        evaluation = self._make(self._rules)
        evaluation.restore(kept.windows, kept.header)
        offset = max(kept.offset, begin)
        evaluation.adopt(told)
        waits_until = time.monotonic() + CATCH_UP
        return Part(number, claim, generation, evaluation, offset, offset, self._clock.now(), end, waits_until)

    async def _taken(self, part: Part) -> "_Taken | None":
        """What is to be saved of a partition as it is now; None of nothing. Others have their turn meanwhile."""
        if not part.current or self.parts.get(part.number) is not part:
            return None
        if part.evaluation.untold:
            self._judge(part, self._look())
        taking, offset = part.evaluation.take(), part.offset
        left = taking.some(WINDOWS)
        while left:
            await asyncio.sleep(0)
            left = taking.some(WINDOWS)
        if not taking.found and offset == part.saved:
            return None
        return _Taken(part.number, part.generation, offset, taking.header, taking.found)

    def _load(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, "_Kept"]:
        with self._store.transaction() as tx:
            told = _told(tx, self._partitions)
            now = self._clock.now()
            claims = {n: tx.claim(PARTIALS, n, now) for n in sorted(bounds)}
            found: dict[int, _Kept] = {}
            for n, (begin, end) in bounds.items():
                generation, kept = self._usable(tx, n, end)
                found[n] = (claims[n], generation, kept or self._begun(tx, n, generation, begin), told.get(n, []))
            return found

    def _begun(self, tx: Transaction, number: int, generation: str, begin: int) -> Checkpoint:
        """The first checkpoint: what comes from now on is told, also when this worker dies before it reads any."""
        evaluation = self._make(())
        evaluation.begin(self._clock.now() - FIRST_LOOK)
        checkpoint = Checkpoint(PARTIALS, number, generation, begin, evaluation.header())
        tx.save_checkpoint(checkpoint)
        return checkpoint

    def _usable(self, tx: Transaction, number: int, end: int) -> tuple[str, Checkpoint | None]:
        """The generation in force and its checkpoint: a log that lost its end is a new one, though its name is not."""
        fact = f"shortened:{PARTIALS}:{number}"
        known = tx.fact(fact)
        generation = str(known[0]["generation"]) if known and known[0]["of"] == self._generation else self._generation
        kept = tx.load_checkpoint(PARTIALS, number, generation)
        if kept is None or kept.offset <= end:
            return generation, kept
        log.warning("%s/%d: the checkpoint at %d is beyond the log's end %d", PARTIALS, number, kept.offset, end)
        now = self._clock.now()
        generation = f"{self._generation}@{now:.0f}"
        tx.put_fact(fact, {"of": self._generation, "generation": generation}, now)
        return generation, None

    def _save(self, taken: Sequence[tuple[Claim, "_Taken"]]) -> int:
        """Write snapshots down in one transaction, packed before it begins; how many bytes they took."""
        checkpoints = [(claim, found.checkpoint()) for claim, found in taken]
        with self._store.transaction() as tx:
            for claim, checkpoint in sorted(checkpoints, key=lambda each: each[0].partition):
                if not tx.holds(claim):
                    raise StaleVersion(f"{claim.topic}/{claim.partition}: another worker has taken it over")
                tx.save_checkpoint(checkpoint)
        return sum(_size(checkpoint) for _, checkpoint in checkpoints)


class _Taken(NamedTuple):
    """A partition as it was at one moment, between two batches."""

    number: int
    generation: str
    offset: int
    header: bytes
    changes: Snapshot

    def checkpoint(self) -> Checkpoint:
        """To be saved."""
        return Checkpoint(PARTIALS, self.number, self.generation, self.offset, self.header, packed(self.changes))


def _size(checkpoint: Checkpoint) -> int:
    return len(checkpoint.header) + sum(len(held) for held in checkpoint.windows.values() if held is not None)


_Kept = tuple[Claim, str, Checkpoint, Sequence[Signal]]
"""Our claim, the generation in force, its checkpoint, and what was told of the partition's entities and is not over."""


def _told(tx: Transaction, partitions: int) -> dict[int, list[Signal]]:
    """The latest signals of all open incidents, by the partition of their entities."""
    found: dict[int, list[Signal]] = {}
    for incident in tx.incidents(open_only=True, limit=LIMIT):
        for attached in incident.signals.values():
            signal = attached.signal  # the last that fired, also when it cleared meanwhile
            if attached.cleared_at is not None:
                signal = replace(signal, state=State.CLEAR, severity=None)
            found.setdefault(_home(signal, partitions), []).append(signal)
    return found


def _home(signal: Signal, partitions: int) -> int:
    """The partition on which the signal's entity is judged."""
    return partition_of(signal.rule, [value for _, value in signal.entity], partitions)
