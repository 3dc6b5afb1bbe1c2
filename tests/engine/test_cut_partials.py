"""A batch whose partial is cut into several payloads is one batch still: no time passes between its parts."""

import orjson
import pytest

from fireline.domain.rules import Level, NoData
from fireline.engine import partials
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import above, metric, rule

T = 1_763_683_200.0


@pytest.mark.parametrize("most", [400_000, 2_000, 1])
def test_verdicts_of_a_recording_do_not_depend_on_how_payloads_are_cut(monkeypatch, most):
    monkeypatch.setattr(partials, "MAX_BYTES", most)
    rules = [
        rule(name=f"latency-{n}", levels=(Level("outage", above("top", 100.0)),), no_data=NoData(90.0, "degraded"))
        for n in range(5)
    ]
    records = [metric(i, T + 20 * i, 150.0 if 20 <= i < 30 else 5.0).value for i in range(60)]
    for batch in (7, 60):  # all of them are twenty windows
        played = play(rules, FAMILIES, Native(), records, batch)
        told = {(signal.rule, signal.state.value, signal.at - T) for signal in played.signals}
        assert {round(at) for _, state, at in told if state == "firing"} == {410}, "when its pane ends"
        assert {round(at) for _, state, at in told if state == "clear"} == {650}
        assert len(told) == 10


def test_only_the_last_payload_tells_how_far_time_has_come(monkeypatch):
    monkeypatch.setattr(partials, "MAX_BYTES", 10)
    entries = [partials.Entry("r", "h", ("a",), pane, partials.Cell(1, 0, T, (1,))) for pane in range(3)]
    parts = partials.encode(partials.Partial(partials.SourceRef("t", 0), 0, 3, T, entries))
    assert [orjson.loads(part)["newest"] for part in parts] == [0.0, 0.0, T]
