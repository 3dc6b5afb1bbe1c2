"""What signals would have led to: known pages, hours, hand-offs, groups and runs."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from fireline.domain.calendars import Calendar, Span
from fireline.domain.configuration import Configuration
from fireline.domain.rules import Signal
from fireline.domain.runbooks import Autonomy, Budget, Runbook, Step
from fireline.engine.hindsight import Hindsight
from tests.domain.deciding_world import NOW, signal, world

MINUTE, HOUR = 60.0, 3600.0


class Nothing:
    """A template without anything in it."""

    source = ""

    def render(self, values):
        return {}


def book(mode=Autonomy.AUTO, budget=None):
    return Runbook("route-away", "payments-ml", (Step("go", "route.set", Nothing()),), mode=mode, budget=budget)


def hours(person):
    spans = tuple(Span(day, time(9), time(18)) for day in range(5))
    return Calendar("office hours", person.time_zone, spans)


def seen(*signals: Signal, runbook: Runbook | None = None, until: float | None = None):
    given = world()
    books = {} if runbook is None else {runbook.name: runbook}
    configuration = Configuration({}, books, given.catalog, given.oncall, given.response)
    fold = Hindsight(configuration, hours)
    for each in signals:
        fold.take(each)
    fold.pass_until(signals[-1].at if until is None else until)
    return fold.outcome()


def fires(at, severity="outage", **given):
    return signal("firing", severity, at=at, **given)


def clears(at, **given):
    return signal("clear", at=at, **given)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_page_names_who_is_on_call_then_and_what_their_clock_shows():
    (page,) = seen(fires(NOW)).pages
    assert (page.person, page.severity, page.service, page.rule) == ("ann", "outage", "fraud-scoring", "fraud_latency")
    assert (page.local, page.out_of_hours) == ("Tue 03:00 Europe/Berlin", True)
    assert (page.schedule, page.until) == ("primary", utc("2026-03-09T08:00"))


@pytest.mark.parametrize(
    ("at", "person", "out_of_hours"),
    [
        ("2026-03-09T07:59:59", "ann", True),  # 08:59:59 in Berlin, a second before the hand-off
        ("2026-03-09T08:00", "bob", False),
        ("2026-03-30T06:59:59", "bob", True),  # clocks went forward on the 29th: 09:00 is an hour earlier
        ("2026-03-30T07:00", "ann", False),
        ("2026-03-27T17:00", "bob", True),  # Friday 18:00
        ("2026-03-28T11:00", "bob", True),  # Saturday noon
    ],
)
def test_shifts_and_hours_follow_the_clocks_of_their_places(at, person, out_of_hours):
    (page,) = seen(fires(utc(at))).pages
    assert (page.person, page.out_of_hours) == (person, out_of_hours)


def test_two_rules_on_one_service_are_one_incident_and_one_page():
    outcome = seen(fires(NOW), fires(NOW + 10, rule="fraud_errors"))
    assert len(outcome.incidents) == len(outcome.pages) == 1
    assert outcome.incidents[0].rules == ("fraud_errors", "fraud_latency")


def test_getting_worse_pages_again_and_getting_milder_does_not():
    outcome = seen(fires(NOW, "degraded"), fires(NOW + 60, "outage"), fires(NOW + 120, "degraded", episode=NOW))
    assert [(page.cause, page.severity) for page in outcome.pages] == [("opened", "degraded"), ("worse", "outage")]
    assert outcome.incidents[0].severity == "outage"


def test_what_comes_back_soon_reopens_and_what_comes_back_late_is_new():
    soon, late = NOW + MINUTE + HOUR / 4, NOW + 2 * HOUR
    outcome = seen(
        fires(NOW),
        clears(NOW + MINUTE, episode=NOW),
        fires(soon),
        clears(soon + MINUTE, episode=soon),
        fires(late),
        until=late + 1,
    )
    assert [page.cause for page in outcome.pages] == ["opened", "reopened", "opened"]
    first, second = outcome.incidents
    assert (first.reopened, first.resolved_at, second.resolved_at) == (1, soon + 2 * MINUTE, None)
    assert [(f.start, f.end, f.flap) for f in outcome.firings] == [
        (NOW, NOW + MINUTE, False),
        (soon, soon + MINUTE, True),
        (late, None, False),
    ]


def test_what_clears_for_less_than_settling_takes_pages_nobody_again():
    outcome = seen(fires(NOW), clears(NOW + 10, episode=NOW), fires(NOW + 20), until=NOW + HOUR)
    assert [page.cause for page in outcome.pages] == ["opened"]
    assert (outcome.incidents[0].flaps, outcome.incidents[0].resolved_at) == (1, None)


def test_no_acknowledgement_is_waited_for_and_none_goes_stale():
    assert len(seen(fires(NOW), until=NOW + 48 * HOUR).pages) == 1


def test_a_mild_severity_opens_an_incident_that_says_why_nobody_was_paged():
    outcome = seen(fires(NOW, "notice"))
    assert not outcome.pages
    assert "severity notice does not page" in outcome.incidents[0].unpaged


def test_a_service_of_nobody_who_can_be_reached_says_so():
    outcome = seen(fires(NOW, service="ghost"))
    assert not outcome.pages
    assert "Eve Ito" in outcome.incidents[0].unpaged or "cannot be reached" in outcome.incidents[0].unpaged


def test_a_shadow_fires_and_opens_nothing():
    outcome = seen(fires(NOW, mode="shadow"))
    assert not outcome.incidents
    assert [(firing.rule, firing.shadow) for firing in outcome.firings] == [("fraud_latency", True)]


def test_runbooks_run_within_their_budget():
    times = [NOW + place * 10 * HOUR for place in range(2)] + [NOW + 10 * HOUR + 45 * MINUTE]
    signals = []
    for at in times:
        signals += [fires(at, runbooks=("route-away",)), clears(at + MINUTE, episode=at)]
    outcome = seen(*signals, runbook=book(budget=Budget(1, HOUR)))
    assert [run.outcome for run in outcome.runs] == ["runs", "runs", "refused"]
    assert outcome.runs[0].steps == ("route.set",)
    assert "budget is spent" in outcome.runs[2].why


@pytest.mark.parametrize(("mode", "outcome"), [(Autonomy.APPROVE, "asks"), (Autonomy.SUGGEST, "suggested")])
def test_runbooks_that_may_not_go_alone_do_not(mode, outcome):
    (run,) = seen(fires(NOW, runbooks=("route-away",)), runbook=book(mode)).runs
    assert run.outcome == outcome


def test_a_runbook_that_is_not_there_is_told():
    (run,) = seen(fires(NOW, runbooks=("nowhere",))).runs
    assert (run.outcome, run.why) == ("refused", "there is no runbook 'nowhere'")


def test_personal_data_stays_out_of_titles():
    given = world()
    service = replace(given.catalog.services["fraud-scoring"], personal_data=("2400",))
    catalog = replace(given.catalog, services={**given.catalog.services, service.id: service})
    fold = Hindsight(Configuration({}, {}, catalog, given.oncall, given.response), hours)
    fold.take(fires(NOW))
    assert fold.outcome().incidents[0].title == "p99 of fraud-scoring in eu is [redacted] ms"
