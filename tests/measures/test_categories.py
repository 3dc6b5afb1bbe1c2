"""Entropy and balance of categories, beside NumPy and SciPy."""

import random
from collections import Counter

import numpy as np
import orjson
import pytest
from pydantic import ValidationError
from scipy.stats import entropy

from fireline.measures import FAMILIES
from tests.measures.folding import doubt_of, folded, options_of, value_of


def drawn(kinds, many=3000, seed=2):
    rng = random.Random(seed)
    weights = [rng.random() ** 3 + 0.001 for _ in range(kinds)]
    return [f"c{kind}" for kind in rng.choices(range(kinds), weights, k=many)]


def rows(values):
    return [{"x": value} for value in values]


@pytest.mark.parametrize("kinds", [1, 2, 7, 60, 120])
def test_entropy_is_what_scipy_says(kinds):
    values = drawn(kinds)
    counts = list(Counter(values).values())
    expected = entropy(counts, base=2)
    assert value_of("entropy", rows(values), of="x") == pytest.approx(expected, abs=1e-12)
    share = expected / np.log2(len(counts)) if len(counts) > 1 else 0.0
    assert value_of("entropy", rows(values), of="x", normalised=True) == pytest.approx(share, abs=1e-12)


def test_entropy_is_normalised_by_the_classes_that_there_should_be():
    even = rows(["a", "b"] * 50)
    assert value_of("entropy", even, of="x") == 1.0
    assert value_of("entropy", even, of="x", normalised=True, classes=4) == 0.5
    assert value_of("entropy", rows(["a"] * 9), of="x", normalised=True) == 0.0


def test_of_very_many_categories_entropy_is_a_lower_bound_and_says_so():
    values = drawn(3000, 9000)
    exact = entropy(list(Counter(values).values()), base=2)
    assert 0 < value_of("entropy", rows(values), of="x") < exact
    assert doubt_of("entropy", rows(values), of="x") == (
        "reads low: it tells 128 categories apart, and takes all others for one"
    )
    assert doubt_of("entropy", rows(drawn(120)), of="x") is None
    state = folded("entropy", rows(values), {}, of="x", batches=40)
    assert state == folded("entropy", rows(values[::-1]), {}, of="x", batches=2)
    assert len(orjson.dumps(state)) < 5_000


def test_balance_is_the_share_of_one_class_or_compares_all():
    values = rows(["deny"] * 10 + ["allow"] * 30 + [None, "", ["deny"]] * 5)
    assert value_of("balance", values, of="x", **{"class": "deny"}) == 0.25
    assert value_of("balance", values, of="x", **{"class": "review"}) == 0.0
    assert value_of("balance", values, of="x") == 0.75
    assert value_of("balance", values, of="x", which="smallest") == 0.25
    assert value_of("balance", values, of="x", which="imbalance") == 3.0
    assert value_of("balance", rows([None, ""]), of="x", **{"class": "deny"}) is None


def test_classes_that_should_be_there_and_are_not_count_and_others_do_not():
    values = rows(["a"] * 3 + ["b"] + ["noise"] * 50)
    assert value_of("balance", values, of="x", classes=["a", "b", "c"], which="largest") == 0.75
    assert value_of("balance", values, of="x", classes=["a", "b", "c"], which="smallest") == 0.0
    assert value_of("balance", values, of="x", classes=["a", "b", "c"], which="imbalance") is None
    assert value_of("balance", rows(["noise"]), of="x", classes=["a", "b"]) is None


@pytest.mark.parametrize(("named", "value"), [(1, 1.0), (1.0, "1"), (True, "true"), ("14", 14)])
def test_classes_are_compared_as_labels_are(named, value):
    assert value_of("balance", rows([value, "other"]), of="x", **{"class": named}) == 0.5


def test_a_named_class_is_exact_among_any_number_of_classes():
    values = [*drawn(3000, 5000), *["deny"] * 500]
    assert value_of("balance", rows(values), of="x", **{"class": "deny"}) == 500 / 5500
    assert doubt_of("balance", rows(values), of="x", **{"class": "deny"}) is None
    assert doubt_of("balance", rows(values), of="x") == "is told from 128 of more classes than can be told apart"
    assert len(orjson.dumps(folded("balance", rows(values), {}, of="x"))) < 5_000


def test_one_class_and_all_classes_are_two_questions():
    with pytest.raises(ValidationError, match="remove `which` and `classes`"):
        options_of("balance", **{"class": "deny", "which": "largest"})


def test_states_of_both_hold_however_batches_are_cut():
    values = rows(drawn(400, 4000))
    for agg in ("entropy", "balance"):
        whole = folded(agg, values, {}, of="x", batches=1)
        assert folded(agg, values, {}, of="x", batches=77) == whole
        assert FAMILIES[agg].read(whole, 60.0, {}) is not None
