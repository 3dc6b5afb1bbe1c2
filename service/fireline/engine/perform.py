"""Performing: effects leave the outbox, at least once, in the order of their lane, no lane waiting for another.

What came of an effect is written down before the effect counts as done, so a crash in between repeats it, marked as
resent, and never loses it. A page that a channel refuses for good goes on to the next channel or person; one that a
channel keeps putting off is said to be pending and tried elsewhere beside it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from fireline.domain.effects import (
    AskApproval,
    Effect,
    Publish,
    Say,
    SendPage,
    StartRun,
    Tell,
    UpdateCard,
    UpdatePage,
    channel_of,
)
from fireline.domain.incidents import DeliveryReported, Entry
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.deliveries import Delivered, Delivery, Nothing, prepare, remembered
from fireline.engine.outward import Channel, Message, Publisher
from fireline.engine.ports import Clock, Queued, StaleVersion, Store, Transaction, Unavailable
from fireline.engine.respond import Responder
from fireline.engine.storms import arrived, fold
from fireline.engine.together import Together, Work

LOG = logging.getLogger(__name__)
T = TypeVar("T")

POLL = 0.02
"""Seconds between two looks at whether anything was committed."""
QUICK_POLL = 0.01
"""The same where the store answers at once."""
LEASE = 30.0
"""Seconds that a claimed effect is ours; longer than a delivery may take."""
TIMEOUT = 10.0
"""Seconds a channel has to answer; then it may have arrived or not."""
VISIBLE = 30.0
"""Seconds after which a waiting delivery is said on the timeline."""
IN_FLIGHT = 100
"""So many effects are claimed at once."""
MOST_OF_A_CHANNEL = 50
"""While so many effects of a channel are in flight, none of it is claimed: one that hangs takes no place of others."""
FIRST_DELAY = 0.5
LONGEST_DELAY = {True: 10.0, False: 60.0}
"""The longest wait between attempts, for pages and for the rest; a channel that asks for longer gets it."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds until a database that is away is asked again, at first and at most."""
GIVE_UP = 3600.0
"""Seconds after which anything but a page is given up when nobody knows whether it arrives."""

Prepared = Delivery | Nothing
Starter = Callable[[StartRun], Awaitable[Outcome]]


def backoff(attempts: int, longest: float, first: float = FIRST_DELAY) -> float:
    """Seconds to wait after so many earlier attempts: doubled each time."""
    return min(longest, first * 2.0 ** min(attempts, 20))


class Performer:
    """Performs what decisions queued. Several may run; the store gives each effect to one of them."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        publisher: Publisher,
        *,
        start_run: Starter,
        clock: Clock,
        owner: str,
        responder: Responder,
        timeout: float = TIMEOUT,
    ) -> None:
        self._store = store
        self._channels = channels
        self._publisher = publisher
        self._start_run = start_run
        self._clock = clock
        self._owner = owner
        self._responder = responder
        self._timeout = timeout
        self._pause = QUICK_POLL if store.changed_at_once else POLL
        self._in_flight: Counter[str] = Counter()
        self._together = Together(store)

    async def run_once(self) -> int:
        """Perform what is due now, one effect of each lane; how many there were."""
        claimed, _ = await asyncio.to_thread(self._look, frozenset[str]())
        await asyncio.gather(*(self._perform(queued, prepared) for queued, prepared in claimed))
        return len(claimed)

    async def run(self, stop: asyncio.Event) -> None:
        """Perform until `stop`. A database that is away is waited for; what is in flight then is finished later."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            await self._run(stop, tasks)
        finally:
            if tasks:
                await asyncio.wait(tasks, timeout=self._timeout)
            for task in tasks:
                task.cancel()

    async def _run(self, stop: asyncio.Event, tasks: set[asyncio.Task[None]]) -> None:
        seen: object = None
        due: float | None = None
        failures = 0
        while not stop.is_set():
            try:
                now = (await self._changed(), self._full())
                if now != seen or (due is not None and self._clock.now() >= due):
                    seen = now
                    claimed, due = await asyncio.to_thread(self._look, now[1])
                    for queued, prepared in claimed:
                        self._begin(queued, prepared, tasks)
                failures = 0
            except (Unavailable, StaleVersion) as fault:
                LOG.warning("the outbox cannot be read now: %s", fault)
                failures += 1
                seen = None
            await self._clock.sleep(backoff(failures, LONGEST_PAUSE, FIRST_PAUSE) if failures else self._pause)

    def _look(self, full: frozenset[str]) -> tuple[Sequence[tuple[Queued, Prepared | None]], float | None]:
        """What is due now, pages with their messages; when there is nothing, when the next may be due.

        A thread is found once for all of this. Claims are commits, so that one who claimed looks again in any case.
        """
        claimed = self._store.claim_effects(self._owner, self._clock.now(), LEASE, IN_FLIGHT, full)
        if not claimed:
            return [], self._store.next_due(full)
        return [(queued, self._prepared_page(queued.effect)) for queued in claimed], None

    def _prepared_page(self, effect: Effect) -> Prepared | None:
        """A page must not wait for a thread of its own; what goes wrong here is told when it is performed."""
        if isinstance(effect, SendPage):
            with suppress(Exception):
                return self._prepare(effect)
        return None

    def _begin(self, queued: Queued, prepared: Prepared | None, tasks: set[asyncio.Task[None]]) -> None:
        channel = channel_of(queued.effect)
        task = asyncio.create_task(self._perform(queued, prepared))

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self._in_flight[channel] -= 1

        self._in_flight[channel] += 1
        tasks.add(task)
        task.add_done_callback(ended)

    def _full(self) -> frozenset[str]:
        """The channels that have as much in flight as they may."""
        return frozenset(name for name, count in self._in_flight.items() if count >= MOST_OF_A_CHANNEL)

    async def _changed(self) -> object:
        """A page must not wait for a thread when asking takes less than finding one."""
        if self._store.changed_at_once:
            return self._store.changed()
        return await asyncio.to_thread(self._store.changed)

    async def _perform(self, queued: Queued, prepared: Prepared | None = None) -> None:
        """One effect, to its end or its next attempt. Whatever goes wrong, its lease ends and it comes again."""
        try:
            await self._attempt(queued, prepared)
        except asyncio.CancelledError:
            raise
        except (Unavailable, StaleVersion) as fault:
            # nothing was sent yet: it need not wait for its lease to end once the database is back
            LOG.warning("%s waits: %s", _named(queued), fault)
            await self._postpone(queued, 0.0, str(fault), maybe_sent=queued.maybe_sent)
        except Exception:
            LOG.exception("performing %s failed; it is tried again when its lease ends", queued.effect.key)

    async def _attempt(self, queued: Queued, prepared: Prepared | None) -> None:
        effect = queued.effect
        match effect:
            case SendPage() | UpdateCard() | UpdatePage() | Say() | Tell() | AskApproval():
                if prepared is None:
                    prepared = await asyncio.to_thread(self._prepare, effect)
                await self._show(queued, effect, prepared)
            case StartRun():
                await self._conclude(queued, await self._bounded(self._start_run(effect)))
            case Publish():
                published = self._publisher.publish(effect.topic, effect.record_key, effect.value)
                await self._conclude(queued, await self._bounded(published))
            case _:
                assert_never(effect)

    async def _show(self, queued: Queued, effect: Delivered, prepared: Prepared) -> None:
        match prepared:
            case Delivery(fold=True) if isinstance(effect, SendPage) and await self._folded(effect):
                await self._finish(queued, "folded into an earlier page")
            case Nothing():
                if isinstance(effect, SendPage) and prepared.arrived:
                    await self._report(effect, delivered=True, detail="")
                await self._finish(queued, prepared.reason)
            case Delivery():
                message = prepared.message
                message = replace(message, resent=queued.maybe_sent and message.edit is None)
                outcome = await self._deliver(effect.channel, message)
                refused = isinstance(outcome, Failed) and not outcome.unknown
                if refused and message.edit is not None and isinstance(effect, UpdateCard):
                    # the card is gone: show it anew rather than leave the room with the old state
                    outcome = await self._deliver(effect.channel, replace(message, edit=None))
                if isinstance(outcome, Done):
                    await self._arrived(effect, prepared, dict(outcome.output))
                else:
                    await self._conclude(queued, outcome)

    def _prepare(self, effect: Delivered) -> Prepared:
        with self._store.reading() as tx:
            return prepare(tx, effect, self._responder.world, self._clock.now())

    async def _folded(self, effect: SendPage) -> bool:
        """Fold the page into the unanswered one before it; False when that has been answered meanwhile."""

        def work() -> bool:
            world, now = self._responder.world, self._clock.now()
            with self._store.transaction() as tx:
                return fold(tx, effect, world, now, lambda what: self._responder.handle_in(tx, what))

        return await self._stored(work)

    async def _deliver(self, name: str, message: Message) -> Outcome:
        channel = self._channels.get(name)
        if channel is None:
            return Failed(f"channel {name} is not configured")
        return await self._bounded(channel.deliver(message))

    async def _bounded(self, work: Awaitable[Outcome]) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout):
                return await work
        except TimeoutError:
            return Failed(f"no answer within {self._timeout:g} s", unknown=True)
        except (Unavailable, StaleVersion) as fault:
            return RetryLater(FIRST_DELAY, str(fault))
        except Exception as fault:  # a plugin's fault is one effect's, never the process's
            LOG.exception("a channel, publisher or run raised")
            return Failed(f"{type(fault).__name__}: {fault}", unknown=True)

    async def _arrived(self, effect: Delivered, delivery: Delivery, output: dict[str, object]) -> None:
        """It is there: where, what that means for the incident, and that the effect is done, in one transaction."""

        def save(tx: Transaction, now: float) -> None:
            if delivery.kind:
                tx.save_message_ref(effect.incident or 0, delivery.kind, remembered(effect, delivery, output))
            if isinstance(effect, SendPage):
                arrived(tx, effect, now)

        def conclude(tx: Transaction) -> None:
            now = self._clock.now()
            if isinstance(effect, SendPage):
                self._responder.handle_in(tx, _report_of(effect, delivered=True))
            save(tx, now)
            tx.finish_effect(effect.key, self._owner, "done", now)

        try:
            await self._written(conclude)
        except Exception:  # a fault of ours must not send it again and again
            await self._written(lambda tx: save(tx, self._clock.now()))
            raise

    async def _conclude(self, queued: Queued, outcome: Outcome) -> None:
        match outcome:
            case Done():
                await self._finish(queued, "done")
            case RetryLater(delay, reason, limited):
                await self._postpone(queued, delay, reason, maybe_sent=False, limited=limited)
            case Waiting(delay, reason):
                await self._postpone(queued, delay, reason, maybe_sent=False)
            case Failed(reason, unknown) if unknown and not self._too_old(queued):
                await self._postpone(queued, 0.0, reason, maybe_sent=True)
            case Failed(reason):
                await self._refused(queued, reason)
            case _:
                assert_never(outcome)

    def _too_old(self, queued: Queued) -> bool:
        return not isinstance(queued.effect, SendPage) and self._clock.now() - queued.queued_at > GIVE_UP

    async def _finish(self, queued: Queued, outcome: str) -> None:
        now = self._clock.now()
        await self._written(lambda tx: tx.finish_effect(queued.effect.key, self._owner, outcome, now))

    async def _postpone(
        self, queued: Queued, delay: float, reason: str, *, maybe_sent: bool, limited: bool = False
    ) -> None:
        effect = queued.effect
        now = self._clock.now()
        wait = max(delay, backoff(queued.attempts, LONGEST_DELAY[isinstance(effect, SendPage)]))
        if now + wait - queued.queued_at > VISIBLE:
            until = datetime.fromtimestamp(now + wait, UTC).strftime("%H:%M:%S UTC")
            await self._tell_pending(
                queued, f"rate limited until {until}" if limited else f"{reason}; tried again {until}"
            )

        def postpone() -> None:
            self._store.postpone_effect(effect.key, self._owner, now + wait, reason, maybe_sent=maybe_sent)

        await self._stored(postpone)

    async def _refused(self, queued: Queued, reason: str) -> None:
        effect = queued.effect
        if isinstance(effect, SendPage):
            await self._report(effect, delivered=False, detail=reason)
        else:
            await self._note(queued, "undelivered", f"{_named(queued)} did not succeed: {reason}")
        LOG.warning("%s failed: %s", effect.key, reason)
        await self._finish(queued, f"failed: {reason}")

    async def _report(self, effect: SendPage, *, delivered: bool, detail: str) -> None:
        report = _report_of(effect, delivered=delivered, detail=detail)
        await self._stored(lambda: self._responder.handle(report))

    async def _tell_pending(self, queued: Queued, detail: str) -> None:
        effect = queued.effect
        if isinstance(effect, SendPage):
            report = replace(_report_of(effect, delivered=False, detail=detail), pending=True)
            await self._stored(lambda: self._responder.handle(report, once=f"pending:{effect.key}"))
        else:
            await self._note(queued, "pending", f"{_named(queued)} is pending: {detail}")

    async def _note(self, queued: Queued, kind: str, text: str) -> None:
        """A line on the incident's timeline: once for all cards of a room, or lines, or versions of a page."""
        effect = queued.effect
        incident = None if isinstance(effect, Publish) else effect.incident
        if incident is None:
            return
        now = self._clock.now()
        alike = isinstance(effect, UpdateCard | UpdatePage | Say)
        once = f"{kind}:inc-{incident}:{_named(queued)}" if alike else f"{kind}:{effect.key}"

        def note() -> None:
            with self._store.transaction() as tx:
                if tx.first_time(once, now):
                    tx.append(incident, [Entry(now, kind, "fireline", text, {"effect": effect.key})])

        await self._stored(note)

    async def _stored(self, work: Callable[[], T]) -> T:
        """Do something with the store, as often as it takes: what happened outside must not be forgotten."""
        return await self._until_done(lambda: asyncio.to_thread(work))

    async def _written(self, work: Work) -> None:
        """The same in a transaction, which it may share with others."""
        await self._until_done(lambda: self._together.do(work))

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            with suppress(Unavailable, StaleVersion):
                return await attempt()
            failures += 1
            await self._clock.sleep(backoff(failures, LONGEST_PAUSE, FIRST_PAUSE))


def _report_of(effect: SendPage, *, delivered: bool, detail: str = "") -> DeliveryReported:
    return DeliveryReported(effect.incident, effect.page, effect.channel, delivered, detail)


def _named(queued: Queued) -> str:
    """What a person calls the effect."""
    match queued.effect:
        case SendPage(page=page, channel=channel) | UpdatePage(page=page, channel=channel):
            named = f"Page {page} on {channel}"
        case UpdateCard(channel=channel, address=room):
            named = f"The card on {channel} {room}"
        case Say(channel=channel, address=room):
            named = f"A line on {channel} {room}"
        case Tell(person=person, channel=channel):
            named = f"Telling {person} on {channel}"
        case AskApproval(run=run, step=step, channel=channel):
            named = f"The question of run {run}, step {step}, on {channel}"
        case StartRun(runbook=runbook):
            named = f"Starting {runbook}"
        case Publish(topic=topic):
            named = f"Publishing on {topic}"
    return named
