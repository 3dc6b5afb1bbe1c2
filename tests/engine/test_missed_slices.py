"""Missed windows of many entities, judged some at a time: the same is told as all at once, and nobody waits for it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.engine.windows_missed import in_turn
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, metric, rule
from tests.examples import examples

T = 1_763_683_200.0
RULES = (rule(window=10.0, pane=1.0),)
NOW = T + 60.0
BACK = st.lists(
    st.tuples(st.floats(1.0, 59.0), st.sampled_from([1.0, 500.0]), st.sampled_from("abcde")), min_size=1, max_size=40
)


def returned(some, events):
    """A worker that was away from T on, and has just read what came meanwhile."""
    ingest, before, records = Ingest(RULES, FAMILIES, Native(), 1), Evaluation(RULES, FAMILIES), []
    for number, (at, value, service) in enumerate([(0.0, 1.0, name) for name in "abcde"] + sorted(events)):
        records.append(metric(number, T + at, value, service, NOW))
    for payload in ingest.batch(SOURCE, records[:5]).partials[0]:
        before.apply(payload, T)
    before.judge(T)
    worker = Evaluation(RULES, FAMILIES, some)
    worker.restore(before.changes(), before.header())
    for payload in ingest.batch(SOURCE, records[5:]).partials[0]:
        worker.apply(payload, NOW)
    return worker


def told(worker, restarts=()):
    """All signals as of now, with the worker replaced by one that has its checkpoint after some of its looks."""
    signals, kept, looks = [], {}, 0
    while looks == 0 or worker.next_wake() <= NOW:
        signals += worker.judge(NOW)
        kept.update(worker.changes())
        if looks in restarts:
            again = Evaluation(RULES, FAMILIES, worker._some)
            again.restore({key: held for key, held in kept.items() if held is not None}, worker.header())
            worker = again
        looks += 1
    return sorted((s.entity, s.at, s.id, s.state, s.evidence.measures["n"]) for s in signals)


@settings(max_examples=examples(100), deadline=None)
@given(BACK, st.integers(1, 20), st.sets(st.integers(0, 8)))
def test_what_was_missed_is_told_the_same_however_few_are_judged_at_a_time(events, some, restarts):
    assert told(returned(some, events), restarts) == told(returned(math.inf, events))


def test_who_missed_nothing_does_not_wait_for_those_who_did():
    away = [(float(at), 1.0, service) for at in range(1, 59) for service in "abcd"]
    worker = returned(1, [*away, (59.9, 500.0, "e")])
    first = worker.judge(NOW)
    assert [(s.entity, s.state.value) for s in first] == [((("service", "e"),), "firing")]
    assert worker.next_wake() == 0.0, "the others are still due"


@pytest.mark.parametrize(("some", "turns"), [(1, 4), (60, 2), (math.inf, 1)])
def test_those_who_missed_windows_are_judged_in_turn_and_one_at_least(some, turns):
    away = [(float(at), 1.0, service) for at in range(1, 59) for service in "abcd"]
    worker, looks = returned(some, away), 0
    while looks == 0 or worker.next_wake() <= NOW:
        worker.judge(NOW)
        looks += 1
    assert looks == turns


def test_nothing_is_anybodys_turn_where_nobody_is_due():
    assert in_turn([], 1) == ([], [])
