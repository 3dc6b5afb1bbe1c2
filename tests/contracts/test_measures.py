"""What every measure family must do, whoever wrote it: add a family to FAMILIES and it is held to this."""

import itertools
import random

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.events import Kind
from fireline.domain.expressions import EvaluationFault
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES

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
            },
        ),
    ),
    max_size=120,
)


class Unsure:
    source = "confidence < 0.5"
    variables = frozenset({"confidence"})

    def holds(self, values):
        confidence = values.get("confidence")
        if not isinstance(confidence, int | float) or isinstance(confidence, bool):
            raise EvaluationFault("confidence is not a number")
        return confidence < 0.5


OPTIONS = {"quantile": {"q": 0.9}, "agreement": {"sample": 16}}


def measure_of(name):
    return Measure("m", name, options=OPTIONS.get(name, {}), condition=Unsure())


def fold(family, measure, events):
    """Folds each kind by itself, as ingest does, and merges."""
    state = family.fold([], [], measure.options)
    for kind in (Kind.PREDICTION, Kind.FEEDBACK):
        chosen = [(at, fields) for k, at, fields in events if k is kind]
        column = family.column(kind, [fields for _, fields in chosen], measure)
        state = family.merge(state, family.fold(list(column), [at for at, _ in chosen], measure.options))
    return state


@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=60, deadline=None)
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
@settings(max_examples=40, deadline=None)
@given(events=st.tuples(EVENTS, EVENTS, EVENTS))
def test_merging_is_associative_commutative_and_changes_nothing_in_place(name, events):
    family, measure = FAMILIES[name], measure_of(name)
    a, b, c = (fold(family, measure, e) for e in events)
    before = orjson.dumps([a, b, c])
    assert family.merge(a, b) == family.merge(b, a)
    assert family.merge(family.merge(a, b), c) == family.merge(a, family.merge(b, c))
    assert orjson.dumps([a, b, c]) == before


@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=40, deadline=None)
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
    assert family.read(empty, 60.0, measure.options) == (0.0 if name in {"count", "rate"} else None)
    some = fold(family, measure, [(Kind.PREDICTION, 1.0, {"value": 2.0, "confidence": 0.1})])
    assert family.merge(empty, some) == some


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_each_family_documents_itself_with_an_example_that_its_options_accept(name):
    family = FAMILIES[name]
    module = __import__(type(family).__module__, fromlist=["EXAMPLE"])
    for said in ("Unit:", "Error:"):
        assert said in module.__doc__
    (example,) = yaml.safe_load(module.EXAMPLE)["measures"].values()
    assert example.pop("agg") == name
    own = {k: v for k, v in example.items() if k not in {"of", "condition", "on", "where"}}
    family.settings.model_validate(own)
    assert family.name == name
