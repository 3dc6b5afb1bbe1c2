from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fireline.domain.oncall import Layer, Override, Restriction, Schedule
from fireline.domain.rota import gaps, instant_of, who
from tests.examples import examples

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "UTC"]
WEEKLY = Layer("weekly", ("ann", "bob", "cyd"), date(2026, 3, 2), time(9), 7)


def berlin(*args: int) -> datetime:
    return datetime(*args, tzinfo=ZoneInfo(BERLIN))


def weekly(**kwargs) -> Schedule:
    return Schedule("primary", BERLIN, (WEEKLY,), **kwargs)


def test_people_take_turns_and_hand_off_at_wall_time() -> None:
    shift = who(weekly(), berlin(2026, 3, 3, 12))
    assert shift is not None
    assert (shift.person, shift.source, shift.next_person) == ("ann", "layer weekly", "bob")
    assert shift.until == berlin(2026, 3, 9, 9)
    assert who(weekly(), berlin(2026, 3, 9, 8, 59)).person == "ann"
    assert who(weekly(), berlin(2026, 3, 9, 9)).person == "bob"


def test_a_float_is_seconds_since_the_epoch() -> None:
    assert who(weekly(), berlin(2026, 3, 9, 9).timestamp()).person == "bob"


def test_before_the_first_hand_off_nobody_is_on_call() -> None:
    assert who(weekly(), berlin(2026, 3, 2, 8, 59)) is None
    assert who(weekly(), berlin(2026, 3, 2, 9)).person == "ann"


@pytest.mark.parametrize(("change", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_of_a_clock_change_is_longer_or_shorter_and_the_wall_time_stays(change: date, hours: int) -> None:
    daily = Schedule("d", BERLIN, (Layer("daily", ("ann", "bob"), change - timedelta(days=1), time(9), 1),))
    start = berlin(change.year, change.month, change.day, 9) - timedelta(days=1)
    shift = who(daily, start)
    assert shift.until == berlin(change.year, change.month, change.day, 9)
    assert shift.until.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)


def test_a_skipped_wall_time_is_the_first_instant_after_the_gap() -> None:
    assert instant_of(date(2026, 3, 29), time(2, 30), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant_of(date(2011, 12, 30), time(12), "Pacific/Apia") == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_a_wall_time_that_comes_twice_is_the_first() -> None:
    assert instant_of(date(2026, 10, 25), time(2, 30), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_overrides_win_and_the_last_written_wins_among_them() -> None:
    day = Override("dan", berlin(2026, 3, 4), berlin(2026, 3, 5), "swap")
    noon = Override("eve", berlin(2026, 3, 4, 12), berlin(2026, 3, 4, 13))
    schedule = weekly(overrides=(day, noon))
    morning, at_noon = who(schedule, berlin(2026, 3, 4, 11)), who(schedule, berlin(2026, 3, 4, 12, 30))
    assert (morning.person, morning.source, morning.until) == ("dan", "override: swap", berlin(2026, 3, 4, 12))
    assert (at_noon.person, at_noon.source, at_noon.next_person) == ("eve", "override", "dan")


def test_an_override_that_begins_later_ends_the_shift() -> None:
    schedule = weekly(overrides=(Override("dan", berlin(2026, 3, 4), berlin(2026, 3, 5)),))
    shift = who(schedule, berlin(2026, 3, 3))
    assert (shift.until, shift.next_person) == (berlin(2026, 3, 4), "dan")


def test_later_layers_cover_what_restrictions_leave_open() -> None:
    office = Restriction(frozenset(range(5)), time(9), time(17))
    day = Layer("day", ("ann",), date(2026, 3, 2), time(0), 7, (office,))
    night = Layer("night", ("bob",), date(2026, 3, 2), time(0))
    schedule = Schedule("s", BERLIN, (day, night))
    assert who(schedule, berlin(2026, 3, 3, 10)).source == "layer day"
    at_night = who(schedule, berlin(2026, 3, 3, 17))
    assert (at_night.person, at_night.until, at_night.next_person) == ("bob", berlin(2026, 3, 4, 9), "ann")
    assert who(schedule, berlin(2026, 3, 6, 18)).until == berlin(2026, 3, 9, 9)


def test_a_restriction_may_run_over_midnight() -> None:
    nights = Layer("n", ("ann",), date(2026, 3, 2), time(0), 7, (Restriction(frozenset({4}), time(22), time(6)),))
    schedule = Schedule("s", BERLIN, (nights,))
    assert who(schedule, berlin(2026, 3, 7, 5)).person == "ann"
    assert who(schedule, berlin(2026, 3, 7, 6)) is None
    assert who(schedule, berlin(2026, 3, 6, 21)) is None


def test_one_person_alone_is_on_call_without_end() -> None:
    shift = who(Schedule("s", "UTC", (Layer("l", ("ann",), date(2026, 1, 1), time(0)),)), berlin(2026, 3, 1))
    assert (shift.until, shift.next_person) == (None, None)


def test_gaps_are_the_hours_nobody_covers() -> None:
    office = Restriction(frozenset(range(5)), time(9), time(17))
    schedule = Schedule("s", BERLIN, (Layer("day", ("a", "b"), date(2026, 3, 2), time(9), 7, (office,)),))
    found = gaps(schedule, berlin(2026, 3, 3), berlin(2026, 3, 4, 12))
    assert found == [
        (berlin(2026, 3, 3), berlin(2026, 3, 3, 9)),
        (berlin(2026, 3, 3, 17), berlin(2026, 3, 4, 9)),
    ]


def test_a_schedule_without_people_is_one_gap() -> None:
    empty = Schedule("s", "UTC", (Layer("l", (), date(2026, 1, 1), time(0)),))
    assert gaps(empty, 0.0, 100.0) == [(datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(100, UTC))]
    assert who(empty, 0.0) is None


def test_an_unknown_zone_counts_as_utc() -> None:
    schedule = Schedule("s", "Mars/Olympus", (Layer("l", ("ann",), date(2026, 1, 1), time(0)),))
    assert who(schedule, datetime(2026, 1, 2, tzinfo=UTC)).person == "ann"


# properties

people = st.lists(st.sampled_from(["ann", "bob", "cyd"]), min_size=1, max_size=4, unique=True).map(tuple)
walls = st.times(min_value=time(0), max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
days = st.dates(date(2011, 12, 1), date(2026, 12, 31))
restrictions = st.builds(
    Restriction, st.frozensets(st.integers(0, 6), min_size=1), st.sampled_from([time(1, 30), time(9)]), walls
)
layers = st.builds(
    Layer,
    st.just("l"),
    people,
    days,
    walls,
    st.sampled_from([1, 2, 7, 14]),
    st.lists(restrictions, max_size=2).map(tuple),
)
schedules = st.builds(Schedule, st.just("s"), st.sampled_from(ZONES), st.lists(layers, max_size=2).map(tuple))
# around the clock changes of these zones in 2026, and Samoa's missing day
instants = st.builds(
    lambda day, minute: datetime.combine(day, time(0), tzinfo=UTC) + timedelta(minutes=minute),
    st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 8), date(2026, 4, 4), date(2011, 12, 29)]),
    st.integers(0, 3 * 24 * 60),
)


@given(schedules, instants)
@settings(max_examples=examples(150), deadline=None)
def test_until_is_exact(schedule: Schedule, at: datetime) -> None:
    shift = who(schedule, at)
    if shift is None or shift.until is None:
        return
    just_before = (
        who(schedule, shift.until - timedelta(seconds=1)) if shift.until - at > timedelta(seconds=1) else shift
    )
    after = who(schedule, shift.until)
    assert just_before.person == shift.person
    assert (after.person if after else None) == shift.next_person != shift.person
    halfway = who(schedule, at + (shift.until - at) / 2)
    assert (halfway.person, halfway.until) == (shift.person, shift.until)


@given(schedules, instants)
@settings(max_examples=examples(60), deadline=None)
def test_gaps_and_who_agree(schedule: Schedule, at: datetime) -> None:
    found = gaps(schedule, at, at + timedelta(days=3))
    for minute in range(0, 3 * 24 * 60, 47):
        instant = at + timedelta(minutes=minute)
        assert (who(schedule, instant) is None) == any(start <= instant < end for start, end in found)


@given(st.sampled_from(ZONES), days, walls, walls)
@settings(max_examples=examples(300), deadline=None)
def test_a_later_wall_time_is_never_an_earlier_instant(zone: str, day: date, one: time, other: time) -> None:
    early, late = sorted((one, other))
    assert instant_of(day, early, zone) <= instant_of(day, late, zone)
    assert instant_of(day, late, zone) <= instant_of(day + timedelta(days=1), early, zone)


@given(st.sampled_from(ZONES), instants, walls)
@settings(max_examples=examples(100), deadline=None)
def test_a_rotation_without_restrictions_has_no_gap_across_clock_changes(zone: str, at: datetime, wall: time) -> None:
    schedule = Schedule("s", zone, (Layer("l", ("ann", "bob"), date(2011, 1, 3), wall, 1),))
    assert gaps(schedule, at, at + timedelta(days=4)) == []
    assert who(schedule, at).until is not None


CHANGING = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
rotations = st.builds(
    Layer, st.just("l"), people, st.dates(date(2025, 11, 1), date(2026, 3, 1)), walls, st.sampled_from([1, 2, 7])
)


def plain(day: date, wall: time, zone: str) -> datetime:
    """An independent reading of a wall time: the first instant of the day at which the clock shows it or more.

    These zones set their clocks on the half hour, so that in between a clock only runs.
    """
    step, wanted = timedelta(minutes=30), datetime.combine(day, wall)
    at = datetime.combine(day, time(0), tzinfo=UTC) - timedelta(hours=16)
    while (shown := at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) <= wanted - step:
        at += step
    return at + max(wanted - shown, timedelta(0))


@given(st.sampled_from(CHANGING), rotations, instants)
@example(
    "Europe/Berlin",
    Layer("l", ("ann", "bob"), date(2025, 11, 1), time(2, 31), 1),  # comes twice in the night of 25 October
    datetime(2026, 10, 24, 0, 31, tzinfo=UTC),
)
@settings(max_examples=examples(120), deadline=None)
def test_without_restrictions_exactly_the_one_whose_turn_it_is_is_on_call(
    zone: str, layer: Layer, at: datetime
) -> None:
    passed, day = 0, layer.starts
    while plain(day + timedelta(days=layer.every), layer.at, zone) <= at:
        day, passed = day + timedelta(days=layer.every), passed + 1
    shift = who(Schedule("s", zone, (layer,)), at)
    if plain(layer.starts, layer.at, zone) > at:
        assert shift is None
        return
    assert shift is not None
    assert shift.person == layer.people[passed % len(layer.people)]
    if len(layer.people) == 1:
        assert (shift.until, shift.next_person) == (None, None)
        return
    assert shift.until == plain(day + timedelta(days=layer.every), layer.at, zone)
    assert shift.next_person == layer.people[(passed + 1) % len(layer.people)]


@given(st.sampled_from(CHANGING), rotations, instants)
@settings(max_examples=examples(60), deadline=None)
def test_one_shift_follows_the_other_without_a_gap_and_hands_off_at_the_wall_time(
    zone: str, layer: Layer, at: datetime
) -> None:
    schedule = Schedule("s", zone, (layer,))
    shift = who(schedule, at)
    for _ in range(3):
        if shift is None or shift.until is None:
            return
        local = shift.until.astimezone(ZoneInfo(zone))
        skipped = instant_of(local.date(), layer.at, zone).astimezone(ZoneInfo(zone)).time() != layer.at
        assert skipped or (local.hour, local.minute) == (layer.at.hour, layer.at.minute)
        after = who(schedule, shift.until)
        assert after is not None
        assert after.person == shift.next_person
        assert who(schedule, shift.until - timedelta(microseconds=1)).person == shift.person
        assert after.until is not None
        assert after.until > shift.until
        shift = after


@given(schedules, instants)
@settings(max_examples=examples(60), deadline=None)
def test_who_is_next_is_nobody_just_where_a_gap_begins(schedule: Schedule, at: datetime) -> None:
    shift = who(schedule, at)
    end = at + timedelta(days=9)
    begins = {start for start, _ in gaps(schedule, at, end)}
    if shift is not None and shift.until is not None and shift.until < end:
        assert (shift.next_person is None) == (shift.until in begins)
    if shift is None and begins:
        assert min(begins) == at


def test_looking_far_ahead_is_quick_also_where_nobody_ever_takes_over() -> None:
    office = Restriction(frozenset(range(5)), time(9), time(17))
    day = Layer("day", ("ann",), date(2026, 1, 5), time(9), 7, (office,))
    schedule = Schedule("s", BERLIN, (day, Layer("night", ("ann",), date(2026, 1, 5), time(9))))
    instant_of.cache_clear()
    assert who(schedule, berlin(2026, 3, 3, 3)).until is None
    assert instant_of.cache_info().misses < 5000, "each wall time is worked out once"
