"""Long windows of panes, read by way of remembered blocks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.judging import EntityState
from fireline.engine.partials import Cell, SourceRef
from fireline.engine.windows import Held, Series
from fireline.engine.windows_panes import Settled
from fireline.measures import FAMILIES
from tests.engine.streams import rule

SOURCES = (SourceRef("m", 0), SourceRef("m", 1))
STEPS = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 1), st.integers(0, 700), st.booleans()), max_size=60)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([1.0, 8.0, 63.0, 600.0]))
def test_any_window_is_the_sum_of_its_panes(steps, window):
    measures = rule().measures[:1]
    series = Series(
        rule(measures=measures, window=window, pane=1.0), (FAMILIES["count"],), ("a",), EntityState((("service", "a"),))
    )
    known = {}
    for number, (pane, source, newest, pruned) in enumerate(steps):
        if series._pruned is not None and pane < series._pruned:
            continue  # evaluate refuses what is older than any window
        cell = Cell(1, 0, float(pane), (1,))
        start, end = (number // 3) * 10, number + 1
        held = known.get((pane, source))
        series.put(pane, Held(SOURCES[source], start, end, cell))
        count = 1 if held is None else held[1] + (held[0] != start)
        known[pane, source] = (start, count)
        if pruned:
            series.settle({SOURCES[source]: start})
            series.prune(newest - 650)
            known = {key: value for key, value in known.items() if key[0] >= max(newest - 650, series._pruned)}
        first = newest - int(window) + 1
        inside = sum(count for (p, _), (_, count) in known.items() if first <= p <= newest)
        found = series.window(newest)
        assert (found.samples if found is not None else 0) == inside
        if found is not None:
            assert found.states == (inside,)
        everything = series.total(0, 700)
        assert (everything.samples if everything is not None else 0) == sum(count for _, count in known.values())


def test_reading_a_long_window_again_costs_one_merge():
    merges = []

    class Counting(type(FAMILIES["count"])):
        def merge_all(self, states):
            merges.append(1)
            return sum(states)

    series = Series(rule(measures=rule().measures[:1], window=4000.0, pane=1.0), (Counting(),), ("a",), EntityState(()))
    for pane in range(4000):
        series.put(pane, Held(SOURCES[0], pane, pane + 1, Cell(1, 0, 0.0, (1,))))
    assert series.window(3999).samples == 4000
    merges.clear()
    series.put(3999, Held(SOURCES[0], 3999, 4001, Cell(2, 0, 0.0, (2,))))
    assert series.window(3999).samples == 4001
    assert len(merges) == 1
    series.put(4000, Held(SOURCES[0], 4001, 4002, Cell(1, 0, 0.0, (1,))))
    merges.clear()
    assert series.window(4000).samples == 4001
    assert len(merges) < 60


class Looked(dict):
    """Panes in progress that count how often somebody goes through all of them."""

    times = 0

    def __iter__(self):
        Looked.times += 1
        return super().__iter__()

    def items(self):
        Looked.times += 1
        return super().items()


def test_thousands_of_panes_at_once_are_not_all_looked_at_for_each_verdict():
    series = Series(rule(measures=rule().measures[:1], pane=1.0), (FAMILIES["count"],), ("a",), EntityState(()))
    series.open = Looked()
    panes = [pane + pane // 7 for pane in range(2000)]
    for pane in panes:
        series.put(pane, Held(SOURCES[0], 0, pane, Cell(1, 0, 0.0, (1,))))
        series.settle_some(pane, {SOURCES[0]: 0})
    for place, pane in enumerate(panes):
        inside = [each for each in panes[max(0, place - 60) : place + 1] if each > pane - 60]
        assert series.window(pane).samples == len(inside)
        assert series.slides(pane) == min([inside[0] + 60, *panes[place + 1 : place + 2]])
        series.prune(pane - 60)
    assert Looked.times < 30  # some eleven times to settle, each time with twice as many as the last, and once in order


def test_nothing_is_remembered_of_the_time_between_rare_events():
    series = Series(
        rule(measures=rule().measures[:1], window=360.0, pane=1.0), (FAMILIES["count"],), ("a",), EntityState(())
    )
    for turn in range(50):
        pane = turn * 180
        series.put(pane, Held(SOURCES[0], turn, turn + 1, Cell(1, 0, 0.0, (1,))))
        series.settle({SOURCES[0]: turn})
        series.prune(pane - 359)
        assert series.window(pane).samples == min(turn + 1, 2)
    assert len(series._blocks) < 10


def test_panes_that_rest_are_bytes_and_the_same_as_before():
    settled = Settled()
    cells = {pane: Cell(pane, 1, pane + 0.25, ([0.1, 1e-9, pane], None, {"a": pane})) for pane in range(5)}
    for pane, cell in cells.items():
        settled.put(pane, cell)
    settled.cool(before=4)
    assert {pane: type(held) for pane, held in settled.all().items()} == dict.fromkeys(range(4), bytes) | {4: Cell}
    assert {pane: settled.get(pane) for pane in settled} == cells

    settled.put(2, cells[3])  # something came late
    assert settled.get(2) == cells[3]
    assert sorted(settled) == [0, 1, 2, 3, 4]
    settled.drop(2)
    settled.drop(3)
    assert sorted(settled) == [0, 1, 4]
    assert (len(settled), 2 in settled, settled.get(3)) == (3, False, None)


def series_that_fails():
    """A count whose family raises, when it merges, what is put into the first of both."""
    faults = []

    class Failing(type(FAMILIES["count"])):
        def merge_all(self, states):
            if faults:
                raise faults.pop()
            return sum(states)

    counted = rule(measures=rule().measures[:1], window=60.0, pane=1.0)
    return faults, Series(counted, (Failing(),), ("a",), EntityState(()))


def test_a_family_that_cannot_merge_costs_no_count_and_doubles_none():
    faults, series = series_that_fails()
    for source in SOURCES:
        series.put(7, Held(source, 0, 3, Cell(3, 0, 7.0, (3,))))
    series.put(7, Held(SOURCES[0], 5, 6, Cell(1, 0, 7.0, (1,))))
    assert series.window(7).states == (7,)
    faults.append(ValueError("a fault of a family"))
    with pytest.raises(ValueError, match="of a family"):
        series.window(7)
    assert series.window(7).states == (7,)

    faults.append(ValueError("a fault of a family"))
    with pytest.raises(ValueError, match="of a family"):
        series.settle(dict.fromkeys(SOURCES, 20))
    assert series.window(7).states == (7,)
    series.settle(dict.fromkeys(SOURCES, 20))
    assert not series.open
    assert series.window(7).states == (7,)


def test_chunks_that_crowd_a_pane_are_joined_and_a_fault_then_costs_no_count():
    faults, series = series_that_fails()
    for number in range(100):
        series.put(7, Held(SOURCES[0], number, number + 1, Cell(1, 0, 7.0, (1,))))
        if number % 10 == 7:
            faults.append(ValueError("a fault of a family"))
        try:
            series.settle_some(7, {SOURCES[0]: number})
        except ValueError:
            assert len(series.open[7]) > 1
        faults.clear()
        assert series.window(7).states == (number + 1,)
        assert len(series.open[7]) <= 16
    assert series.put(7, Held(SOURCES[0], 99, 100, Cell(1, 0, 7.0, (1,)))) is False
