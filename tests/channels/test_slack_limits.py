"""The token buckets: as fast as Slack takes it, no faster, and waiting is told, not done."""

from hypothesis import given
from hypothesis import strategies as st

from fireline.channels.slack_limits import Bucket, Limits


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_the_burst_and_the_rate(gaps: list[float]) -> None:
    bucket, now, let_through = Bucket(rate=1.0, burst=4.0, tokens=4.0, at=0.0), 0.0, 0
    for gap in gaps:
        now += gap
        let_through += bucket.take(now) == 0.0
    assert let_through <= 4 + now + 1e-6


def test_who_waits_as_long_as_told_goes_through() -> None:
    bucket = Bucket(rate=0.5, burst=1.0, tokens=1.0, at=0.0)
    assert bucket.take(0.0) == 0.0
    wait = bucket.take(0.0)
    assert wait == 2.0
    assert bucket.take(wait) == 0.0


def test_a_clock_that_steps_back_lends_nothing() -> None:
    bucket = Bucket(rate=1.0, burst=1.0, tokens=1.0, at=100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) > 0.0


def test_rooms_do_not_share_and_edits_do() -> None:
    limits = Limits()
    assert limits.post("C1", 0.0) is not limits.post("C2", 0.0)
    assert limits.post("C1", 0.0) is limits.post("C1", 5.0)
    assert limits.edit(0.0) is limits.edit(1.0)


def test_idle_rooms_are_forgotten_and_closed_ones_are_not() -> None:
    limits = Limits()
    limits.post("closed", 0.0).close(10_000.0)
    for number in range(1500):
        limits.post(f"C{number}", 0.0)
    assert len(limits._buckets) <= 1001
    assert limits.post("closed", 1.0).take(1.0) > 0.0
