"""What is next in a run, and what an outcome means: by example, and as properties over any outcomes and crashes."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain import running
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.runbooks import (
    Autonomy,
    IfUnknown,
    OnFailure,
    Retry,
    Run,
    Runbook,
    RunStatus,
    Step,
    StepStatus,
    Undo,
)
from fireline.domain.running import Do, End, GiveUp, Rendered, Sleep
from tests.examples import examples

NOW = 1_000.0


@dataclass(frozen=True)
class Plain:
    source: object = field(default_factory=dict)

    def render(self, values):
        return self.source


def step(name, *, undo=True, on_failure=OnFailure.STOP, **more):
    return Step(name, "test", Plain(), undo=Undo("test", Plain()) if undo else None, on_failure=on_failure, **more)


def book(*steps):
    return Runbook("demo", "team", steps)


def a_run(runbook, deadline=NOW + 1_000):
    return Run(
        id=7,
        runbook=runbook.name,
        hash="",
        text="",
        inputs={},
        incident=None,
        mode=Autonomy.AUTO,
        status=RunStatus.RUNNING,
        steps=running.new_steps(runbook),
        created_at=NOW,
        deadline=deadline,
        started_at=NOW,
    )


def do(run, runbook, outcome, now=NOW):
    todo = running.plan(run, runbook, now)
    assert isinstance(todo, Do), todo
    begun = running.begin(run, runbook, todo, Rendered({"a": 1}, {"u": todo.step}), now)
    return running.record(begun, runbook, todo, outcome, now)


def test_steps_are_done_in_order_and_the_run_succeeds():
    runbook = book(step("a"), step("b"))
    run = do(a_run(runbook), runbook, Done({"x": 1}))
    assert running.step_of(run, "a").output == {"x": 1}
    run = do(run, runbook, Done())
    assert running.plan(run, runbook, NOW) == End(RunStatus.SUCCEEDED, "all steps done")


def test_what_can_be_tried_again_is_after_a_wait_that_doubles():
    runbook = book(step("a", retry=Retry(attempts=3, backoff=2.0)))
    run = do(a_run(runbook), runbook, RetryLater(0.0, "busy"))
    assert running.plan(run, runbook, NOW) == Sleep(NOW + 2.0, "busy")
    run = do(run, runbook, RetryLater(0.0, "busy"), NOW + 2)
    assert running.plan(run, runbook, NOW + 2) == Sleep(NOW + 6.0, "busy")
    run = do(run, runbook, RetryLater(0.0, "busy"), NOW + 6)
    assert run.status is RunStatus.FAILED
    assert run.reason == "a: busy"


def test_a_channels_own_delay_wins_over_a_shorter_backoff():
    runbook = book(step("a", retry=Retry(attempts=2, backoff=1.0)))
    run = do(a_run(runbook), runbook, RetryLater(30.0, "429"))
    assert running.plan(run, runbook, NOW) == Sleep(NOW + 30.0, "429")


def test_failure_undoes_what_was_done_backwards_with_the_options_of_then():
    runbook = book(step("a"), step("look", undo=False), step("b"), step("c", on_failure=OnFailure.UNDO))
    run = a_run(runbook)
    for _ in "abc":
        run = do(run, runbook, Done())
    run = do(run, runbook, Failed("no"))
    assert run.status is RunStatus.UNDOING
    undone = []
    while isinstance(todo := running.plan(run, runbook, NOW), Do):
        undone.append((todo.step, running.step_of(run, todo.step).undo_rendered["u"], todo.kind))
        run = running.begin(run, runbook, todo, Rendered(), NOW)
        run = running.record(run, runbook, todo, Done(), NOW)
    assert undone == [("b", "b", "undo"), ("a", "a", "undo")]
    assert todo == End(RunStatus.UNDONE, "c: no")


def test_a_failed_step_that_may_have_acted_is_undone_too():
    runbook = book(step("a", on_failure=OnFailure.UNDO, retry=Retry(backoff=0.0)))
    run = a_run(runbook)
    for _ in range(running.UNKNOWN_ATTEMPTS):
        run = do(run, runbook, Failed("no answer", unknown=True))
    assert run.status is RunStatus.UNDOING
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    assert (todo.step, todo.kind) == ("a", "undo")


def test_a_step_that_surely_did_nothing_is_not_undone():
    runbook = book(step("a", on_failure=OnFailure.UNDO))
    run = do(a_run(runbook), runbook, Failed("refused"))
    assert running.plan(run, runbook, NOW) == End(RunStatus.FAILED, "a: refused")


def test_an_undo_that_fails_does_not_keep_the_others_from_being_undone():
    runbook = book(step("a"), step("b"), step("c", on_failure=OnFailure.UNDO))
    run = do(do(a_run(runbook), runbook, Done()), runbook, Done())
    run = do(run, runbook, Failed("no"))
    run = do(run, runbook, Failed("cannot undo b"))
    assert running.step_of(run, "b").status is StepStatus.UNDO_FAILED
    run = do(run, runbook, Done())
    ending = running.plan(run, runbook, NOW)
    assert isinstance(ending, End)
    assert ending.status is RunStatus.UNDO_FAILED
    assert "cannot undo b" in ending.reason


def test_continue_goes_on_and_the_end_says_what_was_passed_over():
    runbook = book(step("a", on_failure=OnFailure.CONTINUE), step("b"))
    run = do(a_run(runbook), runbook, Failed("no"))
    run = do(run, runbook, Done())
    assert running.plan(run, runbook, NOW) == End(RunStatus.SUCCEEDED, "passed over failed steps: a")


def test_a_step_found_begun_is_repeated_with_the_same_key_until_that_is_enough():
    runbook = book(step("a"))
    run, keys = a_run(runbook), set()
    for attempt in range(1, running.UNKNOWN_ATTEMPTS + 1):
        todo = running.plan(run, runbook, NOW)
        assert isinstance(todo, Do)
        assert todo.attempt == attempt
        assert todo.again == (attempt > 1)
        keys.add(todo.key)
        run = running.begin(run, runbook, todo, Rendered(), NOW)
    assert keys == {"run-7.a"}
    late = running.plan(run, runbook, NOW)
    assert isinstance(late, GiveUp)
    run = running.give_up(run, runbook, late, NOW)
    assert running.step_of(run, "a").uncertain
    assert run.status is RunStatus.FAILED


def test_a_timeout_is_over_all_attempts_and_waits():
    runbook = book(step("a", timeout=10.0))
    run = do(a_run(runbook), runbook, Waiting(4.0, "not yet", {"n": 1}))
    assert running.plan(run, runbook, NOW) == Sleep(NOW + 4.0, "not yet")
    assert isinstance(running.plan(run, runbook, NOW + 9.9), Do)
    late = running.plan(run, runbook, NOW + 10.0)
    assert isinstance(late, GiveUp)
    assert "not finished within 10 s" in late.reason


def test_patience_of_the_action_stretches_a_shorter_timeout():
    runbook = book(step("a", timeout=10.0))
    run = a_run(runbook)
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    run = running.begin(run, runbook, todo, Rendered(patience=60.0), NOW)
    run = running.record(run, runbook, todo, Waiting(50.0, "asks"), NOW)
    assert isinstance(running.plan(run, runbook, NOW + 51), Do)


def test_a_waiting_step_finds_its_memory_and_does_not_count_looks_as_attempts():
    runbook = book(step("a"))
    run = do(a_run(runbook), runbook, Waiting(0.0, "w", {"n": 1}))
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    assert todo.attempt == 1
    assert running.step_of(run, "a").memory == {"n": 1}


def test_the_deadline_ends_any_run():
    runbook = book(step("a"))
    late = NOW + 1_000
    assert running.plan(a_run(runbook), runbook, late).status is RunStatus.FAILED
    assert running.plan(replace(a_run(runbook), status=RunStatus.WAITING), runbook, late).status is RunStatus.REFUSED
    undoing = replace(a_run(runbook), status=RunStatus.UNDOING)
    assert running.plan(undoing, runbook, late).status is RunStatus.UNDO_FAILED


def test_an_outcome_that_comes_after_the_end_changes_nothing():
    runbook = book(step("a"))
    run = a_run(runbook)
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    aborted = running.abort(running.begin(run, runbook, todo, Rendered(), NOW), "ann", "enough", NOW)
    assert aborted.status is RunStatus.ABORTED
    assert running.record(aborted, runbook, todo, Done(), NOW) == aborted
    assert running.abort(aborted, "ben", "", NOW) == aborted


def test_abort_with_undo_undoes_what_was_done_and_what_was_under_way():
    runbook = book(step("a"), step("b"))
    run = do(a_run(runbook), runbook, Done())
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    run = running.abort(running.begin(run, runbook, todo, Rendered(), NOW), "ann", "", NOW, undo=True)
    order = []
    while isinstance(todo := running.plan(run, runbook, NOW), Do):
        order.append(todo.step)
        run = running.begin(run, runbook, todo, Rendered(), NOW)
        run = running.record(run, runbook, todo, Done(), NOW)
    assert order == ["b", "a"]
    assert todo == End(RunStatus.UNDONE, "aborted by ann")


def test_doubt_waits_for_a_person_and_then_repeats():
    runbook = book(step("a", if_unknown=IfUnknown.ASK))
    run = a_run(runbook)
    todo = running.plan(run, runbook, NOW)
    assert isinstance(todo, Do)
    run = running.doubt(running.begin(run, runbook, todo, Rendered(), NOW), "a", NOW)
    assert isinstance(running.plan(run, runbook, NOW), Sleep)
    run = running.remember(run, "a", {"answer": {"approved": True}})
    again = running.plan(run, runbook, NOW)
    assert isinstance(again, Do)
    assert again.key == todo.key


outcomes = st.one_of(
    st.builds(Done, st.just({"x": 1})),
    st.builds(Waiting, st.floats(0, 30), st.just("w"), st.dictionaries(st.sampled_from("ab"), st.integers(0, 3))),
    st.builds(RetryLater, st.floats(0, 30), st.just("r")),
    st.builds(Failed, st.just("f"), st.booleans()),
)
steps = st.builds(
    lambda undo, on_failure, attempts, timeout: (undo, on_failure, attempts, timeout),
    st.booleans(),
    st.sampled_from(OnFailure),
    st.integers(1, 4),
    st.floats(1, 100),
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(steps, min_size=1, max_size=5), st.data())
def test_any_outcomes_and_crashes_end_in_a_terminal_state(parts, data):
    runbook = book(
        *(
            step(f"s{n}", undo=undo, on_failure=on_failure, retry=Retry(attempts, 0.5), timeout=timeout)
            for n, (undo, on_failure, attempts, timeout) in enumerate(parts)
        )
    )
    run, now = a_run(runbook), NOW
    performed: list[tuple[str, str, Outcome | None]] = []
    for _ in range(400):
        match todo := running.plan(run, runbook, now):
            case End():
                run = running.end(run, todo, now)
                break
            case Sleep(until=until):
                assert until > now
                now = until
                continue
            case GiveUp():
                run = running.give_up(run, runbook, todo, now)
                continue
            case Do():
                assert ("do", todo.step) not in {
                    (k, s) for k, s, o in performed if isinstance(o, Done) and k == "do"
                } or (todo.kind == "undo"), "done twice"
                begun = running.begin(run, runbook, todo, Rendered(undo={"u": todo.step}), now)
        if data.draw(st.integers(0, 9)) == 0:  # a crash: the step was begun, nobody knows more
            performed.append((todo.kind, todo.step, None))
            run = begun
            continue
        outcome = data.draw(outcomes)
        performed.append((todo.kind, todo.step, outcome))
        run = running.record(begun, runbook, todo, outcome, now)
    assert run.over
    done = [s for k, s, o in performed if k == "do" and isinstance(o, Done)]
    assert done == sorted(set(done)), "in order, and once each"
    undone = [s for k, s, o in performed if k == "undo" and isinstance(o, Done)]
    assert undone == sorted(set(undone), reverse=True), "backwards, and once each"
    asked = [s for k, s, _ in performed if k == "undo"]
    assert asked == sorted(asked, reverse=True)
    if run.status is RunStatus.UNDONE:
        wanted = {s for s in done if running.entry_of(runbook, s).undo is not None}
        assert wanted <= set(undone)
