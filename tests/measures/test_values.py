"""What each family says of known events."""

import math
import random

import pytest

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES


def read(agg, values, window=60.0, **options):
    family = FAMILIES[agg]
    return family.read(family.fold(values, [float(i) for i in range(len(values))], options), window, options)


@pytest.mark.parametrize(
    ("agg", "expected"),
    [("count", 4.0), ("rate", 4 / 60), ("sum", 10.0), ("avg", 2.5), ("min", 1.0), ("max", 4.0), ("last", 3.0)],
)
def test_simple_aggregates(agg, expected):
    assert read(agg, [4.0, 1, 2.0, 3]) == expected


@pytest.mark.parametrize("agg", ["sum", "avg", "min", "max", "last", "quantile"])
def test_what_is_not_a_number_is_left_out(agg):
    assert read(agg, [None, "7", True, math.nan, math.inf, 1e200, {}]) is None
    assert read(agg, [2.0, None, "7", True, math.nan, math.inf, 1e200]) == pytest.approx(2.0, rel=0.01)


def test_a_sum_is_exact_where_adding_one_by_one_is_not():
    values = [1e100, 1.0, -1e100, 1e-100] * 100
    family = FAMILIES["sum"]
    state = family.fold([], [], {})
    for value in values:
        state = family.merge(state, family.fold([value], [0.0], {}))
    assert family.read(state, 1.0, {}) == 100.0
    assert state == family.fold(values, [0.0] * len(values), {})


@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("shape", ["lognormal", "uniform", "negative", "tiny", "mixed"])
def test_a_quantile_is_within_one_percent_of_the_true_one(q, shape):
    rng = random.Random(7)
    draw = {
        "lognormal": lambda: rng.lognormvariate(5, 2),
        "uniform": lambda: rng.uniform(0, 1000),
        "negative": lambda: -rng.expovariate(0.01),
        "tiny": lambda: rng.uniform(1e-300, 1e-290),
        "mixed": lambda: rng.choice([0.0, rng.gauss(0, 100)]),
    }[shape]
    values = [draw() for _ in range(5000)]
    exact = sorted(values)[math.floor(q * 4999)]
    assert read("quantile", values, q=q) == pytest.approx(exact, rel=0.01, abs=0.0)


def test_one_number_and_an_array_of_it_fall_in_the_same_bucket():
    family = FAMILIES["quantile"]
    rng = random.Random(3)
    values = [2.0 ** (k / 35) for k in range(-700, 700)] + [rng.uniform(-1e6, 1e6) for _ in range(2000)] + [0.0, -0.0]
    one_by_one = family.fold([], [], {})
    for value in values:
        one_by_one = family.merge(one_by_one, family.fold([value], [0.0], {}))
    assert one_by_one == family.fold(values, [0.0] * len(values), {})


def halves(agg, kind, rows):
    measure = Measure("m", agg)
    return FAMILIES[agg].fold(FAMILIES[agg].column(kind, rows, measure), [0.0] * len(rows), {})


def test_agreement_pairs_halves_that_come_apart_and_counts_repeats_once():
    family = FAMILIES["agreement"]
    predicted = halves("agreement", Kind.PREDICTION, [{"request_id": f"r{i}", "prediction": "up"} for i in range(4)])
    labels = [
        {"request_id": "r0", "label": "up"},
        {"request_id": "r1", "label": "down"},
        {"request_id": "x", "label": 1},
    ]
    labelled = halves("agreement", Kind.FEEDBACK, labels)
    assert family.read(predicted, 60.0, {}) is None
    both = family.merge(labelled, family.merge(predicted, labelled))
    assert family.read(both, 60.0, {}) == 0.5


def test_agreement_of_very_many_requests_is_bounded_and_close():
    family = FAMILIES["agreement"]
    rows = [{"request_id": f"r{i}", "prediction": "up"} for i in range(30_000)]
    labels = [{"request_id": f"r{i}", "label": "up" if i % 4 else "down"} for i in range(30_000)]
    state = family.merge(halves("agreement", Kind.PREDICTION, rows), halves("agreement", Kind.FEEDBACK, labels))
    assert len(state["p"]) <= 4096
    assert family.read(state, 60.0, {}) == pytest.approx(0.75, abs=0.03)
