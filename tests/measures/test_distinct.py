"""How many different values there are, beside counting them."""

import math

import orjson
import pytest

from fireline.measures import FAMILIES
from tests.measures.folding import doubt_of, folded, value_of


def rows(many, name="u"):
    return [{"x": f"{name}{place}"} for place in range(many)]


@pytest.mark.parametrize("many", [1, 2, 255, 256])
def test_few_are_counted(many):
    assert value_of("distinct", rows(many) * 3, of="x") == many
    assert doubt_of("distinct", rows(many), of="x") is None


@pytest.mark.parametrize("many", [257, 500, 1000, 3000, 10_000, 40_000])
def test_many_are_estimated_within_the_stated_error(many):
    errors = [value_of("distinct", rows(many, name), of="x") / many - 1 for name in "abcdef"]
    assert max(map(abs, errors)) < 4 * 0.0163
    assert math.sqrt(sum(error * error for error in errors) / len(errors)) < 1.7 * 0.0163
    assert doubt_of("distinct", rows(many), of="x") == "is an estimate, within about 3 %"


def test_repeats_do_not_count_and_the_order_does_not_matter():
    family = FAMILIES["distinct"]
    many = folded("distinct", rows(2000), {}, of="x", batches=20)
    assert folded("distinct", rows(2000)[::-1] * 2, {}, of="x", batches=3) == many
    assert family.merge(many, folded("distinct", rows(100), {}, of="x")) == many
    assert len(orjson.dumps(many)) < 4200


def test_values_are_told_apart_as_labels_are():
    given = [1, 1.0, "1", True, "true", 2.5, "", None, [1], {"a": 1}, math.nan, math.inf, "\ud800"]
    assert value_of("distinct", [{"x": value} for value in given], of="x") == 4
    assert value_of("distinct", [{"x": None}, {}], of="x") is None
