"""Silences at work: what changes is decided on anew, whoever dies in between; and what a silence would hold back."""

from dataclasses import replace
from datetime import datetime

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.apps.faults import Refused
from fireline.apps.silence_asked import Asked
from fireline.apps.silence_asking import Desk
from fireline.domain.incidents import Acknowledge, SignalArrived
from fireline.domain.silence_matchers import parse
from fireline.domain.silences import Recurrence, Silence, instant
from fireline.engine.respond import Responder
from fireline.engine.silence_previews import preview
from fireline.engine.silences import KIND, SETTLED, Maintenance, review
from tests.domain.deciding_world import NOW, signal
from tests.engine.respond_world import configuration
from tests.engine.runs_world import Fixed
from tests.servers.ready import ready

FRAUD = 'service="fraud-scoring"'


class House:
    """A store, a responder and a desk on a fake clock."""

    def __init__(self, path) -> None:
        self.clock = FakeClock(NOW)
        self.settings = Fixed(configuration())
        self.store = open_store(ready(path / "fireline.db"))
        self.responder = Responder(self.store, self.settings, self.clock, ["slack"])
        self.desk = Desk(self.store, self.settings, self.clock)

    def fires(self, severity: str = "outage", **given) -> None:
        self.responder.handle(SignalArrived(signal("firing", severity, at=self.clock.now(), **given)))

    def clears(self, **given) -> None:
        self.responder.handle(SignalArrived(signal("clear", at=self.clock.now(), **given)))

    def due(self) -> list[str]:
        """Hear the deadlines of silences that are due; their keys."""
        timers = [t for t in self.store.claim_timers("me", self.clock.now(), 15.0, 100) if t.kind == KIND]
        for timer in timers:
            review(self.store, self.responder, timer)
        return [timer.key for timer in timers]

    def incident(self, number: int = 1):
        with self.store.reading() as tx:
            return tx.incident(number)


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.store.close()


def test_a_new_silence_is_heard_by_open_incidents_also_when_who_made_it_dies_at_once(house: House) -> None:
    house.fires()
    house.desk.make(Asked(FRAUD, "because", lasts="600s"), "ann")
    assert house.incident().silenced is None, "only the deadline says so"
    assert house.due() == ["silences/S-1/v1"]
    assert house.incident().silenced.by == ("S-1",)
    assert house.due() == []


def test_a_review_that_is_cut_off_half_way_comes_again_and_repeats_nothing(house: House) -> None:
    house.fires()
    house.desk.make(Asked(FRAUD, "because", lasts="600s"), "ann")
    timer = house.store.claim_timers("dead", house.clock.now(), 15.0, 10)
    assert [each.kind for each in timer] == [KIND]
    house.clock.advance(16.0)
    assert house.due() == ["silences/S-1/v1"]
    version = house.incident().version
    review(house.store, house.responder, timer[0])
    assert house.incident().version == version
    assert [e.kind for e in house.responder.explain(1)].count("silenced") == 1


def test_ending_it_early_pages_at_once_and_the_deadline_of_its_end_does_no_more(house: House) -> None:
    house.desk.make(Asked(FRAUD, "because", lasts="600s"), "ann")
    house.due()
    house.fires()
    assert house.incident().pages == ()
    house.clock.advance(60.0)
    house.desk.end("S-1", "bob")
    house.due()
    assert [page.at for page in house.incident().pages] == [NOW + 60.0]
    why = [e for e in house.responder.explain(1) if e.kind == "unsilenced"]
    assert ["S-1 of Ann Berg is over" in e.text for e in why] == [True]


def test_the_timeline_has_what_explain_needs(house: House) -> None:
    house.desk.make(Asked(FRAUD, "moving it", lasts="600s"), "ann")
    house.fires()
    entry = next(e for e in house.responder.explain(1) if e.kind == "silenced")
    assert entry.data == {"silence": ["S-1"], "author": "ann", "until": NOW + 600.0, "reason": "moving it"}
    assert "silenced by S-1 of Ann Berg until" in entry.text


def test_planned_silences_that_change_are_heard_at_once_and_once_more_when_all_have_read_them(house: House) -> None:
    watch = Maintenance(house.store, house.settings, house.clock)
    assert watch.look()
    assert not watch.look()
    house.clock.advance(SETTLED)
    assert len(house.due()) == 2
    house.fires()
    planned = Silence(0, "backups", parse(FRAUD), NOW - 10.0, NOW + 7200.0, "cyd", "backups")
    house.settings.current = replace(house.settings.current, maintenance={"backups": planned})
    assert watch.look()
    assert not watch.look()
    assert house.due() == ["silences/files/now"]
    assert house.incident().silenced.by == ("backups",)
    house.settings.current = replace(house.settings.current, maintenance={})
    assert Maintenance(house.store, house.settings, house.clock).look(), "it was removed while nobody looked"
    house.clock.advance(SETTLED)
    assert sorted(house.due()) == ["silences/files/now", "silences/files/settled"]
    assert len(house.incident().pages) == 2


def test_a_preview_names_what_fires_and_counts_the_pages_it_would_have_held_back(house: House) -> None:
    house.fires()  # INC-1 pages ann
    house.responder.handle(Acknowledge(1, "ann", "slack"))
    house.fires(service="search")  # INC-2 pages cyd
    silence = house.desk.draft(Asked(FRAUD, "a look", lasts="60s"), "ann")
    found = house.desk.preview(silence)
    assert [(each.incident.id, each.all_of_it) for each in found.now] == [("INC-1", True)]
    assert (found.pages, found.held, found.people) == (2, 1, {"ann": 1})
    house.fires(rule="fraud_errors")
    narrow = replace(silence, matchers=parse('rule="fraud_latency", service="fraud-scoring"'))
    partly = house.desk.preview(narrow)
    assert [(each.incident.id, each.all_of_it) for each in partly.now] == [("INC-1", False)]
    house.clock.advance(3 * 86_400.0)
    with house.store.reading() as tx:
        assert preview(tx, silence, house.clock.now(), 2).pages == 0


def test_what_the_desk_refuses(house: House) -> None:
    with pytest.raises(Refused, match=r"there is no silence 'S-9'"):
        house.desk.end("S-9", "ann")
    with pytest.raises(Refused, match="not a time zone"):
        house.desk.make(Asked(FRAUD, "x", lasts="60s", time_zone="Mars"), "ann")
    with pytest.raises(Refused, match="is not a time"):
        house.desk.make(Asked(FRAUD, "x", end="tomorrow"), "ann")
    with pytest.raises(Refused, match="would be over since"):
        house.desk.make(Asked(FRAUD, "x", start="2020-01-01", end="2020-01-02"), "ann")
    with pytest.raises(Refused, match="must say how long it lasts"):
        house.desk.make(Asked(FRAUD, "x", end="2027-01-01", repeats="FREQ=DAILY"), "ann")
    house.settings.current = replace(
        house.settings.current, maintenance={"m": Silence(0, "m", parse(FRAUD), 0.0, 2e9, "ann", "x")}
    )
    with pytest.raises(Refused, match=r"change it there"):
        house.desk.end("m", "ann")
    house.desk.make(Asked(FRAUD, "x", lasts="60s"), "ann")
    house.clock.advance(61.0)
    with pytest.raises(Refused, match="is over since"):
        house.desk.edit("S-1", Asked(lasts="60s"), "ann")
    with pytest.raises(Refused, match="a comment has"):
        house.desk.comment("S-1", "ann", " ")


def test_edits_of_a_recurring_silence_keep_its_wall_time_unless_it_is_moved(house: House) -> None:
    asked = Asked(FRAUD, "x", "2026-03-04T02:30", "2026-09-01", "1h", "FREQ=WEEKLY", "Europe/Berlin")
    made = house.desk.make(asked, "ann")
    assert made.recurrence == Recurrence("FREQ=WEEKLY", "Europe/Berlin", datetime(2026, 3, 4, 2, 30), 3600.0)
    assert made.start == instant(datetime(2026, 3, 4, 2, 30), "Europe/Berlin")
    longer = house.desk.edit("s-1", Asked(lasts="7200s", without=("2026-03-11",)), "bob")
    assert longer.recurrence == replace(made.recurrence, lasts=7200.0, without=("2026-03-11",))
    moved = house.desk.edit("1", Asked(start="2026-03-05T03:00"), "bob")
    assert moved.recurrence.first == datetime(2026, 3, 5, 3, 0)
    assert [change.by for change in moved.history] == ["ann", "bob", "bob"]
