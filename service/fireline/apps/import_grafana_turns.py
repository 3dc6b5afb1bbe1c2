"""Rotations of Grafana OnCall as layers: whose turn it is, and in which hours of it somebody is on call. Pure.

There a shift recurs as events of a calendar do: one of `duration` every `interval` units, or one on each of the days
`by_day`. Users take turns by these intervals; by days of the week the turns of `daily` count only those days, and those
of `weekly` and `monthly` change with the calendar's week and month. What lies between events is nobody's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from fireline.apps.import_draft import DAYS, Shape, hours, minutes, started, with_restrictions
from fireline.domain.oncall import NOBODY

ROLLING = "rolling_users"
_BY_DAY = dict(zip(("MO", "TU", "WE", "TH", "FR", "SA", "SU"), range(7), strict=True))
_SIZES = {"hourly": 3600, "daily": 86_400, "weekly": 604_800}
_UNITS = {"hourly": "h", "daily": "d", "weekly": "w"}
_DAY = 86_400
_MONTH = 28 * _DAY


class Shift(Shape):
    """An on-call shift: single, recurrent, or rolling between users."""

    id: str
    name: str = ""
    type: str
    time_zone: str | None = None
    level: int | None = 0
    start: str
    rotation_start: str | None = None
    until: str | None = None
    duration: int
    frequency: str | None = None
    interval: int | None = None
    week_start: str | None = None
    by_day: list[str] | None = None
    by_month: list[int] | None = None
    by_monthday: list[int] | None = None
    users: list[str] = Field(default_factory=list)
    rolling_users: list[list[str]] | None = None
    start_rotation_from_user_index: int | None = None

    @property
    def lasts(self) -> int:
        """The length of an event in seconds, whole minutes."""
        return minutes(self.duration)

    @property
    def every(self) -> int:
        """How many units there are from one event to the next."""
        return max(1, self.interval or 1)


def rotation(shift: Shift, people: Sequence[str], begins: datetime) -> tuple[dict[str, object], datetime]:
    """The layer but for its name, and when its first event begins; raises ValueError for what no layer can say.

    `begins` is the start of the shift in the schedule's zone.
    """
    if shift.by_month or shift.by_monthday:
        raise ValueError("days of the month and months are not taken over")
    if shift.by_day:
        return _by_days(shift, people, begins)
    if shift.frequency == "monthly" and shift.lasts >= _MONTH * shift.every:
        every = "monthly" if shift.every == 1 else f"{shift.every} months"
        return started({"people": list(people), "every": every, "hand_off": begins.day}, begins), begins
    if shift.frequency not in _SIZES:
        raise ValueError(f"a {shift.frequency or 'shift without a'} frequency is not taken over")
    return _by_length(shift, people, begins), begins


def _by_length(shift: Shift, people: Sequence[str], begins: datetime) -> dict[str, object]:
    """Events of one length, as long as their intervals or shorter."""
    frequency = shift.frequency or ""
    size, unit = _SIZES[frequency], _UNITS[frequency]
    if shift.lasts >= size * shift.every:
        return started({"people": list(people), "every": f"{shift.every}{unit}"}, begins)
    if shift.lasts % size and (shift.lasts > size or frequency == "hourly"):
        raise ValueError("an event that fills part of its hours or days is not taken over")
    taken = max(1, shift.lasts // size)
    layer = started({"people": _spread(people, taken, shift.every), "every": f"1{unit}"}, begins)
    if shift.lasts >= size:
        return layer
    days = list(DAYS) if frequency == "daily" else [DAYS[begins.weekday()]]
    return with_restrictions(layer, [hours(days, begins.time(), shift.lasts)])


def _by_days(shift: Shift, people: Sequence[str], begins: datetime) -> tuple[dict[str, object], datetime]:
    """Events on days of the week."""
    days = _in_order(shift)
    first = begins
    if begins.weekday() not in days and shift.type == ROLLING:
        first += timedelta(days=(days[0] - begins.weekday()) % 7)
    turns = _TURNS.get(shift.frequency or "")
    if turns is None:
        raise ValueError(f"a {shift.frequency or 'shift without a'} frequency by days is not taken over")
    layer, starts = turns(shift, people, days, first)
    named = [DAYS[day] for day in sorted(days)]
    return with_restrictions(started(layer, starts), [hours(named, first.time(), shift.lasts)]), first


def _daily(
    shift: Shift, people: Sequence[str], days: Sequence[int], first: datetime
) -> tuple[dict[str, object], datetime]:
    if shift.type != ROLLING:
        return {"people": _spread(people, 1, shift.every), "every": "1d"}, first
    if shift.every % 7 == 0 and len(days) < len(DAYS):
        raise ValueError(f"turns of {shift.every} days by days of the week are not taken over")
    counted = {"turn_days": [DAYS[day] for day in sorted(days)]} if len(days) < len(DAYS) else {}
    return {"people": list(people), "every": f"{shift.every}d", **counted}, first


def _weekly(
    shift: Shift, people: Sequence[str], days: Sequence[int], first: datetime
) -> tuple[dict[str, object], datetime]:
    back = (first.weekday() - days[0]) % 7
    return {"people": _spread(people, 1, shift.every), "every": "1w"}, first - timedelta(days=back)


def _monthly(
    shift: Shift, people: Sequence[str], _days: Sequence[int], first: datetime
) -> tuple[dict[str, object], datetime]:
    if shift.lasts > _DAY:
        raise ValueError("events of more than a day by the month are not taken over")
    return {"people": _spread(people, 1, shift.every), "every": "monthly", "hand_off": 1}, first.replace(day=1)


_TURNS = {"daily": _daily, "weekly": _weekly, "monthly": _monthly}


def _in_order(shift: Shift) -> list[int]:
    """The days of the week, from the one on which weeks begin; Sunday where the export does not say."""
    unknown = [each for each in shift.by_day or () if each not in _BY_DAY]
    if unknown:
        raise ValueError(f"the days {', '.join(unknown)} are not taken over")
    begin = _BY_DAY.get(shift.week_start or "SU", 6)
    return sorted({_BY_DAY[each] for each in shift.by_day or ()}, key=lambda day: (day - begin) % 7)


def _spread(people: Sequence[str], taken: int, of: int) -> list[str]:
    """So many turns for each of the people, and nobody's for the rest."""
    return [each for person in people for each in [person] * taken + [NOBODY] * (of - taken)]


def bounds(first: datetime, layer: Mapping[str, object], rotation_start: datetime | None) -> datetime | None:
    """From when on the layer counts; None where it does so from its first hand-off on."""
    since = first if rotation_start is None else max(first, rotation_start)
    begin = (first.date().isoformat(), f"{first:%H:%M}")
    return None if since == first and begin == (layer["starts"], layer["at"]) else since
