"""Overrides and swaps that people make at run time: what they are, what may be asked, and what comes of it. Pure.

They win over what files say, and among them the last one made wins. A swap is two overrides that know each other.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fireline.domain.oncall import OnCall, Override, Schedule
from fireline.domain.rota import Stretch, shifts

LONGEST = 366 * 86_400.0
"""Seconds an override may last: longer than that it belongs in a file."""
LOOK = timedelta(days=180)
"""How far ahead the shift of a swap is looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """Override `number`: `person` is on call on `schedule` from `start` until `end` (seconds since the epoch).

    `author` made it at `made_at`; `partner` is the number of the other half of a swap. One that was taken back has
    `withdrawn_at` and `withdrawn_by`; it then says nothing about times from there on.
    """

    number: int
    schedule: str
    person: str
    start: float
    end: float
    reason: str
    author: str
    made_at: float
    partner: int | None = None
    withdrawn_at: float | None = None
    withdrawn_by: str | None = None
    version: int = 1

    @property
    def until(self) -> float:
        """When it ends, or ended by being taken back."""
        return self.end if self.withdrawn_at is None else max(self.start, min(self.end, self.withdrawn_at))


@dataclass(frozen=True, slots=True)
class Wish:
    """An override that somebody asks for."""

    schedule: str
    person: str
    start: float
    end: float
    reason: str
    author: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it cannot be done, with what was expected."""

    reason: str


def with_changes(oncall: OnCall, changes: Iterable[Change]) -> OnCall:
    """The schedules as they are with these overrides, given in the order in which they were made."""
    by_schedule: dict[str, list[Override]] = {}
    for change in changes:
        if change.until > change.start:
            by_schedule.setdefault(change.schedule, []).append(_override(change))
    if not by_schedule:
        return oncall
    changed = {
        name: replace(oncall.schedules[name], overrides=(*oncall.schedules[name].overrides, *made))
        for name, made in by_schedule.items()
        if name in oncall.schedules
    }
    return replace(oncall, schedules={**oncall.schedules, **changed})


def _override(change: Change) -> Override:
    start, end = (datetime.fromtimestamp(at, UTC) for at in (change.start, change.until))
    return Override(change.person, start, end, change.reason, change.number, change.author)


def judged(wish: Wish, oncall: OnCall, people: Mapping[str, object], now: float) -> Wish | Refused:
    """The wish as it can be fulfilled: what lies in the past stays as it was; or why it cannot."""
    fault = _fault(wish, oncall, people, now)
    return Refused(fault) if fault else replace(wish, start=max(wish.start, now), reason=wish.reason.strip())


def _fault(wish: Wish, oncall: OnCall, people: Mapping[str, object], now: float) -> str:
    if wish.schedule not in oncall.schedules:
        return f"there is no schedule {wish.schedule!r}; there are {_named(oncall.schedules)}"
    if wish.person not in people:
        return f"there is no person {wish.person!r} in the catalog; there are {_named(people)}"
    if not wish.reason.strip():
        return "an override needs a reason, for those who read later why it was them"
    return _fault_of_time(wish, now)


def _fault_of_time(wish: Wish, now: float) -> str:
    if wish.end <= wish.start:
        return f"it ends at {_at(wish.end)}, which is not after its start at {_at(wish.start)}"
    if wish.end <= now:
        return f"it ends at {_at(wish.end)}, which has passed: who was on call then cannot be changed"
    if wish.end - max(wish.start, now) > LONGEST:
        return "it lasts longer than a year; write a layer or an override in oncall.yaml"
    return ""


def displaced(schedule: Schedule, start: float, end: float, person: str) -> tuple[str, ...]:
    """Who else would have been on call between the two instants, each once, in order."""
    found = (stretch.person for stretch in shifts(schedule, start, end))
    return tuple(dict.fromkeys(each for each in found if each is not None and each != person))


@dataclass(frozen=True, slots=True)
class Swap:
    """Two shifts of one schedule that change hands: `given` is the first person's, `taken` the second's."""

    given: Stretch
    taken: Stretch


def swapped(schedule: Schedule, one: str, other: str, at: tuple[float, float | None], now: float) -> Swap | Refused:
    """The shift of `one` at (or next after) the first instant, and that of `other` at or next after the second.

    Without a second instant it is the next shift of `other` after the given one. A shift under way is swapped from now
    on. A person's shift is one unbroken stretch, whatever layers it is made of.
    """
    if one == other:
        return Refused("a swap is between two people")
    given = _shift_of(schedule, one, at[0], now)
    if given is None:
        return Refused(_none(schedule, one, at[0]))
    second = at[1] if at[1] is not None else given.end.timestamp()
    taken = _shift_of(schedule, other, second, now)
    if taken is None:
        return Refused(_none(schedule, other, second))
    return Swap(given, taken)


def _none(schedule: Schedule, person: str, at: float) -> str:
    return f"{person} has no shift on {schedule.id} at {_at(at)} or in the {LOOK.days} days after it"


def _shift_of(schedule: Schedule, person: str, at: float, now: float) -> Stretch | None:
    begin = datetime.fromtimestamp(max(now, at - LOOK.total_seconds()), UTC)
    wanted = datetime.fromtimestamp(max(now, at), UTC)
    return next((s for s in unbroken(schedule, begin, wanted + LOOK) if s.person == person and s.end > wanted), None)


def unbroken(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[Stretch]:
    """The shifts between two instants, where one person's next to each other are one, with the first one's source."""
    held: Stretch | None = None
    for stretch in shifts(schedule, begin, end):
        if held is not None and held.person == stretch.person:
            held = replace(held, end=stretch.end)
            continue
        if held is not None:
            yield held
        held = stretch
    if held is not None:
        yield held


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:50]) or "none"


def _at(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M} UTC"
