"""By how much a number changed since an earlier stretch."""

import pytest
from pydantic import ValidationError

from fireline.domain.windows import Lookback
from fireline.measures import FAMILIES

CHANGE = FAMILIES["change"]
WINDOW = 60.0


def change(now, before, **given):
    """The change between stretches of `(time, value)`; None is a stretch of which nothing is known."""
    options = CHANGE.settings.model_validate(given).model_dump()
    states = [
        None if some is None else CHANGE.fold([v for _, v in some], [t for t, _ in some], options)
        for some in (now, before)
    ]
    return CHANGE.compare(states[0], states[1:], WINDOW, options)


BEFORE = [(10.0, 4.0), (50.0, 6.0)]
NOW = [(70.0, 8.0), (100.0, 16.0)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 12.0 - 5.0),
        ({"stat": "sum"}, 24.0 - 10.0),
        ({"stat": "count"}, 0.0),
        ({"stat": "max", "per": "1s"}, 10.0 / 60.0),
        ({"stat": "last", "per": "1m"}, 10.0 / 50.0 * 60.0),
        ({"stat": "last"}, 10.0),
        ({"relative": True}, 7.0 / 5.0),
        ({"per": "1h", "earlier": "1d"}, 7.0 / 24.0),
    ],
)
def test_it_is_the_stat_now_less_the_stat_before(given, expected):
    assert change(NOW, BEFORE, **given) == pytest.approx(expected)


def test_what_is_not_known_or_empty_gives_no_value():
    assert change(NOW, None) is None
    assert change(NOW, []) is None
    assert change([], BEFORE) is None
    assert change([], BEFORE, stat="count") == -2.0
    assert change(NOW, [(1.0, 0.0)], relative=True) is None
    assert change([(1.0, 1e149)], [(0.0, 5e-324)], relative=True) is None


def test_a_fall_of_what_was_negative_is_negative():
    assert change([(1.0, -3.0)], [(0.0, -2.0)], relative=True) == -0.5


def test_it_is_compared_with_the_stretch_just_before_or_one_earlier():
    assert list(CHANGE.lookbacks(60.0, {})) == [Lookback(60.0, 60.0)]
    assert list(CHANGE.lookbacks(60.0, {"earlier": 3600.0})) == [Lookback(60.0, 3600.0)]


def test_it_is_told_in_one_unit():
    with pytest.raises(ValidationError, match="do not go together"):
        CHANGE.settings.model_validate({"relative": True, "per": "1s"})
