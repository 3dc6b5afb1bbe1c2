"""Events are drawn in runs and folded by shape: no aggregate depends on either."""

import orjson
import pytest

from fireline.domain.rules import Measure
from fireline.engine.ingest import Ingest, Record
from fireline.engine.ingest_columns import RUN, shapes_of
from fireline.engine.partials import decode
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, metric, rule

T = 1_763_683_200.0
MANY = 2 * RUN + 300


class Told:
    """Folds what it was given: how often, the values and its options."""

    name, streams, needs, settings = "told", (), "of", dict

    def __init__(self):
        self.folds = 0

    def column(self, kind, rows, measure):
        return [row["value"] for row in rows]

    def fold(self, values, times, options):
        self.folds += 1
        return [*values, dict(options)]


def cells(ingested):
    """(rule, entity, pane) -> cell of all payloads, the later winning."""
    payloads = [payload for some in ingested.partials.values() for payload in some]
    return {(e.rule, e.entity, e.pane): e.cell for payload in payloads for e in decode(payload).entries}


def core(*rules, **families):
    return Ingest(rules, {**FAMILIES, **families}, Native(), 1, chunk=4 * RUN)


def sent(number):
    """Frequent and rare label sets, labels that are missing or no texts, two panes, and what cannot be counted."""
    if number % 311 == 5:
        return Record(number, T, None, b"{")
    if number % 17 == 3:
        body = {"type": "metric", "name": "lat", "value": number, "ts": T + number % 9}
        return Record(number, T, None, orjson.dumps({**body, "labels": {} if number % 2 else {"service": 7}}))
    rare = number % 401 == 7
    return metric(number, T + (number % 13), number % 97, "rare" if rare else "ab"[number % 2])


@pytest.mark.parametrize("size", [150, RUN, RUN + 1])
def test_a_batch_of_many_runs_gives_what_small_batches_give(size):
    measures = (Measure("p99", "quantile", "value", {"q": 0.99}), Measure("n", "count"), Measure("m", "avg", "value"))
    rules = [rule(measures=measures), rule(name="second", measures=measures[:2], pane=4.0)]
    records = [sent(number) for number in range(MANY)]
    whole, parts, dead = core(*rules), core(*rules), []
    at_once = whole.batch(SOURCE, records)
    in_parts = {}
    for start in range(0, MANY, size):
        got = parts.batch(SOURCE, records[start : start + size])
        in_parts.update(cells(got))
        dead += [letter.record.offset for letter in got.dead]
    assert cells(at_once) == in_parts
    assert [letter.record.offset for letter in at_once.dead] == dead == list(range(5, MANY, 311))
    assert sum(cell.samples for (name, _, _), cell in in_parts.items() if name == "latency") == MANY - len(dead)


def test_what_rules_read_alike_is_folded_once_a_pane():
    told = Told()
    one = Measure("one", "told", "value", {"q": 1})
    rules = [rule(measures=(one,)), rule(name="same", measures=(Measure("other", "told", "value", {"q": 1}),))]
    got = cells(core(*rules, told=told).batch(SOURCE, [metric(0, T, 5), metric(1, T + 1, 6), metric(2, T + 10, 7)]))
    pane = int(T // 10)
    for name in ("latency", "same"):
        assert got[name, ("a",), pane].states == ([5, 6, {"q": 1}],)
        assert got[name, ("a",), pane + 1].states == ([7, {"q": 1}],)
    assert told.folds == 2


@pytest.mark.parametrize(
    "other", [Measure("x", "told", "value", {"q": 2}), Measure("x", "told", "score", {"q": 1}), Measure("x", "count")]
)
def test_measures_that_say_something_else_have_shapes_of_their_own(other):
    found = shapes_of([rule(measures=(Measure("one", "told", "value", {"q": 1}), other))], {**FAMILIES, "told": Told()})
    first, second = found["latency"]
    assert first is not second
    assert second.measure.agg == other.agg


def test_a_family_that_fails_on_one_run_has_no_value_and_costs_no_other():
    told = Told()
    records = [metric(number, T, number) for number in range(2 * RUN)]
    told.column = lambda kind, rows, measure: [1 // row["value"] for row in rows]  # the first is 0
    ingest = core(rule(measures=(Measure("n", "count"), Measure("x", "told", "value"))), told=told)
    (cell,) = cells(ingest.batch(SOURCE, records)).values()
    assert (cell.samples, cell.states) == (2 * RUN, (2 * RUN, None))
    assert (ingest.faults, told.folds) == ({"told": 1}, 0)
