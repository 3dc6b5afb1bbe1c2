"""Silences: windows over clock changes, what matches, until when, and what a silence may not be."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.rules import Match, Matcher
from fireline.domain.silence_bounds import faults
from fireline.domain.silence_matchers import MatcherFault, fits, parse, written
from fireline.domain.silences import (
    Recurrence,
    Silence,
    Silences,
    active,
    edited,
    ended,
    history,
    instant,
    outlook,
    spans,
)
from fireline.engine.recurring import starts

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
FRAUD = {"service": "fraud-scoring", "region": "eu", "rule": "fraud_latency", "severity": "outage", "owner": "ml"}
DAY = 86_400.0


def matching(silences, labels, now):
    return outlook(silences, now).of(labels).held_by()


def held_until(silences, labels, now):
    return outlook(silences, now).of(labels).held_until()


def next_change(silences, labels, now):
    return outlook(silences, now).of(labels).next_change()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def silence(
    matchers: str = 'service="fraud-scoring"', start: float = 0.0, end: float | None = 3600.0, **more
) -> Silence:
    return Silence(1, "", parse(matchers), start, end, "ann", "because", **more)


def recurring(rule: str, first: str, zone: str, lasts: float, *, without: tuple[str, ...] = (), **more) -> Silence:
    wall = datetime.fromisoformat(first)
    given = Recurrence(rule, zone, wall, lasts, without)
    return silence(start=instant(wall, zone), end=more.pop("end", None), recurrence=given, **more)


def local(seconds: float, zone: str) -> datetime:
    return datetime.fromtimestamp(seconds, ZoneInfo(zone))


@given(
    st.sampled_from(ZONES),
    st.times(min_value=time(0), max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0)),
    st.dates(date(2024, 1, 1), date(2030, 12, 1)),
    st.integers(600, 20 * 3600),
)
def test_a_daily_window_comes_once_a_day_at_its_wall_time_and_lasts_as_long_as_it_says(zone, wall, day, lasts) -> None:
    daily = recurring("FREQ=DAILY", datetime.combine(day, wall).isoformat(), zone, float(lasts))
    begin = datetime.combine(day, time(), ZoneInfo(zone)).timestamp()
    found = spans(daily, begin, begin + 400 * DAY, starts)
    whole = [span for span in found if span[0] < begin + 398 * DAY]
    assert 396 <= len(whole) <= 399
    for (start, end), expected in zip(whole, (day + timedelta(days=n) for n in range(400)), strict=False):
        wanted = datetime.combine(expected, wall)
        shown = local(start, zone).replace(tzinfo=None)
        skipped = local(wanted.replace(tzinfo=ZoneInfo(zone)).timestamp(), zone).replace(tzinfo=None, fold=0) != wanted
        assert end - start == lasts
        assert shown == wanted or (skipped and timedelta() < shown - wanted <= timedelta(hours=1))
        assert not local(start, zone).fold, "of a wall time that comes twice it is the first"


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU,WE", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=HOURLY;INTERVAL=5"]),
    st.floats(0, 400 * DAY),
    st.integers(60, 4 * 3600),
)
def test_active_and_the_next_change_agree_with_the_windows(zone, rule, later, lasts) -> None:
    planned = recurring(rule, "2026-03-01T02:30", zone, float(lasts))
    silences, now = Silences((planned,), starts), planned.start + later
    held = active(planned, now, starts)
    inside = [span for span in spans(planned, now - DAY, now + DAY, starts) if span[0] <= now < span[1]]
    assert ([held] if held else []) == inside
    change = next_change(silences, FRAUD, now)
    assert change is not None
    assert change > now
    between = now + (change - now) * 0.5
    assert (active(planned, between, starts) is None) == (held is None), "nothing changes before it is said to"
    if held:
        assert held_until(silences, FRAUD, now) == change == held[1]


@pytest.mark.parametrize(
    ("night", "begins", "ends"),
    [
        ("2026-03-29", "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"),  # 02:30 is skipped
        ("2026-10-25", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),  # 02:30 comes twice
        ("2026-10-26", "2026-10-26T02:30:00+01:00", "2026-10-26T03:30:00+01:00"),
    ],
)
def test_the_nights_of_the_clock_changes_in_berlin(night, begins, ends) -> None:
    daily = recurring("FREQ=DAILY", "2026-01-01T02:30", "Europe/Berlin", 3600.0)
    begin = at(f"{night}T00:00:00+01:00")
    assert spans(daily, begin, begin + DAY - 3600, starts) == [(at(begins), at(ends))]


def test_exceptions_counts_and_ends() -> None:
    weekly = recurring(
        "FREQ=WEEKLY;COUNT=4", "2026-11-01T02:00", "UTC", 3600.0, without=("2026-11-08", "2026-11-15T02:00:00")
    )
    found = [
        f"{local(start, 'UTC'):%m-%d}" for start, _ in spans(weekly, weekly.start, weekly.start + 90 * DAY, starts)
    ]
    assert found == ["11-01", "11-22"]
    cut = recurring("FREQ=DAILY", "2026-11-01T02:00", "UTC", 3600.0, end=at("2026-11-03T02:30:00+00:00"))
    assert spans(cut, cut.start, cut.start + 9 * DAY, starts)[-1] == (
        at("2026-11-03T02:00:00+00:00"),
        at("2026-11-03T02:30:00+00:00"),
    )
    until = recurring("FREQ=DAILY;UNTIL=20261102", "2026-11-01T02:00", "UTC", 3600.0)
    assert len(spans(until, until.start, until.start + 9 * DAY, starts)) == 2


@pytest.mark.parametrize(
    ("last", "zone", "count"),
    [
        ("20261103T020000", "Europe/Berlin", 3),
        ("20261103T015959", "Europe/Berlin", 2),
        ("20261103T010000Z", "Europe/Berlin", 3),
        ("20261103T005959Z", "Europe/Berlin", 2),
        ("20261103T070000Z", "America/New_York", 3),
        ("20261103T065959Z", "America/New_York", 2),
        ("00010101T000000Z", "America/New_York", 0),
    ],
)
def test_the_last_start_of_a_rule_is_a_wall_time_of_its_zone_or_with_z_one_of_utc(last, zone, count) -> None:
    rule = recurring(f"FREQ=DAILY;UNTIL={last}", "2026-11-01T02:00", zone, 3600.0)
    assert len(spans(rule, rule.start, rule.start + 9 * DAY, starts)) == count


def test_silences_that_follow_one_another_hold_without_a_break() -> None:
    both = Silences((silence(end=100.0), silence('rule="fraud_latency"', start=90.0, end=200.0)))
    assert held_until(both, FRAUD, 50.0) == 200.0
    assert [each.end for each, _ in matching(both, FRAUD, 95.0)] == [200.0, 100.0]
    assert held_until(both, {**FRAUD, "rule": "other"}, 50.0) == 100.0
    assert held_until(both, FRAUD, 200.0) is None


def test_safety_must_be_asked_for() -> None:
    safety = {**FRAUD, "severity": "safety"}
    assert matching(Silences((silence(),)), safety, 1.0) == []
    assert matching(Silences((silence('severity="safety", service="fraud-scoring"'),)), safety, 1.0) == []
    assert matching(Silences((silence(safety=True),)), safety, 1.0)


def test_own_alerts_are_held_for_a_day_by_whatever_matches_them() -> None:
    own = {"service": "fireline", "rule": "fireline_blind", "severity": "outage"}
    broad = Silences((silence('severity="outage"', end=7 * DAY),))
    assert held_until(broad, own, 10.0) == DAY
    assert held_until(broad, own, DAY) is None
    assert held_until(broad, FRAUD, 10.0) == 7 * DAY
    back_to_back = recurring("FREQ=DAILY", "2026-11-01T00:00", "UTC", DAY, matchers='severity="outage"')
    touching = Silences((back_to_back,), starts)
    third = back_to_back.start + 2.5 * DAY
    assert held_until(touching, own, third) is None


def test_matchers_are_written_as_they_are_read() -> None:
    text = '{service="a\\"b\\\\", region=~"eu.*|us", rule!="y",severity!~"no.*", owner=web}'
    assert written(parse(text)) == 'service="a\\"b\\\\", region=~"eu.*|us", rule!="y", severity!~"no.*", owner="web"'
    assert parse(written(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "label", "value", "as_written"),
    [
        ('"app version"="2"', "app version", "2", '"app version"="2"'),
        ('{"k8s-node"=~"eu-.*",}', "k8s-node", "eu-.*", 'k8s-node=~"eu-.*"'),
        ("k8s-node=~eu-.*", "k8s-node", "eu-.*", 'k8s-node=~"eu-.*"'),
        ("größe!=klein", "größe", "klein", 'größe!="klein"'),
        ('"a=b, \\"c\\""!~"x"', 'a=b, "c"', "x", '"a=b, \\"c\\""!~"x"'),
    ],
)
def test_any_label_can_be_named_in_quotes_where_it_has_signs_of_the_notation(text, label, value, as_written) -> None:
    (matcher,) = parse(text)
    assert (matcher.label, matcher.values) == (label, (value,))
    assert written((matcher,)) == as_written


LABELS = st.one_of(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(min_size=1, max_size=8))


@given(st.lists(st.tuples(LABELS, st.text(max_size=20)), min_size=1, max_size=50))
def test_any_value_survives_being_written(pairs) -> None:
    matchers = tuple(Matcher(label, Match.ANY_OF, (value,)) for label, value in pairs)
    assert parse(written(matchers)) == matchers


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no matcher"),
        ("service", "none of ="),
        ('service="x', "not closed"),
        ('service="x" region="y"', "`,` was expected"),
        ('region=~"("', "not a regular expression"),
        ('="x"', "a label was expected"),
        ('""="x"', "a label was expected"),
        ('"service', "a label was expected"),
        ('{service="x"', "a label was expected"),
        ('service="x"}', "`,` was expected"),
        ("service=", "a value was expected"),
    ],
)
def test_faults_of_matchers_say_what_and_where(text, why) -> None:
    with pytest.raises(MatcherFault, match=why) as found:
        parse(text)
    assert 0 <= found.value.offset <= len(text)
    assert found.value.hint


def test_a_pattern_matches_the_whole_value_and_a_missing_label_is_empty() -> None:
    assert not fits(parse('region=~"e"'), FRAUD)
    assert fits(parse('region=~"e.", zone=""'), FRAUD)
    assert fits(parse('zone!="a"'), FRAUD)


@pytest.mark.parametrize(
    ("wrong", "field", "why"),
    [
        (silence(end=None), "end", "without an end"),
        (silence(end=0.0), "end", "before it begins"),
        (silence(end=31 * DAY), "end", "30 d is the longest"),
        (silence('region!="x"'), "matchers", "everything"),
        (silence('service="fireline"', end=2 * DAY), "end", "own alerts"),
        (silence('service=~"fire.*|fireline"', end=3600.0), "", ""),
        (
            recurring("FREQ=DAILY", "2026-11-01T02:00", "UTC", DAY, end=at("2027-01-01T00:00:00+00:00")),
            "lasts",
            "before it is over",
        ),
        (
            recurring("FREQ=SECONDLY", "2026-11-01T02:00", "UTC", 1.0, end=at("2027-01-01T00:00:00+00:00")),
            "rule",
            "FREQ",
        ),
        (recurring("FREQ=DAILY;INTERVAL=0", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "INTERVAL"),
        (recurring("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "never"),
        (recurring("FREQ=WEEKLY;BYDAY=XX", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "not a recurrence"),
        (
            recurring("DTSTART:20261101T020000\nRRULE:FREQ=DAILY", "2026-11-01T02:00", "UTC", 1.0, end=2e9),
            "rule",
            "DTSTART",
        ),
        (recurring("FREQ=DAILY\nEXDATE:20261103T020000", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "without"),
        (recurring("FREQ=DAILY;UNTIL=tomorrow", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "UNTIL is a day"),
        (recurring("FREQ=DAILY;UNTIL=20271301", "2026-11-01T02:00", "UTC", 1.0, end=2e9), "rule", "not a recurrence"),
        (
            recurring("FREQ=DAILY;COUNT=2;UNTIL=20270101", "2026-11-01T02:00", "UTC", 1.0, end=2e9),
            "rule",
            "COUNT and UNTIL",
        ),
        (
            recurring("FREQ=DAILY", "2026-11-01T02:00", "UTC", 1.0, without=("soon",), end=2e9),
            "without",
            "neither a day",
        ),
    ],
)
def test_what_a_silence_may_not_be(wrong, field, why) -> None:
    found = faults(wrong, 30 * DAY, starts)
    assert [each.field for each in found] == ([field] if field else [])
    assert all(why in each.message and each.hint for each in found)


def test_ending_and_editing_keep_what_was() -> None:
    first = silence(start=100.0, end=500.0)
    over = ended(first, 200.0, "bob")
    assert (over.end, over.version, over.history[-1].what) == (200.0, 2, "ended")
    assert [change.what for change in history(first, 499.0)] == []
    assert [(change.at, change.what) for change in history(first, 500.0)] == [(500.0, "expired")]
    assert [change.what for change in history(over, 900.0)] == ["ended"]
    early = ended(first, 50.0, "bob")
    assert spans(early, 0.0, 1000.0, starts) == []
    longer = edited(first, silence(start=100.0, end=900.0), 150.0, "bob")
    assert longer.history[-1].what == "edited end: 1970-01-01 00:08:20 UTC -> 1970-01-01 00:15:00 UTC"
    assert edited(first, first, 150.0, "bob") is first
