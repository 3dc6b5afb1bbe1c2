"""Moments as people read them: the day is told where it is another one."""

import pytest

from fireline.domain.durations import wall_time

NOON = 1_795_262_400.0  # Sat 21 Nov 2026 12:00 UTC


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NOON, "12:00 UTC"),
        (NOON - 43_200, "00:00 UTC"),
        (NOON - 43_201, "Fri 20 Nov 23:59 UTC"),
        (NOON + 86_400, "Sun 22 Nov 12:00 UTC"),
    ],
)
def test_the_day_is_told_where_it_is_another_one(at, told):
    assert wall_time(at, NOON) == told
