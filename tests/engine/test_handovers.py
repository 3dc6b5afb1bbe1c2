"""Who begins and who hands over hear of it, once each, with the open incidents; from a timer of the database."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.catalog import Team
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Tell
from fireline.domain.incidents import Incident, Status
from fireline.domain.oncall import OnCall
from fireline.domain.policies import Policy, PolicyLevel, PolicyTarget, TargetKind
from fireline.engine.handovers import Handovers
from fireline.engine.roster import Roster
from tests.engine.test_roster import CATALOG, PEOPLE, SCHEDULES, FixedClock, Held, at, wish
from tests.servers.ready import ready

LEVEL = PolicyLevel((PolicyTarget(TargetKind.SCHEDULE, "web"),), 300.0)
ONCALL = OnCall(SCHEDULES.schedules, {"web": Policy("web", (LEVEL,))})
HOUSE = Configuration({}, {}, replace(CATALOG, teams={"web": Team("web", "Web", "web")}), ONCALL)


@dataclass
class Scene:
    store: DatabaseStore
    clock: FixedClock
    held: Held
    handovers: Handovers

    def look(self) -> list[tuple[str, str]]:
        """Hear every timer that is due, and take what was queued: who was told what."""
        while due := self.store.claim_timers("test", self.clock.now(), 15.0, 10):
            for timer in due:
                self.handovers.review(timer)
        return self.told()

    def told(self) -> list[tuple[str, str]]:
        found = []
        while queued := self.store.claim_effects("test", self.clock.now(), 60.0, 100):
            for each in queued:
                self.store.finish_effect(each.effect.key, "test", "done", self.clock.now())
                assert isinstance(each.effect, Tell)
                found.append((each.effect.person, each.effect.text))
        return found

    def incident(self, number: int, owner: str = "web", **changes: object) -> None:
        made = Incident(number, "shop", f"g{number}", "live", "slow", "outage", owner, Status.TRIGGERED, 1000.0, 990.0)
        with self.store.transaction() as tx:
            tx.save_incident(replace(made, **changes))


@pytest.fixture
def scene(tmp_path) -> Iterator[Scene]:
    store, clock, held = open_store(ready(tmp_path / "fireline.db")), FixedClock(), Held(HOUSE)
    made = Scene(store, clock, held, Handovers(store, held, clock, {"console"}))
    made.handovers.wake_all()
    yield made
    store.close()


def test_at_the_first_look_nobody_takes_over_and_nobody_is_told(scene):
    assert scene.look() == []
    scene.clock.time = at(2026, 1, 12, 8, 59)
    assert scene.look() == []


def test_both_are_told_once_at_the_hand_off_with_the_open_incidents(scene):
    scene.look()
    scene.incident(1)
    scene.incident(2, acknowledged_by="ann")
    scene.incident(3, owner="others")
    scene.clock.time = at(2026, 1, 12, 9)
    told = dict(scene.look())
    assert told["ben"].splitlines() == [
        "You take over from Ann: you are on call on web until Mon 19 Jan 09:00 (layer weekly); Cleo is next",
        "Open incidents: 2",
        "INC-2 outage shop: slow, taken by ann",
        "INC-1 outage shop: slow, taken by nobody",
    ]
    assert told["ann"].splitlines()[:2] == ["Your shift on web has ended: Ben has it now", "Open incidents: 2"]
    scene.handovers.wake_all()
    assert scene.look() == []


def test_a_hand_off_while_away_is_told_when_it_is_back_as_it_is_then(scene):
    scene.look()
    scene.clock.time = at(2026, 1, 20, 12)
    told = scene.look()
    assert [person for person, _ in told] == ["cleo", "ann"]
    assert told[0][1].endswith("No incident is open.")


def test_an_override_is_a_hand_off_at_its_start_and_at_its_end(scene):
    scene.look()
    Roster(scene.store, scene.held, scene.clock, {"console"}).override(wish())
    scene.told()
    assert scene.look() == []
    scene.clock.time = at(2026, 1, 7, 18)
    assert [person for person, _ in scene.look()] == ["cleo", "ann"]
    scene.clock.time = at(2026, 1, 8, 9)
    assert [person for person, _ in scene.look()] == ["ann", "cleo"]


def test_an_override_of_now_is_told_at_once(scene):
    scene.look()
    Roster(scene.store, scene.held, scene.clock, {"console"}).override(wish(start=scene.clock.now()))
    scene.told()
    assert [person for person, _ in scene.look()] == ["cleo", "ann"]


def test_who_does_not_want_it_is_not_told(scene):
    people = {**PEOPLE, "ben": replace(PEOPLE["ben"], shift_notices=False)}
    scene.held.current = replace(HOUSE, catalog=replace(HOUSE.catalog, people=people))
    scene.look()
    scene.clock.time = at(2026, 1, 12, 9)
    assert [person for person, _ in scene.look()] == ["ann"]


def test_a_schedule_that_is_gone_has_no_timer_any_more(scene):
    scene.look()
    scene.held.current = replace(HOUSE, oncall=OnCall({}, {}))
    scene.clock.time = at(2026, 1, 12, 9)
    assert scene.look() == []
    assert scene.store.next_due() is None


def test_two_who_hear_the_same_timer_tell_once(scene):
    scene.look()
    scene.clock.time = at(2026, 1, 12, 9)
    (timer,) = scene.store.claim_timers("test", scene.clock.now(), 15.0, 10)
    scene.handovers.review(timer)
    scene.handovers.review(timer)
    assert sorted(person for person, _ in scene.told()) == ["ann", "ben"]
