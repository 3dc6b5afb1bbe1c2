"""`sequence` beside counting by brute force, and where it becomes an estimate."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.measures import FAMILIES
from fireline.measures.sequence import MOST

FAMILY = FAMILIES["sequence"]
OPTIONS = {"within": 5.0}


def fold(events):
    return FAMILY.fold([mark for _, mark in events], [at for at, _ in events], OPTIONS)


def brute(events, within=5.0, before=()):
    firsts = [at for at, (first, _) in [*before, *events] if first]
    return sum(
        1 for at, (_, then) in events if then and any(0 < round(1000 * (at - f)) <= 1000 * within for f in firsts)
    )


MARKS = st.sampled_from([(True, False), (False, True), (True, True)])
EVENTS = st.lists(st.tuples(st.integers(0, 20_000).map(lambda ms: ms / 1000), MARKS), max_size=60)


@given(events=EVENTS, before=EVENTS, cut=st.integers(0, 60))
def test_what_followed_is_counted_exactly(events, before, cut):
    merged = FAMILY.merge(fold(events[:cut]), fold(events[cut:]))
    assert FAMILY.read(merged, 20.0, OPTIONS) == brute(events)
    earlier = [(at - 20.001, mark) for at, mark in before]
    assert FAMILY.compare(merged, [fold(earlier)], 20.0, OPTIONS) == brute(events, before=earlier)
    assert FAMILY.compare(merged, [None], 20.0, OPTIONS) == brute(events)


def test_the_bounds():
    first, then = (True, False), (False, True)
    assert FAMILY.read(fold([(1.0, first), (6.0, then)]), 60.0, OPTIONS) == 1.0
    assert FAMILY.read(fold([(1.0, first), (6.001, then)]), 60.0, OPTIONS) == 0.0
    assert FAMILY.read(fold([(1.0, then), (1.0, first)]), 60.0, OPTIONS) == 0.0
    assert FAMILY.read(fold([(1.0, (True, True))]), 60.0, OPTIONS) == 0.0, "nothing follows itself"
    assert FAMILY.read(fold([(1.0, first), (2.0, then), (2.0, then), (3.0, then)]), 60.0, OPTIONS) == 3.0
    (back,) = FAMILY.lookbacks(60.0, OPTIONS)
    assert (back.window, back.offset) == (5.0, 60.0)


def test_many_events_are_an_estimate_that_says_so_and_is_near():
    rng = random.Random(4)
    events = [(rng.uniform(0, 3600), rng.choice([(True, False), (False, True)])) for _ in range(8 * MOST)]
    parts = [fold(events[n::7]) for n in range(7)]
    rng.shuffle(parts)
    state = parts[0]
    for part in parts[1:]:
        state = FAMILY.merge(state, part)
    assert state == fold(events)
    assert len(state[1]) <= MOST
    assert len(state[2]) <= MOST
    assert FAMILY.read(state, 3600.0, OPTIONS) == pytest.approx(brute(events), rel=0.06)
    assert FAMILY.caveat(state, 3600.0, OPTIONS) == "knows times to 8.192 s only: there are too many events"
    assert FAMILY.caveat(fold(events[:50]), 3600.0, OPTIONS) is None
