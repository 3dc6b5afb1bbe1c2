"""Hand-offs: whose shift begins, and whose has ended, hears of it once, with the incidents that are open.

Each schedule has one timer, due at its next change. What it says is decided when it is heard, by comparing who is on
call with who was told last: so a change of files, an override or a time of being away is told like any hand-off.
`roster.wake` lets it be heard at once after such a change. At the very first look nobody is told, as nobody took over.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta

from fireline.domain.deciding_words import wall
from fireline.domain.deciding_world import World
from fireline.domain.effects import Tell, Timer
from fireline.domain.incidents import Incident
from fireline.domain.oncall import Schedule, Shift
from fireline.domain.paging import contacts
from fireline.domain.policies import TargetKind
from fireline.domain.rota import HORIZON, gaps, who
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction, Unavailable
from fireline.engine.roster import SHIFT, rostered, wake

LOG = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at whether files have changed."""
MOST_INCIDENTS = 20
"""Open incidents that are named; more are counted."""


class Handovers:
    """Hears the timers of schedules. Several may run: a notice has a key of its own and goes out once.

    `channels` names the channels that are configured; None: all are.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, channels: Collection[str] | None = None) -> None:
        self._store, self._settings, self._clock, self._channels = store, settings, clock, channels

    async def run(self, stop: asyncio.Event) -> None:
        """Have all schedules looked at, at the start and whenever files have changed, until `stop`."""
        seen: object = None
        while not stop.is_set():
            current = self._settings.current
            if current is not seen:
                try:
                    await asyncio.to_thread(self.wake_all)
                    seen = current
                except (Unavailable, StaleVersion) as fault:
                    LOG.warning("hand-offs cannot be looked at now: %s", fault)
            await self._clock.sleep(EVERY)

    def wake_all(self) -> None:
        """Let the hand-offs of all schedules be looked at now. Raises Unavailable."""
        with self._store.transaction() as tx:
            wake(tx, list(self._settings.current.oncall.schedules), self._clock.now())

    def review(self, timer: Timer) -> None:
        """Tell who has the schedule now and who had it, where that changed; wait for the next change."""
        now, configuration = self._clock.now(), self._settings.current
        name = timer.key.partition("/")[2]
        with self._store.transaction() as tx:
            tx.lock(timer.key)
            schedule = rostered(configuration.oncall, tx, now).schedules.get(name)
            if schedule is None:
                tx.disarm(timer.key)
                return
            shift = who(schedule, now)
            self._tell_change(tx, schedule, shift, now)
            following = _next_change(schedule, shift, now)
            if following is None:  # only a change of files or an override brings one, and those wake it
                tx.disarm(timer.key)
            else:
                tx.arm(Timer(timer.key, following, SHIFT))

    def _tell_change(self, tx: Transaction, schedule: Schedule, shift: Shift | None, now: float) -> None:
        fact = f"{SHIFT}:{schedule.id}"
        found = tx.fact(fact)
        person = None if shift is None else shift.person
        before = found[0].get("person") if found is not None else None
        if found is not None and before == person:
            return
        number = _count(found[0].get("number")) + 1 if found is not None else 0
        tx.put_fact(fact, {"person": person, "number": number}, now)
        if found is None:
            return
        world = World.of(self._settings.current, self._channels)
        told = _open(tx, schedule.id, world)
        for each, words in _notices(schedule, shift, before if isinstance(before, str) else None, world):
            known = world.person(each)
            text = words(_clock_of(known.time_zone, now)) + told
            for channel, address in contacts(known, world)[:1] if known.shift_notices else ():
                tx.enqueue(Tell(f"{SHIFT}:{schedule.id}:{number}:{each}", each, channel, address, text), now)


At = Callable[[float], str]
Words = Callable[[At], str]


def _notices(schedule: Schedule, shift: Shift | None, before: str | None, world: World) -> Iterator[tuple[str, Words]]:
    """To whom what is said: the one who begins, and the one who hands over."""
    if shift is not None:
        until, follower = shift.until, shift.next_person
        after = f"; {world.name(follower)} is next" if follower else ""
        taken = f"You take over from {world.name(before)}" if before else "Your shift begins"
        source = shift.source

        def begins(at: At) -> str:
            end = f" until {at(until.timestamp())}" if until is not None else ""
            return f"{taken}: you are on call on {schedule.id}{end} ({source}){after}"

        yield shift.person, begins
    if before is not None:
        now_has = f"{world.name(shift.person)} has it now" if shift is not None else "nobody is on call on it now"
        yield before, lambda _: f"Your shift on {schedule.id} has ended: {now_has}"


def _open(tx: Transaction, schedule: str, world: World) -> str:
    """The open incidents of the teams whose policies ask this schedule, as lines below the first."""
    teams = {team.id for team in world.catalog.teams.values() if _asks(world, team.policy, schedule)}
    found = [
        each for each in tx.incidents(open_only=True, limit=1000) if each.owner in teams and each.timeline == "live"
    ]
    if not found:
        return "\nNo incident is open."
    more = [f"and {len(found) - MOST_INCIDENTS} more"] if len(found) > MOST_INCIDENTS else []
    return "\n" + "\n".join([f"Open incidents: {len(found)}", *map(_line, found[:MOST_INCIDENTS]), *more])


def _line(incident: Incident) -> str:
    taken = f", taken by {incident.acknowledged_by}" if incident.acknowledged_by else ", taken by nobody"
    return f"{incident.id} {incident.severity} {incident.service}: {incident.title}{taken}"


def _asks(world: World, policy: str, schedule: str) -> bool:
    found = world.oncall.policies.get(policy)
    kinds = (TargetKind.SCHEDULE, TargetKind.NEXT)
    return found is not None and any(
        target.kind in kinds and target.id == schedule for level in found.levels for target in level.targets
    )


def _next_change(schedule: Schedule, shift: Shift | None, now: float) -> float | None:
    """When somebody else is on call, or somebody at all; None when that is not within the horizon."""
    if shift is not None:
        return None if shift.until is None else shift.until.timestamp()
    start = datetime.fromtimestamp(now, UTC)
    found = gaps(schedule, start, start + min(HORIZON, timedelta(days=90)))
    return found[0][1].timestamp() if found else None


def _clock_of(zone: str, now: float) -> At:
    return lambda at: wall(at, zone, now)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
