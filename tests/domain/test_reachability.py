"""Somebody is reached, by intervals: compared with what paging decides, instant by instant."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.calendars import Calendar, Hours, Span
from fireline.domain.catalog import Catalog, Person, Service, Severity, Team
from fireline.domain.deciding_world import World
from fireline.domain.events import Kind
from fireline.domain.expressions import EvaluationFault
from fireline.domain.intervals import Interval, both, minus, union
from fireline.domain.oncall import Layer, OnCall, Override, Restriction, Schedule
from fireline.domain.paging import reach
from fireline.domain.policies import Count, Policy, PolicyLevel, PolicyTarget, TargetKind, When
from fireline.domain.reachability import About, Prospect
from fireline.domain.rules import Level, Mode, NoData, Rule

DAY = 86_400.0
BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"]
START = datetime(2026, 3, 20, tzinfo=UTC)  # clocks change on 2026-03-29 in Berlin, on 2026-04-05 on Lord Howe
OUTAGE = About("outage", "shop", "web")
WORKING = Calendar("working", BERLIN, tuple(Span(day, time(9), time(17)) for day in range(5)))


def world(
    schedules: Sequence[Schedule], *policies: Policy, channels: frozenset[str] | None = None, **teams: Team
) -> World:
    people = {
        "ann": Person("ann", "Ann", {"slack": "U1", "email": "ann@x.example"}),
        "ben": Person("ben", "Ben", {"slack": "U2"}),
        "cyd": Person("cyd", "Cyd", {"email": "cyd@x.example"}),
    }
    known = {"web": Team("web", "Web", "web", ("ann", "cyd")), "none": Team("none", "None", "none"), **teams}
    severities = (Severity("outage", 0), Severity("notice", 1, pages=False))
    catalog = Catalog({"shop": Service("shop", "web", backup="none")}, known, people, severities)
    return World(catalog, OnCall({s.id: s for s in schedules}, {p.id: p for p in policies}), channels=channels)


def policy(*levels: Sequence[str], name: str = "web") -> Policy:
    return Policy(name, tuple(PolicyLevel(tuple(target(text) for text in level), 300.0) for level in levels))


def target(text: str, when: When | None = None) -> PolicyTarget:
    kind, _, name = text.partition(":")
    return PolicyTarget(TargetKind(kind), name, when)


def ahead(known: World, days: float = 30) -> Prospect:
    return Prospect(known, START.timestamp(), START.timestamp() + days * DAY)


def iso(intervals: Sequence[Interval]) -> list[tuple[str, str]]:
    return [tuple(f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M}" for at in each) for each in intervals]


def nightly(*people: str) -> Schedule:
    """From 22:00 to 03:00 by the clocks of Berlin, which jump from 02:00 to 03:00 in the night to 2026-03-29."""
    hours = (Restriction(frozenset(range(7)), time(22), time(3)),)
    return Schedule("nights", BERLIN, (Layer("nights", people, date(2026, 3, 1), time(22), restrictions=hours),))


def test_gaps_are_instants_of_the_zone_also_in_the_night_in_which_clocks_change() -> None:
    prospect = ahead(world([nightly("ann")], policy(["schedule:nights"])), days=11)
    found = iso(prospect.unreached(prospect.world.oncall.policies["web"], OUTAGE))
    assert found[:2] == [("03-20 02:00", "03-20 21:00"), ("03-21 02:00", "03-21 21:00")]
    assert found[-2:] == [("03-29 01:00", "03-29 20:00"), ("03-30 01:00", "03-30 20:00")]


def test_two_zones_that_change_their_clocks_on_different_days_leave_an_hour_open_in_between() -> None:
    def hours(name: str, zone: str, start: time, end: time) -> Schedule:
        restriction = (Restriction(frozenset(range(7)), start, end),)
        return Schedule(name, zone, (Layer(name, ("ann",), date(2026, 3, 1), start, restrictions=restriction),))

    europe = hours("europe", BERLIN, time(8), time(20))
    america = hours("america", "America/New_York", time(14), time(2))
    known = world([europe, america], policy(["schedule:europe"], ["schedule:america"]))
    found = iso(ahead(known, days=20).unreached(known.oncall.policies["web"], OUTAGE))
    assert found == [(f"03-{day} 06:00", f"03-{day} 07:00") for day in range(20, 29)]


def test_a_shift_of_somebody_without_a_configured_contact_is_as_good_as_a_gap() -> None:
    weekly = Schedule("weekly", "UTC", (Layer("weekly", ("ann", "ben"), date(2026, 3, 2), time(9)),))
    known = world([weekly], policy(["schedule:weekly"]), channels=frozenset({"email"}))
    found = iso(ahead(known).unreached(known.oncall.policies["web"], OUTAGE))
    assert found == [("03-23 09:00", "03-30 09:00"), ("04-06 09:00", "04-13 09:00")]


def test_an_override_that_ends_opens_the_gap_again() -> None:
    override = Override("ben", START, START + timedelta(hours=5, seconds=7))
    known = world([Schedule("s", "UTC", (), (override,))], policy(["schedule:s"]))
    (gap,) = ahead(known).unreached(known.oncall.policies["web"], OUTAGE)
    assert gap == (START.timestamp() + 5 * 3600 + 7, START.timestamp() + 30 * DAY)


def test_a_further_level_and_the_backup_team_fill_what_the_first_leaves_open() -> None:
    first = policy(["schedule:nights"])
    later = policy(["schedule:nights"], ["team:web"])
    assert ahead(world([nightly("ann")], later)).unreached(later, OUTAGE) == []
    backup = policy(["person:ben"], name="none")
    both_ = world([nightly("ann")], first, backup)
    assert ahead(both_).unreached_by(("web", None), OUTAGE) != []
    assert ahead(both_).unreached_by(("web", "none"), OUTAGE) == []


@pytest.mark.parametrize(
    "levels", [[["team:none"]], [["schedule:nowhere"]], [["next:nowhere"]], [["channel:slack:C1"]], []]
)
def test_what_names_nobody_reaches_nobody(levels: list[list[str]]) -> None:
    empty = policy(*levels)
    assert ahead(world([], empty)).unreached(empty, OUTAGE) == [(START.timestamp(), START.timestamp() + 30 * DAY)]


class Severe:
    """`severity == 'outage'`."""

    source = "severity == 'outage'"
    variables = frozenset({"severity"})

    def holds(self, values) -> bool:
        return values["severity"] == "outage"


class Broken(Severe):
    def holds(self, values) -> bool:
        raise EvaluationFault("no")


@pytest.mark.parametrize(
    ("when", "outage", "notice"),
    [
        (When(condition=Severe()), True, False),
        (When(condition=Broken()), True, True),
        (When(count=Count(1, 60.0)), True, True),
        (When(count=Count(2, 60.0)), False, False),
    ],
)
def test_a_conditional_level_counts_where_it_is_sure_to_be_asked(when: When, outage: bool, notice: bool) -> None:
    known = Policy("web", (PolicyLevel((target("person:ann"),), 300.0, when),))
    prospect = ahead(world([], known))
    assert (prospect.unreached(known, OUTAGE) == []) is outage
    assert (prospect.unreached(known, About("notice", "shop", "web")) == []) is notice


def test_a_target_with_hours_reaches_in_them_alone() -> None:
    known = Policy("web", (PolicyLevel((target("person:ann", When(hours=Hours(WORKING))),), 300.0),))
    found = iso(ahead(world([], known), days=4).unreached(known, OUTAGE))
    assert found == [("03-20 00:00", "03-20 08:00"), ("03-20 16:00", "03-23 08:00"), ("03-23 16:00", "03-24 00:00")]


def rule(*levels: Level, mode: Mode = Mode.ACTIVE, no_data: NoData | None = None) -> Rule:
    return Rule(
        "slow",
        Kind.METRIC,
        (),
        ("service",),
        60.0,
        10.0,
        (),
        levels,
        service=None,
        summary=None,
        mode=mode,
        no_data=no_data,
    )


def test_a_rule_fires_in_the_hours_of_what_pages_of_it() -> None:
    prospect = ahead(world([]), days=2)
    working = Level("outage", Severe(), hours=Hours(WORKING))
    assert {severity: iso(found) for severity, found in prospect.firing(rule(working)).items()} == {
        "outage": [("03-20 08:00", "03-20 16:00")]
    }
    assert prospect.firing(rule(working, no_data=NoData(60.0, "outage")))["outage"] == prospect.whole
    assert prospect.firing(rule(Level("notice", Severe()))) == {}
    assert prospect.firing(rule(Level("outage", Severe()), mode=Mode.SHADOW)) == {}


def test_who_is_alone_with_one_channel_is_named_with_the_first_time() -> None:
    weekly = Schedule("weekly", "UTC", (Layer("weekly", ("ann", "ben"), date(2026, 3, 2), time(9)),))
    alone = world([weekly], policy(["schedule:weekly"]))
    prospect = ahead(alone)
    person, stretch = prospect.alone(("web", None), OUTAGE, prospect.whole)
    assert (person, iso([stretch])) == ("ben", [("03-23 09:00", "03-30 09:00")])
    covered = world([weekly], policy(["schedule:weekly"], ["person:cyd"]))
    assert ahead(covered).alone(("web", None), OUTAGE, prospect.whole) is None
    assert prospect.alone(("web", None), OUTAGE, [(START.timestamp(), START.timestamp() + 3 * DAY)]) is None


def test_next_on_a_schedule_is_whoever_paging_asks_then() -> None:
    weekly = Schedule("weekly", "UTC", (Layer("weekly", ("ann", "ben"), date(2026, 3, 2), time(9)),))
    known = world([weekly], policy(["next:weekly"]), channels=frozenset({"email"}))
    found = ahead(known).unreached(known.oncall.policies["web"], OUTAGE)
    assert iso(found) == [
        ("03-20 00:00", "03-23 09:00"),
        ("03-30 09:00", "04-06 09:00"),
        ("04-13 09:00", "04-19 00:00"),
    ]
    for start, end in found:
        for instant, missed in ((start - 1, int(start == START.timestamp())), (start, 1), (end - 1, 1)):
            assert len(reach(known.oncall.policies["web"].levels[0], known, instant).missed) == missed


# ---- everything beside what paging decides at an instant

CLOCK = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
RESTRICTION = st.builds(Restriction, st.frozensets(st.integers(0, 6), min_size=1), CLOCK, CLOCK)
PEOPLE = st.lists(st.sampled_from(["ann", "ben", "cyd"]), min_size=1, max_size=3).map(tuple)
LAYER = st.builds(
    Layer,
    st.just("layer"),
    PEOPLE,
    st.dates(date(2026, 3, 15), date(2026, 3, 30)),
    CLOCK,
    st.integers(1, 5),
    restrictions=st.lists(RESTRICTION, max_size=2).map(tuple),
)
OVERRIDE = st.builds(
    lambda person, at, length: Override(person, START + timedelta(minutes=at), START + timedelta(minutes=at + length)),
    st.sampled_from(["ann", "ben", "cyd"]),
    st.integers(-600, 20_000),
    st.integers(1, 9_000),
)
SCHEDULES = st.tuples(
    *(
        st.builds(
            Schedule,
            st.just(name),
            st.sampled_from(ZONES),
            st.lists(LAYER, max_size=2).map(tuple),
            st.lists(OVERRIDE, max_size=2).map(tuple),
        )
        for name in ("one", "two")
    )
)
TARGET = st.sampled_from(["schedule:one", "schedule:two", "person:cyd", "team:none"]).map(target)
LEVEL = st.builds(PolicyLevel, st.lists(TARGET, min_size=1, max_size=2).map(tuple), st.just(300.0))
POLICY = st.builds(Policy, st.just("web"), st.lists(LEVEL, max_size=2).map(tuple))
CHANNELS = st.sampled_from([None, frozenset({"slack"}), frozenset({"email"}), frozenset({"sms"})])


@settings(max_examples=40, deadline=None)
@given(SCHEDULES, POLICY, CHANNELS)
def test_it_says_what_paging_decides_at_every_instant(schedules, asked, channels) -> None:
    known = world(schedules, asked, channels=channels)
    prospect = ahead(known, days=12)
    found = prospect.unreached(asked, OUTAGE)
    grid = [prospect.start + step * 10_800.0 for step in range(int(12 * DAY / 10_800.0))]
    edges = [edge + shift for each in found for edge in each for shift in (-1.0, 0.0, 1.0)]
    for instant in (at for at in [*grid, *edges] if prospect.start <= at < prospect.end):
        nobody = not any(reach(level, known, instant).found for level in asked.levels)
        assert nobody == any(start <= instant < end for start, end in found), datetime.fromtimestamp(instant, UTC)


POINTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


@given(POINTS, POINTS)
def test_intervals_are_sets_of_instants(some, others) -> None:
    one, other = union(some), union(others)

    def within(intervals: Sequence[Interval]) -> set[int]:
        return {at for start, end in intervals for at in range(int(start), int(end))}

    assert within(one) == within(some)
    assert within(both(one, other)) == within(one) & within(other)
    assert within(minus(one, other)) == within(one) - within(other)
    for found in (one, both(one, other), minus(one, other)):
        assert all(start < end for start, end in found)
        assert all(before[1] <= after[0] for before, after in pairwise(found))
