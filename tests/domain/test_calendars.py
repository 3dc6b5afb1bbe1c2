"""Calendars: open or not, exactly, also where clocks change; and when that changes next."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.calendars import HORIZON, Calendar, Hours, Span, in_force, next_change, open_at, wall

BERLIN = "Europe/Berlin"
OFFICE = Calendar(
    "office",
    BERLIN,
    tuple(Span(day, time(9), time(17, 30)) for day in range(5)),
    frozenset({date(2026, 12, 25), date(2026, 5, 1)}),
)


def at(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("instant", "opened"),
    [
        ("2026-11-20T08:59:59", False),
        ("2026-11-20T09:00:00", True),
        ("2026-11-20T17:29:59", True),
        ("2026-11-20T17:30:00", False),
        ("2026-11-21T12:00:00", False),
        ("2026-12-25T12:00:00", False),
        ("2026-03-30T09:00:00", True),
        ("2026-03-30T08:59:00", False),
    ],
)
def test_office_hours(instant: str, opened: bool) -> None:
    assert open_at(OFFICE, at(instant)) is opened
    assert in_force(Hours(OFFICE, inside=False), at(instant)) is not opened


@pytest.mark.parametrize(
    ("instant", "change"),
    [
        ("2026-11-20T08:00:00", "2026-11-20T09:00:00"),
        ("2026-11-20T09:00:00", "2026-11-20T17:30:00"),
        ("2026-11-20T17:30:00", "2026-11-23T09:00:00"),
        ("2026-03-27T18:00:00", "2026-03-30T09:00:00"),  # over the night that has 23 hours
        ("2026-10-23T18:00:00", "2026-10-26T09:00:00"),  # and the one that has 25
        ("2026-04-30T18:00:00", "2026-05-04T09:00:00"),  # over a holiday and a weekend
    ],
)
def test_the_next_change(instant: str, change: str) -> None:
    assert next_change(OFFICE, at(instant)) == at(change)
    assert wall(OFFICE, at(change)) in {"Mon 09:00", "Fri 09:00", "Fri 17:30"}


def test_hours_that_touch_do_not_close_in_between() -> None:
    calendar = Calendar("c", "UTC", (Span(0, time(9), time(12)), Span(0, time(12), time(15))))
    assert next_change(calendar, at("2026-11-23T10:00:00", "UTC")) == at("2026-11-23T15:00:00", "UTC")


def test_hours_over_midnight_begin_with_their_day_and_not_on_holidays() -> None:
    night = Calendar("night", "UTC", (Span(4, time(22), time(6)),), frozenset({date(2026, 11, 27)}))
    assert open_at(night, at("2026-11-21T05:59:59", "UTC"))
    assert not open_at(night, at("2026-11-21T06:00:00", "UTC"))
    assert not open_at(night, at("2026-11-28T02:00:00", "UTC"))


def test_a_clock_change_within_the_hours() -> None:
    early = Calendar("early", BERLIN, (Span(6, time(2, 30), time(3, 30)),))
    # 02:30 does not exist on 2026-03-29: it opens when the gap ends, at 03:00 summer time
    assert not open_at(early, at("2026-03-29T01:59:59"))
    assert open_at(early, at("2026-03-29T03:00:00"))
    # 02:30 comes twice on 2026-10-25: it opens at the first, and is open for two hours
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    assert not open_at(early, first - 1)
    assert open_at(early, first)
    assert next_change(early, first) == first + 2 * 3600


def test_what_never_changes_is_looked_at_again_after_the_horizon() -> None:
    always = Calendar("always", "UTC", tuple(Span(day, time(0), time(0)) for day in range(7)))
    assert open_at(always, 0.0)
    assert next_change(always, 0.0) == HORIZON * 86_400.0


SPANS = st.builds(Span, st.integers(0, 6), st.times(), st.times()).map(
    lambda s: Span(s.day, s.start.replace(second=0, microsecond=0), s.end.replace(second=0, microsecond=0))
)


@settings(max_examples=40, deadline=None)
@given(
    spans=st.lists(SPANS, min_size=1, max_size=4),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),
    holidays=st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=3),
)
def test_the_next_change_is_the_first_and_the_only_one(
    spans: list[Span], zone: str, start: datetime, holidays: set[date]
) -> None:
    calendar = Calendar("c", zone, tuple(spans), frozenset(holidays))
    now = start.replace(second=0, microsecond=0, tzinfo=UTC).timestamp()
    change = next_change(calendar, now)
    before = open_at(calendar, now)
    last = min(change, now + 3 * timedelta(days=1).total_seconds())
    assert all(open_at(calendar, minute) is before for minute in map(float, range(int(now), int(last), 300)))
    assert open_at(calendar, change - 1.0) is before
    if change != now + HORIZON * 86_400.0:
        assert open_at(calendar, change) is not before
