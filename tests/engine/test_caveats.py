"""What families say of how far their values can be trusted, on its way into the reading."""

from fireline.domain.judging import EntityState
from fireline.domain.rules import Measure
from fireline.engine.partials import Cell, SourceRef
from fireline.engine.windows import Held, Series
from fireline.engine.windows_reading import read
from fireline.measures import FAMILIES
from tests.engine.streams import rule

QUANTILE = FAMILIES["histogram_quantile"]
MEASURES = (Measure("n", "count"), Measure("p95", "histogram_quantile", options={"q": 0.95}))


def shown(family, *histograms):
    """The reading of a window with a pane for each of the histograms."""
    series = Series(rule(measures=MEASURES, pane=10.0), (FAMILIES["count"], family), ("a",), EntityState(()))
    for pane, buckets in enumerate(histograms):
        state = QUANTILE.fold(list(QUANTILE.column(None, [{"buckets": buckets}], MEASURES[1])), [1.0], {})
        series.put(pane, Held(SourceRef("m", 0), pane, pane + 1, Cell(1, 0, pane * 10.0, (1, state))))
    return read(series, None, None, len(histograms), 60.0)


BUCKETS = {"bounds": [250, 500, 750], "counts": [0, 1, 19, 0]}


def test_a_caveat_begins_with_the_name_of_its_measure():
    found = shown(QUANTILE, BUCKETS, BUCKETS)
    assert found.shown.notes == ("p95 lies between 500 and 750: it rests on 2 buckets",)
    assert (found.shown.values["n"], found.faults) == (2, 0)


def test_without_a_value_there_is_nothing_to_say():
    found = shown(QUANTILE, None)
    assert (found.shown.values["p95"], found.shown.notes) == (None, ())


def test_a_family_that_fails_to_say_it_keeps_its_value():
    class Failing(type(QUANTILE)):
        def caveat(self, state, window, options):
            raise RuntimeError("broken")

    found = shown(Failing(), BUCKETS)
    assert found.shown.values["p95"] == shown(QUANTILE, BUCKETS).shown.values["p95"] > 500
    assert (found.shown.notes, found.faults) == ((), 1)
