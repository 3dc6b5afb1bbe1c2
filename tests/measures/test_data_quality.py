"""Whether data are still what they were: missing fields, new categories, other shapes, stale times."""

import math
import random

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from fireline.domain.windows import Compares, Lookback
from fireline.measures import FAMILIES, category_counts
from tests.measures.folding import change_of, doubt_of, folded, options_of, value_of

NOTHING = [None, "", "  ", math.nan, math.inf, [], {}]
SOMETHING = [0, 0.0, False, "0", "x", [None], {"a": None}, -1, "n/a", 10**30]


def rows(values):
    return [{"x": value} for value in values]


def test_nothing_is_missing_and_zero_is_not():
    assert value_of("missing", rows(NOTHING), of="x") == 1.0
    assert value_of("missing", rows(SOMETHING), of="x") == 0.0
    assert value_of("missing", [{}, {"x": 1}, {"f": {"x": 1}}, {"x": None}], of="x") == 0.75
    assert value_of("missing", [{"f": {"x": 1}}, {"f": {}}, {"f": 3}, {}], of="f.x") == 0.75
    assert value_of("missing", [], of="x") is None


def test_placeholders_are_missing_too():
    given = [-1, -1.0, "-1", "n/a", " n/a ", "N/A", True, 5]
    assert value_of("missing", rows(given), of="x", also=["n/a", -1]) == 5 / 8
    assert value_of("missing", rows(given), of="x", also=[True]) == 1 / 8


def test_what_is_not_listed_is_new():
    given = rows(["de"] * 6 + ["fr"] * 2 + ["xx"] * 3 + ["yy"] + [None, ""])
    assert value_of("new_categories", given, of="x", known=["de", "fr"]) == 4 / 12
    assert value_of("new_categories", given, of="x", known=["de", "fr"], unit="events") == 4
    assert value_of("new_categories", given, of="x", known=["de", "fr"], unit="kinds") == 2
    assert value_of("new_categories", given, of="x", known=["de", "fr", "xx", "yy"]) == 0.0
    assert value_of("new_categories", rows([None]), of="x", known=["de"]) is None
    assert value_of("new_categories", rows([1, 1.0, "1", True, 2]), of="x", known=[1, True]) == 1 / 5


def test_a_list_is_exact_for_any_number_of_new_ones():
    given = rows([*(f"n{place % 1500}" for place in range(6000)), *["de"] * 2000])
    assert value_of("new_categories", given, of="x", known=["de"]) == 0.75
    assert value_of("new_categories", given, of="x", known=["de"], unit="kinds") == pytest.approx(1500, rel=0.3)
    assert doubt_of("new_categories", given, of="x", known=["de"]) is None
    assert len(orjson.dumps(folded("new_categories", given, {}, of="x"))) < 7_000


def test_what_the_past_does_not_have_is_new():
    past = rows(["de", "fr", "it"] * 100)
    now = rows(["de"] * 6 + ["xx"] * 3 + ["yy"])
    assert change_of("new_categories", past, now, of="x", trailing="7d") == 0.4
    assert change_of("new_categories", past, now, of="x", trailing="7d", unit="events") == 4
    assert change_of("new_categories", past, now, of="x", trailing="7d", unit="kinds") == 2
    assert change_of("new_categories", past, rows(["fr"]), of="x", trailing="7d") == 0.0
    assert change_of("new_categories", past, rows([None]), of="x", trailing="7d") is None


def test_too_little_past_says_nothing_rather_than_call_all_new():
    assert change_of("new_categories", None, rows(["a"]), of="x", trailing="7d") is None
    assert change_of("new_categories", rows(["a"] * 99), rows(["b"]), of="x", trailing="7d") is None
    assert change_of("new_categories", rows(["a"] * 99), rows(["b"]), of="x", trailing="7d", min_past=99) == 1.0
    options = options_of("new_categories", trailing="7d")
    assert FAMILIES["new_categories"].read(folded("new_categories", rows(["b"]), options), 60.0, options) is None


def test_of_very_many_categories_the_share_of_new_ones_is_estimated():
    rng = random.Random(4)
    past = rows([f"c{rng.randrange(1000)}" for _ in range(20_000)])
    now = rows([f"c{rng.randrange(1000)}" if rng.random() < 0.7 else f"n{rng.randrange(400)}" for _ in range(5000)])
    assert change_of("new_categories", past, now, of="x", trailing="7d") == pytest.approx(0.3, abs=0.12)
    assert doubt_of("new_categories", now, of="x", trailing="7d") == "is told from a sample of 128 categories"


def test_what_a_baseline_has_seen_is_not_new():
    family, long, odd = FAMILIES["new_categories"], "x" * 100, "\ud800"
    state = category_counts.counted(["de", "fr", "de", long, odd, 7])
    options = {**options_of("new_categories", baseline="good"), **family.reference("categorical", state, 0.0, {})}
    given = rows(["de", "fr", long, odd, 7, "7", "it", "y" * 100])
    assert family.compare(folded("new_categories", given, options, of="x"), [], 60.0, options) == 0.25
    with pytest.raises(ValueError, match="this one is numeric"):
        family.reference("numeric", [], 0.0, {})
    with pytest.raises(ValueError, match="more than 1000"):
        family.reference("categorical", category_counts.counted([f"c{place}" for place in range(2000)]), 0.0, {})


@pytest.mark.parametrize("agg", ["new_categories", "schema_change"])
def test_the_past_ends_where_the_window_begins(agg):
    family = FAMILIES[agg]
    assert isinstance(family, Compares)
    assert list(family.lookbacks(300.0, options_of(agg, trailing="1d"))) == [Lookback(86_400.0, 300.0)]
    listed = {"known": ["a"]} if agg == "new_categories" else {"expected": {"a": "text"}}
    assert list(family.lookbacks(300.0, options_of(agg, **listed))) == []


GOOD = {"f": {"price": 3, "currency": "EUR", "deep": {"a": [1]}}}
SHAPES = {
    "same": ({"f": {"price": 4.5, "currency": "USD", "deep": {"a": []}}}, False),
    "null is not there": ({"f": {"price": 3, "currency": "EUR", "deep": {"a": [1]}, "x": None}}, False),
    "lost": ({"f": {"price": 3, "deep": {"a": [1]}}}, True),
    "text for a number": ({"f": {"price": "3", "currency": "EUR", "deep": {"a": [1]}}}, True),
    "truth for a number": ({"f": {"price": True, "currency": "EUR", "deep": {"a": [1]}}}, True),
    "another inside": ({"f": {"price": 3, "currency": "EUR", "deep": {"a": 1}}}, True),
    "more": ({"f": {"price": 3, "currency": "EUR", "deep": {"a": [1]}, "new": 1}}, True),
    "nothing": ({}, True),
    "no object": ({"f": 7}, True),
}


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize("against", ["seen", "common"])
def test_shapes_are_compared_with_those_of_the_past(case, against):
    fields, differs = SHAPES[case]
    value = change_of("schema_change", [GOOD] * 200, [GOOD, fields], inside="f", trailing="1d", against=against)
    assert value == (0.5 if differs else 0.0)


def test_a_rare_shape_of_the_past_is_seen_and_not_common():
    past = [*[GOOD] * 150, *[{"f": {"price": 1}}] * 3]
    now = [*[GOOD] * 3, {"f": {"price": 2.5}}]
    assert change_of("schema_change", past, now, inside="f", trailing="1d") == 0.0
    assert change_of("schema_change", past, now, inside="f", trailing="1d", against="common") == 0.25
    kinds = change_of("schema_change", past, now, inside="f", trailing="1d", against="common", unit="kinds")
    assert kinds == 1
    assert change_of("schema_change", past[:50], now, inside="f", trailing="1d", against="common") is None


def test_listed_fields_must_be_there_with_their_types():
    expected = {"price": "number", "currency": "text"}
    given = [fields for fields, _ in SHAPES.values()]
    assert value_of("schema_change", given, inside="f", expected=expected) == 5 / 9
    assert value_of("schema_change", given, inside="f", expected=expected, exact=True, ignore=["deep"]) == 6 / 9
    flat = [{"a": 1, "b": "x"}, {"a": 1}, {"a": 1, "b": "x", "labels": True}]
    assert value_of("schema_change", flat, expected={"a": "number", "b": "text"}) == 1 / 3
    assert value_of("schema_change", flat, expected={"a": "number", "b": "text"}, exact=True) == 2 / 3
    ignored = value_of("schema_change", flat, expected={"a": "number", "b": "text"}, exact=True, ignore=["labels"])
    assert ignored == 1 / 3
    assert value_of("schema_change", flat, expected={"a": "number"}, unit="events") == 0
    assert value_of("schema_change", [], expected={"a": "number"}) is None


def test_shapes_without_end_are_bounded():
    wild = [{"f": {f"k{place}": 1}} for place in range(1000)]
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"a": deep}
    assert change_of("schema_change", wild, [{"f": deep}], inside="f", trailing="1d", against="common") is None
    assert doubt_of("schema_change", wild, inside="f", trailing="1d") == "is told from a sample of 128 shapes"
    assert len(orjson.dumps(folded("schema_change", wild, {}))) < 11_000
    assert value_of("schema_change", [{"f": deep}], expected={"a.a.a.a": "object"}, inside="f") == 0.0
    assert value_of("schema_change", [{"f": deep}], expected={"a.a.a.a.a": "object"}, inside="f") == 1.0


@pytest.mark.parametrize(
    ("agg", "given", "said"),
    [
        ("new_categories", {}, "nothing says what was there before"),
        ("new_categories", {"known": ["a"], "trailing": "1d"}, "`known` and `trailing` both say"),
        ("new_categories", {"known": ["a"], "min_past": 5}, "`min_past` says something of `trailing`"),
        ("schema_change", {"inside": "f"}, "nothing says what was there before"),
        ("schema_change", {"expected": {"a": "text"}, "against": "common"}, "`against` says something of `trailing`"),
        ("schema_change", {"trailing": "1d", "exact": True}, "`exact` says something of `expected`"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(agg, given, said):
    with pytest.raises(ValidationError, match=said):
        options_of(agg, **given)


def said_of(agg, past, given, *, of=None, **settings):
    options = options_of(agg, **settings)
    others = [] if past is None else [folded(agg, past, options, of=of)]
    return FAMILIES[agg].change(folded(agg, given, options, of=of), others, 60.0, options)


def test_people_are_told_which_categories_are_new():
    given = rows(["de"] * 6 + ["BTC"] * 3 + ["XMR", "XMR", "a\n  <b>", "\ud800" * 40, "x" * 90])
    told = said_of("new_categories", None, given, of="x", known=["de", "a\n  <b>"])
    assert told == f"saw BTC (3), XMR (2), {'x' * 21}... (1) and 1 other kind"
    assert said_of("new_categories", None, given[:6], of="x", known=["de"]) is None
    past = rows(["de", "XMR"] * 60)
    assert said_of("new_categories", past, given[:11], of="x", trailing="7d") == "saw BTC (3)"
    assert said_of("new_categories", past[:5], given, of="x", trailing="7d") is None


def test_people_are_told_which_fields_changed():
    renamed = [{"f": {"price_eur": 3, "currency": "EUR", "deep": {"a": [1]}}}]
    told = said_of("schema_change", [GOOD] * 200, [GOOD, *renamed * 3], inside="f", trailing="1d")
    assert told in {
        "has price (number) in 25 % of events, 100 % before; price_eur (number) in 75 % of events, 0 % before",
        "has price_eur (number) in 75 % of events, 0 % before; price (number) in 25 % of events, 100 % before",
    }
    assert said_of("schema_change", [GOOD] * 200, [GOOD], inside="f", trailing="1d") is None
    assert said_of("schema_change", [GOOD] * 20, renamed, inside="f", trailing="1d") is None
    expected = {"price": "number", "currency": "text"}
    given = [GOOD, *renamed * 3, {"f": {"price": "3"}}]
    told = said_of("schema_change", None, given, inside="f", expected=expected)
    assert told == "saw price is missing (3), currency is missing; price is text (1)"
    told = said_of("schema_change", None, [GOOD], inside="f", expected=expected, exact=True)
    assert told == "saw deep is not expected; deep.a is not expected (1)"


NOW = 1_763_683_200.0


def age(value, **given):
    options = options_of("staleness", **given)
    state = folded("staleness", rows([value]), options, of="x", times=[NOW])
    return FAMILIES["staleness"].read(state, 60.0, options)


@pytest.mark.parametrize(
    "then",
    [
        NOW - 90,
        int(NOW - 90),
        (NOW - 90) * 1e3,
        int(NOW - 90) * 10**6,
        int(NOW - 90) * 10**9,
        "2025-11-20T23:58:30Z",
        "2025-11-21T01:58:30+02:00",
        "2025-11-20 23:58:30",
        "2025-11-20t23:58:30.000z",
    ],
)
def test_times_are_read_as_producers_write_them(then):
    assert age(then, q=1) == pytest.approx(90.0)


@pytest.mark.parametrize(
    "then",
    [
        "0001-01-01T00:00:00Z",
        "2025-13-20T00:00:00Z",
        "1763683200",
        "2025-11-20",
        0,
        -5,
        True,
        None,
        math.nan,
        [1],
        1e30,
    ],
)
def test_what_is_no_time_is_left_out(then):
    assert age(then) is None


@pytest.mark.parametrize("q", [0.0, 0.5, 0.95, 1.0])
def test_ages_are_within_one_percent(q):
    rng = random.Random(8)
    ages = [rng.lognormvariate(4, 2) for _ in range(3000)]
    times = [NOW + place for place in range(3000)]
    options = options_of("staleness", q=q)
    given = rows([at - old for at, old in zip(times, ages, strict=True)])
    state = folded("staleness", given, options, of="x", times=times)
    exact = np.quantile(ages, q, method="lower")
    assert FAMILIES["staleness"].read(state, 60.0, options) == pytest.approx(exact, rel=0.0101, abs=1e-6)


def test_a_clock_that_is_ahead_gives_a_negative_age():
    assert age(NOW + 5, q=1) == pytest.approx(-5.0)
    assert options_of("staleness")["q"] == 0.95
