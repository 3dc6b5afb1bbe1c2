"""Windows of measures: their own length, an offset, and what a family compares with."""

from dataclasses import replace

import pytest

from fireline.domain.judging import EntityState
from fireline.domain.rules import Level, Measure
from fireline.domain.windows import Lookback
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.engine.partials import Cell, SourceRef
from fireline.engine.windows import Held, Series
from fireline.engine.windows_reading import read
from fireline.engine.windows_stretches import plan_of
from fireline.measures import FAMILIES
from fireline.measures.sum import Sum
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, Check, above, metric, rule

COUNT = FAMILIES["count"]
T = 1_763_683_200.0
PANE = int(T / 10)


class Doubled(Sum):
    """The sum over that of the two stretches before, and what it was given."""

    name = "doubled"

    def __init__(self, *lookbacks):
        self.back, self.given = lookbacks, []

    def lookbacks(self, window, options):
        return self.back

    def compare(self, state, others, window, options):
        self.given.append([None if each is None else self.read(each, window, options) for each in others])
        return self.read(state, window, options)


def looking(*measures, families=FAMILIES, **changes):
    made = rule(measures=measures, window=20.0, pane=10.0, **changes)
    return made, tuple(families[measure.agg] for measure in measures)


def held(measures, families, panes):
    """A series with so many events in each pane, as every measure counts them."""
    series = Series(
        looking(*measures, families=families)[0], tuple(families[m.agg] for m in measures), ("a",), EntityState(())
    )
    for number, (pane, count) in enumerate(panes.items()):
        states = tuple(families[m.agg].fold([1.0] * count, [0.0] * count, {}) for m in measures)
        series.put(pane, Held(SourceRef("m", 0), number, number + 1, Cell(count, 0, pane * 10.0, states)))
    return series


def shown(series, newest, since):
    found = read(series, None, since, newest, newest * 10.0)
    assert found.faults == 0
    return found.shown


MEASURES = (
    Measure("n", "count"),
    Measure("long", "count", window=50.0),
    Measure("short", "count", window=10.0),
    Measure("before", "count", offset=30.0),
)
PANES = {pane: pane for pane in range(1, 12)}


def test_each_measure_reads_its_own_stretch_and_samples_are_those_of_the_rule():
    reading = shown(held(MEASURES, FAMILIES, PANES), 10, since=1)
    assert reading.values == {"n": 9 + 10, "long": 6 + 7 + 8 + 9 + 10, "short": 10, "before": 6 + 7}
    assert (reading.samples, reading.start) == (19, 90.0)
    assert reading.notes == ("long covers 50s", "short covers 10s", "before covers 20s that ended 30s earlier")


@pytest.mark.parametrize(("since", "known"), [(None, False), (6, False), (5, True)])
def test_an_offset_is_known_when_the_rule_was_read_before_the_stretch_began(since, known):
    reading = shown(held(MEASURES, FAMILIES, PANES), 10, since)
    assert reading.values["before"] == (13 if known else None)
    assert reading.values["long"] == 40, "what ends now is what is known so far, as the rule's window is"
    lacks = "before has no value before the rule has been read for 50s"
    assert (reading.notes[0] == lacks) is not known


def test_a_stretch_of_the_past_without_events_says_nothing():
    reading = shown(held(MEASURES, FAMILIES, {3: 1, 9: 2}), 10, since=3)
    assert (reading.values["before"], reading.values["n"]) == (None, 2)
    assert not [note for note in reading.notes if note.startswith("before")]


def test_a_family_that_compares_is_given_what_is_known_of_each_lookback():
    family = Doubled(Lookback(20.0, 20.0), Lookback(10.0, 50.0))
    families = {**FAMILIES, "doubled": family}
    measure = Measure("m", "doubled", "value", offset=10.0)
    series = held((measure,), families, PANES)
    reading = shown(series, 10, since=1)
    assert (reading.values, family.given) == ({"m": 8 + 9}, [[6 + 7, 4]])
    assert reading.notes == (
        "m covers 20s that ended 10s earlier and compares with 2 stretches of up to 1m10s earlier",
    )
    shown(series, 10, since=4)
    assert family.given[-1] == [6 + 7, None]


def test_what_a_family_says_of_the_past_and_cannot_costs_a_fault_and_no_judging():
    class Broken(Doubled):
        def lookbacks(self, window, options):
            raise KeyError("broken")

        def compare(self, state, others, window, options):
            raise KeyError("broken")

    families = {**FAMILIES, "doubled": Broken()}
    found = read(held((Measure("m", "doubled", "value"), *MEASURES), families, PANES), None, 1, 10, 100.0)
    assert (found.faults, found.shown.values["m"], found.shown.values["before"]) == (1, None, 13)


def test_a_rule_that_reads_its_window_alone_has_no_plan():
    assert plan_of(*looking(Measure("n", "count"), Measure("top", "max", "value"))) is None
    assert plan_of(*looking(Measure("n", "count", window=30.0))).reach == 30.0
    assert plan_of(*looking(Measure("n", "count", offset=40.0))).reach == 60.0


@pytest.mark.parametrize(
    ("panes", "newest", "since", "turn"),
    [
        ([5], 10, None, 12),  # leaves
        ([5], 5, None, 9),  # enters
        ([4], 9, None, 11),
        ([], 10, 9, 16),  # nothing moves, and more is known
        ([], 16, 9, None),
        ([5, 9], 12, None, 13),
    ],
)
def test_an_entity_is_judged_when_a_stretch_shows_something_else(panes, newest, since, turn):
    plan = plan_of(*looking(Measure("before", "count", window=30.0, offset=40.0)))
    assert plan.slides(newest, since, panes) == turn


def evaluated(made, events, restart=False):
    """Live signals of events `(at, value)`, judged when each arrives and when time alone changes something."""
    ingest, evaluation = Ingest([made], FAMILIES, Native(), 1), Evaluation([made], FAMILIES)
    said, windows = [], {}
    for offset, (at, value) in enumerate(events):
        while (wake := evaluation.next_wake()) is not None and wake < T + at:
            said += evaluation.judge(wake)
        for payload in ingest.batch(SOURCE, [metric(offset, T + at, value)]).partials[0]:
            evaluation.apply(payload, T + at)
        said += evaluation.judge(T + at)
        if restart:
            windows |= evaluation.changes()
            header = evaluation.header()
            evaluation.saved()
            evaluation = Evaluation([made], FAMILIES)
            evaluation.restore({key: one for key, one in windows.items() if one is not None}, header)
            evaluation.adopt(said[-1:])
            said += evaluation.judge(T + at)
    return evaluation, said


HALVED = rule(
    measures=(Measure("now", "avg", "value"), Measure("before", "avg", "value", offset=120.0)),
    levels=(Level("outage", Check("now < before / 2", "now", "before")),),
    summary=above("x", 1) and rule().service,
    window=20.0,
    pane=10.0,
)


@pytest.mark.parametrize("restart", [False, True])
def test_history_outlives_the_rules_window_and_restarts(restart):
    events = [(second + 0.5, 100.0 if second < 200 else 40.0) for second in range(0, 240, 5)]
    evaluation, said = evaluated(HALVED, events, restart)
    assert [(signal.severity, signal.at - T) for signal in said] == [("outage", pytest.approx(200.5, abs=20.0))]
    assert said[0].evidence.notes == ("before covers 20s that ended 2m earlier",)
    held_panes = sorted(
        {pane for timeline in evaluation._timelines.values() for s in timeline.all() for pane in s.panes()}
    )
    assert 14 <= len(held_panes) <= 16, "as far as the measure looks, and no further"


def test_a_young_rule_is_unknown_and_not_clear_or_firing():
    evaluation, said = evaluated(HALVED, [(second + 0.5, 100.0 - second) for second in range(0, 100, 5)])
    (verdict,) = evaluation.verdicts()
    assert (said, verdict.state.value) == ([], "unknown")


def test_late_rows_within_reach_are_taken_and_older_ones_are_not():
    evaluation, _ = evaluated(HALVED, [(0.5, 1.0), (240.5, 1.0)])
    ingest = Ingest([HALVED], FAMILIES, Native(), 1)
    for offset, at in ((10, 110.5), (11, 60.5)):
        for payload in ingest.batch(SOURCE, [metric(offset, T + at, 7.0)]).partials[0]:
            evaluation.apply(payload, T + 240.5)
    assert evaluation.left_out["expired"] == 1
    assert {PANE + 11, PANE + 24} == {
        pane for t in evaluation._timelines.values() for s in t.all() for pane in s.panes()
    }


def test_an_age_grows_pane_by_pane_although_nothing_comes():
    aged = rule(measures=(Measure("quiet", "age", window=100.0),), window=20.0, pane=10.0)
    aged = replace(aged, levels=(Level("outage", above("quiet", 45.0), min_samples=0),))
    evaluation, said = evaluated(aged, [(0.5, 1.0), (12.5, 1.0)])
    while (wake := evaluation.next_wake()) is not None and wake < T + 200:
        said += evaluation.judge(wake)
    assert [(signal.severity, round(signal.at - T)) for signal in said][:1] == [("outage", 60)]
    assert said[0].evidence.measures == {"quiet": 47.5}


STEADY = [(second + 0.5, 100.0) for second in range(0, 200, 5)]


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({"summary": rule().service}, True),
        ({"measures": (HALVED.measures[0], replace(HALVED.measures[1], offset=60.0)), "hash": "h2"}, True),
        ({"measures": (HALVED.measures[0], replace(HALVED.measures[1], offset=130.0)), "hash": "h2"}, False),
        ({"pane": 5.0, "hash": "h2", "shape": "s2"}, False),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_history_outlives_changes_that_leave_it_whole(change, known, restart):
    before = replace(HALVED, shape="s1")
    after = replace(before, **change)
    evaluation, _ = evaluated(before, STEADY)
    if restart:
        windows, header = evaluation.changes(), evaluation.header()
        evaluation = Evaluation([after], FAMILIES)
        evaluation.restore({key: one for key, one in windows.items() if one is not None}, header)
    else:
        evaluation.reload([after])
    ingest = Ingest([after], FAMILIES, Native(), 1)
    for payload in ingest.batch(SOURCE, [metric(5000, T + 196.0, 100.0)]).partials[0]:
        evaluation.apply(payload, T + 196.0)
    evaluation.judge(T + 196.0)
    (verdict,) = evaluation.verdicts()
    assert (verdict.state.value == "clear") is known, verdict
