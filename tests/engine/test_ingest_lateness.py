"""Which events of a recording are late does not depend on the length of chunks and batches."""

import pytest

from fireline.engine.ingest import Ingest, Record
from fireline.engine.partials import SourceRef
from fireline.engine.playback import Numbered
from fireline.measures import FAMILIES
from fireline.sources.native import Native

T = 1_763_683_200.0
LATE = {4096: "the first of its stretch: nothing newer is in it", 5000: "two hours behind its stretch"}


def event(offset):
    at = T - 7200 if offset in LATE else T + offset / 100
    return f'{{"type":"metric","name":"m","value":1.0,"ts":{at},"labels":{{}}}}'.encode()


@pytest.mark.parametrize("chunk", [4096, 16_384])
@pytest.mark.parametrize("batch", [1000, 4096, 9000])
def test_late_is_told_by_the_stretch_of_offsets(chunk, batch):
    ingest = Ingest([], FAMILIES, Native(), 1, chunk=chunk)
    records = [Record(offset, 0.0, None, event(offset)) for offset in range(9000)]
    dead = []
    for start in range(0, 9000, batch):
        dead += ingest.batch(SourceRef("recording", 0, "replay"), records[start : start + batch]).dead
    assert [(letter.record.offset, letter.reason) for letter in dead] == [(5000, "late")]


def test_numbered_records_are_those_of_their_places():
    some = Numbered(100, 105, [b"a", b"b", b"c", b"d", b"e"])
    assert [(record.offset, record.value) for record in some[1:3]] == [(101, b"b"), (102, b"c")]
    assert (some[-1].offset, len(some), len(some[3:9])) == (104, 5, 2)
    assert Numbered(3, 4)[0].value is None
    with pytest.raises(IndexError):
        some[5]
