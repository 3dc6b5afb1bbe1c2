"""Wall times as instants, exactly, also where clocks change. Two wall times need a rule, and this is it:

- one that a clock change skips (02:30 on a spring night) means the first instant after the gap;
- one that comes twice (02:30 on an autumn night) means the first of the two.

The rule keeps order (a later wall time is never an earlier instant), so that two layers that share an edge leave no gap
and never overlap there.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=8192)  # looking far ahead asks for the same few wall times again and again, while a page waits
def instant_of(day: date, wall: time, zone: str) -> datetime:
    """The instant (UTC) at which the clocks of `zone` show `wall` on `day`, by the rule of this module."""
    tz = zone_of(zone)
    local = datetime.combine(day, wall.replace(tzinfo=None, fold=0), tzinfo=tz)
    found = local.astimezone(UTC)
    if found.astimezone(tz).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    return _end_of_gap(local, tz)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name."""
    # `spec` refuses unknown zones; should one get here all the same, a page at a shifted hour beats no page
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def utc(instant: datetime | float) -> datetime:
    """An aware datetime, or seconds since the epoch, as a datetime in UTC."""
    if isinstance(instant, datetime):
        return instant.astimezone(UTC)
    return datetime.fromtimestamp(instant, UTC)


def _end_of_gap(local: datetime, tz: ZoneInfo) -> datetime:
    """The instant at which the gap around the nonexistent `local` ends: bisected, transitions fall on whole seconds."""
    before = local.replace(fold=1).astimezone(UTC)  # read with the offset after the gap: lies before the change
    after = local.replace(fold=0).astimezone(UTC)
    offset = after.astimezone(tz).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(tz).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return (before + high * _SECOND).replace(microsecond=0)
