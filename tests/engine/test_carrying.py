"""A rule some of whose measures change keeps the windows of the others."""

from dataclasses import replace

from fireline.domain.rules import Level, Measure
from fireline.engine.carrying import places_of
from fireline.engine.ingest import Ingest
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import Check, above, equals, rule
from tests.engine.test_evaluate import Flow, T

N, TOP, LOW = Measure("n", "count"), Measure("top", "max", "value"), Measure("low", "min", "value")
BEFORE = rule(measures=(N, TOP), levels=(Level("outage", above("n", 3.0)),))
AFTER = rule(hash="h2", measures=(LOW, replace(N, name="count")), levels=(Level("outage", above("count", 3.0)),))


def changed(flow, after):
    flow.ingest.reload([after])
    flow.evaluation.reload([after])
    flow.rules = (after,)


def test_what_stays_is_counted_on_within_a_chunk_and_over_it():
    flow = Flow(BEFORE, chunk=4)
    assert flow.send(T, (T, 1), (T + 1, 2), (T + 2, 3)) == []
    changed(flow, AFTER)
    (fired,) = flow.send(T + 5, (T + 5, 50))
    assert fired.evidence.measures == {"low": 50.0, "count": 4.0}, "new ones begin with what comes"
    flow.send(T + 6, (T + 6, 40), (T + 7, 70))
    (look,) = flow.evaluation.looks("latency", T + 7)
    assert look.reading.values == {"low": 40.0, "count": 6.0}


def test_a_chunk_that_is_read_again_after_the_change_counts_once():
    flow = Flow(BEFORE, chunk=4)
    flow.send(T, (T, 1), (T + 1, 2), (T + 2, 3))
    changed(flow, AFTER)
    flow.send(T + 5, (T + 5, 50), judge=False)
    flow.ingest, flow.offset = Ingest([AFTER], FAMILIES, Native(), 1, chunk=4), 0
    flow.send(T + 6, (T, 1), (T + 1, 2), (T + 2, 3), (T + 5, 50))
    (look,) = flow.evaluation.looks("latency", T + 7)
    assert look.reading.values["count"] == 4.0


def test_a_firing_verdict_and_its_windows_stay():
    flow = Flow(BEFORE)
    (fired,) = flow.send(T, *[(T, 1)] * 4)
    changed(flow, rule(hash="h2", measures=(N, LOW), levels=BEFORE.levels))
    assert flow.evaluation.judge(T + 1) == []
    assert flow.told() == (fired.state, "outage")
    kept = flow.evaluation.changes()
    assert all(held is not None for held in kept.values())


def test_nothing_stays_of_other_events_labels_or_panes():
    assert places_of(BEFORE, AFTER) == [None, 0]
    for other in ({"by": ("region",)}, {"where": (equals("name", "other"),)}, {"pane": 5.0}):
        assert places_of(BEFORE, replace(AFTER, **other)) is None
    alone = rule(measures=(LOW,), levels=(Level("outage", Check("low > 1", "low")),))
    assert places_of(BEFORE, alone) is None
