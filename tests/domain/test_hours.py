"""Verdicts at hours of the week, and what silence is said to be."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from fireline.domain.calendars import Calendar, Hours, Span
from fireline.domain.judging import EntityState, Reading, judge, next_due
from fireline.domain.rules import HEARTBEATS, Level, NoData, Rule, State
from tests.engine.streams import Check, above, rule

OFFICE = Calendar("office", "UTC", tuple(Span(day, time(9), time(17)) for day in range(5)))
DURING, OUTSIDE = Hours(OFFICE), Hours(OFFICE, inside=False)
FRIDAY = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
HOUR = 3600.0


class Story:
    def __init__(self, told: Rule) -> None:
        self.rule, self.state = told, EntityState((("service", "a"),))

    def at(
        self, hour: float, top: float | None, *, quiet: float = 0.0, behind: float = 0.0, **values: float
    ) -> list[object]:
        now = FRIDAY + hour * HOUR
        shown = Reading({"top": top, **values}, 0 if quiet else 5, now - 60, now, now - quiet)
        self.state, signals = judge(self.rule, self.state, shown, now, behind)
        self.signals = signals
        self.due = next_due(self.rule, self.state, shown, now)
        return [(signal.state.value, signal.severity) for signal in signals]


def test_a_level_begins_when_its_hours_begin_and_ends_with_them():
    story = Story(rule(levels=(Level("outage", above("top", 100.0), until=Check("top < 10", "top"), hours=DURING),)))
    assert story.at(8.5, 200) == []
    assert (
        story.state.reason
        == "no level's condition holds; `top > 100.0` counts during office only, again from Fri 09:00"
    )
    assert story.due == FRIDAY + 9 * HOUR
    assert story.at(9, 200) == [("firing", "outage")]
    assert story.signals[0].evidence.reason == "`top > 100.0` holds, during office"
    assert story.at(16.99, 50) == [], "above its `until`"
    assert story.at(17, 200) == [("clear", None)]
    assert story.signals[0].evidence.reason == "`top > 100.0` counts during office only, again from Mon 09:00"


def test_for_counts_from_the_beginning_of_the_hours():
    story = Story(rule(levels=(Level("outage", above("top", 100.0), for_=600.0, hours=DURING),), window=3600.0))
    story.at(8.9, 200)
    assert story.at(9, 200) == []
    assert story.due == FRIDAY + 9 * HOUR + 600
    assert story.at(9.17, 200) == [("firing", "outage")]


def test_a_milder_level_takes_over_outside_the_hours():
    levels = (
        Level("outage", above("top", 100.0), hours=DURING),
        Level("degraded", above("top", 100.0), hours=OUTSIDE),
    )
    story = Story(rule(levels=levels))
    assert story.at(8, 200) == [("firing", "degraded")]
    assert story.at(9, 200) == [("firing", "outage")]
    assert story.at(17, 200) == [("firing", "degraded")]


def test_silence_at_night_means_nothing():
    story = Story(rule(no_data=NoData(300.0, "outage", DURING)))
    story.at(8, 1)
    assert story.at(8.5, None, quiet=1800) == []
    assert story.at(9, None, quiet=3600) == [("firing", "outage")]
    assert story.at(17, None, quiet=9 * HOUR) == [("clear", None)]
    assert story.signals[0].evidence.reason.startswith("silence counts during office only; ")


@pytest.mark.parametrize(
    ("heartbeats", "why"),
    [
        (3.0, "; its heartbeats come: no traffic"),
        (0.0, "; and no heartbeat for 90 s, where one is due every 30 s: dead producer"),
    ],
)
def test_a_silence_is_no_traffic_or_a_dead_producer(heartbeats: float, why: str):
    story = Story(rule(no_data=NoData(300.0, "outage"), heartbeat=30.0))
    assert story.at(9, None, quiet=400, **{HEARTBEATS: heartbeats}) == [("firing", "outage")]
    assert story.signals[0].evidence.reason == "no data for 400 s; an event was expected within 300 s" + why


def test_a_silence_that_is_our_own_lag_fires_nothing_and_says_so():
    story = Story(rule(no_data=NoData(300.0, "outage")))
    assert story.at(9, None, quiet=400, behind=150.0) == []
    assert story.state.reason.endswith("; no data for 400 s, of which 150 s are our own lag")
    assert story.at(9, None, quiet=400, behind=50.0) == [("firing", "outage")]


def test_what_has_no_hours_is_judged_as_ever():
    plain = rule()
    state, signals = judge(plain, EntityState(()), Reading({"top": 200.0}, 1, 0.0, 1.0, 1.0), 1.0)
    assert [signal.state for signal in signals] == [State.FIRING]
    assert signals[0].evidence.reason == "`top > 100.0` holds"
    assert replace(state, reason="") != EntityState(())
