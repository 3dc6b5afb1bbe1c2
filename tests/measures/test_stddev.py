"""Spread: beside NumPy and beside exact fractions."""

import math
import random
import statistics

import numpy as np
import pytest

from tests.measures.folding import value_of


def rows(values):
    return [{"x": value} for value in values]


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("variance", [False, True])
def test_it_is_what_numpy_says(sample, variance):
    rng = random.Random(5)
    values = [rng.lognormvariate(3, 1) for _ in range(2000)]
    expected = (np.var if variance else np.std)(values, ddof=1 if sample else 0)
    assert value_of("stddev", rows(values), of="x", sample=sample, variance=variance) == pytest.approx(
        expected, rel=1e-12
    )


@pytest.mark.parametrize("mean", [0.0, 1e9, -1.7e18, 1e100])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e6])
def test_it_is_exact_however_far_away_the_mean_is(mean, spread):
    rng = random.Random(1)
    values = [mean + rng.gauss(0, spread) for _ in range(300)]
    assert value_of("stddev", rows(values), of="x") == pytest.approx(statistics.pstdev(values), rel=1e-14)


@pytest.mark.parametrize("scale", [1e139, 1e-139])
def test_squares_are_exact_at_both_ends_of_what_is_counted(scale):
    values = [scale * step for step in (1.0, 1.0000000000000002, 0.75, 3.3)]
    assert value_of("stddev", rows(values), of="x") == pytest.approx(statistics.pstdev(values), rel=1e-14)


def test_what_cannot_be_squared_is_left_out_or_counts_as_zero():
    assert value_of("stddev", rows([1e141, "5", True, math.nan, math.inf, None, [3]]), of="x") is None
    assert value_of("stddev", rows([1e-150, 2.0]), of="x") == 1.0


def test_one_number_has_no_spread_and_as_a_sample_none_that_is_known():
    assert value_of("stddev", rows([7]), of="x") == 0.0
    assert value_of("stddev", rows([7]), of="x", sample=True) is None
