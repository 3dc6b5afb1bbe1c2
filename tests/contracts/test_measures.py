"""What every measure family must do, whoever wrote it: add a family to FAMILIES and it is held to this."""

import itertools
import math
import random
from functools import reduce

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.events import Kind
from fireline.domain.expressions import EvaluationFault
from fireline.domain.ranges import Ranged
from fireline.domain.rules import Measure
from fireline.domain.windows import Caveats, Compares, MergesMany, TellsChange
from fireline.measures import FAMILIES
from tests.examples import examples

FIELDS = ("value", "confidence", "request_id", "prediction", "label")
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**64 - 1),
    st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e149, -1e149, 1e308]),
    st.none(),
    st.booleans(),
    st.text(max_size=3),
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([Kind.PREDICTION, Kind.FEEDBACK]),
        st.floats(0, 60),
        st.fixed_dictionaries(
            {},
            optional={
                "value": VALUES,
                "confidence": VALUES,
                "request_id": st.sampled_from([f"r{i}" for i in range(30)]),
                "prediction": st.sampled_from(["a", "b"]),
                "label": st.sampled_from(["a", "b"]),
                "suite": st.sampled_from(["golden", "bias"]),
                "version": st.sampled_from(["1", "2", 10]),
                "score": VALUES,
            },
        ),
    ),
    max_size=120,
)


# what producers send when they send what nobody expects: other types, no numbers, other shapes, halves of characters
ODD = [
    *(None, True, False, 0, -0.0, 1, 2.5, -7, 5e-324, 1e-200, 1e149, 1e308, 10**30, -(10**30), 2**63),
    *(math.nan, math.inf, -math.inf, 1.7e9, 1.7e12, 1.7e18, "", " ", "7", "nan", "a", "b", "\ud800", "x" * 300),
    *("cumulative", "delta", "2025-11-20T23:58:30Z", "0001-01-01T00:00:00Z", [], {}, [None], {"a": {"b": [1]}}),
    *({"bounds": [1, 2], "counts": [1, 2, 3]}, {"bounds": [2, math.nan], "counts": ["1", -1]}, {"bounds": 7}),
]
NAMES = (*FIELDS, "features", "buckets", "count", "sum", "min", "max", "temporality", "series", "start", "monotonic")
NAMES += ("service", "model", "version", "suite", "name", "score", "error", "cost_usd")


def odd_row(rng):
    return {name: rng.choice(ODD) for name in NAMES if rng.random() < 0.6}


class Unsure:
    source = "confidence < 0.5"
    variables = frozenset({"confidence"})

    def holds(self, values):
        confidence = values.get("confidence")
        if not isinstance(confidence, int | float) or isinstance(confidence, bool):
            raise EvaluationFault("confidence is not a number")
        return confidence < 0.5


OPTIONS = {
    "quantile": {"q": 0.9},
    "agreement": {"sample": 16},
    "arms": {"arm": "version", "treatment": "1", "min_count": 1},
    "calibration": {"sample": 16, "min_pairs": 1},
    "anomaly": {"stat": "quantile"},
    "balance": {"class": "a"},
    "new_categories": {"trailing": "1h", "min_past": 1},
    **{
        name: {"against": {"window": "1h"}, "min_count": 1}
        for name in ("psi", "ks", "jensen_shannon", "wasserstein", "total_variation")
    },
    "schema_change": {"trailing": "1h", "min_past": 1},
}


def example_of(name):
    """The measure of a family's example, and its own settings among what is written there."""
    module = __import__(type(FAMILIES[name]).__module__, fromlist=["EXAMPLE"])
    (example,) = yaml.safe_load(module.EXAMPLE)["measures"].values()
    return example, {
        k: v for k, v in example.items() if k not in {"agg", "of", "condition", "on", "where", "window", "offset"}
    }


def measure_of(name):
    given = OPTIONS[name] if name in OPTIONS else example_of(name)[1]
    options = FAMILIES[name].settings.model_validate(given).model_dump()
    conditions = {named: Unsure() for named in getattr(FAMILIES[name], "conditions", ())}
    return Measure("m", name, options=options, condition=Unsure(), conditions=conditions)


def fold(family, measure, events):
    """Folds each kind by itself, as ingest does, and merges."""
    state = family.fold([], [], measure.options)
    for kind in (Kind.PREDICTION, Kind.FEEDBACK):
        chosen = [(at, fields) for k, at, fields in events if k is kind]
        column = family.column(kind, [fields for _, fields in chosen], measure)
        state = family.merge(state, family.fold(list(column), [at for at, _ in chosen], measure.options))
    return state


@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=examples(40), deadline=None)
@given(events=EVENTS, cuts=st.lists(st.integers(0, 120), max_size=4), seed=st.integers(0, 1000))
def test_any_cut_in_any_order_gives_the_state_of_the_whole(name, events, cuts, seed):
    family, measure = FAMILIES[name], measure_of(name)
    whole = fold(family, measure, events)
    borders = [0, *sorted(min(c, len(events)) for c in cuts), len(events)]
    parts = [fold(family, measure, events[a:b]) for a, b in itertools.pairwise(borders)]
    random.Random(seed).shuffle(parts)
    merged = parts[0]
    for part in parts[1:]:
        merged = family.merge(merged, orjson.loads(orjson.dumps(part)))
    assert merged == whole
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    assert fold(family, measure, shuffled) == whole
    assert family.read(merged, 60.0, measure.options) == family.read(whole, 60.0, measure.options)


@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=examples(25), deadline=None)
@given(events=st.tuples(EVENTS, EVENTS, EVENTS))
def test_merging_is_associative_commutative_and_changes_nothing_in_place(name, events):
    family, measure = FAMILIES[name], measure_of(name)
    a, b, c = (fold(family, measure, e) for e in events)
    before = orjson.dumps([a, b, c])
    assert family.merge(a, b) == family.merge(b, a)
    assert family.merge(family.merge(a, b), c) == family.merge(a, family.merge(b, c))
    if isinstance(family, MergesMany):
        assert family.merge_all([a, b, c, a]) == reduce(family.merge, (a, b, c, a))
    assert orjson.dumps([a, b, c]) == before


@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=examples(20), deadline=None)
@given(events=EVENTS)
def test_states_survive_json(name, events):
    family, measure = FAMILIES[name], measure_of(name)
    state = fold(family, measure, events)
    back = orjson.loads(orjson.dumps(state))
    assert back == state
    assert family.read(back, 60.0, measure.options) == family.read(state, 60.0, measure.options)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_nothing_has_no_value_but_a_count_of_nothing_is_zero(name):
    family, measure = FAMILIES[name], measure_of(name)
    empty = family.fold([], [], measure.options)
    assert family.read(empty, 60.0, measure.options) == (0.0 if name in {"count", "rate", "sequence"} else None)
    some = fold(family, measure, [(Kind.PREDICTION, 1.0, {"value": 2.0, "confidence": 0.1})])
    assert family.merge(empty, some) == some


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_each_family_documents_itself_with_an_example_that_its_options_accept(name):
    family = FAMILIES[name]
    module = __import__(type(family).__module__, fromlist=["EXAMPLE"])
    for said in ("Unit:", "Error:"):
        assert said in module.__doc__
    example, own = example_of(name)
    assert example["agg"] == name
    family.settings.model_validate(own)
    assert family.name == name


def values_of(family, state, past, measure):
    """Everything that the engine asks of a state."""
    found = [family.read(state, 60.0, measure.options)]
    if isinstance(family, Compares):
        stretches = list(family.lookbacks(60.0, measure.options))
        for others in ([None] * len(stretches), [past] * len(stretches), [state] * len(stretches)):
            found.append(family.compare(state, others, 60.0, measure.options))
            if isinstance(family, TellsChange):
                said = family.change(state, others, 60.0, measure.options)
                assert said is None or said
    if isinstance(family, Caveats):
        said = family.caveat(state, 60.0, measure.options)
        assert said is None or said
    return found


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_junk_is_left_out_and_never_raises(name):
    for seed, many in itertools.product(range(12), (1, 20)):
        check_junk(FAMILIES[name], measure_of(name), many, random.Random(seed))
    check_junk(FAMILIES[name], measure_of(name), 0, random.Random(0))


def check_junk(family, measure, many, rng):
    states = []
    for _ in range(2):
        rows = [odd_row(rng) for _ in range(many)]
        column = family.column(rng.choice(list(family.streams or Kind)), rows, measure)
        assert len(column) == len(rows)
        states.append(family.fold(list(column), [float(place) for place in range(many)], measure.options))
    merged = family.merge(*states)
    assert family.merge(states[1], states[0]) == merged
    assert orjson.loads(orjson.dumps(merged)) == merged
    for value in values_of(family, merged, states[0], measure):
        assert value is None or math.isfinite(value)
        if value is not None and isinstance(family, Ranged):
            assert family.range.least <= value <= family.range.most


# what 4,000 different events may leave, in bytes; a family that keeps more says why here
BOUND = 6_000
BOUNDS = {
    "increase": 10_000,  # 64 series, two points of each
    "increase_rate": 10_000,  # the same
    "histogram_quantile": 20_000,  # 1,000 buckets
    "schema_change": 11_000,  # 128 shapes and 128 fields with their names
    "agreement": 350_000,  # 4,096 requests, both halves
    "calibration": 450_000,  # the same, and a confidence of each
    "evaluation_drop": 25_000,  # 256 versions by suite and name
}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_state_does_not_grow_with_its_events(name):
    family, measure = FAMILIES[name], measure_of(name)
    state = family.fold([], [], measure.options)
    rng = random.Random(6)
    for batch in range(8):
        rows = [different(batch * 500 + place, rng) for place in range(500)]
        for kind in family.streams or (Kind.METRIC,):
            column = family.column(kind, rows, measure)
            state = family.merge(state, family.fold(column, [60.0 * rng.random() for _ in rows], measure.options))
    assert len(orjson.dumps(state)) <= BOUNDS.get(name, BOUND)
    values_of(family, state, state, measure)


def different(place, rng):
    """An event that shares as little as possible with any other."""
    return {
        "value": rng.lognormvariate(5, 1),
        "confidence": rng.random(),
        "request_id": f"r{place}",
        "prediction": f"class {place}",
        "label": f"class {place % 7}",
        "model": f"m{place}",
        "version": f"v{place}",
        "suite": f"s{place}",
        "name": f"n{place}",
        "score": rng.random(),
        "features": {f"f{place}": place},
        "temporality": "cumulative",
        "series": f"series {place}",
        "start": float(place),
        "buckets": {"bounds": [rng.random() * 10, 10 + rng.random()], "counts": [1, 2, 3]},
    }
