"""Schedules of every kind against a reference that knows nothing but clocks: slow, plain and written apart."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.oncall import NOBODY, Layer, OnHolidays, Override, Restriction, Schedule, Stint, Unit
from fireline.domain.rota import gaps, shifts, who
from fireline.domain.rota_layers import hand_off
from tests.examples import examples

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CHANGES = (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25))
"""Days around which clocks of these zones are set forward or back."""


@lru_cache(maxsize=100_000)
def clock(wall: datetime, zone: str) -> datetime:
    """The first instant of the day at which the clock shows `wall` or more, found by looking at the clock."""
    tz = ZoneInfo(zone)
    at = wall.replace(tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(tz).replace(tzinfo=None) < wall:
        at += timedelta(minutes=30)
    while (at - MINUTE).astimezone(tz).replace(tzinfo=None) >= wall:
        at -= MINUTE
    return at


def begins(layer: Layer, turn: int) -> datetime:
    """The wall time at which a turn begins, counted on from the turn before."""
    day = layer.starts
    if layer.unit is Unit.MONTH:
        wanted = layer.hand_off or layer.starts.day
        while day.day != min(wanted, monthrange(day.year, day.month)[1]):
            day += DAY
        for _ in range(turn * layer.every):
            day = day.replace(day=1) + 31 * DAY
            day = day.replace(day=min(wanted, monthrange(day.year, day.month)[1]))
        return datetime.combine(day, layer.at)
    while layer.unit is Unit.WEEK and layer.hand_off is not None and day.weekday() != layer.hand_off:
        day += DAY
    if layer.turn_days:
        left = turn * layer.every
        while left or day.weekday() not in layer.turn_days:
            left -= left > 0 and day.weekday() in layer.turn_days
            day += DAY
        return datetime.combine(day, layer.at)
    hours = {Unit.HOUR: 1, Unit.DAY: 24, Unit.WEEK: 7 * 24}[layer.unit]
    return datetime.combine(day, layer.at) + timedelta(hours=hours * layer.every * turn)


def covers(restriction: Restriction, at: datetime, zone: str) -> bool:
    for back in range(-1, 9):
        day = at.date() - back * DAY
        if day.weekday() in restriction.days:
            last = day
            if restriction.end_day is not None:
                while last.weekday() != restriction.end_day or (last == day and restriction.end <= restriction.start):
                    last += DAY
            elif restriction.end <= restriction.start:
                last += DAY
            start, end = datetime.combine(day, restriction.start), datetime.combine(last, restriction.end)
            if clock(start, zone) <= at < clock(end, zone):
                return True
    return False


def turn_of(layer: Layer, at: datetime, zone: str) -> str | None:
    if clock(begins(layer, 0), zone) > at:
        return None
    turn = 0
    while clock(begins(layer, turn + 1), zone) <= at:
        turn += 1
    person = layer.people[turn % len(layer.people)]
    return None if person == NOBODY else person


def on(layer: Layer, schedule: Schedule, at: datetime) -> str | None:
    holiday = at.astimezone(ZoneInfo(schedule.time_zone)).date() in schedule.holidays
    if (layer.begins and at < layer.begins) or (layer.ends and at >= layer.ends):
        return None
    if {OnHolidays.ONLY: not holiday, OnHolidays.NEVER: holiday}.get(layer.on_holidays, False):
        return None
    if layer.restrictions and not any(covers(each, at, schedule.time_zone) for each in layer.restrictions):
        return None
    if layer.stints:
        return next((s.person for s in reversed(layer.stints) if s.start <= at < s.end), None)
    return turn_of(layer, at, schedule.time_zone)


def reference(schedule: Schedule, at: datetime) -> str | None:
    for override in reversed(schedule.overrides):
        if override.start <= at < override.end:
            return override.person
    return next((person for layer in schedule.layers if (person := on(layer, schedule, at))), None)


walls = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
people = st.lists(st.sampled_from(["ann", "bob", "cyd", "dan", NOBODY]), min_size=1, max_size=4, unique=True).map(tuple)
several_days = st.builds(
    Restriction, st.integers(0, 6).map(lambda d: frozenset({d})), walls, walls, end_day=st.integers(0, 6)
)
restrictions = st.builds(Restriction, st.frozensets(st.integers(0, 6), min_size=1), walls, walls) | several_days


@st.composite
def instants(draw: st.DrawFn, change: date) -> datetime:
    start = datetime.combine(change, time(), UTC) - DAY
    return start + timedelta(minutes=draw(st.integers(0, 5 * 24 * 60)))


@st.composite
def layers(draw: st.DrawFn, change: date) -> Layer:
    unit = draw(st.sampled_from(Unit))
    back = {Unit.HOUR: 3, Unit.DAY: 20, Unit.WEEK: 60, Unit.MONTH: 200}[unit]
    days = {Unit.WEEK: st.none() | st.integers(0, 6), Unit.MONTH: st.none() | st.integers(1, 31)}
    begin, end = draw(st.none() | instants(change)), draw(st.none() | instants(change))
    stints = draw(st.lists(stint(change), max_size=3)) if draw(st.integers(0, 5)) == 0 else []
    return Layer(
        name="l",
        people=draw(people),
        starts=change - draw(st.integers(0, back)) * DAY,
        at=draw(walls),
        every=draw(st.integers(1, 3 if unit is not Unit.HOUR else 30)),
        unit=unit,
        hand_off=draw(days.get(unit, st.none())),
        restrictions=tuple(draw(st.lists(restrictions, max_size=2))),
        begins=begin,
        ends=end,
        on_holidays=draw(st.sampled_from(OnHolidays)),
        stints=tuple(stints),
        turn_days=draw(st.frozensets(st.integers(0, 6))) if unit is Unit.DAY else frozenset(),
    )


@st.composite
def stint(draw: st.DrawFn, change: date) -> Stint:
    start = draw(instants(change))
    return Stint(draw(st.sampled_from(["ann", "eve"])), start, start + timedelta(hours=draw(st.integers(1, 40))))


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    change = draw(st.sampled_from(CHANGES))
    overrides = [Override("ina", s.start, s.end) for s in draw(st.lists(stint(change), max_size=2))]
    holidays = draw(st.frozensets(st.integers(-1, 4).map(lambda n: change + n * DAY), max_size=2))
    made = tuple(draw(st.lists(layers(change), min_size=1, max_size=3)))
    schedule = Schedule("s", draw(st.sampled_from(ZONES)), made, tuple(overrides), holidays)
    return schedule, datetime.combine(change, time(), UTC) - DAY


@given(schedules(), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_at_every_instant_exactly_the_one_whom_the_reference_names(
    given_: tuple[Schedule, datetime], data: st.DataObject
) -> None:
    schedule, start = given_
    for minute in data.draw(st.lists(st.integers(0, 5 * 24 * 60), min_size=4, max_size=4)):
        at = start + timedelta(minutes=minute)
        shift = who(schedule, at)
        assert (shift.person if shift else None) == reference(schedule, at)


@given(schedules())
@settings(max_examples=examples(80), deadline=None)
def test_shifts_partition_time_and_change_exactly_where_the_reference_does(
    given_: tuple[Schedule, datetime],
) -> None:
    schedule, start = given_
    end = start + 4 * DAY
    found = list(shifts(schedule, start, end))
    assert [found[0].start, found[-1].end] == [start, end]
    assert [s.end for s in found[:-1]] == [s.start for s in found[1:]]
    assert all(s.start < s.end for s in found)
    for stretch in found:
        middle = stretch.start + (stretch.end - stretch.start) / 2
        for at in (stretch.start, middle, stretch.end - timedelta(seconds=1)):
            assert reference(schedule, at) == stretch.person
    missing = [(s.start, s.end) for s in found if s.person is None]
    assert gaps(schedule, start, end) == missing


@given(st.sampled_from(ZONES), st.sampled_from(CHANGES), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_turns_are_equal_and_go_round(zone: str, change: date, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from([Unit.HOUR, Unit.DAY, Unit.WEEK]))
    every = data.draw(st.sampled_from([1, 2, 3, 12]))
    layer = Layer("l", ("ann", "bob", "cyd"), change - 3 * DAY, data.draw(walls), every, unit=unit)
    hours = every * {Unit.HOUR: 1, Unit.DAY: 24, Unit.WEEK: 168}[unit]
    begin = [hand_off(layer, turn, zone) for turn in range(13)]
    for turn in range(12):
        length = begin[turn + 1] - begin[turn]
        assert abs(length - timedelta(hours=hours)) <= timedelta(hours=1), "as long as any, but for the clocks' change"
        wall = begin[turn].astimezone(ZoneInfo(zone))
        given_ = datetime.combine(layer.starts, layer.at) + timedelta(hours=hours * turn)
        assert wall.replace(tzinfo=None) == given_ or wall.replace(tzinfo=None) - given_ <= timedelta(hours=1)
        if length:
            shift = who(Schedule("s", zone, (layer,)), begin[turn])
            assert shift is not None
            assert shift.person == layer.people[turn % 3]


# examples of each decision


def berlin(*args: int) -> datetime:
    return datetime(*args, tzinfo=ZoneInfo(BERLIN))


def one(**options: object) -> Schedule:
    given_: dict[str, object] = {"name": "l", "people": ("ann", "bob"), "starts": date(2026, 3, 1), "at": time(9)}
    return Schedule("s", BERLIN, (Layer(**{**given_, **options}),))  # type: ignore[arg-type]  # options by name


def begun(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[str, str | None]]:
    zone = ZoneInfo(schedule.time_zone)
    return [(f"{s.start.astimezone(zone):%a %d %H:%M}", s.person) for s in shifts(schedule, start, end)]


def test_turns_of_hours_hand_off_at_their_wall_time_also_where_clocks_change() -> None:
    schedule = one(every=12, unit=Unit.HOUR)
    found = begun(schedule, berlin(2026, 3, 28, 9), berlin(2026, 3, 30, 9))
    assert found == [("Sat 28 09:00", "ann"), ("Sat 28 21:00", "bob"), ("Sun 29 09:00", "ann"), ("Sun 29 21:00", "bob")]
    night = next(s for s in shifts(schedule, berlin(2026, 3, 28, 21), berlin(2026, 3, 30)) if s.person == "bob")
    assert night.end - night.start == timedelta(hours=11)


def test_a_turn_that_a_clock_change_skips_whole_has_no_time_and_one_that_comes_twice_is_longer() -> None:
    hourly = one(people=("ann", "bob", "cyd"), starts=date(2026, 3, 29), at=time(0), every=1, unit=Unit.HOUR)
    found = begun(hourly, berlin(2026, 3, 29), berlin(2026, 3, 29, 5))
    assert found == [("Sun 29 00:00", "ann"), ("Sun 29 01:00", "bob"), ("Sun 29 03:00", "ann"), ("Sun 29 04:00", "bob")]
    autumn = one(people=("ann", "bob", "cyd"), starts=date(2026, 10, 25), at=time(0), every=1, unit=Unit.HOUR)
    twice = who(autumn, berlin(2026, 10, 25, 2, 30))
    assert twice is not None
    assert (twice.person, twice.until) == ("cyd", berlin(2026, 10, 25, 3))
    again = who(autumn, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert again == twice, "02:30 comes twice, and its turn with it"


@pytest.mark.parametrize(
    ("day", "wanted"),
    [(31, ["Sat 31 09:00", "Sat 28 09:00", "Tue 31 09:00"]), (1, ["Sun 01 09:00", "Sun 01 09:00"])],
)
def test_a_monthly_hand_off_on_a_day_that_a_month_lacks_is_on_its_last(day: int, wanted: list[str]) -> None:
    monthly = one(starts=date(2026, 1, 31), every=1, unit=Unit.MONTH, hand_off=day)
    found = begun(monthly, berlin(2026, 1, 31, 9), berlin(2026, 4, 1))
    assert [at for at, person in found if person] == wanted


def test_a_weekly_hand_off_is_on_its_day_whatever_day_the_layer_starts() -> None:
    weekly = one(starts=date(2026, 3, 4), every=2, unit=Unit.WEEK, hand_off=0)
    assert begun(weekly, berlin(2026, 3, 4), berlin(2026, 3, 30)) == [
        ("Wed 04 00:00", None),
        ("Mon 09 09:00", "ann"),
        ("Mon 23 09:00", "bob"),
    ]


def test_turns_of_days_may_count_working_days_alone() -> None:
    office = Restriction(frozenset(range(5)), time(9), time(17))
    working = {"unit": Unit.DAY, "turn_days": frozenset(range(5)), "restrictions": (office,)}
    daily = one(people=("ann", "bob", "cyd"), starts=date(2026, 3, 7), every=1, **working)
    found = [entry for entry in begun(daily, berlin(2026, 3, 6), berlin(2026, 3, 18)) if entry[1]]
    assert [person for _, person in found] == ["ann", "bob", "cyd", "ann", "bob", "cyd", "ann"]
    assert [at for at, _ in found][:1] == ["Mon 09 09:00"], "the first day that counts, from the start on"
    assert [at for at, _ in found][5:] == ["Mon 16 09:00", "Tue 17 09:00"]
    pairs = one(starts=date(2026, 3, 9), every=2, **working)
    assert [p for _, p in begun(pairs, berlin(2026, 3, 9), berlin(2026, 3, 18)) if p] == [
        *("ann", "ann", "bob", "bob"),
        *("ann", "ann", "bob"),
    ]


def test_days_that_do_not_count_belong_to_the_turn_before() -> None:
    daily = one(starts=date(2026, 3, 9), every=1, unit=Unit.DAY, turn_days=frozenset({0, 4}))
    assert begun(daily, berlin(2026, 3, 9, 9), berlin(2026, 3, 17)) == [
        ("Mon 09 09:00", "ann"),
        ("Fri 13 09:00", "bob"),
        ("Mon 16 09:00", "ann"),
    ]


def test_a_turn_of_nobody_leaves_the_time_to_later_layers() -> None:
    every_other = Layer("weeks", ("ann", NOBODY), date(2026, 3, 2), time(9), 1, unit=Unit.WEEK)
    schedule = Schedule("s", BERLIN, (every_other, Layer("rest", ("bob",), date(2026, 3, 2), time(9))))
    assert begun(schedule, berlin(2026, 3, 2, 9), berlin(2026, 3, 24)) == [
        ("Mon 02 09:00", "ann"),
        ("Mon 09 09:00", "bob"),
        ("Mon 16 09:00", "ann"),
        ("Mon 23 09:00", "bob"),
    ]
    assert gaps(Schedule("s", BERLIN, (every_other,)), berlin(2026, 3, 2, 9), berlin(2026, 3, 24)) == [
        (berlin(2026, 3, 9, 9), berlin(2026, 3, 16, 9)),
        (berlin(2026, 3, 23, 9), berlin(2026, 3, 24)),
    ]


def test_on_a_holiday_another_layer_applies_from_midnight_to_midnight() -> None:
    week = Layer("week", ("ann",), date(2026, 1, 1), time(9), on_holidays=OnHolidays.NEVER)
    feast = Layer("feast", ("bob",), date(2026, 1, 1), time(9), on_holidays=OnHolidays.ONLY)
    schedule = Schedule("s", BERLIN, (week, feast), holidays=frozenset({date(2026, 12, 25)}))
    assert begun(schedule, berlin(2026, 12, 24), berlin(2026, 12, 27)) == [
        ("Thu 24 00:00", "ann"),
        ("Fri 25 00:00", "bob"),
        ("Sat 26 00:00", "ann"),
    ]
    shift = who(schedule, berlin(2026, 3, 1))
    assert shift is not None
    assert (shift.until, shift.next_person) == (berlin(2026, 12, 25), "bob"), "also when it is far ahead"


def test_a_temporary_layer_counts_from_and_until() -> None:
    summer = Layer("summer", ("cyd",), date(2026, 1, 1), time(9), begins=berlin(2026, 8, 1), ends=berlin(2026, 8, 15))
    schedule = Schedule("s", BERLIN, (summer, Layer("week", ("ann",), date(2026, 1, 1), time(9))))
    assert begun(schedule, berlin(2026, 7, 31), berlin(2026, 8, 16)) == [
        ("Fri 31 00:00", "ann"),
        ("Sat 01 00:00", "cyd"),
        ("Sat 15 00:00", "ann"),
    ]


def test_hours_may_run_over_several_days() -> None:
    weekend = one(people=("ann",), restrictions=(Restriction(frozenset({4}), time(17), time(8), end_day=0),))
    assert begun(weekend, berlin(2026, 3, 6), berlin(2026, 3, 10)) == [
        ("Fri 06 00:00", None),
        ("Fri 06 17:00", "ann"),
        ("Mon 09 08:00", None),
    ]


def test_single_shifts_take_the_place_of_turns() -> None:
    first = Stint("ann", berlin(2026, 3, 2, 9), berlin(2026, 3, 3, 9))
    second = Stint("bob", berlin(2026, 3, 4, 9), berlin(2026, 3, 5, 9))
    roster = Schedule("s", BERLIN, (Layer("roster", (), date(2026, 1, 1), time(9), stints=(first, second)),))
    assert begun(roster, berlin(2026, 3, 2, 9), berlin(2026, 3, 5, 9)) == [
        ("Mon 02 09:00", "ann"),
        ("Tue 03 09:00", None),
        ("Wed 04 09:00", "bob"),
    ]
