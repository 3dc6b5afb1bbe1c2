"""Noise, labelled windows and changes of pages, by hand."""

import pytest

from fireline.domain.configuration import NoiseBudget
from fireline.domain.hindsight import Opened, Outcome, Paged
from fireline.domain.labelled import Alarm, Window, score
from fireline.domain.noise import by_person, exceeded
from fireline.domain.page_changes import compare

HOUR = 3600.0


def page(
    at, person="ann", *, incident=1, service="a", severity="outage", rule="r", until=None, schedule="s", night=False
):
    return Paged(
        at=at,
        incident=incident,
        person=person,
        name=person.title(),
        severity=severity,
        urgency="high",
        service=service,
        group="",
        rule=rule,
        entity=(),
        title="t",
        cause="opened",
        out_of_hours=night,
        local="Mon 09:00 UTC",
        schedule=schedule,
        until=until,
    )


def outcome(*pages, ends=None):
    ends = ends or {}
    incidents = tuple(
        Opened(p.incident, p.service, "", "team", p.severity, "t", p.at, ends.get(p.incident, p.at + 60), 0, 0, (), 1)
        for p in pages
    )
    return Outcome(incidents, tuple(pages), (), (), {})


# windows
def alarm(at, end=None, service="a", rule="r", metrics=None):
    return Alarm(at, at + 1 if end is None else end, service, rule, metrics)


def test_recall_precision_and_time_to_detect():
    windows = [Window(100, 200), Window(300, 400), Window(500, 600)]
    found = score(windows, [alarm(130), alarm(150), alarm(250), alarm(390)])
    assert (found.windows, found.caught, found.recall) == (3, 2, pytest.approx(2 / 3))
    assert (found.alarms, found.right, found.precision) == (4, 3, 0.75)
    assert found.to_detect == 60  # 30 and 90
    assert [(met.how, met.after) for met in found.met] == [("caught", 30), ("caught", 90), ("missed", None)]


def test_the_ends_of_a_window_belong_to_it():
    assert score([Window(100, 200)], [alarm(100)]).caught == 1
    assert score([Window(100, 200)], [alarm(200)]).caught == 1
    assert score([Window(100, 200)], [alarm(200.001)]).caught == 0


def test_what_fired_before_a_window_does_not_catch_it():
    (met,) = score([Window(100, 200)], [alarm(50, 150)]).met
    assert met.how == "open"
    (met,) = score([Window(100, 200)], [alarm(50, 99)]).met
    assert met.how == "missed"


def test_of_nothing_there_is_no_share():
    found = score([], [])
    assert (found.recall, found.precision, found.to_detect) == (None, None, None)


@pytest.mark.parametrize(
    ("window", "right"),
    [
        (Window(0, 10, service="a"), 1),
        (Window(0, 10, service="b"), 0),
        (Window(0, 10, rule="r"), 1),
        (Window(0, 10, rule="other"), 0),
        (Window(0, 10, metric="cpu"), 1),
        (Window(0, 10, metric="disk"), 0),
    ],
)
def test_a_window_may_say_what_it_is_of(window, right):
    found = score([window], [alarm(5, metrics=frozenset({"cpu"}))])
    assert (found.right, found.caught) == (right, right)


# the noise budget
def test_pages_of_one_shift_are_counted_together():
    pages = [page(0, until=10.0), page(1, until=10.0), page(11, until=20.0), page(12, "bob", until=20.0)]
    assert exceeded(NoiseBudget(2), pages) == []
    (over,) = exceeded(NoiseBudget(1), pages)
    assert (over.person, over.pages, over.allowed, over.start, over.end) == ("ann", 2, 1, 0, 1)
    assert "until 1970-01-01 00:00 UTC" in over.stretch


def test_a_stretch_lies_wherever_the_pages_are():
    times = [0.0, 11 * HOUR, 12.5 * HOUR, 13 * HOUR]
    (over,) = exceeded(NoiseBudget(2, 12 * HOUR), [page(at, rule=f"r{at > 0}") for at in times])
    assert (over.start, over.pages, over.rules) == (11 * HOUR, 3, {"rTrue": 3})
    assert exceeded(NoiseBudget(2, 12 * HOUR), [page(at) for at in (0, 12 * HOUR, 24 * HOUR)]) == []


def test_who_is_named_by_a_policy_has_days():
    pages = [page(at, schedule=None) for at in (HOUR, 2 * HOUR, 25 * HOUR)]
    (over,) = exceeded(NoiseBudget(1), pages)
    assert (over.stretch, over.pages) == ("the day 1970-01-01", 2)


def test_people_by_how_often_they_were_paged():
    burdens = by_person([page(0, "bob"), page(1, night=True), page(2)])
    assert [(b.person, b.pages, b.out_of_hours) for b in burdens] == [("ann", 2, 1), ("bob", 1, 0)]


# changes
def test_pages_are_added_removed_moved_and_at_another_severity():
    old = outcome(page(0), page(HOUR * 10, incident=2), page(HOUR * 20, incident=3), page(HOUR * 30, incident=4))
    new = outcome(
        page(0),
        page(HOUR * 10 - 300, incident=2),
        page(HOUR * 20 + 60, incident=3, severity="degraded"),
        page(HOUR * 40, incident=4),
    )
    found = compare(old, new)
    assert [p.at for p in found.added] == [HOUR * 40]
    assert [p.at for p in found.removed] == [HOUR * 30]
    assert [pair.later for pair in found.moved] == [-300, 60]
    assert [(pair.old.severity, pair.new.severity) for pair in found.severities] == [("outage", "degraded")]
    assert sum(pair.same for pair in found.pairs) == 1


def test_pages_hours_apart_belong_together_while_their_incidents_overlap():
    old, new = outcome(page(HOUR * 5)), outcome(page(0), ends={1: HOUR * 6})
    assert [pair.later for pair in compare(old, new).pairs] == [-5 * HOUR]
    apart = compare(old, outcome(page(0)))
    assert (len(apart.added), len(apart.removed)) == (1, 1)


def test_pages_of_other_services_never_belong_together():
    found = compare(outcome(page(0)), outcome(page(0, service="b")))
    assert (len(found.added), len(found.removed), found.pairs) == (1, 1, ())


def test_the_nearest_are_paired_first_and_each_once():
    found = compare(outcome(page(0), page(100, incident=2)), outcome(page(90), page(3000, incident=2)))
    assert sorted((pair.old.at, pair.new.at) for pair in found.pairs) == [(0, 3000), (100, 90)]


def test_of_several_people_each_keeps_their_page():
    found = compare(outcome(page(0), page(0, "bob")), outcome(page(60, "bob"), page(60)))
    assert all(pair.old.person == pair.new.person for pair in found.pairs)
