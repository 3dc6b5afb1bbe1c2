"""Partials in, verdicts and signals out."""

import orjson
import pytest

from fireline.domain.events import Kind
from fireline.domain.rules import Level, Measure, Mode, NoData, State
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.engine.watching import Watch
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import SOURCE, above, equals, metric, record, rule

T = 1_763_683_200.0
REPLAY = SourceRef("fireline.replay", 0, "replay")


class Flow:
    """Ingest and evaluate in a row, one partition each."""

    def __init__(self, *rules, chunk=4096, source=SOURCE):
        self.rules = rules or (rule(),)
        self.source = source
        self.ingest = Ingest(self.rules, FAMILIES, Native(), 1, chunk=chunk)
        self.evaluation = Evaluation(self.rules, FAMILIES)
        self.offset = 0
        self.log = []

    def send(self, now, *events, judge=True):
        """Events are `(at, value)` or `(at, value, service)`, or a mapping."""
        records = []
        for event in events:
            if isinstance(event, dict):
                records.append(record(self.offset, **event))
            else:
                records.append(metric(self.offset, *event))
            self.offset += 1
        for payload in self.ingest.batch(self.source, records).partials.get(0, ()):
            self.log.append(payload)
            self.evaluation.apply(payload, now)
        return self.evaluation.judge(now) if judge else []

    def told(self, service="a"):
        (verdict,) = [v for v in self.evaluation.verdicts() if v.entity == (("service", service),)]
        return verdict.state, verdict.severity


def said(signals):
    return [(signal.state.value, signal.severity, signal.at - T) for signal in signals]


def test_an_event_above_the_bound_fires_at_once_and_clears_when_it_leaves_the_window():
    flow = Flow()
    assert said(flow.send(T, (T, 50))) == []
    (fired,) = flow.send(T + 1, (T + 1, 150))
    assert (fired.state, fired.severity, fired.service) == (State.FIRING, "outage", "a")
    assert fired.summary == "top of a is 150.0"
    assert (fired.evidence.samples, fired.evidence.measures) == (2, {"n": 2.0, "top": 150.0})
    assert flow.send(T + 30, (T + 30, 50)) == []
    wake = flow.evaluation.next_wake()
    assert wake == pytest.approx(T + 60, abs=0.01), "the bad pane leaves the window then"
    (cleared,) = flow.evaluation.judge(wake)
    assert (cleared.state, cleared.severity) == (State.CLEAR, None)
    assert cleared.episode == fired.episode
    assert cleared.fingerprint == fired.fingerprint
    assert cleared.id != fired.id


def test_for_fires_by_time_alone():
    flow = Flow(rule(levels=(Level("outage", above("top", 100.0), for_=20.0),)))
    assert flow.send(T, (T, 150)) == []
    assert flow.evaluation.next_wake() == T + 20
    assert said(flow.evaluation.judge(T + 20)) == [("firing", "outage", 20)]
    assert flow.evaluation.judge(T + 20) == []


def test_payloads_applied_again_change_nothing():
    flow = Flow(chunk=2)
    for i in range(7):
        flow.send(T + i, (T + i, i))
    for payload in flow.log * 2:
        flow.evaluation.apply(payload, T + 7)
    assert flow.evaluation.judge(T + 7) == []
    (fired,) = flow.send(T + 8, (T + 8, 150))
    assert fired.evidence.samples == 8


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b'{"v":2}', b"\xff", orjson.dumps({"v": 1, "source": ["t", 0, "live", ""]})],
)
def test_malformed_payloads_are_counted_and_never_raise(payload):
    evaluation = Evaluation([rule()], FAMILIES)
    evaluation.apply(payload, T)
    assert evaluation.malformed == 1
    assert evaluation.judge(T) == []


def test_states_that_a_family_cannot_read_are_counted_and_unknown():
    flow = Flow()
    flow.send(T, (T, 50))
    body = orjson.loads(flow.log[-1])
    body["chunk"], body["rows"][0][6] = [0, 9], [{"x": 1}, "no"]
    flow.evaluation.apply(orjson.dumps(body), T)
    assert flow.evaluation.judge(T) == []
    assert flow.evaluation.faults
    assert flow.told()[0] is State.UNKNOWN
    assert said(flow.send(T, (T, 150, "b"))) == [("firing", "outage", 0)], "other entities go on"


def test_rows_of_other_versions_of_a_rule_are_stale():
    flow = Flow()
    flow.evaluation.reload([rule(hash="h2")])
    assert flow.send(T, (T, 150)) == []
    assert flow.evaluation.stale == 1


def test_a_pane_ahead_of_the_clock_counts_when_its_time_comes():
    flow = Flow()
    assert flow.send(T, (T + 12, 150)) == []
    assert flow.evaluation.next_wake() == pytest.approx(T + 10, abs=0.01)
    assert said(flow.evaluation.judge(T + 10.5)) == [("firing", "outage", 10.5)]


def test_a_firing_entity_that_goes_silent_keeps_firing_and_says_so_once():
    flow = Flow()
    flow.send(T, (T, 150))
    (quiet,) = flow.evaluation.judge(T + 61)
    assert (quiet.state, quiet.severity) == (State.UNKNOWN, "outage")
    assert "no data since 2025-11-21 00:00:00 UTC" in quiet.evidence.reason
    assert flow.evaluation.judge(T + 1000) == []
    assert flow.told() == (State.UNKNOWN, "outage")
    assert said(flow.send(T + 2000, (T + 2000, 1))) == [("clear", None, 2000)]


def test_no_data_fires_after_its_time_and_clears_when_data_is_back():
    flow = Flow(rule(no_data=NoData(90.0, "degraded")))
    flow.send(T, (T, 1))
    flow.evaluation.judge(T + 61)
    assert flow.evaluation.next_wake() == T + 90
    (fired,) = flow.evaluation.judge(T + 90)
    assert (fired.state, fired.severity, fired.started) == (State.FIRING, "degraded", T)
    assert "no data for 90 s" in fired.evidence.reason
    assert said(flow.send(T + 200, (T + 200, 1))) == [("clear", None, 200)]


def test_silence_that_is_our_own_lag_is_not_counted():
    flow = Flow(rule(no_data=NoData(90.0, "degraded")))
    flow.send(T, (T, 1))
    assert flow.evaluation.judge(T + 100, behind=20.0) == []
    assert T + 100 < flow.evaluation.next_wake() < T + 103
    assert said(flow.evaluation.judge(T + 111, behind=20.0)) == [("firing", "degraded", 111)]


def test_quiet_entities_are_forgotten():
    flow = Flow()
    flow.send(T, (T, 1))
    flow.evaluation.changes()
    flow.evaluation.saved()
    for _ in range(4):
        if (wake := flow.evaluation.next_wake()) is not None:
            flow.evaluation.judge(wake)
    assert flow.evaluation.entities == 0
    assert flow.evaluation.next_wake() is None
    assert list(flow.evaluation.changes().values()) == [None]


def test_rows_older_than_any_window_are_dropped_and_counted():
    flow = Flow()
    flow.send(T + 500, (T, 150))
    assert flow.evaluation.expired == 1
    assert flow.evaluation.entities == 0


def test_a_replay_judges_every_pane_on_the_way_and_keeps_apart():
    flow = Flow(rule(levels=(Level("outage", above("top", 100.0), for_=15.0),)), source=REPLAY)
    events = [(T - 7000 + i, 150 if 100 <= i < 200 else 1, "a", T) for i in range(400)]
    signals = flow.send(T, *events)
    assert [(s.state.value, round(s.at - T + 7000)) for s in signals] == [("firing", 125), ("clear", 260)]
    assert {s.timeline for s in signals} == {"replay"}
    assert flow.evaluation.finish() == []
    assert flow.evaluation.next_wake() is None, "a replay does not wait for the clock"


def test_a_replay_in_small_batches_says_the_same():
    def replayed(size):
        flow = Flow(rule(levels=(Level("outage", above("top", 100.0), for_=15.0),)), source=REPLAY)
        events = [(T - 7000 + i, 150 if 100 <= i < 200 else 1, "a", T) for i in range(400)]
        found = []
        for at in range(0, len(events), size):
            found += flow.send(T, *events[at : at + size])
        return found

    assert replayed(400) == replayed(7) == replayed(1)


def test_the_pane_in_progress_of_a_replay_is_judged_when_nothing_arrives_any_more():
    flow = Flow(source=REPLAY)
    assert flow.send(T, (T - 7000, 150, "a", T)) == []
    assert flow.evaluation.next_wake() == T + 2
    (fired,) = flow.evaluation.judge(T + 2)
    assert (fired.state, fired.at) == (State.FIRING, T - 7000)
    assert flow.evaluation.next_wake() is None
    assert said(flow.send(T + 3, (T - 6000, 1, "b", T))) == [("unknown", "outage", pytest.approx(-6930, abs=10))]


def test_a_late_event_of_a_replay_is_judged_at_the_end_of_the_next_pane():
    flow = Flow(source=REPLAY)
    flow.send(T, (T - 7000, 1, "a", T), (T - 6985, 1, "b", T))
    assert flow.send(T, (T - 6999, 150, "a", T), (T - 6998, 160, "a", T)) == []
    assert said(flow.send(T, (T - 6960, 1, "b", T))) == [("firing", "outage", pytest.approx(-6980, abs=0.01))]


def test_agreement_pairs_predictions_with_feedback_that_names_no_service():
    accuracy = rule(
        on=Kind.PREDICTION,
        where=(equals("model", "fraud"),),
        window=600.0,
        measures=(Measure("accuracy", "agreement"),),
        levels=(Level("outage", above("1 - accuracy", 0.4)),),
    )
    accuracy.levels[0].when.variables = frozenset({"accuracy"})
    flow = Flow(accuracy)
    for i in range(4):
        body = {"type": "prediction", "model": "fraud", "request_id": f"r{i}", "prediction": "up", "at": T + i}
        assert flow.send(T + i, body | {"service": "a" if i < 3 else "b"}) == []
    assert flow.told()[0] is State.UNKNOWN, "no pair yet"
    labels = [
        {"type": "feedback", "request_id": f"r{i}", "label": label, "at": T + 60} for i, label in enumerate("xxx")
    ]
    (fired,) = flow.send(T + 60, *labels)
    assert fired.entity == (("service", "a"),)
    assert fired.evidence.measures == {"accuracy": 0.0}
    assert fired.evidence.samples == 3, "feedback is no sample of a rule on predictions"
    assert flow.told("b")[0] is State.UNKNOWN


def watch(**changes):
    fields = {
        "id": "w",
        "rule": "latency",
        "entity": {"service": "a"},
        "since": T + 35,
        "window": 120.0,
        "min_samples": 2,
        "until": T + 400,
    }
    return Watch(**(fields | changes))


def test_a_watch_looks_at_panes_entirely_after_its_beginning():
    flow = Flow()
    flow.send(T + 36, (T + 30, 150), (T + 36, 150))
    (answer,) = flow.evaluation.watches([watch()], T + 37)
    assert (answer.state, answer.samples) == ("unknown", 0), "the pane began before the action"
    flow.send(T + 41, (T + 41, 5))
    (answer,) = flow.evaluation.watches([watch()], T + 41)
    assert (answer.state, answer.samples) == ("unknown", 1)
    flow.send(T + 42, (T + 42, 6))
    (answer,) = flow.evaluation.watches([watch()], T + 42)
    assert (answer.state, answer.samples, answer.measures["top"]) == ("clear", 2, 6.0)
    assert flow.told() == (State.FIRING, "outage"), "the rule's own window still holds the bad minutes"
    flow.send(T + 43, (T + 43, 700))
    (answer,) = flow.evaluation.watches([watch()], T + 43)
    assert answer.state == "firing"


def test_a_watch_is_answered_as_of_what_has_been_read():
    flow = Flow()
    flow.send(T + 45, (T + 41, 5), (T + 42, 6))
    (answer,) = flow.evaluation.watches([watch(window=20.0)], T + 100)
    assert (answer.state, answer.samples, answer.at) == ("unknown", 0, T + 100)
    (answer,) = flow.evaluation.watches([watch(window=20.0)], T + 100, behind=55.0)
    assert (answer.state, answer.samples) == ("clear", 2)
    assert (answer.at, answer.behind) == (T + 100, 55.0)


def test_a_watch_with_a_longer_window_keeps_its_panes():
    flow = Flow()
    flow.evaluation.watches([watch(window=600.0)], T)
    flow.send(T + 50, (T + 50, 150), (T + 51, 150))
    for second in range(60, 400, 10):
        flow.send(T + second, (T + second, 5))
    (answer,) = flow.evaluation.watches([watch(window=600.0)], T + 400)
    assert (answer.state, answer.samples) == ("firing", 36)
    assert flow.evaluation.watches([watch(entity={"service": "z"})], T + 400) == []


def test_a_checkpoint_restores_windows_and_verdicts():
    flow = Flow(rule(no_data=NoData(90.0, "degraded")), chunk=2)
    flow.send(T, (T, 150), (T, 1, "b"), (T + 1, 2))
    kept = flow.evaluation.changes()
    flow.evaluation.saved()
    assert flow.evaluation.changes() == {}
    again = Evaluation(flow.rules, FAMILIES)
    again.restore(kept, flow.evaluation.header())
    for payload in flow.log:
        again.apply(payload, T + 2)
    assert again.judge(T + 2) == []
    assert again.verdicts() == flow.evaluation.verdicts()
    assert again.changes().keys() <= kept.keys()
    flow.evaluation = again
    (cleared,) = flow.send(T + 65, (T + 65, 1))
    assert cleared.state is State.CLEAR


def counted(evaluation):
    """How many events of service a the last minute holds, at T + 5."""
    watch_all = Watch("w", "latency", {"service": "a"}, T - 60.0, window=120.0, min_samples=1, until=T + 60)
    return [answer.samples for answer in evaluation.watches([watch_all], T + 5)]


@pytest.mark.parametrize("restored", [False, True])
def test_an_earlier_word_on_a_chunk_does_not_undo_a_later_one(restored):
    flow = Flow()
    for number in range(3):  # one chunk in progress: three words on it, each of all events so far
        flow.send(T + number, (T + number, number))
    assert counted(flow.evaluation) == [3]
    again = Evaluation(flow.rules, FAMILIES)
    again.restore(flow.evaluation.changes(), flow.evaluation.header())
    evaluation = again if restored else flow.evaluation
    for payload in flow.log:  # ingest was started again and says it all anew
        evaluation.apply(payload, T + 5)
        assert counted(evaluation) == [3]


@pytest.mark.parametrize("restored", [False, True])
def test_a_chunk_that_a_later_one_ended_is_not_counted_again(restored):
    flow = Flow(chunk=2)
    for number in range(5):
        flow.send(T + number, (T + number, number))
    kept, header = flow.evaluation.changes(), flow.evaluation.header()
    evaluation = Evaluation(flow.rules, FAMILIES) if restored else flow.evaluation
    if restored:
        evaluation.restore(kept, header)
    for payload in flow.log[:4]:
        evaluation.apply(payload, T + 5)
        assert counted(evaluation) == [5]


def test_what_was_told_after_the_checkpoint_is_cleared_after_a_crash():
    flow = Flow()
    flow.send(T, (T, 1))
    kept, header = flow.evaluation.changes(), flow.evaluation.header()
    (told,) = flow.send(T + 5, (T + 5, 150))
    flow.evaluation = Evaluation(flow.rules, FAMILIES)
    flow.evaluation.restore(kept, header)
    flow.evaluation.adopt([told])
    assert flow.told() == (State.FIRING, "outage")
    (cleared,) = flow.send(T + 200, (T + 200, 1))
    assert (cleared.state, cleared.episode, cleared.sequence) == (State.CLEAR, told.episode, told.sequence + 1)


def test_what_the_checkpoint_knows_already_is_not_adopted():
    flow = Flow()
    (told,) = flow.send(T, (T, 150))
    flow.send(T + 200, (T + 200, 1))
    assert flow.told() == (State.CLEAR, None)
    flow.evaluation.adopt([told])
    assert flow.told() == (State.CLEAR, None)


def test_changes_are_handed_out_again_until_they_are_saved():
    flow = Flow()
    flow.send(T, (T, 1))
    first = flow.evaluation.changes()
    flow.send(T, (T, 1, "b"))
    assert flow.evaluation.changes().keys() > first.keys()
    flow.evaluation.saved()
    assert flow.evaluation.changes() == {}


def test_a_changed_rule_keeps_what_fires_and_drops_its_windows():
    flow = Flow()
    flow.send(T, (T, 150), (T, 1, "b"))
    kept, header = flow.evaluation.changes(), flow.evaluation.header()
    for restored in (True, False):
        evaluation = flow.evaluation
        if restored:
            evaluation = Evaluation([rule(hash="h2", pane=5.0)], FAMILIES)
            evaluation.restore(kept, header)
        else:
            evaluation.reload([rule(hash="h2", pane=5.0)])
        (verdict,) = evaluation.verdicts()
        assert (verdict.entity, verdict.severity) == ((("service", "a"),), "outage")
        assert sorted(v is None for v in evaluation.changes().values()) in ([True], [False, True])


@pytest.mark.parametrize("restored", [True, False])
def test_a_rule_whose_levels_changed_keeps_its_windows(restored):
    def changed(**fields):
        return rule(shape="same", **fields)

    flow = Flow(changed(levels=(Level("outage", above("top", 100.0), for_=30.0), Level("notice", above("n", 0.0)))))
    assert said(flow.send(T, (T, 150))) == [("firing", "notice", 0.0)]
    lower = changed(
        hash="h2", levels=(Level("outage", above("top", 120.0), for_=30.0), Level("notice", above("n", 0.0)))
    )
    evaluation = flow.evaluation
    if restored:
        evaluation = Evaluation([lower], FAMILIES)
        evaluation.restore(flow.evaluation.changes(), flow.evaluation.header())
    else:
        evaluation.reload([lower])
    assert evaluation.judge(T + 20) == []
    (signal,) = evaluation.judge(T + 31) or evaluation.judge(T + 51)
    assert (signal.severity, signal.evidence.samples) == ("outage", 1), "of what had come before it changed"
    assert signal.at == T + (31 if restored else 51), "what was pending on other words begins anew"


def test_a_rule_with_another_window_of_the_same_panes_keeps_them():
    flow = Flow(rule(shape="same", levels=(Level("outage", above("n", 2.0)),)))
    flow.send(T, (T, 1), (T, 1))
    assert flow.evaluation.judge(T + 50) == []
    flow.evaluation.reload([rule(shape="same", hash="h2", window=30.0, levels=(Level("outage", above("n", 2.0)),))])
    assert flow.send(T + 51, (T + 51, 1)) == [], "the first two are out of the shorter window"
    flow.evaluation.reload([rule(shape="same", hash="h3", window=60.0, levels=(Level("outage", above("n", 0.0)),))])
    assert [signal.severity for signal in flow.evaluation.judge(T + 52)] == ["outage"]


def test_a_level_that_was_removed_while_it_fired_clears():
    flow = Flow(rule(shape="same", levels=(Level("outage", above("top", 100.0)), Level("notice", above("n", 5.0)))))
    flow.send(T, (T, 150))
    flow.evaluation.reload([rule(shape="same", hash="h2", levels=(Level("notice", above("n", 5.0)),))])
    assert [signal.state for signal in flow.evaluation.judge(T + 1)] == [State.CLEAR]


def test_a_shadow_that_becomes_active_while_it_fires_is_told_anew_and_a_shadow_again_as_well():
    flow = Flow(rule(mode=Mode.SHADOW))
    (shadow,) = flow.send(T, (T, 150))
    told = []
    for at, mode in enumerate((Mode.ACTIVE, Mode.SHADOW), start=1):
        flow.evaluation.reload([rule(mode=mode)])
        (signal,) = flow.evaluation.judge(T + at)
        told.append(signal)
    assert [(s.state, s.severity, s.mode) for s in told] == [
        (State.FIRING, "outage", Mode.ACTIVE),
        (State.FIRING, "outage", Mode.SHADOW),
    ]
    assert len({s.id for s in (shadow, *told)}) == 3
    flow.evaluation.reload([rule(mode=Mode.SHADOW)])
    assert flow.evaluation.judge(T + 5) == []


def test_damaged_checkpoints_are_counted_and_the_rest_is_used():
    flow = Flow()
    flow.send(T, (T, 150), (T, 150, "b"))
    kept = dict(flow.evaluation.changes())
    kept[next(iter(kept))] = b'{"hash": 1}'
    evaluation = Evaluation(flow.rules, FAMILIES)
    evaluation.restore(kept, b"nonsense")
    assert evaluation.malformed == 2
    assert evaluation.entities == 1


def test_an_entity_beyond_the_limit_is_refused():
    flow = Flow(rule(max_entities=1))
    flow.ingest = Ingest([rule()], FAMILIES, Native(), 1)
    flow.send(T, (T, 1), (T, 1, "b"))
    assert (flow.evaluation.entities, flow.evaluation.refused) == (1, 1)
