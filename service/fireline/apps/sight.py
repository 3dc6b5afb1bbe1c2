"""Whether Fireline still sees, looked at by the responder, who has the channels and needs no database to use them.

One page a responder process: without the database several cannot agree on who speaks.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from fireline.apps.settings import Settings
from fireline.apps.web_health import STREAM_FACT
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.sight import Patience, Report, Seeing, Sight, TellBlind, TellSeeing, look, report_of, unseen
from fireline.engine import sight as words
from fireline.engine.outward import Channel, Message
from fireline.engine.ports import Clock, StaleVersion, Store, Unavailable
from fireline.engine.respond import Responder

log = logging.getLogger("fireline.sight")

LOOK = 2.0
"""Seconds between two looks."""
ANSWER_WITHIN = 12.0
"""Seconds the database has: a little longer than one waits for its locks."""
DELIVER_WITHIN = 10.0
BEAT = "heartbeat:sight"
AWAY = "the database does not answer"


@dataclass(slots=True)
class LastResort:
    """What is said straight to people, and said again until it arrived. It needs channels and nothing else."""

    channels: Mapping[str, Channel]
    world: Callable[[], World]
    clock: Clock
    patience: Patience
    sight: Sight = field(default_factory=Seeing)
    _told: set[tuple[str, str]] = field(default_factory=set)
    _waiting: list[words.Parcel] = field(default_factory=list)

    async def look(self, why: str) -> None:
        """One more look: `why` the database is not seen, empty when it is."""
        now = self.clock.now()
        self.sight, tell = look(self.sight, why, now, self.patience)
        match tell:
            case TellBlind():
                log.critical("Fireline is blind: %s", tell.why)
                self._waiting = words.blind(tell, self.world(), now)
                self._told |= {(channel, message.address) for channel, message in self._waiting}
            case TellSeeing():
                log.warning("Fireline sees again after %.0f s", tell.until - tell.since)
                self._waiting = words.seeing(tell, self._told)
                self._told = set()
            case None:
                pass
        await self._deliver()

    async def _deliver(self) -> None:
        parcels, self._waiting = self._waiting, []
        outcomes = await asyncio.gather(*(self._send(*parcel) for parcel in parcels))
        for (channel, message), outcome in zip(parcels, outcomes, strict=True):
            if isinstance(outcome, Done):
                continue
            log.warning("not said to %s on %s: %s", message.address, channel, outcome.reason)
            unsure = isinstance(outcome, Failed) and outcome.unknown
            if unsure or not isinstance(outcome, Failed):
                self._waiting.append((channel, replace(message, resent=message.resent or unsure)))

    async def _send(self, name: str, message: Message) -> Outcome:
        channel = self.channels.get(name)
        if channel is None:
            return Failed(f"channel {name} is not configured")
        try:
            async with asyncio.timeout(DELIVER_WITHIN):
                return await channel.deliver(message)
        except TimeoutError:
            return Failed(f"no answer within {DELIVER_WITHIN:g} s", unknown=True)
        except Exception as fault:  # a channel's fault must not silence the others
            log.exception("channel %s raised", name)
            return Failed(repr(fault), unknown=True)


def last_resort(
    settings: Settings, channels: Mapping[str, Channel], world: Callable[[], World], clock: Clock
) -> LastResort:
    """As the settings say."""
    return LastResort(channels, world, clock, Patience(settings.blind_after, settings.blind_again))


async def until_it_answers(ask: Callable[[], object], resort: LastResort, clock: Clock) -> None:
    """Ask in a thread again and again until it raises `Unavailable` no more; who is to know of it is told."""
    while True:
        try:
            await asyncio.to_thread(ask)
        except (Unavailable, StaleVersion) as fault:
            await resort.look(f"{AWAY} ({fault})")
            await clock.sleep(LOOK)
        else:
            await resort.look("")
            return


class Lookout:
    """Looks at the database and, through it, at the stream workers. `since` is when it began to look."""

    def __init__(self, store: Store, responder: Responder, clock: Clock, resort: LastResort, owner: str) -> None:
        self._store, self._responder, self._clock, self._resort = store, responder, clock, resort
        self._owner = owner
        self._since = self._answered = clock.now()
        self._away_since: float | None = None
        self._excused = self._reported = 0.0
        # a thread of its own: those that all share may all wait for a database that hangs
        self._threads = ThreadPoolExecutor(1, "sight")
        self._asked: asyncio.Future[tuple[Report, Incident | None]] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            await self.look()
            await self._clock.sleep(LOOK)

    def close(self) -> None:
        """Let go of the thread; one that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """One look at everything, and what follows from it."""
        try:
            report, incident = await self._ask()
        except (Unavailable, StaleVersion, TimeoutError) as fault:
            if self._away_since is None:
                self._away_since = self._answered
            await self._resort.look(f"{AWAY} ({str(fault) or 'it hangs'})")
            return
        await self._resort.look("")
        self._excuse(report)
        await self._judge(report, incident)

    def _excuse(self, report: Report) -> None:
        """While the database is away nobody can report: that time counts against no worker."""
        if report.at != self._reported:
            self._reported, self._excused = report.at, 0.0
        now = self._clock.now()
        if self._away_since is not None:
            self._excused += now - max(self._away_since, report.at)
        self._answered, self._away_since = now, None

    async def _ask(self) -> tuple[Report, Incident | None]:
        """What the database knows; a question that hangs is not asked again before it is answered."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().run_in_executor(self._threads, self._read)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                found = await asyncio.shield(self._asked)
        except TimeoutError:
            if self._asked.done():
                self._asked = None
            raise
        except BaseException:
            self._asked = None
            raise
        self._asked = None
        return found

    def _read(self) -> tuple[Report, Incident | None]:
        """Write a little first: a database that can only be read is not there for us."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            tx.put_fact(BEAT, {"owner": self._owner}, now)
        with self._store.reading() as tx:
            fact, incident = tx.fact(STREAM_FACT), tx.latest_incident(words.SERVICE, "", "live")
        return (Report(0.0) if fact is None else report_of(*fact)), incident

    async def _judge(self, report: Report, incident: Incident | None) -> None:
        now = self._clock.now()
        world, first = self._responder.world, self._resort.patience.first
        found = unseen(report if report.at >= self._since else Report(self._since), now, first, self._excused)
        told = words.is_told(incident)
        if found is not None and not told:
            signal = words.firing(*found, world, now)
        elif found is None and told and (clear := words.cleared(incident, now)) is not None:
            signal = clear
        else:
            return
        log.warning("%s", signal.summary)
        await asyncio.to_thread(self._responder.handle, SignalArrived(signal))
