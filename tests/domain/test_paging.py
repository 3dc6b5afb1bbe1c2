"""Whom a level reaches, and why the others of it are not reached."""

from dataclasses import replace
from datetime import date, datetime, time

import pytest

from fireline.domain.oncall import Layer, OnCall, PolicyLevel, Restriction, Schedule
from fireline.domain.paging import contacts, next_on, policy_of, positions, reach
from tests.domain.deciding_world import NOW, PEOPLE, policy, target, world


def level(*targets: tuple[str, str]) -> PolicyLevel:
    return PolicyLevel(tuple(target(*each) for each in targets), 300.0)


def people(found) -> list[str]:
    return [candidate.person for candidate in found.found]


def test_contacts_come_in_the_persons_order_on_configured_channels_alone() -> None:
    ann = replace(PEOPLE["ann"], contacts={"email": "a@x", "pager": "1", "slack": "U1", "sms": ""})
    assert contacts(ann, world()) == [("email", "a@x"), ("slack", "U1")]
    assert contacts(ann, world(channels=None)) == [("email", "a@x"), ("pager", "1"), ("slack", "U1")]
    assert contacts(ann, world(channels=frozenset())) == []


def test_a_schedule_is_whoever_has_it_now_and_says_until_when_and_who_is_next() -> None:
    (candidate,) = reach(level(("schedule", "primary")), world(), NOW).found
    assert (candidate.person, candidate.schedule, candidate.source) == ("ann", "primary", "layer weekly")
    assert (candidate.until - NOW, candidate.next_person) == (6 * 86_400 + 6 * 3600, "bob")


def test_a_team_is_everybody_in_it_and_nobody_is_named_twice() -> None:
    found = reach(level(("person", "bob"), ("team", "payments-ml"), ("schedule", "primary")), world(), NOW)
    assert people(found) == ["bob", "ann"]
    assert found.found[0].source == "named by the policy", "the first that names a person says why"
    assert found.missed == ()


@pytest.mark.parametrize(
    ("target_", "reason"),
    [
        (("person", "eve"), "Eve Ito has no contact on a configured channel"),
        (("person", "nemo"), "nemo is not in the catalog (any more)"),
        (("team", "nowhere"), "team nowhere has no members"),
        (("schedule", "nowhere"), "schedule nowhere does not exist"),
        (("schedule", "empty"), "nobody is on call on schedule empty"),
    ],
)
def test_who_is_not_reached_is_told_and_the_others_are(target_: tuple[str, str], reason: str) -> None:
    known = world()
    oncall = OnCall({**known.oncall.schedules, "empty": Schedule("empty", "UTC", ())}, known.oncall.policies)
    found = reach(level(target_, ("person", "cyd")), world(oncall=oncall), NOW)
    assert (people(found), found.missed) == (["cyd"], (reason,))


def test_positions_run_to_the_end_of_the_last_round() -> None:
    two = policy("p", [target("person", "ann")], [target("person", "bob")], repeat=1)
    assert list(positions(two, 0, 0)) == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert list(positions(two, 1, 0)) == [(1, 0), (0, 1), (1, 1)]
    assert list(positions(two, 1, 1)) == [(1, 1)]
    assert list(positions(two, 0, 2)) == []


def test_a_team_without_a_policy_that_exists_has_none() -> None:
    known = world()
    assert policy_of(None, known) is None
    assert policy_of(replace(known.catalog.teams["platform"], policy="gone"), known) is None
    assert policy_of(known.catalog.teams["platform"], known).id == "platform"


def at(moment: datetime, *people: str, every: int = 7) -> Schedule:
    return Schedule("s", "UTC", (Layer("weekly", people, moment.date(), time(9), every),))


@pytest.mark.parametrize(
    ("schedule", "person"),
    [
        (at(datetime(2026, 3, 2), "ann", "bob"), "bob"),
        (at(datetime(2026, 3, 2), "ann", "ann", "cyd"), "cyd"),
        (at(datetime(2026, 3, 2), "ann"), None),
        (at(datetime(2026, 3, 9), "bob", "ann"), "bob"),
        (Schedule("s", "UTC", ()), None),
    ],
    ids=["the next turn", "over one's own turns", "nobody else", "before the first shift", "nobody at all"],
)
def test_who_is_next_is_the_first_somebody_else(schedule: Schedule, person: str | None) -> None:
    found = next_on(schedule, NOW)
    assert (found.person if found else None) == person


def test_who_is_next_over_a_gap() -> None:
    nights = Restriction(frozenset(range(7)), time(1), time(5))
    layer = Layer("nights", ("ann", "bob"), date(2026, 3, 2), time(0), 1, (nights,))
    assert next_on(Schedule("s", "UTC", (layer,)), NOW).person == "ann", "it is bob's night, and then ann's"


def test_rooms_and_groups_are_told_where_their_channel_is_configured() -> None:
    known = world()
    team = known.catalog.teams["platform"]
    targets = [("channel", "slack:C9"), ("channel", "pager:P"), ("group", "slack:S1"), ("group", "email:S2")]
    found = reach(level(*targets), known, NOW, team=team)
    assert [(room.channel, room.address, room.group) for room in found.rooms] == [
        ("slack", "C9", ""),
        ("slack", "C2", "S1"),
    ]
    assert found.missed == (
        "channel:pager:P cannot be told: pager is not configured",
        "group:email:S2 cannot be mentioned: platform has no room on email",
    )
