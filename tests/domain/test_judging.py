"""Verdicts from readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.judging import EntityState, Reading, judge, late_share, next_due
from fireline.domain.rules import Level, Mode, NoData, State
from tests.engine.streams import Check, Text, above, rule

T = 1000.0
ENTITY = (("service", "a"),)
DEGRADED = Level("degraded", above("top", 50.0))
OUTAGE = Level("outage", above("top", 100.0))


def reading(top, now, samples=5, newest=None):
    return Reading({"n": float(samples), "top": top}, samples, now - 60, now, now if newest is None else newest)


class Story:
    def __init__(self, *levels, **changes):
        self.rule = rule(levels=levels or (OUTAGE, DEGRADED), **changes)
        self.state = EntityState(ENTITY)
        self.signals = []

    def at(self, now, top, **more):
        self.state, signals = judge(self.rule, self.state, reading(top, T + now, **more), T + now)
        self.signals += signals
        return [(signal.state.value, signal.severity) for signal in signals]


def test_the_highest_level_that_holds_is_signalled_and_changes_keep_the_episode():
    story = Story()
    assert story.at(0, 10) == []
    assert story.at(1, 60) == [("firing", "degraded")]
    assert story.at(2, 200) == [("firing", "outage")]
    assert story.at(3, 60) == [("firing", "degraded")]
    assert story.at(4, 10) == [("clear", None)]
    assert story.at(5, 60) == [("firing", "degraded")]
    assert len({signal.episode for signal in story.signals[:4]}) == 1
    assert story.signals[4].episode != story.signals[0].episode, "even within one pane"
    assert len({signal.id for signal in story.signals}) == 5
    assert [signal.started for signal in story.signals] == [T + 1] * 4 + [T + 5]


def test_ids_depend_on_the_story_alone():
    def told(step):
        story = Story()
        for now, top in ((0, 10), (1, 60), (2, 200), (3, 10)):
            story.at(now + step, top)
        return [signal.id for signal in story.signals]

    assert told(0.0) == told(0.3), "judging a little later names an episode alike"


def test_for_wants_the_condition_without_a_break():
    story = Story(Level("outage", above("top", 100.0), for_=10.0))
    assert story.at(0, 200) == []
    assert next_due(story.rule, story.state, reading(200, T), T) == T + 10
    assert story.at(5, 20) == []
    assert story.at(9, 200) == []
    assert story.at(18, 200) == []
    assert story.at(19, 200) == [("firing", "outage")]
    assert story.signals[0].started == T + 9


def test_an_unknown_neither_fires_nor_clears_nor_breaks_for():
    story = Story(Level("outage", above("top", 100.0), for_=10.0, min_samples=3))
    assert story.at(0, 200) == []
    assert story.at(5, None) == []
    assert story.at(11, 200, samples=2) == []
    assert story.state.verdict is State.UNKNOWN
    assert story.at(12, 200) == [("firing", "outage")]
    assert story.at(13, None) == []
    assert story.at(14, 1, samples=2) == []
    assert story.state.severity == "outage"
    assert "at least 3 are needed" in story.state.reason
    assert story.at(15, 1) == [("clear", None)]


def test_a_condition_untold_for_longer_than_the_window_begins_anew():
    story = Story(Level("outage", above("top", 100.0), for_=10.0))
    story.at(0, 200)
    assert story.at(500, 200) == []
    assert story.at(510, 200) == [("firing", "outage")]


def test_until_holds_the_level_between_its_bounds():
    story = Story(Level("outage", above("top", 100.0), until=Check("top < 80", "top")))
    assert story.at(0, 150) == [("firing", "outage")]
    assert story.at(1, 90) == []
    assert story.at(2, None) == []
    assert story.at(3, 79) == [("clear", None)]
    assert story.signals[-1].evidence.condition == "top < 80"
    assert story.at(4, 90) == []


def test_keep_firing_for_outlasts_a_short_recovery():
    story = Story(Level("outage", above("top", 100.0), keep_firing_for=30.0))
    story.at(0, 150)
    story.at(10, 150)
    assert story.at(20, 1) == []
    assert next_due(story.rule, story.state, reading(1, T + 20), T + 20) == T + 50  # since it was seen to be over
    assert story.at(30, 1) == []
    assert story.at(49, 1) == []
    assert story.at(50, 1) == [("clear", None)]


def test_a_fault_of_the_expression_is_unknown_with_its_reason():
    story = Story(Level("outage", Check("top > 'x'", "top")))
    assert story.at(0, 5) == []
    assert story.state.verdict is State.UNKNOWN
    assert "TypeError" in story.state.reason
    story = Story(Level("outage", above("typo", 1.0)))
    story.at(0, 5)
    assert "typo has no value" in story.state.reason


def test_no_data_raises_to_its_severity_and_never_lowers_one():
    story = Story(no_data=NoData(100.0, "degraded"))
    assert story.at(0, 10) == []
    assert story.at(101, None, samples=0, newest=T) == [("firing", "degraded")]
    assert story.at(102, 200) == [("firing", "outage")]
    assert story.at(300, None, samples=0, newest=T + 102) == [("unknown", "outage")]
    assert story.at(400, 1) == [("clear", None)]


def test_no_data_fires_at_a_severity_that_no_level_has():
    story = Story(DEGRADED, no_data=NoData(100.0, "outage"))
    story.at(0, 60)
    assert story.at(101, None, samples=0, newest=T) == [("firing", "outage")]
    assert story.at(102, 60) == [("firing", "degraded")]


def test_a_level_that_the_rule_lost_clears():
    story = Story()
    story.at(0, 200)
    story.rule = rule(levels=(DEGRADED,))
    assert story.at(1, 10) == [("clear", None)]


def test_entity_labels_are_names_of_the_condition():
    story = Story(Level("outage", Check("service == 'a' and top > 1", "service", "top")))
    assert story.at(0, 5) == [("firing", "outage")]


def test_a_signal_carries_what_the_page_needs():
    story = Story(
        runbooks=("fallback",),
        group_by=("service",),
        mode=Mode.SHADOW,
        summary=Text("{service} {severity}\n{measures[top]}"),
    )
    story.at(0, 60.5)
    (signal,) = story.signals
    assert signal.summary == "a degraded 60.5"
    assert (signal.service, signal.group, signal.runbooks, signal.mode) == (
        "a",
        "service=a",
        ("fallback",),
        Mode.SHADOW,
    )
    assert signal.fingerprint == "live/latency{service=a}"
    assert signal.evidence.condition == "top > 50.0"


@pytest.mark.parametrize("broken", ["{nothing}", "{measures[nothing]}", ""])
def test_words_that_cannot_be_rendered_do_not_cost_the_page(broken):
    story = Story(summary=Text(broken), service=Text(broken))
    story.at(0, 60)
    assert story.signals[0].summary == "latency is degraded for service=a"
    assert story.signals[0].service == "a"


STEPS = st.lists(
    st.tuples(st.floats(0.1, 40), st.one_of(st.none(), st.floats(0, 200)), st.integers(0, 6)), min_size=1, max_size=40
)


@given(STEPS, st.floats(0, 30), st.floats(0, 30), st.booleans())
def test_signals_tell_the_state_and_alternate(steps, for_, keep, silence):
    story = Story(
        Level("outage", above("top", 100.0), for_, Check("top < 80", "top"), keep, 2),
        Level("degraded", above("top", 50.0), for_),
        no_data=NoData(45.0, "notice") if silence else None,
    )
    now, newest, ids = T, T, set()
    for wait, top, samples in steps:
        now += wait
        newest = now if samples else newest
        before = story.state
        shown = Reading({"n": float(samples), "top": top if samples else None}, samples, now - 60, now, newest)
        story.state, signals = judge(story.rule, before, shown, now)
        again, repeated = judge(story.rule, story.state, shown, now)
        assert (again.severity, repeated) == (story.state.severity, ()), "judging again says nothing new"
        assert len(signals) <= 1
        for signal in signals:
            assert signal.id not in ids
            ids.add(signal.id)
            assert (signal.severity is None) == (signal.state is State.CLEAR)
            assert signal.severity == story.state.severity
            if signal.state is not State.UNKNOWN:
                assert signal.severity != before.severity
        if not signals:
            assert story.state.severity == before.severity


@pytest.mark.parametrize(
    ("late", "samples", "told"),
    [
        (3, 97, "3 % of this window came late: 3 events not counted"),
        (1, 9999, "under 1 % of this window came late: 1 event not counted"),
        (1, 100, "under 1 % of this window came late: 1 event not counted"),
        (9999, 1, "over 99 % of this window came late: 9999 events not counted"),
    ],
)
def test_a_signal_says_which_share_of_its_window_came_late(late, samples, told):
    shown = Reading({"top": 200.0}, samples, T - 60, T, T, late, ("p99 rests on 2 buckets",))
    _, (signal,) = judge(rule(levels=(OUTAGE,)), EntityState(ENTITY), shown, T)
    assert signal.evidence.notes == (told, "p99 rests on 2 buckets")
    assert signal.evidence.late == late


def test_a_window_of_which_all_came_late_says_so():
    assert late_share(4, 0) == ("100 % of this window came late: 4 events not counted",)


def test_what_came_in_time_needs_no_note():
    story = Story()
    story.at(0, 200)
    assert story.signals[0].evidence.notes == ()
