"""A partition on which nothing comes holds nothing up: not live, where the clock drives, nor in a recording."""

import pytest

from fireline.domain.rules import Level, NoData
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import above, metric, rule

T = 1_763_683_200.0
RULE = rule(levels=(Level("outage", above("top", 100.0), for_=20.0),), no_data=NoData(60.0, "degraded"))


class Worker:
    """All partitions of events, and all four of partials, each with an `Evaluation` of its own."""

    def __init__(self, topic: str, timeline: str) -> None:
        self.topic, self.timeline = topic, timeline
        self.ingest = Ingest((RULE,), FAMILIES, Native(), 4)
        self.parts = [Evaluation((RULE,), FAMILIES) for _ in range(4)]
        self.offsets: dict[int, int] = {}
        self.said: list[tuple[float, str, str | None]] = []

    def send(self, now, partition, *events):
        """Events are (at, value, service), all on one partition."""
        first = self.offsets.get(partition, 0)
        records = [metric(first + i, *event) for i, event in enumerate(events)]
        self.offsets[partition] = first + len(records)
        taken = self.ingest.batch(SourceRef(self.topic, partition, self.timeline), records)
        for number, payloads in taken.partials.items():
            for payload in payloads:
                self.parts[number].apply(payload, now)
        self.judge(now)

    def judge(self, now):
        for part in self.parts:
            for signal in part.judge(now):
                self.said.append((signal.at - T, dict(signal.entity)["service"], signal.severity))


def test_live_the_clock_drives_whatever_partitions_are_silent():
    """One partition of four ever has events; then none has."""
    worker = Worker("fireline.metrics", "live")
    for second in range(30):
        worker.send(T + second, 2, (T + second, 500.0, "a"))
    assert worker.said == [(20.0, "a", "outage")]
    for second in range(30, 110):
        worker.send(T + second, 2, (T + second, 1.0, "a"))
    assert worker.said[1:] == [(80.0, "a", None)], "the bad pane left the window by the clock"
    for second in range(110, 200):
        worker.judge(T + second)
    assert worker.said[2:] == [(169.0, "a", "degraded")], "60 s after the last event, nothing else having come"


@pytest.mark.parametrize("ends", [0, 40])
def test_in_a_recording_time_passes_by_the_events_of_the_other_partitions(ends):
    """Partition 1 has no events at all, or ends while the others go on."""
    worker = Worker("fireline.replay", "replay")
    for second in range(300):
        worker.send(T, 0, (T + second, 500.0 if 100 <= second < 130 else 1.0, "a"))
        if second < ends:
            worker.send(T, 1, (T + second, 1.0, "b"))
    told_of_b = [each for each in worker.said if each[1] == "b"]
    told_of_a = [each for each in worker.said if each[1] == "a"]
    assert [severity for _, _, severity in told_of_a] == ["outage", None]
    assert told_of_a[0][0] == pytest.approx(130.0, abs=10.1)
    if ends:
        ((at, _, severity),) = told_of_b
        assert severity == "degraded"
        assert at == pytest.approx(ends - 1 + 60.0, abs=10.1), "by the time of the recording, not by the clock"
    else:
        assert told_of_b == []


def test_in_a_recording_a_partition_that_is_read_later_still_counts_within_the_window():
    """Partitions are read in batches: one may be ahead of the other by less than a window."""
    worker = Worker("fireline.replay", "replay")
    for minute in range(10):
        at = T + minute * 40
        worker.send(T, 0, *[(at + second, 1.0, "a") for second in range(40)])
        worker.send(T, 1, *[(at + second, 500.0, "a") for second in range(40)])
    (verdict,) = [v for part in worker.parts for v in part.verdicts()]
    assert verdict.severity == "outage"
    assert sum(part.expired for part in worker.parts) == 0
