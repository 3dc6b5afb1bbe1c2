"""Windows that were over before they were read: a worker that was away, or lagged, still tells of them."""

import pytest

from fireline.domain.rules import Level, Measure, State
from fireline.engine.evaluate import Evaluation
from fireline.engine.windows_missed import REACH
from fireline.measures import FAMILIES
from tests.engine.streams import above, rule
from tests.engine.test_evaluate import Flow, T, said

SHORT = rule(window=10.0, pane=1.0)


def taken_over(flow):
    """The same flow with the windows in the hands of another worker, who has what the last checkpoint had."""
    evaluation = Evaluation(flow.rules, FAMILIES)
    evaluation.restore(flow.evaluation.changes(), flow.evaluation.header())
    flow.evaluation = evaluation
    return flow


def test_a_fault_that_came_and_went_while_the_worker_was_away_is_told():
    flow = Flow(SHORT)
    flow.send(T + 0.5, (T, 1))
    taken_over(flow)
    signals = flow.send(T + 60, (T + 2.2, 500), (T + 8.2, 1), (T + 30.2, 1), (T + 59.9, 1))
    assert said(signals) == [("firing", "outage", 3.0), ("clear", None, 31.0)]
    fired = signals[0]
    assert fired.started == T + 2.2
    assert (fired.evidence.measures["n"], fired.evidence.window_end) == (2.0, T + 3.0), "with what was known before"
    assert fired.evidence.notes == ("this window was over 57 s before it was read",)
    assert flow.told() == (State.CLEAR, None)


def test_one_that_lags_tells_it_as_soon_as_it_has_read_it_and_once():
    flow = Flow(SHORT)
    flow.send(T + 0.5, (T, 1))
    assert flow.evaluation.judge(T + 60, behind=59.5) == []
    flow.send(T + 60.1, (T + 2.2, 500), judge=False)
    assert flow.evaluation.judge(T + 60.1, behind=57.9) == [], "that pane may not be complete"
    flow.send(T + 60.2, (T + 2.9, 700), (T + 3.1, 1), judge=False)
    (fired,) = flow.evaluation.judge(T + 60.2, behind=57.1)
    assert (fired.state, fired.at, fired.evidence.window_end) == (State.FIRING, T + 60.1, T + 3.0)
    assert fired.evidence.measures["top"] == 700.0
    flow.send(T + 60.3, (T + 59.9, 1), judge=False)
    (cleared,) = flow.evaluation.judge(T + 60.3)
    assert (cleared.state, cleared.episode) == (State.CLEAR, fired.episode)


def test_a_pane_is_judged_when_all_of_it_has_been_read():
    share = rule(
        window=10.0,
        pane=1.0,
        measures=(Measure("n", "count"), Measure("wrong", "ratio", condition=above("value", 100.0))),
        levels=(Level("outage", above("wrong", 0.5), min_samples=2),),
    )
    flow = Flow(share)
    flow.send(T + 0.5, (T, 1))
    flow.send(T + 60, (T + 5.1, 500), (T + 5.2, 500), (T + 5.3, 500), judge=False)
    assert flow.evaluation.judge(T + 60, behind=54.6) == [], "the rest of that second may tell another story"
    assert flow.evaluation.next_wake() is not None
    flow.send(T + 60, *[(T + 5.5 + n / 100, 1) for n in range(9)], judge=False)
    assert flow.evaluation.judge(T + 61, behind=0.0) == []


def test_what_is_not_judged_yet_outlives_a_restart():
    flow = Flow(SHORT)
    flow.send(T + 0.5, (T, 1))
    flow.send(T + 60, (T + 2.2, 500), judge=False)
    assert flow.evaluation.judge(T + 60, behind=58.0) == []
    taken_over(flow)
    fired = flow.evaluation.judge(T + 61)[0]
    assert (fired.state, fired.severity, fired.at) == (State.FIRING, "outage", T + 3)


def test_a_for_goes_on_over_the_time_away():
    lasting = rule(window=10.0, pane=1.0, levels=(Level("outage", above("top", 100.0), for_=20.0),))
    flow = Flow(lasting)
    flow.send(T + 0.5, (T, 500))
    taken_over(flow)
    signals = flow.send(T + 60, *[(T + second + 0.5, 500) for second in range(1, 40)])
    assert said(signals) == [("firing", "outage", 21.0), ("unknown", "outage", 60.0)], "then it fell silent"


@pytest.mark.parametrize("seconds", [REACH - 100, REACH + 100])
def test_nobody_is_told_of_what_is_older_than_the_reach(seconds):
    flow = Flow(SHORT)
    flow.send(T + 0.5, (T, 1))
    taken_over(flow)
    now = T + seconds
    signals = flow.send(now, (T + 5.2, 500), (now, 1))
    assert [signal.state.value for signal in signals] == (["firing", "clear"] if seconds < REACH else [])
    assert flow.evaluation.left_out["expired"] == (1 if seconds > REACH else 0)


def test_the_past_of_a_new_worker_says_nothing():
    flow = Flow(SHORT)
    assert flow.send(T + 60, (T + 5, 500)) == []
    flow.evaluation.begin(T + 55)
    assert flow.send(T + 60, (T + 5, 501)) == []


def test_the_first_event_ever_is_told_although_nobody_was_there_to_read_it():
    flow = Flow(SHORT)
    flow.evaluation.begin(T)
    taken_over(flow)
    assert [signal.state.value for signal in flow.send(T + 60, (T + 5, 500), (T + 60, 1))] == ["firing", "clear"]


def test_a_clock_that_was_set_forward_does_not_raise_the_past():
    flow = Flow(SHORT)
    assert said(flow.send(T + 0.5, (T + 0.1, 500))) == [("firing", "outage", 0.5)]
    flow.evaluation.leap(3600.0)
    assert flow.evaluation.judge(T + 3600.6) == []
    assert said(flow.send(T + 3601, (T + 3600.9, 1))) == [("clear", None, 3601.0)]


def test_a_stopped_process_tells_what_it_slept_through():
    flow = Flow(SHORT)
    flow.send(T + 0.5, (T, 1))
    flow.evaluation.leap(60.0)
    flow.evaluation.judge(T + 60.5, behind=60.0)
    signals = flow.send(T + 60.6, (T + 20, 500), (T + 60, 1))
    assert [signal.state.value for signal in signals] == ["firing", "clear"]
