"""Runs that take a target back and forth are told from runs that move it on: of any sequence, and of real journals."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.oscillation import Coming, Move, coming_of, history, moves_of, reversals, swinging
from fireline.domain.runbooks import Autonomy, Oscillation, Run, RunStatus, StepRun, StepStatus

HOUR = 3600.0
LIMIT = Oscillation()
TARGET = "scale of deployment a"


def path(*states, every=60.0, start=0.0):
    """The moves from each state to the next."""
    pairs = pairwise(states)
    return [
        Move(TARGET, str(before), str(after), start + every * count, count + 1, "one" if count % 2 else "two")
        for count, (before, after) in enumerate(pairs)
    ]


def told(moves, after="", limit=LIMIT):
    return swinging(moves, Coming(TARGET, str(after) if after != "" else ""), limit)


def run(number, *steps, at=0.0, runbook="one"):
    made = tuple(
        replace(step, ended_at=at + place, ordinal=place + 1, status=step.status) for place, step in enumerate(steps)
    )
    return Run(number, runbook, "", "", {}, None, Autonomy.AUTO, RunStatus.SUCCEEDED, made, at, at + 9, started_at=at)


def route(to, back, service="pay", status=StepStatus.DONE, name="go"):
    return StepRun(
        name, status, rendered={"service": service, "to": to}, undo_rendered={"service": service, "to": back}
    )


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=20, unique=True),
    st.booleans(),
    st.sampled_from([1.0, 60.0, 900.0]),
)
def test_what_goes_in_one_direction_is_never_told(states, down, every):
    way = sorted(states, reverse=down)
    moves = path(*way, every=every)
    assert reversals(moves) == ()
    assert told(moves, way[-1] + (-100 if down else 100)) is None


@given(
    st.integers(0, 9),
    st.integers(10, 19),
    st.lists(st.integers(20, 60), max_size=6, unique=True),
    st.floats(1.0, 890.0),
)
def test_there_and_back_and_there_is_told_whatever_was_before(one, other, earlier, every):
    moves = path(*sorted(earlier, reverse=True), other, one, other, one, every=every)
    why = told(moves, other)
    assert why is not None
    assert why.startswith("oscillating: ")
    assert told(moves) is not None, "where it goes to, where nobody can tell, is taken to be back"
    assert told(moves, 99) is None, "a state that no run left is none"
    assert told(moves, one) is None, "nor is where it is already"


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 3), st.integers(1, 5))
def test_it_is_told_when_so_many_moves_would_have_gone_back_and_only_then(states, after, most):
    moves = [move for move in path(*states) if move.before != move.after]
    seen, back = set(), 0
    for move in moves:
        back += move.after in seen
        seen.add(move.before)
    again = bool(moves) and str(after) in seen and str(after) != moves[-1].after
    assert (told(moves, after, Oscillation(most)) is not None) is (again and back + 1 >= most)


def test_the_words_have_when_which_runs_and_from_what_to_what():
    why = told(path("3 pods", "6 pods", "3 pods", "6 pods"), "3 pods")
    assert why == (
        "oscillating: scale of deployment a was moved back 2 times in 1h, and this run would move it back once more, "
        "to 3 pods (00:00:00 UTC run 1 of two: 3 pods -> 6 pods; 00:01:00 UTC run 2 of one: 6 pods -> 3 pods; "
        "00:02:00 UTC run 3 of two: 3 pods -> 6 pods); a person has to decide"
    )


def test_only_what_lies_within_the_time_counts():
    away, home = {"fallback": 100}, {"primary": 100, "fallback": 0}
    runs = [
        run(1, route(away, home), at=0.0),
        run(2, route(home, away), at=1800.0),
        run(3, route(away, home), at=3000.0),
    ]
    moves = history(runs, "route of pay", 3500.0 - HOUR)
    assert [move.run for move in moves] == [1, 2, 3]
    assert told(moves, "primary 100 %") is not None
    assert told(history(runs, "route of pay", 3700.0 - HOUR), "primary 100 %") is None


def test_a_run_that_hands_back_what_it_took_has_moved_nothing_nor_has_one_that_was_undone():
    away, home = {"fallback": 100}, {"primary": 100}
    assert moves_of(run(1, route(away, home), route(home, away, name="back"))) == ()
    assert moves_of(run(1, route(away, home, status=StepStatus.UNDONE))) == ()
    assert moves_of(run(1, route(away, home, status=StepStatus.FAILED))) == ()
    (move,) = moves_of(run(1, route(away, home), at=5.0))
    assert (move.target, move.before, move.after) == ("route of pay", "primary 100 %", "fallback 100 %")


def test_what_is_moved_is_known_by_its_options_and_what_it_was_by_what_was_saved():
    done = {"status": StepStatus.DONE}
    flag = {"backend": "unleash", "url": "https://f", "flag": "new", "environment": "prod", "value": False}
    alias = {"url": "https://m", "model": "fraud", "alias": "champion"}
    scale = {"deployment": "web", "namespace": "ml", "replicas": 6}
    (moved,) = moves_of(run(1, StepRun("a", rendered=flag, output={"before": {"value": True}}, **done)))
    assert (moved.target, moved.before, moved.after) == ("flag new of https://f/prod", "true", "false")
    back = StepRun("a", rendered=alias, output={"before": {"version": "7"}, "version": "6"}, **done)
    (moved,) = moves_of(run(1, back))
    assert (moved.target, moved.before, moved.after) == ("alias fraud@champion of https://m", "version 7", "version 6")
    assert moves_of(run(1, StepRun("a", rendered=alias, output={"version": "6"}, **done))) == (), "it was only read"
    (moved,) = moves_of(run(1, StepRun("a", rendered=scale, output={"before": {"replicas": 3}}, **done)))
    assert (moved.target, moved.before, moved.after) == ("scale of deployment ml/web", "3 pods", "6 pods")
    restore = {"deployment": "web", "namespace": "ml", "to": {"replicas": 3}}
    assert coming_of(restore) == Coming("scale of deployment ml/web", "3 pods")
    assert coming_of({"deployment": "web", "namespace": "ml"}) is None, "a restart moves nothing to and fro"
    assert coming_of({"url": "https://x", "json": {"a": 1}}) is None


def test_what_nobody_saw_before_is_as_it_was_left():
    to = {"service": "pay", "to": {"primary": 100}}
    unseen = StepRun("back", StepStatus.DONE, rendered=to)
    runs = [run(1, route({"fallback": 100}, {"primary": 100})), run(2, unseen, at=9.0)]
    assert [move.before for move in history(runs, "route of pay", 0.0)] == ["primary 100 %", "fallback 100 %"]
