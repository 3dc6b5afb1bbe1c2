"""What conditions can be: whatever is said to be impossible never happens, and what matters is found."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.expressions import EvaluationFault
from fireline.domain.ranges import SHARE, Range
from fireline.spec.conditions import compile_condition
from fireline.spec.extents import ANY_TEXT, of_range, of_texts
from fireline.spec.logic import Said, impossible
from fireline.spec.trees import tree_of
from tests.examples import examples
from tests.spec.test_trees import CONDITIONS, NAMES

KNOWN = {
    "share": of_range(SHARE),
    "n": of_range(Range(0.0)),
    "p99": of_range(Range()),
    "service": ANY_TEXT,
    "region": of_texts(frozenset({"eu", "us"})),
}


def said(*texts: str) -> list[Said]:
    found = [Said(tree, not text.startswith("NOT ")) for text in texts if (tree := tree_of(text.removeprefix("NOT ")))]
    assert len(found) == len(texts)
    return found


@pytest.mark.parametrize(
    "texts",
    [
        ("share > 1",),
        ("share >= 1.5",),
        ("1 < share",),
        ("share * 100 > 101",),
        ("n < 0",),
        ("n == -1",),
        ("n > 5 && n < 3",),
        ("n > 5 && n <= 5",),
        ("n >= 5 && n <= 5 && n != 5",),
        ("p99 > 800 && !(p99 > 600)",),
        ("region == 'asia'",),
        ("region in ['asia', 'af']",),
        ("region != 'eu' && region != 'us'",),
        ("service == 'a' && service == 'b'",),
        ("service > 3",),
        ("service == 3",),
        ("share / (n + 1) < 0",),
        ("n + share < 0",),
        ("p99 > n && !(p99 > n)",),
        ("service.contains('x') && !service.contains('x')",),
        ("(share > 1 || n < 0) && p99 > 5",),
        ("share > 2 ? true : n < 0",),
        ("NOT share <= 1",),
        ("NOT n >= 0 || p99 > 3",),
        ("p99 > 800", "p99 < 600"),
        ("p99 > 2000", "NOT p99 > 800"),
        ("p99 > 2000 && n >= 50", "NOT p99 > 800 && n >= 50"),
        ("unknown > 3 && unknown == 'x'",),
        ("false",),
        ("NOT true",),
    ],
)
def test_impossible(texts: tuple[str, ...]) -> None:
    assert impossible(KNOWN, *said(*texts))


@pytest.mark.parametrize(
    "texts",
    [
        ("share > 0.99",),
        ("share >= 1",),
        ("share * 100 >= 100",),
        ("n == 0",),
        ("n > 5 || n < 3",),
        ("n >= 5 && n <= 5",),
        ("region == 'eu'",),
        ("region in ['asia', 'eu']",),
        ("region != 'eu'",),
        ("service == '3'",),
        ("unknown > 3 || unknown == 'x'",),
        ("share / n > 1",),
        ("p99 / n < 0",),
        ("p99 > n && !(p99 > share)",),
        ("a['x'] > 3 && a['x'] < 2",),
        ("x * 0.1 < 0.3 && x >= 3",),
        ("NOT p99 > 800", "p99 < 900"),
        (" && ".join(f"(a{i} > 1 || b{i} > 1)" for i in range(30)) + " && n < 0",),
    ],
)
def test_possible_or_not_known(texts: tuple[str, ...]) -> None:
    assert not impossible(KNOWN, *said(*texts))


@settings(max_examples=examples(100), deadline=None)
@given(CONDITIONS, CONDITIONS, st.lists(st.tuples(*[st.integers(-3, 11).map(float)] * 3), min_size=1, max_size=6))
def test_what_is_impossible_never_happens(first: str, second: str, points: list[tuple[float, ...]]) -> None:
    known = {"a": of_range(Range(0.0, 3.0)), "b": of_range(Range(0.0)), "c": of_range(Range())}
    one, two = compile_condition(first), compile_condition(second)
    for holds, held in itertools.product((True, False), repeat=2):
        trees = [tree_of(first), tree_of(second)]
        assert trees[0] is not None
        assert trees[1] is not None
        if not impossible(known, Said(trees[0], holds), Said(trees[1], held)):
            continue
        for point in points:
            values = dict(zip(NAMES, point, strict=True))
            if 0 <= values["a"] <= 3 and values["b"] >= 0:
                assert (told(one, values), told(two, values)) != (holds, held)


def told(condition, values):
    try:
        return condition.holds(values)
    except EvaluationFault:
        return None
