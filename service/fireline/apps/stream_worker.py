"""One stream worker at work: both sides of the flow, who owns its offsets, and the loops beside them."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from fireline.adapters.faust_batches import Batch, Place
from fireline.adapters.kafka_ends import LogEnds, LogNames
from fireline.adapters.kafka_topics import PARTIALS
from fireline.apps.stream_counts import STARTS
from fireline.apps.stream_evaluate import EvaluateSide
from fireline.apps.stream_ingest import IngestSide
from fireline.apps.stream_report import UNKNOWN_LAG, Reading, Report, count, tell
from fireline.apps.stream_signals import SignalLane
from fireline.apps.stream_watchdog import Pulse, Watchdog
from fireline.domain.configuration import Configuration
from fireline.domain.events import Source
from fireline.domain.traffic import rules_of
from fireline.engine.ports import JudgingClock, StaleVersion, Store, Unavailable
from fireline.engine.traffic import Seen
from fireline.engine.watching import WatchAnswer

log = logging.getLogger("fireline.stream")


MARK = 5.0
"""Seconds after which one record that is not given to us is taken for the mark that ends a transaction."""


class Stalled(Exception):  # noqa: N818
    """Consumption stands still; only a new process is known to help."""


class Replaced(Exception):  # noqa: N818
    """A log that is read was made anew, or wiped: what is in memory belongs to one that is gone."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, in seconds, a worker does what it does beside events."""

    judge: float = 0.05
    checkpoint: float = 2.0
    report: float = 1.0
    look_at_ends: float = 1.0
    clear_orphans: float = 5.0
    look_at_names: float = 20.0
    release_within: float = 8.0
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Sides:
    """The two halves of the flow, and the way of signals out of it."""

    ingest: IngestSide
    evaluate: EvaluateSide
    lane: SignalLane


@dataclass(frozen=True, slots=True)
class Outside:
    """What a worker stands on. `doom` is called with what makes going on impossible.

    `logs` is which log was behind each topic when the worker began.
    """

    ends: LogEnds
    names: LogNames
    logs: Mapping[str, str]
    pulse: Pulse
    store: Store
    clock: JudgingClock
    doom: Callable[[Exception], None]


class StreamWorker:
    """One worker; satisfies `faust_batches.Positions`."""

    def __init__(self, name: str, sides: Sides, outside: Outside, rhythm: Rhythm) -> None:
        self.name = name
        self.ingest, self.evaluate, self._lane = sides.ingest, sides.evaluate, sides.lane
        self._ends, self._store, self._clock = outside.ends, outside.store, outside.clock
        self._names, self._logs, self._same = outside.names, outside.logs, True
        self._named_at = time.monotonic()
        self._pulse, self._doom = outside.pulse, outside.doom
        self._rhythm = rhythm
        self._doomed = False
        self._watchdog = Watchdog(rhythm.patience)
        self._known_ends: Mapping[Place, int] = {}
        self._ends_at = 0.0
        self._stands: dict[Place, tuple[int, float]] = {}
        self._seen = Seen()
        self._told = Report(name, self.ingest, self.evaluate, self._lane, self._clock.now())
        self.evaluate.behind = self.behind

    # offsets
    async def resume(self, committed: Mapping[Place, int | None]) -> Mapping[Place, int]:
        """Where to go on: at the checkpoint for partials, at what Kafka knows (or the beginning) for sources."""
        pause = 0.2
        while True:
            try:
                return await self._resume(committed)
            except Unavailable as fault:
                log.warning("cannot take over partitions, again in %.1f s: %s", pause, fault)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
            except Replaced as fault:
                self._give_up(fault)
                return {}

    async def _resume(self, committed: Mapping[Place, int | None]) -> Mapping[Place, int]:
        await self._look_at_names()
        begins, ends = await self._ends.beginnings(committed), await self._ends.ends(committed)
        bounds = {place[1]: (begins[place], ends[place]) for place in committed if place[0] == PARTIALS}
        partials = {(PARTIALS, number): at for number, at in (await self.evaluate.resume(bounds)).items()}
        known = {place: at for place, at in committed.items() if at and at <= ends[place]}
        sources = {place: known.get(place, begins[place]) for place in committed if place[0] != PARTIALS}
        self.ingest.resume(sources)
        self._known_ends = ends
        self._told.rebalances += 1
        self._watchdog.forgive()
        log.info("%s reads %d partitions of events and %d of partials", self.name, len(sources), len(partials))
        # sources too: of those without a commit Kafka's client would go on where it happens to be
        return partials | sources

    def committable(self, place: Place) -> int | None:
        """Chunk starts for sources, checkpoints for partials; none while nobody knows whether the log is the same."""
        if not self._same:
            return None
        if place[0] != PARTIALS:
            return self.ingest.commits.get(place)
        part = self.evaluate.parts.get(place[1])
        return part.saved if part is not None and part.saved else None

    def flowing(self, flows: bool) -> None:
        """Delivery stops or goes on; a batch that waits for Kafka is given up when it stops."""
        self.ingest.flows = flows

    async def release(self) -> None:
        """The last checkpoint before the partitions go; without it the next owner reads a little more."""
        try:
            async with asyncio.timeout(self._rhythm.release_within):
                if not self._doomed:
                    await self.evaluate.checkpoint()
        except (Unavailable, StaleVersion, TimeoutError) as fault:
            log.warning("no checkpoint while letting go of partitions: %r", fault)
        self.evaluate.drop()

    # events
    async def take_events(self, batches: Sequence[Batch]) -> None:
        """Batches of a source topic; never raises. Nothing that follows a failed batch may be committed."""
        if not self._doomed:
            await self._guarded(self.ingest.handle(*batches))

    async def take_partials(self, batches: Sequence[Batch]) -> None:
        """Batches of partials; never raises."""
        for batch in batches:
            await self._room()
            if not self._doomed and not self._lane.full:
                await self._guarded(self.evaluate.handle(batch))

    async def _room(self) -> None:
        """Wait while too many signals do, unless delivery stops: what is not taken now is read again."""
        while self._lane.full and self.ingest.flows:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lane.reached(self._lane.handled + 1), 0.5)

    def reload(self, configuration: Configuration, formats: Mapping[str, Source]) -> None:
        """Go on with other rules and other ways to read topics; windows of rules whose hash stays are kept."""
        rules = rules_of(configuration)
        self.ingest.ingest.reload(rules, formats)
        self.evaluate.reload(rules)
        log.info("%d rules in force, configuration %s", len(configuration.rules), configuration.hash[:12])

    def behind(self, now: float) -> float:
        """By how many seconds this worker lags the logs it reads."""
        return max((self._behind(place, at, now) for place, at in self._positions().items()), default=0.0)

    # loops
    async def run_loops(self) -> None:
        """Everything that happens without an event, until cancelled; a fault of ours in any dooms the worker."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count(STARTS))
            group.create_task(self._guarded(self._lane.run()))
            group.create_task(self._guarded(self._every(self._rhythm.judge, self._judge)))
            group.create_task(self._guarded(self._every(self._rhythm.checkpoint, self._checkpoint)))
            group.create_task(self._guarded(self._every(self._rhythm.report, self._report)))
            group.create_task(self._guarded(self._every(self._rhythm.look_at_ends, self._look_at_ends)))
            group.create_task(self._guarded(self._every(self._rhythm.look_at_ends, self._look_when_in_doubt)))
            group.create_task(self._guarded(self._every(self._rhythm.clear_orphans, self.evaluate.clear_orphans)))
            group.create_task(self._guarded(self._every(min(1.0, self._rhythm.patience / 20), self._feed)))

    async def _every(self, seconds: float, act: Callable[[], Coroutine[None, None, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except Unavailable as fault:
                log.warning("later: %s", fault)

    async def _guarded(self, act: Coroutine[None, None, None]) -> None:
        """An exception that left a Faust agent would acknowledge and lose its batch: stop, and read it again."""
        try:
            await act
        except (Stalled, Replaced) as fault:
            self._give_up(fault)
        except Exception as fault:
            log.exception("this worker cannot go on")
            self._give_up(fault)

    def _give_up(self, fault: Exception) -> None:
        if not self._doomed:
            why = type(fault).__name__.lower() if isinstance(fault, Stalled | Replaced) else "fault"
            self._last_word = asyncio.create_task(self._count(why))
        self._doomed = True
        self._doom(fault)

    async def _count(self, what: str) -> None:
        """Count a start, or an end; one that the database does not hear of is not counted."""
        with contextlib.suppress(Unavailable):
            await asyncio.to_thread(count, self._store, what, self._clock.now())

    async def _judge(self) -> None:
        if not self._lane.full:
            self.evaluate.judge_due()

    async def _checkpoint(self) -> None:
        try:
            await self.evaluate.checkpoint()
        except StaleVersion as fault:
            hint = f"If two workers run as {self.name!r}, give each a FIRELINE_STREAM_INSTANCE of its own, or none"
            raise StaleVersion(f"{fault}. {hint}") from fault

    async def _report(self) -> None:
        now = self._clock.now()
        reading = Reading(
            self._positions(), self._known_ends, self._ends_at, lambda place, at: self._behind(place, at, now)
        )
        facts = self._told.facts(now, reading) | {
            "clock_doubted": round(self._clock.doubted, 1),
            "clock_sure": self._clock.sure,
        }
        watches = await asyncio.to_thread(tell, self._store, facts, now, self._seen)
        answers = self._seen.heard(self.evaluate.answer(self._seen.asked(watches, now, self.behind(now))))
        if answers:
            await asyncio.to_thread(self._answer, answers)

    async def _look_at_ends(self) -> None:
        positions, asked_at = self._positions(), self._clock.now()
        try:
            self._known_ends = await self._ends.ends(positions)
            self._ends_at = asked_at
        except Unavailable:
            self._watchdog.forgive()
            self._same = False  # a broker that was away may come back with other data
            raise
        if any(at > self._known_ends.get(place, at) for place, at in positions.items()):
            self._same = False
        for place, at in positions.items():
            if self._stands.get(place, (-1, 0.0))[0] != at:
                self._stands[place] = at, time.monotonic()
        stalled = self._watchdog.observe(time.monotonic(), self._positions(), self._known_ends)
        if stalled and self.ingest.flows and not self._lane.full:
            raise Stalled(f"nothing was read for {self._rhythm.patience:.0f} s although there is more: {stalled}")

    async def _look_when_in_doubt(self) -> None:
        if not self._same or time.monotonic() - self._named_at >= self._rhythm.look_at_names:
            await self._look_at_names()

    async def _look_at_names(self) -> None:
        found = await self._names.names(self._logs)
        others = [topic for topic, name in self._logs.items() if found.get(topic, name) != name]
        if others:
            raise Replaced(
                f"what was read of {', '.join(others)} is gone: deleted, made anew, or wiped with its broker"
            )
        self._same, self._named_at = True, time.monotonic()

    async def _feed(self) -> None:
        self._pulse.feed()

    def _positions(self) -> dict[Place, int]:
        parts = {(PARTIALS, number): part.offset for number, part in self.evaluate.parts.items()}
        return {**self.ingest.positions, **parts}

    def _behind(self, place: Place, position: int, now: float) -> float:
        end = self._known_ends.get(place)
        if end is not None and (position >= end or (position == end - 1 and self._at_a_mark(place, position))):
            return 0.0
        if place[0] == PARTIALS:
            part = self.evaluate.parts.get(place[1])
            read_until = part.read_until if part is not None else 0.0
        else:
            read_until = self.ingest.read_until.get(place, 0.0)
        return max(0.0, now - read_until) if read_until else UNKNOWN_LAG

    def _at_a_mark(self, place: Place, position: int) -> bool:
        """Whether the last record of a log has not come for long: the end of a transaction takes an offset, too."""
        stands_at, since = self._stands.get(place, (-1, 0.0))
        return stands_at == position and time.monotonic() - since >= MARK

    def _answer(self, answers: list[WatchAnswer]) -> None:
        with self._store.transaction() as tx:
            tx.answer(answers)
