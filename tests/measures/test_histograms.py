"""Quantiles of histograms, and what counters gain: known values, sound bounds, and states that merge in any order."""

import itertools
import math
import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES
from fireline.measures.bucket_counts import MOST, joined, within
from fireline.measures.cumulative import SERIES, SLOTS
from fireline.measures.histogram_quantile import counted_in
from tests.examples import examples

QUANTILE, INCREASE = FAMILIES["histogram_quantile"], FAMILIES["increase"]
DEFAULT = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000]
T = 1_763_683_200.0


def fold(family, events, q=0.5):
    """Of `(at, fields)`."""
    column = family.column(Kind.METRIC, [fields for _, fields in events], Measure("m", family.name))
    return family.fold(list(column), [at for at, _ in events], {"q": q})


def held(bounds, values, **more):
    """The histogram of known values."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return {"buckets": {"bounds": bounds, "counts": counts}, "count": len(values), **more}


def total(series, start, value, **more):
    return {"temporality": "cumulative", "series": series, "start": start, "value": value, **more}


def test_values_are_spread_evenly_between_the_bounds():
    state = fold(QUANTILE, [(T, held([10, 20, 30], [15] * 50 + [25] * 50))])
    for q, expected in ((0.25, 15.0), (0.5, 20.0), (0.95, 29.0), (1.0, 30.0), (0.0, 10.0)):
        assert QUANTILE.read(state, 60.0, {"q": q}) == pytest.approx(expected)


def test_the_signal_is_told_between_which_bounds_it_lies_and_on_how_few_buckets_it_rests():
    state = fold(QUANTILE, [(T, held(DEFAULT, [300] * 5 + [600] * 95))])
    assert QUANTILE.caveat(state, 60.0, {"q": 0.95}) == "lies between 500 and 750: it rests on 2 buckets"
    one = fold(QUANTILE, [(T, held(DEFAULT, [0.3, 2.2], min=0.3, max=2.2))])
    assert QUANTILE.caveat(one, 60.0, {"q": 0.95}) == "lies between 0.3 and 2.2: it rests on 1 bucket"
    fine = fold(QUANTILE, [(T, held([i / 100 for i in range(100, 300)], [i / 100 for i in range(100, 300)]))])
    assert QUANTILE.caveat(fine, 60.0, {"q": 0.5}) is None


def test_what_lies_in_a_bucket_without_an_end_is_at_least_its_bound():
    state = fold(QUANTILE, [(T, held([1000], [5000] * 10))])
    assert QUANTILE.read(state, 60.0, {"q": 0.99}) == 1000.0
    assert QUANTILE.caveat(state, 60.0, {"q": 0.99}) == "is at least 1000: it rests on 1 bucket"
    unknown = fold(QUANTILE, [(T, held([], [5000] * 10))])
    assert QUANTILE.read(unknown, 60.0, {}) is None
    assert QUANTILE.read(fold(QUANTILE, [(T, held([], [5000], min=4.0, max=6.0))]), 60.0, {}) == 5.0


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-1e6, 1e6), max_size=8, unique=True).map(sorted),
            st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(0, 1),
    st.booleans(),
)
def test_the_true_quantile_lies_where_the_bounds_say_whatever_bounds_are_mixed(histograms, q, ends):
    events = [
        (T, held(bounds, values, **({"min": min(values), "max": max(values)} if ends else {})))
        for bounds, values in histograms
    ]
    state = fold(QUANTILE, events)
    everything = sorted(value for _, values in histograms for value in values)
    true = everything[max(1, math.ceil(q * len(everything))) - 1]
    low, high = within(counted_in(state, 60.0), q)
    assert low <= true <= high
    value = QUANTILE.read(state, 60.0, {"q": q})
    assert value is None or low <= value <= high


@pytest.mark.parametrize("broken", [
    None, 7, {}, {"bounds": [1], "counts": [1]}, {"bounds": [2, 1], "counts": [1, 1, 1]},
    {"bounds": [1], "counts": [1, -1]}, {"bounds": ["1"], "counts": [1, 1]}, {"bounds": [1], "counts": [1, 1.5]},
    {"bounds": [1e200], "counts": [1, 1]}, {"bounds": [1], "counts": [True, 1]}, {"bounds": 1, "counts": 1},
])  # fmt: skip
def test_what_is_no_histogram_is_left_out(broken):
    state = fold(QUANTILE, [(T, {"buckets": broken})])
    assert QUANTILE.read(state, 60.0, {}) is None
    assert QUANTILE.caveat(state, 60.0, {}) is None


def cumulative(series, start, bounds, values):
    return held(bounds, values, temporality="cumulative", series=series, start=start)


def test_of_cumulative_histograms_only_what_came_in_the_window_counts():
    long_ago = T - 86_400
    before, news = [600] * 1000, [20] * 10
    events = [
        (T, cumulative("a", long_ago, DEFAULT, before)),
        (T + 10, cumulative("a", long_ago, DEFAULT, before + news)),
    ]
    assert QUANTILE.read(fold(QUANTILE, events), 60.0, {"q": 0.99}) == pytest.approx(24.85)
    assert QUANTILE.read(fold(QUANTILE, events[:1]), 60.0, {"q": 0.99}) is None, "one point tells nothing of a window"


def test_a_series_that_began_anew_counts_from_zero():
    events = [
        (T, cumulative("a", T - 86_400, [10, 20], [5] * 1000)),
        (T + 10, cumulative("a", T + 5, [10, 20], [15] * 4)),
        (T + 20, cumulative("a", T + 5, [10, 20], [15] * 8)),
    ]
    assert QUANTILE.read(fold(QUANTILE, events), 60.0, {"q": 0.5}) == 15.0
    counts = [(at, total("a", fields["start"], fields["count"])) for at, fields in events]
    assert INCREASE.read(fold(INCREASE, counts), 60.0, {}) == 8.0
    unseen = [(T, total("a", T - 86_400, 50)), (T + 10, total("a", T - 86_400, 3))]
    assert INCREASE.read(fold(INCREASE, unseen), 60.0, {}) == 3.0, "a counter that fell began anew"


def test_buckets_that_an_exponential_histogram_joined_meanwhile_are_subtracted():
    fine, coarse = [1.0, 2.0, 4.0, 8.0, 16.0], [1.0, 4.0, 16.0]
    first, more = [1.5] * 3 + [3] * 2 + [9], [3] * 4
    events = [(T, cumulative("a", 1.0, fine, first)), (T + 9, cumulative("a", 1.0, coarse, first + more))]
    assert QUANTILE.read(fold(QUANTILE, events), 60.0, {"q": 0.5}) == 2.5


def test_an_increase_is_the_sum_of_what_series_gained_and_of_deltas():
    events = [
        (T, total("a", 1.0, 100)), (T + 60, total("a", 1.0, 130)),
        (T + 5, total("b", 1.0, 7)), (T + 65, total("b", 1.0, 9.5)),
        (T + 40, total("new", T + 30, 4)),
        (T, {"temporality": "delta", "value": 2}), (T, {"temporality": "delta", "value": 0.25}),
    ]  # fmt: skip
    assert INCREASE.read(fold(INCREASE, events), 300.0, {}) == 38.75
    assert INCREASE.read(fold(INCREASE, [(T, {"temporality": "cumulative", "value": 5})]), 300.0, {}) is None
    assert INCREASE.read(fold(INCREASE, [(T, total("a", 1.0, 100))]), 300.0, {}) is None, "one point tells nothing"


def counted(values, *, every=10.0, **labels):
    """A counter that says nothing but its value."""
    return [(T + place * every, {"value": value, **labels}) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "gained"),
    [
        ([40, 55, 70], 30),
        ([4, 9, 12, 7, 8], 16),
        ([100, 130, 5, 200], 230),
        ([10, 0, 10, 0, 10], 20),
        ([3, 3, 3], 0),
        ([5, 0], 0),
        ([0.1, 0.2, 0.1], 0.2),
    ],
)
def test_a_counter_that_fell_began_anew_wherever_in_the_window_that_was(values, gained):
    assert INCREASE.read(fold(INCREASE, counted(values, name="requests")), 300.0, {}) == pytest.approx(gained)


def test_counters_are_told_apart_by_their_labels_and_not_by_what_is_of_one_event():
    mixed = counted([10, 30], pod="a", id="e1") + counted([500, 501], pod="b", id="e2")
    mixed = [(at, {**fields, "request_id": f"r{n}"}) for n, (at, fields) in enumerate(mixed)]
    assert INCREASE.read(fold(INCREASE, mixed), 300.0, {}) == 21


def test_of_a_counter_with_very_many_points_some_are_kept_and_resets_are_seen_all_the_same():
    values = [n % 400 for n in range(1000, 3000)]
    state = fold(INCREASE, counted(values, every=0.1))
    (points,) = state["c"].values()
    assert len(points) <= 4 * SLOTS
    assert INCREASE.read(state, 300.0, {}) == sum(b - a if b >= a else b for a, b in itertools.pairwise(values))


def test_what_is_no_counter_has_no_increase():
    histogram = held([10], [5] * 4, value=5.0, temporality="delta")
    assert INCREASE.read(fold(INCREASE, [(T, histogram)]), 300.0, {}) is None
    column = INCREASE.column(Kind.METRIC, [histogram], Measure("m", "increase", of="count"))
    assert INCREASE.read(INCREASE.fold(list(column), [T], {}), 300.0, {}) == 4.0
    falling = [(T + at, total("a", 1.0, 10 - at, monotonic=False)) for at in (0, 1)]
    assert INCREASE.read(fold(INCREASE, falling), 300.0, {}) is None


def test_of_too_many_series_a_sample_is_kept_that_says_so():
    events = [(T + at, total(f"s{i}", 1.0, 10.0 * at)) for i in range(1000) for at in (0, 1)]
    state = fold(INCREASE, events)
    assert len(state["c"]) <= SERIES
    assert INCREASE.read(state, 60.0, {}) == pytest.approx(10_000, rel=0.5)
    assert "of its series" in INCREASE.caveat(state, 60.0, {})
    assert INCREASE.caveat(fold(INCREASE, events[:4]), 60.0, {}) is None


FIELDS = st.one_of(
    st.builds(
        cumulative,
        st.sampled_from("abc"),
        st.sampled_from([T - 500, T + 3]),
        st.sampled_from([[1, 2, 4], [1, 4], [3]]),
        st.lists(st.sampled_from([0.5, 1.5, 3, 9]), max_size=5),
    ),
    st.builds(held, st.sampled_from([[1, 2, 4], [1.5, 4], []]), st.lists(st.floats(0, 10), max_size=5)),
    st.builds(total, st.text(max_size=2), st.sampled_from([T, T + 2]), st.floats(0, 1e9) | st.integers(0, 2**53)),
)
EVENTS = st.lists(st.tuples(st.floats(T, T + 60), FIELDS), max_size=30)
COUNTER = st.lists(st.tuples(st.floats(T, T + 60), st.builds(dict, value=st.integers(0, 99))), min_size=40, max_size=90)


@pytest.mark.parametrize("family", [QUANTILE, INCREASE], ids=lambda family: family.name)
@settings(max_examples=examples(80), deadline=None)
@given(events=EVENTS | COUNTER, cuts=st.lists(st.integers(0, 90), max_size=4), seed=st.integers(0, 99))
def test_any_cut_in_any_order_gives_the_same_state(family, events, cuts, seed):
    whole = fold(family, events)
    borders = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    parts = [orjson.loads(orjson.dumps(fold(family, shuffled[a:b]))) for a, b in itertools.pairwise(borders)]
    merged = parts[0]
    for part in parts[1:]:
        merged = family.merge(part, merged)
    assert merged == whole
    assert family.read(merged, 60.0, {"q": 0.9}) == family.read(whole, 60.0, {"q": 0.9})
    assert family.caveat(merged, 60.0, {"q": 0.9}) == family.caveat(whole, 60.0, {"q": 0.9})


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 99), st.integers(1, 2999))
def test_too_many_buckets_are_joined_the_same_in_any_order_and_stay_sound(seed, cut):
    rng = random.Random(seed)
    values = [rng.choice([1, -1]) * rng.lognormvariate(0, 20) for _ in range(3000)]
    events = [(T, held(sorted([v * 0.99, v * 1.01]), [v])) for v in values]
    whole = fold(QUANTILE, events)
    assert len(whole["d"]) <= MOST
    assert whole["coarse"] > 0
    assert QUANTILE.merge(fold(QUANTILE, events[:cut]), fold(QUANTILE, events[cut:])) == whole
    assert "joined" in QUANTILE.caveat(whole, 60.0, {"q": 0.5})
    low, high = -math.inf, math.inf
    for name in whole["d"]:
        low, high = map(float, name.split(" "))
        assert low <= high
    median = sorted(values)[1499]
    value = QUANTILE.read(whole, 60.0, {"q": 0.5})
    assert value is not None
    assert abs(value - median) <= 2.0 ** (2 ** whole["coarse"]) * max(abs(median), abs(value))


def test_joining_at_one_level_after_another_is_joining_at_the_last():
    rng = random.Random(1)
    ends = sorted(rng.lognormvariate(0, 100) * rng.choice([1, -1]) for _ in range(500))
    counts = {f"{a!r} {b!r}": 1 for a, b in itertools.pairwise([*ends, math.inf])} | {"0.0 0.0": 3, "5e-324 1e308": 1}
    for level in range(1, 9):
        at_once = joined(level, counts)
        steps = counts
        for each in range(1, level + 1):
            _, steps = joined(each, steps)
        assert at_once == (level, steps)
    assert len(joined(8, counts)[1]) < MOST
