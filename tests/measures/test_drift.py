"""The measures of drift, against SciPy on the same values, within the error that each states."""

import math
import random
from collections import Counter

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from fireline.domain.windows import Caveats, Compares, Lookback
from fireline.measures import FAMILIES, category_counts, log_buckets
from fireline.measures.distributions import distribution, edges_of
from tests.examples import examples

RNG = np.random.default_rng(7)
N = RNG.normal
PAIRS = {
    "equal": (N(50, 10, 5000), N(50, 10, 3000)),
    "shifted": (N(50, 10, 5000), N(55, 10, 3000)),
    "scaled": (N(50, 10, 5000), N(50, 16, 3000)),
    "negative and positive": (N(0, 1, 5000), N(0.3, 1.2, 3000)),
    "heavy tail": (RNG.pareto(1.2, 5000), 1.3 * RNG.pareto(1.1, 3000)),
    "ties": (RNG.poisson(4, 5000).astype(float), RNG.poisson(5, 3000).astype(float)),
    "many zeros": (RNG.binomial(1, 0.4, 5000) * RNG.exponential(3, 5000), RNG.binomial(1, 0.6, 3000) * 2.0),
    "far apart": (N(1, 0.1, 500), N(1e6, 1, 300)),
    "huge": (RNG.lognormal(150, 30, 2000), RNG.lognormal(155, 30, 2000)),
}
TEXTS = {
    "equal": (RNG.choice(list("abc"), 4000), RNG.choice(list("abc"), 2000)),
    "moved": (RNG.choice(list("abc"), 4000, p=[0.6, 0.3, 0.1]), RNG.choice(list("abc"), 2000, p=[0.4, 0.3, 0.3])),
    "a new and a lost one": (RNG.choice(list("abc"), 4000), RNG.choice(list("bcd"), 2000)),
    "many": (RNG.choice([f"c{i}" for i in range(900)], 9000), RNG.choice([f"c{i}" for i in range(300)], 9000)),
}


@pytest.fixture
def draw():
    """Chance that is this test's own: what it draws hangs on no test before it."""
    return np.random.default_rng(11)


def folded(name, values, options):
    return FAMILIES[name].fold(np.asarray(values).tolist(), [0.0] * len(values), options)


def drift(name, reference, current, **options):
    """What the family says of two samples, the reference being a stretch of the past."""
    options = {"against": {"window": 60.0}, "min_count": 50, **options}
    return FAMILIES[name].compare(folded(name, current, options), [folded(name, reference, options)], 60.0, options)


def shares(values, edges):
    return np.histogram(values, [-math.inf, *edges, math.inf])[0] / len(values)


def index(reference, current):
    r, c = (np.maximum(share, 1e-4) for share in (reference, current))
    return float(np.sum((c - r) * np.log(c / r)))


def counts(values, names):
    found = Counter(values.tolist())
    return np.array([found[name] for name in names]) / len(values)


pairs = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
texts = pytest.mark.parametrize("pair", TEXTS.values(), ids=TEXTS.keys())


@pairs
def test_ks_is_below_scipys_by_no_more_than_the_two_sides_share_in_a_bucket(pair):
    reference, current = pair
    exact = stats.ks_2samp(reference, current).statistic
    sketches = [log_buckets.counted(side.tolist()) for side in pair]
    left, right = (dict(zip(s[2::2], s[3::2], strict=True)) for s in sketches)
    together = max(
        (min(left[b] / len(reference), right[b] / len(current)) for b in left.keys() & right.keys()), default=0.0
    )
    assert exact - together - 1e-12 <= drift("ks", *pair) <= exact + 1e-12


@pytest.mark.parametrize("name", ["equal", "shifted", "scaled", "negative and positive", "heavy tail"])
def test_ks_of_spread_values_is_within_a_hundredth_of_scipys(name):
    assert drift("ks", *PAIRS[name]) == pytest.approx(stats.ks_2samp(*PAIRS[name]).statistic, abs=0.01)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (150, 4000), (3000, 3000)])
@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_the_p_value_is_scipys(n, m, shift):
    rng = np.random.default_rng(n + m)
    reference, current = rng.exponential(3, n), rng.exponential(3, m) * (1 + shift)
    found = drift("ks", reference, current, result="p_value")
    statistic = drift("ks", reference, current)
    exact = stats.kstwo.sf(statistic, round(n * m / (n + m)))
    assert found == pytest.approx(exact, abs=0.005 if exact < 0.2 else 0.02)


@pairs
def test_wasserstein_is_scipys_within_a_hundredth_of_the_mean_size(pair):
    reference, current = pair
    bound = 0.01 * (np.abs(reference).mean() + np.abs(current).mean())
    exact = stats.wasserstein_distance(reference, current)
    assert drift("wasserstein", *pair) == pytest.approx(exact, abs=bound)


@pytest.mark.parametrize("name", ["shifted", "scaled", "negative and positive", "heavy tail", "ties"])
def test_wasserstein_normed_is_in_standard_deviations_of_the_reference(name):
    reference, current = PAIRS[name]
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    bound = 0.02 * (np.abs(reference).mean() + np.abs(current).mean()) / reference.std()
    assert drift("wasserstein", reference, current, normed=True) == pytest.approx(exact, abs=bound)
    assert drift("wasserstein", np.full(200, 3.0), current, normed=True) is None


@pairs
@pytest.mark.parametrize("bins", [5, 10, 30])
def test_binned_measures_are_scipys_over_bins_that_end_near_the_references_quantiles(pair, bins):
    reference, current = pair
    ends = edges_of(distribution(log_buckets.counted(reference.tolist())), bins)
    edges = [_end(place) for place in ends]
    left, right = shares(reference, edges), shares(current, edges)
    assert drift("psi", *pair, bins=bins) == pytest.approx(index(left, right), abs=1e-9)
    assert drift("total_variation", *pair, bins=bins) == pytest.approx(np.abs(left - right).sum() / 2, abs=1e-9)
    for base in (2.0, math.e, 10.0):
        exact = distance.jensenshannon(left, right, base)
        assert drift("jensen_shannon", *pair, bins=bins, base=base) == pytest.approx(exact, abs=1e-7)
        square = drift("jensen_shannon", *pair, bins=bins, base=base, form="divergence")
        assert square == pytest.approx(exact**2, abs=1e-9)


def _end(place):
    """A number just above all that the bucket holds."""
    if place == 0:
        return 5e-324
    low, high = (log_buckets.middle(place + step) for step in (0, 1))
    if place == -1 or low == 0:
        return -5e-324
    return (low + high) / 2 if place + 1 else 0.0


@pytest.mark.parametrize("name", ["equal", "shifted", "scaled", "heavy tail"])
def test_bins_hold_equal_shares_of_the_reference(name):
    reference, _ = PAIRS[name]
    edges = [_end(place) for place in edges_of(distribution(log_buckets.counted(reference.tolist())), 10)]
    assert len(edges) == 9
    assert shares(reference, edges) == pytest.approx([0.1] * 10, abs=0.03)
    for edge, quantile in zip(edges, np.quantile(reference, np.arange(1, 10) / 10), strict=True):
        assert edge == pytest.approx(quantile, rel=0.03, abs=0.02)


def test_what_lies_beyond_values_that_pile_up_at_an_end_is_seen(draw):
    constant, tail = np.full(500, 0.7), draw.exponential(1, 700)
    zeros, below = np.concatenate([np.zeros(300), tail]), np.concatenate([np.full(300, -1.0), tail])
    assert drift("psi", constant, constant) == 0
    assert drift("total_variation", constant, constant + 1) == 1
    assert drift("total_variation", constant, constant - 1) == 1
    assert drift("total_variation", zeros, below) == pytest.approx(0.3)


@texts
def test_categories_are_compared_as_scipy_does(pair):
    names = sorted({*pair[0].tolist(), *pair[1].tolist()})
    left, right = (counts(side, names) for side in pair)
    assert drift("psi", *pair, kind="categorical") == pytest.approx(index(left, right), abs=1e-9)
    assert drift("total_variation", *pair, kind="categorical") == pytest.approx(np.abs(left - right).sum() / 2)
    found = drift("jensen_shannon", *pair, kind="categorical")
    assert found == pytest.approx(distance.jensenshannon(left, right, 2.0), abs=1e-7)


def test_too_many_categories_are_compared_by_groups_and_never_look_further_apart(draw):
    reference = draw.choice([f"id-{i}" for i in range(5000)], 20_000)
    current = draw.choice([f"id-{i}" for i in range(2500)], 20_000)
    names = sorted({*reference.tolist(), *current.tolist()})
    exact = np.abs(counts(reference, names) - counts(current, names)).sum() / 2
    state = folded("psi", reference, {"kind": "categorical"})
    assert len(state["counts"]) <= category_counts.MOST
    assert sum(state["counts"].values()) == len(reference)
    assert 0.05 < drift("total_variation", reference, current, kind="categorical") <= exact


@settings(max_examples=examples(60), deadline=None)
@given(
    parts=st.lists(st.lists(st.integers(0, 2500) | st.sampled_from(["", "é" * 40, "\ud800", True, None, 1.0]))),
    bulk=st.lists(st.integers(0, 1200), max_size=3),
    seed=st.integers(0, 100),
)
def test_categories_merge_in_any_order(parts, bulk, seed):
    options = {"kind": "categorical"}
    parts += [list(range(n, n + 600)) for n in bulk]
    whole = FAMILIES["psi"].fold([v for part in parts for v in part], [], options)
    states = [FAMILIES["psi"].fold(part, [], options) for part in parts] or [[]]
    random.Random(seed).shuffle(states)
    while len(states) > 1:
        at = random.Random(seed).randrange(len(states) - 1)
        one, other = states.pop(at), states.pop(at)
        before = orjson.dumps([one, other])
        states.append(FAMILIES["psi"].merge(one, orjson.loads(orjson.dumps(other))))
        assert orjson.dumps([one, other]) == before
    assert states[0] == whole


def test_numbers_that_are_categories_are_those_of_labels():
    state = FAMILIES["psi"].fold([1, 1.0, "1", True, None, [], "", math.nan], [], {"kind": "categorical"})
    assert state == {"level": 0, "counts": {"1": 3, "true": 1}}


@pytest.mark.parametrize("name", ["psi", "ks", "jensen_shannon", "wasserstein", "total_variation"])
def test_either_side_needs_enough_values(name, draw):
    few, many = draw.normal(5, 1, 49), draw.normal(5, 1, 50)
    assert drift(name, many, many, min_count=50) is not None
    assert drift(name, few, many, min_count=50) is None
    assert drift(name, many, few, min_count=50) is None
    family, options = FAMILIES[name], {"against": {"window": 60.0}, "min_count": 50}
    assert family.compare(folded(name, many, options), [None], 60.0, options) is None
    assert isinstance(family, Compares)
    assert isinstance(family, Caveats)


def test_a_stretch_of_the_past_ends_where_it_says_or_where_the_window_begins():
    psi = FAMILIES["psi"]
    read = psi.settings.model_validate({"against": {"window": "7d", "offset": "1d"}}).model_dump()
    assert psi.lookbacks(3600.0, read) == (Lookback(604_800.0, 86_400.0),)
    touching = psi.settings.model_validate({"against": {"window": "7d"}}).model_dump()
    assert psi.lookbacks(3600.0, touching) == (Lookback(604_800.0, 3600.0),)
    assert psi.lookbacks(3600.0, psi.settings.model_validate({"baseline": "a"}).model_dump()) == ()


@pytest.mark.parametrize("given", [{}, {"baseline": "a", "against": {"window": "7d"}}, {"baseline": "../a"}])
def test_exactly_one_reference_is_given_by_its_name_or_its_time(given):
    with pytest.raises(ValueError, match="baseline"):
        FAMILIES["ks"].settings.model_validate(given)


def with_baseline(name, reference, **options):
    kind = options.pop("kind", "numeric")
    given = {"baseline": "a", **options}
    origin = given.get("origin") or 0.0
    state = folded(name, reference, {"kind": kind, "origin": origin})
    return given | FAMILIES[name].reference(kind, state, origin, given)


@pytest.mark.parametrize("name", ["psi", "ks", "jensen_shannon", "wasserstein", "total_variation"])
def test_a_baseline_is_compared_with_as_a_stretch_of_the_past_is(name):
    reference, current = PAIRS["shifted"]
    options = with_baseline(name, reference)
    state = folded(name, current, options)
    assert FAMILIES[name].read(state, 60.0, options) == drift(name, reference, current)
    assert FAMILIES[name].compare(state, (), 60.0, options) == drift(name, reference, current)
    assert FAMILIES[name].read(folded(name, current[:199], options), 60.0, options) is None


def test_the_kind_of_a_baselines_field_decides_how_events_are_counted():
    options = with_baseline("psi", [0, 1] * 100, kind="categorical")
    state = FAMILIES["psi"].fold([0, 1, 1.0, "1"], [], options)
    assert state == {"level": 0, "counts": {"0": 1, "1": 3}}


@pytest.mark.parametrize(
    ("kind", "state", "given", "said"),
    [
        ("categorical", {"level": 0, "counts": {"a": 500}}, {}, "`ks` compares numeric fields"),
        ("numeric", log_buckets.counted([1.0] * 199), {}, "199 values of the field, and `min_count` is 200"),
        ("numeric", [], {}, "cannot be read"),
        ("numeric", [1.0, 2.0, 38_501, 500], {}, "cannot be read"),
        ("numeric", [1.0, 1.0, 38_501.5, 500], {}, "cannot be read"),
        ("numeric", [1.0, 1.0, 38_501, -500], {}, "cannot be read"),
        ("numeric", {"level": 0, "counts": {"a": 500}}, {}, "cannot be read"),
        ("numeric", "text", {}, "cannot be read"),
    ],
)
def test_a_baseline_that_cannot_serve_says_why(kind, state, given, said):
    with pytest.raises(ValueError, match=said):
        FAMILIES["ks"].reference(kind, state, 0.0, given)


def test_a_kind_beside_a_baseline_must_be_that_of_the_field():
    with pytest.raises(ValueError, match="remove `kind`"):
        FAMILIES["psi"].reference("numeric", log_buckets.counted([1.0, 2.0] * 199), 0.0, {"kind": "categorical"})
    with pytest.raises(ValueError, match="the origin of the field is 20 there; remove `origin`"):
        FAMILIES["psi"].reference("numeric", log_buckets.counted([1.0, 2.0] * 199), 20.0, {"origin": 3.0})


@settings(max_examples=examples(100), deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["level", "counts", "a"]), inner),
    )
)
def test_no_state_of_a_file_breaks_the_reading(state):
    for kind in ("numeric", "categorical"):
        try:
            given = FAMILIES["psi"].reference(kind, state, 0.0, {"min_count": 1})
        except ValueError:
            continue
        FAMILIES["psi"].read(FAMILIES["psi"].fold([1, "a"], [], given), 60.0, {**given, "min_count": 1})


CHANCE = {
    "psi": {},
    "total_variation": {},
    "jensen_shannon": {"form": "divergence"},
    "ks": {},
    "wasserstein": {"normed": True},
}


@pytest.mark.parametrize("name", sorted(CHANCE))
def test_what_chance_alone_gives_is_told_about_right(name):
    rng = np.random.default_rng(3)
    reference = rng.exponential(5, 300)
    options = with_baseline(name, reference, **CHANCE[name])
    family = FAMILIES[name]
    told = float(family.caveat(folded(name, reference, options), 60.0, options).split()[3])
    found = []
    for _ in range(60):
        one, other = (rng.exponential(5, 300) for _ in range(2))
        found.append(drift(name, one, other, **CHANCE[name]))
    assert told == pytest.approx(np.mean(found), rel=0.35)


def test_many_values_need_no_caveat_and_close_ones_do(draw):
    reference, current = PAIRS["equal"]
    options = with_baseline("psi", reference)
    assert FAMILIES["psi"].caveat(folded("psi", current, options), 60.0, options) is None
    narrow = with_baseline("ks", draw.normal(293, 2, 5000))
    said = FAMILIES["ks"].caveat(folded("ks", draw.normal(293, 2, 5000), narrow), 60.0, narrow)
    assert "within a few percent of each other" in said
    few = FAMILIES["psi"].caveat(folded("psi", current[:240], options), 60.0, options)
    assert few == "would be about 0.039 by chance alone: it rests on 240 and 5000 values"


def test_middles_of_an_array_are_those_of_its_numbers():
    places = np.array([*range(-55_000, 55_000, 997), -1, 0, 1, 38_501], dtype=float)
    assert log_buckets.middles(places).tolist() == pytest.approx([log_buckets.middle(int(p)) for p in places])


def test_values_that_lie_close_together_are_told_apart_by_their_distance_from_an_origin(draw):
    reference, current = draw.normal(293, 0.2, 5000), draw.normal(293.2, 0.2, 3000)
    assert drift("ks", reference, current) == 0, "all of them are in one bucket, of 2 %"
    for name, exact in (
        ("ks", stats.ks_2samp(reference, current).statistic),
        ("wasserstein", stats.wasserstein_distance(reference, current)),
    ):
        assert drift(name, reference, current, origin=293) == pytest.approx(exact, abs=0.01)
        assert exact > 0.1
        options = with_baseline(name, reference, origin=293)
        state = folded(name, current, options)
        assert FAMILIES[name].read(state, 60.0, options) == drift(name, reference, current, origin=293)
        assert FAMILIES[name].caveat(state, 60.0, options) is None
