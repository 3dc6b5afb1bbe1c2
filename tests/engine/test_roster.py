"""Overrides and swaps at run time, over a real database: they win, they are told, and they can be taken back."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.catalog import Catalog, Person, Severity
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Tell
from fireline.domain.oncall import Layer, OnCall, Schedule
from fireline.domain.roster import Wish
from fireline.domain.rota import who
from fireline.engine.roster import Roster

BERLIN = ZoneInfo("Europe/Berlin")
WEEKLY = Layer("weekly", ("ann", "ben", "cleo"), date(2026, 1, 5), time(9))
PEOPLE = {
    name: Person(name, name.title(), {"console": name, "slack": f"U{name}"}, "Europe/Berlin")
    for name in ("ann", "ben", "cleo")
}
CATALOG = Catalog({}, {}, PEOPLE, (Severity("outage", 1),))
SCHEDULES = OnCall({"web": Schedule("web", "Europe/Berlin", (WEEKLY,))}, {})


def at(*args: int) -> float:
    return datetime(*args, tzinfo=BERLIN).timestamp()


@dataclass
class FixedClock:
    time: float = field(default_factory=lambda: at(2026, 1, 6, 12))

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    def token(self) -> str:
        return "t"


@dataclass
class Held:
    current: Configuration = field(default_factory=lambda: Configuration({}, {}, CATALOG, SCHEDULES))


@dataclass
class Desk:
    store: DatabaseStore
    clock: FixedClock
    roster: Roster

    def on_call(self, *args: int) -> tuple[str, str]:
        shift = who(self.roster.oncall(0.0).schedules["web"], datetime(*args, tzinfo=BERLIN))
        assert shift is not None
        return shift.person, shift.source

    def told(self) -> list[Tell]:
        found: list[Tell] = []
        while queued := self.store.claim_effects("test", self.clock.now(), 60.0, 100):
            for each in queued:
                self.store.finish_effect(each.effect.key, "test", "done", self.clock.now())
                assert isinstance(each.effect, Tell)
                found.append(each.effect)
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path) -> Iterator[Desk]:
    url = (
        request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/fireline.db"
    )
    store, clock = open_store(url), FixedClock()
    yield Desk(store, clock, Roster(store, Held(), clock, {"console"}))
    store.close()


def wish(person: str = "cleo", start: float | None = None, end: float | None = None, **more: object) -> Wish:
    made = Wish("web", person, start or at(2026, 1, 7, 18), end or at(2026, 1, 8, 9), "dentist", "ann")
    return replace(made, **more)


def test_an_override_wins_from_its_start_until_its_end_and_both_are_told(desk: Desk) -> None:
    told = desk.roster.override(wish())
    assert told.done
    assert told.told == ("cleo", "ann")
    assert desk.on_call(2026, 1, 7, 17, 59) == ("ann", "layer weekly")
    assert desk.on_call(2026, 1, 7, 18) == ("cleo", "override 1 by ann: dentist")
    assert desk.on_call(2026, 1, 8, 9)[0] == "ann"
    effects = desk.told()
    assert [(tell.person, tell.channel) for tell in effects] == [("cleo", "console"), ("ann", "console")]
    assert effects[0].text == "cleo is on call on web from Wed 18:00 until Thu 09:00: override 1 by ann, dentist"


def test_the_last_one_made_wins(desk: Desk) -> None:
    desk.roster.override(wish())
    told = desk.roster.override(wish("ben", at(2026, 1, 7, 20), at(2026, 1, 7, 22), author="cleo"))
    assert told.told == ("ben", "cleo"), "who is relieved is whoever would have been on call, overrides included"
    assert [desk.on_call(2026, 1, 7, hour)[0] for hour in (19, 21, 23)] == ["cleo", "ben", "cleo"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (wish(schedule="wep"), "there is no schedule 'wep'"),
        (wish("dan"), "there is no person 'dan'"),
        (wish(reason=" "), "needs a reason"),
        (wish(end=at(2026, 1, 7, 18)), "not after its start"),
        (wish(start=at(2026, 1, 5), end=at(2026, 1, 6)), "has passed"),
        (wish(end=at(2027, 6, 1)), "longer than a year"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(desk: Desk, asked: Wish, reason: str) -> None:
    told = desk.roster.override(asked)
    assert not told.done
    assert reason in told.reason
    assert desk.roster.changes(0.0) == []
    assert desk.told() == []


def test_an_override_that_began_in_the_past_counts_from_now(desk: Desk) -> None:
    desk.roster.override(wish(start=at(2026, 1, 6, 8)))
    assert desk.on_call(2026, 1, 6, 11, 59)[0] == "ann"
    assert desk.on_call(2026, 1, 6, 12)[0] == "cleo"


def test_a_swap_trades_a_shift_each(desk: Desk) -> None:
    told = desk.roster.swap("web", ("ben", "cleo"), (at(2026, 1, 13, 12), None), ("wedding", "ben"))
    assert told.done
    assert [(c.person, c.start, c.end, c.partner) for c in told.changes] == [
        ("cleo", at(2026, 1, 12, 9), at(2026, 1, 19, 9), 2),
        ("ben", at(2026, 1, 19, 9), at(2026, 1, 26, 9), 1),
    ]
    assert [desk.on_call(2026, 1, day, 12)[0] for day in (11, 13, 20, 27)] == ["ann", "cleo", "ben", "ann"]
    assert {tell.person for tell in desk.told()} == {"ben", "cleo"}


def test_a_swap_with_a_shift_that_is_named_and_one_that_does_not_exist(desk: Desk) -> None:
    at_ = (at(2026, 1, 13), at(2026, 2, 9, 12))
    told = desk.roster.swap("web", ("ben", "cleo"), at_, ("wedding", "ben"))
    assert [c.start for c in told.changes] == [at(2026, 1, 12, 9), at(2026, 2, 9, 9)]
    refused = desk.roster.swap("web", ("ben", "ben"), at_, ("wedding", "ben"))
    assert (refused.done, refused.reason) == (False, "a swap is between two people")


def test_taking_one_half_of_a_swap_back_takes_both_and_tells_both(desk: Desk) -> None:
    desk.roster.swap("web", ("ben", "cleo"), (at(2026, 1, 13, 12), None), ("wedding", "ben"))
    desk.told()
    told = desk.roster.withdraw(2, "cleo")
    assert (told.done, told.reason) == (True, "override 2 and 1 taken back")
    assert [desk.on_call(2026, 1, day, 12)[0] for day in (13, 20)] == ["ben", "cleo"]
    assert {tell.person for tell in desk.told()} == {"ben", "cleo"}
    again = desk.roster.withdraw(2, "cleo")
    assert (again.done, again.reason) == (False, "override 2 was taken back by cleo before")
    assert "there is no override 9" in desk.roster.withdraw(9, "cleo").reason


def test_what_has_passed_of_an_override_stays_when_it_is_taken_back(desk: Desk) -> None:
    desk.roster.override(wish(start=at(2026, 1, 6, 12), end=at(2026, 1, 6, 20)))
    desk.clock.time = at(2026, 1, 6, 15)
    desk.roster.withdraw(1, "ann")
    assert [desk.on_call(2026, 1, 6, hour)[0] for hour in (13, 16)] == ["cleo", "ann"]
    desk.clock.time = at(2026, 1, 6, 21)
    desk.roster.override(wish(end=at(2026, 1, 7, 20)))
    desk.clock.time = at(2026, 1, 8)
    assert "has ended" in desk.roster.withdraw(2, "ann").reason


def test_who_has_no_way_to_be_told_does_not_keep_it_from_happening(desk: Desk) -> None:
    mute = {**PEOPLE, "cleo": Person("cleo", "Cleo")}
    held = Held(Configuration({}, {}, replace(CATALOG, people=mute), SCHEDULES))
    told = Roster(desk.store, held, desk.clock, {"console"}).override(wish())
    assert (told.done, told.told) == (True, ("ann",))
    assert desk.on_call(2026, 1, 7, 18)[0] == "cleo"
    assert datetime.fromtimestamp(told.changes[0].made_at, UTC) == datetime(2026, 1, 6, 11, tzinfo=UTC)
