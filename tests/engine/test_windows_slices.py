"""Verdicts on a recording that are given some at a time: the same as all at once, whatever happens in between."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.rules import Level, Measure
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import above, metric, rule
from tests.examples import examples

T = 1_763_683_200.0
SOURCE = SourceRef("replay", 0, "replay")
RULES = (
    rule(levels=(Level("outage", above("n", 2.0), for_=15.0),)),
    rule(
        name="grows",
        window=20.0,
        pane=5.0,
        measures=(Measure("n", "count"), Measure("before", "count", offset=40.0)),
        levels=(Level("degraded", above("n", 1.0), keep_firing_for=30.0),),
    ),
)
EVENTS = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 4.0, 11.0, 60.0, 700.0]), st.sampled_from("abc")), min_size=1, max_size=40
)


class Worker:
    """Applies payloads one by one; `some` verdicts at a time, with `acts` in between."""

    def __init__(self, some, acts=()):
        self.some, self.acts = some, list(acts)
        self.evaluation = Evaluation(RULES, FAMILIES, some)
        self.signals = []

    def take(self, payload):
        self.evaluation.apply(payload, T)
        while self.evaluation.pass_some(T):
            self.act(self.acts.pop() if self.acts else None)
        while (wake := self.evaluation.next_wake()) is not None and wake <= T:
            self.signals += self.evaluation.judge(T)

    def act(self, what):
        match what:
            case "judge":
                self.signals += self.evaluation.judge(T)
            case "restart":
                self.signals += self.evaluation.judge(T)  # a checkpoint follows what it covers
                kept, header = self.evaluation.changes(), self.evaluation.header()
                self.kept = {**getattr(self, "kept", {}), **kept}
                self.evaluation = Evaluation(RULES, FAMILIES, self.some)
                self.evaluation.restore(self.kept, header)


def said(worker, payloads):
    for payload in payloads:
        worker.take(payload)
    signals = worker.signals + worker.evaluation.finish()
    return sorted((s.at, s.rule, s.entity, s.id, s.state, s.evidence.measures["n"]) for s in signals)


@settings(max_examples=examples(120), deadline=None)
@given(
    EVENTS,
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.integers(1, 9),
    st.lists(st.sampled_from([None, "judge", "judge", "restart"]), max_size=60),
)
def test_verdicts_on_a_recording_are_the_same_however_few_are_given_at_a_time(events, sizes, some, acts):
    at, records = T, []
    for number, (gap, service) in enumerate(events):
        at += gap
        records.append(metric(number, at, 1.0, service, T))
    ingest, payloads, place = Ingest(RULES, FAMILIES, Native(), 1), [], 0
    while place < len(records):
        size = sizes[len(payloads) % len(sizes)]
        payloads += ingest.batch(SOURCE, records[place : place + size]).partials.get(0, ())
        place += size
    assert said(Worker(some, acts), payloads) == said(Worker(math.inf), payloads)


def test_a_recording_that_is_still_being_judged_is_not_over():
    records = [metric(number, T + 10.0 * number, 1.0, "a", T) for number in range(20)]
    evaluation = Evaluation(RULES, FAMILIES, 3)
    (payload,) = Ingest(RULES, FAMILIES, Native(), 1).batch(SOURCE, records).partials[0]
    evaluation.apply(payload, T)
    looks = 0
    while evaluation.next_wake() == 0.0:
        looks += 1
        evaluation.judge(T + looks)
    assert looks > 5
    assert evaluation.next_wake() == T + (looks - 1) + 2.0
