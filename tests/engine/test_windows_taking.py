"""Checkpoints that are taken some windows at a time, while windows change, come and go."""

from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest
from fireline.engine.windows_checkpoint import packed
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, metric, rule

T = 1_763_683_200.0
FEW = [f"s{number}" for number in range(10)]


class Flow:
    """Ingest and evaluate of one partition, in chunks of eight records."""

    def __init__(self):
        self.ingest = Ingest([rule()], FAMILIES, Native(), 1, chunk=8)
        self.evaluation = Evaluation([rule()], FAMILIES)
        self.offset = 0

    def feed(self, now, *services, value=1.0):
        records = [metric(self.offset + n, now, value, service) for n, service in enumerate(services)]
        self.offset += len(records)
        for payload in self.ingest.batch(SOURCE, records).partials.get(0, ()):
            self.evaluation.apply(payload, now)
        self.evaluation.judge(now)


def test_it_says_what_windows_were_when_it_began_whatever_becomes_of_them_meanwhile():
    flow, other = Flow(), Flow()
    for each in (flow, other):
        each.feed(T + 1.0, *FEW)
    at_once, header = other.evaluation.changes(), other.evaluation.header()

    taking = flow.evaluation.take()
    assert taking.some(3)
    flow.feed(T + 2.0, "s1", "s5", "s9", "new", value=500.0)  # one was taken, two were not, one was not there
    flow.feed(T + 3.0, *FEW[:8], *FEW[:8])  # the chunk of the beginning is over
    assert taking.some(0)
    flow.evaluation.judge(T + 900.0)  # everything is too old, and nobody is left but who fires
    assert flow.evaluation.entities == 4
    assert not taking.some(100)
    assert (packed(taking.found), taking.header) == (at_once, header)


def test_what_changed_meanwhile_is_part_of_the_next():
    flow = Flow()
    flow.feed(T + 1.0, *FEW)
    taking = flow.evaluation.take()
    flow.feed(T + 2.0, "s3", "new")
    taking.finish()
    flow.evaluation.saved()
    assert {key[2] for key in flow.evaluation.snapshot()} == {("s3",), ("new",)}


def test_what_was_not_saved_is_taken_again():
    flow = Flow()
    flow.feed(T + 1.0, *FEW)
    assert flow.evaluation.take().some(4)
    assert {key[2] for key in flow.evaluation.snapshot()} == {(service,) for service in FEW}


def test_other_rules_find_the_snapshot_whole():
    flow = Flow()
    flow.feed(T + 1.0, *FEW)
    taking = flow.evaluation.take()
    flow.evaluation.reload([])
    assert not taking.some(1)
    assert all(held is not None for held in taking.found.values())
    assert set(flow.evaluation.changes().values()) == {None}
