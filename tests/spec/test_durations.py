"""Durations and panes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.spec.durations import seconds, written
from fireline.spec.panes import pane_fault, pane_for


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30),
        ("2m", 120),
        ("1h", 3600),
        ("7d", 604_800),
        ("1w", 604_800),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("0s", 0),
    ],
)
def test_durations_are_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (30, "the duration `30` has no unit; write 30s, 30m, 30h or 30d"),
        ("30", "the duration `30` has no unit; write 30s, 30m, 30h or 30d"),
        ("-5s", "`-5s` is not a duration"),
        ("5 s", "`5 s` is not a duration"),
        ("1y", "`1y` is not a duration"),
        ("", "`` is not a duration"),
        (True, "a duration was expected"),
        (None, "a duration was expected"),
        ("999999999999w", "is longer than ten years"),
    ],
)
def test_what_is_no_duration_says_how_to_write_one(value: object, message: str) -> None:
    with pytest.raises(ValueError, match="duration") as caught:
        seconds(value)
    assert message in str(caught.value)


@given(st.integers(1, 10_000_000))
def test_written_durations_are_read_as_the_same(value: int) -> None:
    assert seconds(written(float(value))) == value


@pytest.mark.parametrize(
    ("window", "pane"),
    [(1, 0.25), (10, 0.5), (30, 1), (60, 2), (300, 10), (600, 20), (900, 30), (3600, 60), (86_400, 60)],
)
def test_panes_are_about_a_thirtieth_and_nice(window: float, pane: float) -> None:
    assert pane_for(window) == pane


@given(st.floats(0.01, 1_000_000, allow_nan=False))
def test_a_pane_always_divides_its_window(window: float) -> None:
    assert pane_fault(window, pane_for(window)) == ""
