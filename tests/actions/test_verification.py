"""verify.rule: what counts as recovery, and what never does."""

from dataclasses import replace

import pytest

from fireline.actions.asking import LAG, STALE, read
from fireline.actions.schema import Ports
from fireline.actions.verify import VerifyOptions, VerifyRule
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.domain.rules import State
from fireline.engine.outward import StepContext
from fireline.engine.watching import WatchAnswer
from tests.engine.runs_world import world

NOW = 1_000.0


def answer(state="clear", samples=20, at=NOW, entity="service=a", reason="p99 is 90"):
    return WatchAnswer("w", entity, state, samples, {"p99": 90.0}, reason, at)


def seen(*answers):
    return read(answers, min_samples=20, now=NOW).state


def test_no_answer_is_no_evidence():
    assert seen() is State.UNKNOWN
    assert "no event" in read([], min_samples=1, now=NOW).reason


def test_too_few_samples_are_no_evidence():
    assert seen(answer(samples=19)) is State.UNKNOWN
    assert seen(answer(samples=0)) is State.UNKNOWN
    assert seen(answer(samples=20)) is State.CLEAR


def test_old_answers_say_nothing_about_now():
    assert seen(answer(at=NOW - STALE - 1)) is State.UNKNOWN


def test_what_fireline_itself_has_not_read_is_said_and_is_no_miss():
    late = read([replace(answer(samples=3), behind=25.0)], min_samples=20, now=NOW)
    assert late.state is State.UNKNOWN
    assert "Fireline itself is 25 s behind" in late.reason
    assert not late.missed(NOW - 1, NOW), "the second before is not known yet"
    assert late.missed(NOW - 26, NOW)
    assert late.missed(NOW - LAG, NOW), "but not for ever"
    assert read([], min_samples=20, now=NOW).missed(NOW, NOW)


def test_every_entity_has_to_be_clear_and_one_that_fires_is_enough():
    clear, fires, little = answer(), answer("firing", entity="service=b"), answer(samples=3, entity="service=c")
    assert seen(clear, clear) is State.CLEAR
    assert seen(clear, little) is State.UNKNOWN
    assert seen(clear, little, fires) is State.FIRING


def test_words_of_another_version_are_not_understood():
    assert seen(answer("splendid")) is State.UNKNOWN


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


async def look(w, memory=None, since=None, **options):
    action = VerifyRule(Ports(w.store, w.settings, w.clock, w.responder))
    start = 1_763_683_200.0
    context = StepContext("run-1.verify", 1, "verify", None, w.clock.now(), memory or {}, start, since=since)
    given = {"rule": "fraud_latency", "entity": {"service": "fraud-scoring"}, "within": "30s", **options}
    return await action.perform(VerifyOptions.model_validate(given), context)


async def test_the_question_is_about_events_after_the_change_alone(w):
    since = w.clock.now() - 3
    await look(w, since=since, settle="2s", window="7s", min_samples=33)
    with w.store.reading() as tx:
        (watch,) = tx.watches(w.clock.now())
    assert watch.since == since + 2
    assert (watch.window, watch.min_samples, watch.rule) == (7.0, 33, "fraud_latency")
    assert watch.until >= w.clock.now() + 30


async def test_it_waits_then_succeeds_as_soon_as_the_rule_is_clear(w):
    waiting = await look(w)
    assert isinstance(waiting, Waiting)
    w.clock.advance(2)
    w.verdicts = {"fraud_latency": "clear"}
    w.evaluate()
    done = await look(w, waiting.memory)
    assert isinstance(done, Done)
    assert done.output["verdict"] == "recovered"
    assert done.output["samples"] == 20


async def test_it_has_to_stay_so_for_as_long_as_was_asked(w):
    w.verdicts = {"fraud_latency": "clear"}
    waiting = await look(w, stable_for="5s")
    for verdict, wanted in [("clear", Waiting), ("firing", Waiting), ("clear", Waiting), ("clear", Waiting)]:
        w.clock.advance(3)
        w.verdicts = {"fraud_latency": verdict}
        w.evaluate()
        waiting = await look(w, waiting.memory, stable_for="5s")
        assert isinstance(waiting, wanted), "the firing answer begins the time anew"
    w.clock.advance(3)
    w.evaluate()
    assert isinstance(await look(w, waiting.memory, stable_for="5s"), Done)


@pytest.mark.parametrize(
    ("verdict", "wanted"), [("firing", "not recovered"), ("unknown", "cannot tell"), (None, "cannot tell")]
)
async def test_at_the_end_it_fails_with_what_can_be_said(w, verdict, wanted):
    waiting = await look(w)
    w.clock.advance(30)
    w.verdicts = {} if verdict is None else {"fraud_latency": verdict}
    w.evaluate()
    outcome = await look(w, waiting.memory)
    assert isinstance(outcome, Failed)
    assert outcome.output["verdict"] == wanted
    assert wanted in outcome.reason


async def test_a_fireline_that_lags_waits_for_what_it_has_not_read_for_a_while(w):
    waiting = await look(w)
    w.behind, w.verdicts = 25.0, {"fraud_latency": "unknown"}
    for seconds in (31, 20):
        w.clock.advance(seconds)
        w.evaluate()
        waiting = await look(w, waiting.memory)
        assert isinstance(waiting, Waiting)
    w.clock.advance(5)
    w.evaluate()
    assert isinstance(await look(w, waiting.memory), Failed), "all of the 30 s are known now"


async def test_a_short_window_of_calm_is_not_enough_at_the_end_either(w):
    waiting = await look(w, stable_for="5s")
    w.clock.advance(29)
    w.verdicts = {"fraud_latency": "clear"}
    w.evaluate()
    waiting = await look(w, waiting.memory, stable_for="5s")
    w.clock.advance(1)
    w.evaluate()
    outcome = await look(w, waiting.memory, stable_for="5s")
    assert isinstance(outcome, Failed)
    assert outcome.output["verdict"] == "cannot tell"
