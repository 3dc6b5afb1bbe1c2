"""What outcomes cost, and how fast counters grow."""

import math

import pytest

from fireline.measures import FAMILIES
from tests.measures.folding import doubt_of, folded, value_of

GOOD = "error == ''"
CALLS = [
    {"cost": 0.5, "error": ""},
    {"cost": 0.25, "error": "timeout"},
    {"cost": 0.25, "error": "timeout"},
    {"cost": 1.0, "error": ""},
    {"cost": 2.0},
]


def test_failed_calls_make_good_ones_dearer():
    assert value_of("cost_per", CALLS, of="cost", condition=GOOD) == 2.0
    assert value_of("cost_per", CALLS, of="cost") == 0.8
    assert doubt_of("cost_per", CALLS, of="cost", condition=GOOD) is None


def test_without_an_outcome_or_a_cost_there_is_no_value():
    assert value_of("cost_per", CALLS[1:3], of="cost", condition=GOOD) is None
    assert value_of("cost_per", [{"error": ""}], of="cost", condition=GOOD) is None
    assert value_of("cost_per", [{"cost": value} for value in ("3", True, math.nan, 1e200, [1])], of="cost") is None


def test_it_says_how_many_do_not_report_their_cost():
    calls = [*CALLS, {"error": "", "cost": "0.5"}, {"error": ""}]
    assert value_of("cost_per", calls, of="cost", condition=GOOD) == 1.0
    assert doubt_of("cost_per", calls, of="cost", condition=GOOD) == (
        "leaves out what 2 of 7 events cost, which do not say it"
    )


def test_the_sum_is_exact():
    calls = [{"cost": cost} for cost in [1e100, 1.0, -1e100, 3.0] * 50]
    assert value_of("cost_per", calls, of="cost") == 1.0


def counter(value, start):
    return {"value": value, "temporality": "cumulative", "series": "s", "start": start}


def test_the_rate_of_a_counter_knows_resets():
    points = [
        counter(100.0, start=-99.0),
        counter(130.0, start=-99.0),
        counter(20.0, start=25.0),
        counter(50.0, start=25.0),
    ]
    state = folded("increase_rate", points, {}, times=[0.0, 20.0, 30.0, 40.0])
    assert FAMILIES["increase_rate"].read(state, 40.0, {}) == pytest.approx((30 + 50) / 40)
    assert FAMILIES["increase"].read(state, 40.0, {}) == 80.0


def test_the_rate_of_increments_is_their_sum_a_second():
    told = [{"value": 30, "temporality": "delta"}, {"value": 90.0, "temporality": "delta"}, {"value": "7"}]
    assert value_of("increase_rate", told) == 2.0
    assert value_of("increase_rate", [{"value": 30}, {"value": 90.0}, {"value": "7"}], temporality="delta") == 2.0
    assert value_of("increase_rate", [{"value": None}]) is None
