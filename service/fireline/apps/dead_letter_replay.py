"""Sending mended dead letters again, each once: marks before and after, and a look for what an interrupted run sent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from fireline.adapters.kafka import Producer
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import LogEnds
from fireline.adapters.kafka_reading import read_topic
from fireline.adapters.kafka_topics import DEAD_LETTER, partitions_of
from fireline.apps.dead_letter_marks import PARTITION, Begun, Ledger, begun, ended, mark_of
from fireline.apps.dead_letter_mending import CannotMend, Mended
from fireline.apps.dead_letter_planning import Done, Plan, Planner, Refuse, Send
from fireline.apps.dead_letter_reading import read_ledger, read_letters
from fireline.apps.dead_letters import REPLAYED_HEADER, Chosen, Letter, Place, Repeats
from fireline.engine.ports import Clock

BATCH = 200
"""Letters between two marks."""
RECENT = 60.0
"""Seconds for which a replay that was begun and not ended is taken to be still at work."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It arrived there; by an earlier run that was interrupted, if `before`."""

    plan: Send
    place: Place
    before: bool = False


Outcome = Sent | Send | Refuse | Done
"""What came of a letter; a Send that is only a Send was planned by a dry run."""


@dataclass(slots=True)
class Replay:
    """One run. `mend` makes of a letter what is to be sent; `tell` hears of each letter what came of it."""

    connection: Connection
    clock: Clock
    planner: Planner
    mend: Callable[[Letter], Mended | CannotMend | None]
    tell: Callable[[Outcome], None]
    dry: bool = False
    limit: int | None = None
    run_id: str = ""
    _ledger: Ledger = field(default_factory=Ledger)
    _seen_until: int = 0
    _taken: set[str] = field(default_factory=set)
    _newest: float = 0.0

    async def run(self, wanted: Chosen) -> None:
        """Replay what is chosen, oldest first. Raises `Unavailable`; what arrived before is known to the next run."""
        self.run_id = self.run_id or self.clock.token()[:12]
        ends = LogEnds(self.connection)
        producer = Producer(self.connection, client_id="fireline-dead-letter", linger_ms=2)
        try:
            if PARTITION in await asyncio.to_thread(partitions_of, self.connection, DEAD_LETTER):
                self._seen_until = (await ends.ends([(DEAD_LETTER, PARTITION)]))[DEAD_LETTER, PARTITION]
            self._ledger = await read_ledger(self.connection, wanted.since)
            await self._each(wanted, producer, ends)
        finally:
            await asyncio.gather(producer.close(), ends.close())

    async def _each(self, wanted: Chosen, producer: Producer, ends: LogEnds) -> None:
        batch: list[Send] = []
        async with aclosing(read_letters(self.connection, wanted, Repeats())) as letters:
            async for letter in letters:
                if self.limit is not None and len(self._taken) >= self.limit:
                    break
                plan = self._plan(letter)
                if not isinstance(plan, Send) or self.dry:
                    if plan is not None:
                        self.tell(plan)
                    continue
                batch.append(plan)
                self._newest = max(self._newest, letter.at)
                if len(batch) >= BATCH:
                    await self._deliver(batch, producer, ends)
                    batch = []
        if batch:
            await self._deliver(batch, producer, ends)

    def _plan(self, letter: Letter) -> Plan | None:
        """None for a letter that nobody asked for, or whose record was taken already, for another of its faults."""
        if letter.id in self._taken:
            return None
        mended = self.mend(letter)
        if mended is None:
            return None
        plan = self.planner.plan(letter, self._ledger.done.get(letter.id), mended)
        if isinstance(plan, Send):
            self._taken.add(letter.id)
        return plan

    async def _deliver(self, batch: Sequence[Send], producer: Producer, ends: LogEnds) -> None:
        left = await self._without_doubt(batch, producer)
        if left:
            left = await self._claim(left, producer, ends)
        if not left:
            return
        places = await producer.send([plan.record for plan in left])
        found = [Sent(plan, Place(plan.topic, *place)) for plan, place in zip(left, places, strict=True)]
        await self._close(found, producer)

    async def _close(self, found: Sequence[Sent], producer: Producer) -> None:
        sent = {one.plan.letter.id: str(one.place) for one in found}
        await producer.send([ended(self.run_id, sent, max(self.clock.now(), self._newest))])
        self._ledger.done.update(sent)
        for one in found:
            self.tell(one)

    async def _without_doubt(self, batch: Sequence[Send], producer: Producer) -> list[Send]:
        """What earlier runs did not send: letters that were begun are looked for where they would have arrived."""
        if self.planner.wish.again:
            return list(batch)
        now = self.clock.now()
        doubts = {plan.letter.id: self._ledger.doubt(plan.letter.id) for plan in batch}
        busy = {one for one, marks in doubts.items() if any(now - mark.at < RECENT for mark in marks)}
        arrived = await self._arrived({one: marks for one, marks in doubts.items() if marks and one not in busy})
        for plan in batch:
            if plan.letter.id in busy:
                why = "another replay of it began less than a minute ago; when it has ended, or failed, try again"
                self.tell(Refuse(plan.letter, why, plan.mended))
        before = [Sent(p, arrived[p.letter.id], before=True) for p in batch if p.letter.id in arrived]
        if before:
            await self._close(before, producer)
        return [plan for plan in batch if plan.letter.id not in busy and plan.letter.id not in arrived]

    async def _arrived(self, doubts: Mapping[str, Sequence[Begun]]) -> dict[str, Place]:
        """Where records of these letters lie, looked for from the ends that the marks name."""
        starts: dict[str, dict[int, int]] = {}
        for marks in doubts.values():
            for mark in marks:
                for (topic, partition), end in mark.ends.items():
                    known = starts.setdefault(topic, {})
                    known[partition] = min(end, known.get(partition, end))
        found: dict[str, Place] = {}
        for topic, begin in starts.items():
            async with aclosing(read_topic(self.connection, topic, begin=begin)) as records:
                async for record in records:
                    for name, value in record.headers:
                        one = value.decode(errors="replace").partition(" ")[2] if name == REPLAYED_HEADER else ""
                        if one in doubts:
                            found[one] = Place(record.topic, record.partition, record.offset)
        return found

    async def _claim(self, plans: Sequence[Send], producer: Producer, ends: LogEnds) -> list[Send]:
        """Write the mark, and leave out what another run has marked before us since we looked."""
        places = await self._places(plans)
        mark = begun(
            self.run_id,
            [plan.letter.id for plan in plans],
            await ends.ends(places),
            max(self.clock.now(), self._newest),
        )
        ((_, offset),) = await producer.send([mark])
        rivals = await self._rivals(offset)
        for plan in plans:
            if plan.letter.id in rivals:
                self.tell(Refuse(plan.letter, "another replay has just taken it", plan.mended))
        return [plan for plan in plans if plan.letter.id not in rivals]

    async def _places(self, plans: Sequence[Send]) -> list[tuple[str, int]]:
        """All partitions of the targets: the key decides where it is not said."""
        topics = sorted({plan.topic for plan in plans})
        known = [await asyncio.to_thread(partitions_of, self.connection, topic) for topic in topics]
        return [(topic, number) for topic, numbers in zip(topics, known, strict=True) for number in sorted(numbers)]

    async def _rivals(self, before: int) -> frozenset[str]:
        """Ids that other runs marked between our last look and our own mark."""
        ids: set[str] = set()
        begin = {PARTITION: self._seen_until}
        async with aclosing(read_topic(self.connection, DEAD_LETTER, begin=begin)) as records:
            async for record in records:
                mark = mark_of(record)
                if record.offset >= before or mark is None or mark.run == self.run_id:
                    continue
                ids.update(mark.ids if isinstance(mark, Begun) else mark.sent)
        self._seen_until = before + 1
        return frozenset(ids)
