"""Overrides and swaps at run time: judged, kept, and told to everybody whom they concern, in one transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fireline.domain.audit_acts import By, of_change
from fireline.domain.deciding_words import wall
from fireline.domain.deciding_world import World
from fireline.domain.effects import Tell, Timer
from fireline.domain.oncall import OnCall
from fireline.domain.paging import contacts
from fireline.domain.roster import Change, Refused, Wish, displaced, judged, swapped, with_changes
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction

SHIFT = "shift"
"""The kind of the timers of hand-offs; their key ends in the schedule's name."""
ATTEMPTS = 8
"""How often it is tried anew when somebody else changed the same meanwhile."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it: whether it was done, the reason either way, the overrides it made or changed, and who heard."""

    done: bool
    reason: str
    changes: tuple[Change, ...] = ()
    told: tuple[str, ...] = ()


class Roster:
    """Answers people who take shifts, swap them or take that back. Safe to call from many processes at once.

    `channels` names the channels that are configured; None: all are. Every method raises `Unavailable`.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, channels: Collection[str] | None = None) -> None:
        self._store, self._settings, self._clock, self._channels = store, settings, clock, channels

    def oncall(self, since: float | None = None) -> OnCall:
        """The schedules with all overrides that count beyond `since` (default: now)."""
        with self._store.reading() as tx:
            return rostered(self._settings.current.oncall, tx, self._clock.now() if since is None else since)

    def changes(self, since: float) -> Sequence[Change]:
        """The overrides that count beyond `since`, in the order in which they were made."""
        with self._store.reading() as tx:
            return tx.roster_changes(since)

    def override(self, wish: Wish) -> Told:
        """Put a person on call for a time."""
        return self._in_turn(lambda tx, now: self._override(tx, wish, now))

    def swap(
        self, schedule: str, people: tuple[str, str], at: tuple[float, float | None], why: tuple[str, str]
    ) -> Told:
        """Let two people trade a shift each; `at` as `roster.swapped` takes it, `why` is reason and author."""
        return self._in_turn(lambda tx, now: self._swap(tx, schedule, people, at, why=why, now=now))

    def withdraw(self, number: int, author: str) -> Told:
        """Take back an override, and with it the other half of a swap; what has passed stays as it was."""
        return self._in_turn(lambda tx, now: self._withdraw(tx, number, author, now))

    def _in_turn(self, act: Callable[[Transaction, float], Told]) -> Told:
        for attempt in range(ATTEMPTS):
            try:
                with self._store.transaction() as tx:
                    return act(tx, self._clock.now())
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def _override(self, tx: Transaction, wish: Wish, now: float) -> Told:
        current = self._settings.current
        known = rostered(current.oncall, tx, now)
        found = judged(wish, known, current.catalog.people, now)
        if isinstance(found, Refused):
            return Told(False, found.reason)
        others = displaced(known.schedules[found.schedule], found.start, found.end, found.person)
        change = _made(tx, found, now)
        _keep(tx, None, change, By(change.author, "by hand", now, change.reason))
        told = self._tell(tx, change, (found.person, *others), _words(change))
        return Told(True, _words(change)(_utc), (change,), told)

    def _swap(
        self,
        tx: Transaction,
        schedule: str,
        people: tuple[str, str],
        at: tuple[float, float | None],
        *,
        why: tuple[str, str],
        now: float,
    ) -> Told:
        current = self._settings.current
        known = rostered(current.oncall, tx, now)
        wishes = [Wish(schedule, person, at[0], at[0] + 1.0, *why) for person in people]
        faults = [f for wish in wishes if isinstance(f := judged(wish, known, current.catalog.people, 0.0), Refused)]
        found = faults[0] if faults else swapped(known.schedules[schedule], *people, at, now)
        if isinstance(found, Refused):
            return Told(False, found.reason)
        halves = [(people[1], found.given), (people[0], found.taken)]
        made = [
            _made(tx, Wish(schedule, person, s.start.timestamp(), s.end.timestamp(), *why), now) for person, s in halves
        ]
        first, second = replace(made[0], partner=made[1].number), replace(made[1], partner=made[0].number)
        told: tuple[str, ...] = ()
        for change in (first, second):
            _keep(tx, None, change, By(change.author, "by hand", now, change.reason))
            told += self._tell(tx, change, people, _words(change))
        return Told(
            True, "; ".join(_words(c)(_utc) for c in (first, second)), (first, second), tuple(dict.fromkeys(told))
        )

    def _withdraw(self, tx: Transaction, number: int, author: str, now: float) -> Told:
        found = tx.roster_change(number)
        if found is None:
            return Told(False, f"there is no override {number}; `fireline oncall overrides` lists them")
        if found.withdrawn_at is not None:
            return Told(False, f"override {number} was taken back by {found.withdrawn_by} before")
        if found.end <= now:
            return Told(False, f"override {number} has ended: who was on call then cannot be changed")
        partner = None if found.partner is None else tx.roster_change(found.partner)
        taken: list[Change] = []
        told: tuple[str, ...] = ()
        for change in (found, partner):
            if change is not None and change.withdrawn_at is None and change.end > now:
                told += self._taken_back(tx, change, author, now)
                taken.append(change)
        numbers = " and ".join(str(change.number) for change in taken)
        return Told(True, f"override {numbers} taken back", tuple(taken), tuple(dict.fromkeys(told)))

    def _taken_back(self, tx: Transaction, change: Change, author: str, now: float) -> tuple[str, ...]:
        after = replace(change, withdrawn_at=now, withdrawn_by=author, version=change.version + 1)
        _keep(tx, change, after, By(author, "by hand", now, "taken back"))
        known = rostered(self._settings.current.oncall, tx, now)
        schedule = known.schedules.get(change.schedule)
        back = () if schedule is None else displaced(schedule, max(now, change.start), change.end, change.person)

        def words(at: "At") -> str:
            return (
                f"Taken back by {author}: {change.person} on {change.schedule} "
                f"from {at(change.start)} until {at(change.end)}; it is as if it had not been made"
            )

        return self._tell(tx, after, (change.person, *back), words)

    def _tell(self, tx: Transaction, change: Change, people: Sequence[str], words: "Words") -> tuple[str, ...]:
        """Queue a message to each person on their first channel, in their own time zone; who has one."""
        current, now = self._settings.current, self._clock.now()
        world = World.of(current, self._channels)
        told = []
        for person in dict.fromkeys(people):
            known = world.person(person)
            for channel, address in contacts(known, world)[:1]:
                key = f"override:{change.number}:{change.version}:{person}"
                tx.enqueue(Tell(key, person, channel, address, words(_clock_of(known.time_zone, now))), now)
                told.append(person)
        return tuple(told)


At = Callable[[float], str]
Words = Callable[[At], str]


def rostered(oncall: OnCall, tx: Transaction, since: float) -> OnCall:
    """The schedules of files with the overrides of the database that count beyond `since`."""
    return with_changes(oncall, tx.roster_changes(since))


def _keep(tx: Transaction, before: Change | None, after: Change, by: By) -> None:
    tx.save_roster_change(after)
    wake(tx, [after.schedule], by.at)
    kind = "override.made" if before is None else "override.withdrawn"
    tx.record(of_change(kind, f"override:{after.number}", (before, after), by))


def wake(tx: Transaction, schedules: Collection[str], now: float) -> None:
    """Let the hand-offs of these schedules be looked at now: who is on call may have changed."""
    for name in schedules:
        tx.arm(Timer(f"{SHIFT}/{name}", now, SHIFT))


def _made(tx: Transaction, wish: Wish, now: float) -> Change:
    number = tx.next_number("override")
    return Change(number, wish.schedule, wish.person, wish.start, wish.end, wish.reason, wish.author, now)


def _words(change: Change) -> Words:
    def words(at: At) -> str:
        return (
            f"{change.person} is on call on {change.schedule} from {at(change.start)} until {at(change.end)}: "
            f"override {change.number} by {change.author}, {change.reason}"
        )

    return words


def _clock_of(zone: str, now: float) -> At:
    return lambda at: wall(at, zone, now)


def _utc(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M} UTC"
