"""Runs end to end on a real database: the shipped fallback runbook, guards, approvals, aborts, doubt."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import BaseModel

from fireline.domain.effects import AskApproval, Publish, Say
from fireline.domain.incidents import Resolve, Status
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.engine.routes import change_route
from tests.engine.runs_world import SERVICE, Scripted, runbook, world

WELL = {"fraud_latency": "clear", "primary_health": "clear"}


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def own(steps, *, head=""):
    return runbook(f"name: own\nowner: payments-ml\nstart: {{mode: auto}}\n{head}\nsteps:\n{steps}")


class Nothing(BaseModel):
    """Any option."""

    model_config = {"extra": "allow"}


def scripted(w, *plan, last=None, **more):
    action = Scripted(list(plan), last=last, **more)
    w.actions["route.set"] = action
    w.options["route.set"] = Nothing
    w.runs = w.build()
    return action


STEP = (
    "  - {id: act, uses: route.set, with: {service: fraud-scoring, to: {fallback: 100}}, irreversible: false, UNDO}\n"
)
UNDO = "undo: {uses: route.set, with: {service: fraud-scoring, to: {primary: 100}}}"


def act(extra=""):
    return STEP.replace("irreversible: false, UNDO", UNDO + (f", {extra}" if extra else ""))


# the shipped runbook
async def test_an_outage_goes_to_the_fallback_is_verified_and_handed_back(w):
    run = w.begin()
    assert run.status is RunStatus.RUNNING
    await w.runs.run_once()
    assert w.route() == {"fallback": 100}
    assert w.incident(1).leases == (SERVICE,)
    w.verdicts = dict(WELL)
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run.reason
    assert [s.status for s in run.steps] == [StepStatus.DONE] * 6
    assert w.route() == {"primary": 100}
    assert w.incident(1).leases == ()
    said = " | ".join(w.texts(1))
    for line in ("fallback 100 %", "recovered: fraud_latency is cleared", "fallback 75 %, primary 25 %", "succeeded"):
        assert line in said, line
    published = [e.value["weights"] for e in w.effects(Publish) if e.topic == "fireline.routes"]
    assert published == [{"fallback": 100}, {"fallback": 75, "primary": 25}, {"primary": 100}]


async def test_traffic_moves_after_two_writes_of_the_journal(w):
    w.begin()
    await w.runs.run_once()
    lines = w.journal()
    assert lines[1] == "do before: done; do reroute: begun, attempt 1", "what only reads needs no word before"
    assert lines[2].startswith("do reroute: done; do verify: begun")
    with w.store.reading() as tx:
        begun = tx.journal(1)[1][2]
    assert step_of(begun, "reroute").status is StepStatus.STARTED, "it is written down before anything is moved"


@pytest.mark.postgres
async def test_it_does_the_same_on_postgresql_with_two_responders(tmp_path, postgres_url):
    one = world(tmp_path, postgres_url)
    one.begin()
    one.verdicts = dict(WELL)
    two = one.again()
    for _ in range(200):
        one.evaluate()
        await asyncio.gather(one.runs.run_once(), two.runs.run_once())
        if one.run().over:
            break
        one.clock.advance(0.5)
    assert one.run().status is RunStatus.SUCCEEDED, one.run().reason
    assert one.route() == {"primary": 100}
    published = [e.value["weights"] for e in one.effects(Publish) if e.topic == "fireline.routes"]
    assert published == [{"fallback": 100}, {"fallback": 75, "primary": 25}, {"primary": 100}]
    one.store.close()


async def test_the_reroute_is_not_held_up_by_anything(w):
    w.begin()
    before = w.clock.now()
    await w.runs.run_once()
    assert w.route() == {"fallback": 100}
    assert w.clock.now() == before


async def test_a_fallback_that_does_not_help_is_undone(w):
    w.begin()
    w.verdicts = {"fraud_latency": "firing"}
    run = await w.drive()
    assert run.status is RunStatus.UNDONE
    assert "not recovered" in run.reason
    assert w.route() == {"primary": 100}
    assert step_of(run, "reroute").undo_rendered["to"] == {"primary": 100}
    assert w.incident(1).leases == ()


async def test_no_events_after_the_action_are_never_recovery(w):
    w.begin()
    run = await w.drive()
    assert run.status is RunStatus.UNDONE
    assert "cannot tell" in run.reason


async def test_a_primary_that_stays_ill_keeps_the_fallback_and_asks_a_person(w):
    w.begin(healthy_within="20s")
    w.verdicts = {"fraud_latency": "clear", "primary_health": "firing"}
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert "healthy: not recovered" in run.reason
    assert w.route() == {"fallback": 100}
    assert w.incident(1).leases == (SERVICE,)


async def test_a_bad_stage_of_the_hand_back_goes_one_stage_back(w):
    w.begin()
    w.verdicts = dict(WELL)
    while w.route() != {"fallback": 75, "primary": 25}:
        await w.drive(0.5)
    w.verdicts["fraud_latency"] = "firing"
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert "fires at 25 %" in run.reason
    assert w.route() == {"fallback": 100}


async def test_a_person_who_changes_the_route_meanwhile_is_not_overruled(w):
    w.begin()
    w.verdicts = dict(WELL)
    while w.route() != {"fallback": 75, "primary": 25}:
        await w.drive(0.5)
    with w.store.transaction() as tx:
        done = change_route(
            tx,
            w.settings.current,
            SERVICE,
            {"fallback": 50, "primary": 50},
            by="person:ann",
            reason="slowly",
            now=w.clock.now(),
        )
    assert done.report.incident == 1
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert "person:ann changed the route meanwhile" in run.reason
    assert w.route() == {"fallback": 50, "primary": 50}


# starting
async def test_a_start_is_done_once_per_key(w):
    w.fire()
    (effect,) = w.requested()
    first, second = w.runs.start(effect), w.runs.start(effect)
    assert first.output["run"] == second.output["run"] == 1
    with w.store.reading() as tx:
        assert len(tx.runs()) == 1


def test_a_condition_that_does_not_hold_is_told_and_nothing_runs(w):
    w.fire(severity="degraded")
    (effect,) = w.requested()
    outcome = w.runs.start(effect)
    assert outcome.output["run"] is None
    assert any("is not started: `severity in" in text for text in w.texts(1))


def test_an_unknown_runbook_is_told(w):
    w.fire()
    (effect,) = w.requested()
    w.runs.start(replace(effect, runbook="nowhere"))
    assert any("there is no runbook 'nowhere'" in text for text in w.texts(1))


def test_a_recording_is_never_acted_upon(w):
    w.fire(timeline="replay")
    (effect,) = w.requested()
    assert w.runs.start(effect).output["run"] is None
    assert any("Would run route-to-fallback" in text and "recording" in text for text in w.texts(1))
    assert w.route() == {"primary": 100}


def test_a_service_without_a_fallback_is_refused_with_the_reason(w):
    book = w.settings.current.runbooks["route-to-fallback"]
    started = w.want(book, inputs={"service": "web-fleet", "rule": "fraud_latency"}, person="dana")
    assert started.run.status is RunStatus.REFUSED
    assert "input target has no value, and a string is expected" in started.run.reason


async def test_runs_on_one_service_take_turns(w):
    w.begin()
    book = w.settings.current.runbooks["route-back"]
    second = w.want(book, inputs={"service": SERVICE}, person="ann").run
    assert second.status is RunStatus.WAITING
    assert second.reason == f"waits for service:{SERVICE}, which run 1 holds"
    await w.runs.run_once()
    assert w.run(2).status is RunStatus.WAITING
    versions = w.run(2).version
    w.clock.advance(5)
    await w.runs.run_once()
    assert w.run(2).version == versions, "waiting is not journaled again and again"
    w.runs.abort(1, "ann", "mine now")
    w.clock.advance(2)
    await w.runs.run_once()
    assert w.run(2).status is RunStatus.RUNNING


async def test_a_spent_budget_hands_over_to_a_person(w):
    book = own(act(), head="guards: {budget: {runs: 2, per: 1h}, lock: x}")
    scripted(w, last=Done())
    for number in (1, 2):
        w.want(book, key=f"k{number}")
        await w.runs.run_once()
    third = w.want(book, key="k3").run
    assert third.status is RunStatus.REFUSED
    assert "budget is spent: 2 runs" in third.reason
    w.clock.advance(3601)
    assert w.want(book, key="k4").run.status is RunStatus.RUNNING


async def test_a_stop_condition_keeps_a_run_from_starting_and_from_going_on(w):
    book = own(act() + act().replace("id: act", "id: more"), head='guards: {stop_if: "fallbacks_active >= 1"}')
    started = w.want(book)
    assert started.run.status is RunStatus.RUNNING
    await w.runs.run_once()
    assert w.run().status is RunStatus.FAILED
    assert "stopped before more: stop_if holds" in w.run().reason
    assert w.want(book, key="again").run.status is RunStatus.REFUSED


# autonomy
ASKING = "name: own\nowner: payments-ml\nstart: {mode: approve}\nsteps:\n" + act()


async def test_a_run_that_may_not_start_alone_asks_the_owner(w):
    number = w.fire().number
    w.want(runbook(ASKING), incident=number)
    asked = [e for e in w.effects(AskApproval) if e.step == "start"]
    assert {e.address for e in asked} >= {"C0INCIDENTS"}
    await w.runs.run_once()
    assert w.run().status is RunStatus.WAITING
    assert not w.runs.approve(1, "start", "emil", True).done, "emil is of another team"
    reply = w.runs.approve(1, None, "ben", True, "go")
    assert reply.done
    assert "Already" in w.runs.approve(1, "start", "ann", False)
    await w.runs.run_once()
    assert w.run().status is RunStatus.SUCCEEDED
    assert "approved by Ben Okafor: go" in w.run().allowed_by


async def test_a_rejected_start_is_over_and_says_who(w):
    w.want(runbook(ASKING), incident=w.fire().number)
    assert w.runs.approve(1, "start", "dana", False, "not now").done, "platform is the backup"
    assert w.run().status is RunStatus.REFUSED
    assert w.run().reason == "rejected by Dana Novak: not now"
    assert "Too late" in w.runs.approve(1, "start", "ann", True)


async def test_a_start_that_nobody_approves_ends(w):
    w.want(runbook(ASKING))
    w.clock.advance(3600)
    await w.runs.run_once()
    assert w.run().status is RunStatus.REFUSED
    assert w.run().reason == "nobody approved it in time"


def test_who_asked_for_a_run_does_not_approve_it(w):
    w.want(runbook(ASKING), person="ann")
    reply = w.runs.approve(1, "start", "ann", True)
    assert not reply.done
    assert "somebody else" in reply


def test_a_suggestion_is_told_and_not_done(w):
    number = w.fire().number
    started = w.want(runbook(ASKING.replace("approve", "suggest")), incident=number)
    assert started.run is None
    assert any(
        text.startswith("Suggested: run own: act (route.set)") or "Suggested: run own" in text for text in w.texts(1)
    )


async def test_three_failures_in_a_row_take_the_autonomy_away(w):
    book = own(act())
    scripted(w, last=Failed("no"))
    for number in range(3):
        w.want(book, key=f"k{number}")
        await w.runs.run_once()
    assert w.want(book, key="next").run.status is RunStatus.WAITING
    assert "last 3 runs went wrong" in w.run(4).allowed_by


async def test_an_irreversible_step_is_not_done_unasked(w):
    book = own(STEP.replace("irreversible: false, UNDO", "irreversible: true"))
    started = w.want(book)
    assert started.run.status is RunStatus.WAITING
    assert "act is irreversible" in started.run.allowed_by


# approval steps
APPROVED = (
    "  - {id: ask, uses: approval, with: {ask: Really?, timeout: 30m, on_timeout: reject}}\n"
    "  - {id: go, if: steps.ask.approved, uses: notify, with: {text: yes}}\n"
)


@pytest.mark.parametrize(("approved", "status"), [(True, StepStatus.DONE), (False, StepStatus.SKIPPED)])
async def test_an_approval_decides_about_later_steps(w, approved, status):
    w.want(own(APPROVED), incident=w.fire().number)
    await w.runs.run_once()
    assert {e.step for e in w.effects(AskApproval)} == {"ask"}
    w.clock.advance(900)
    assert await w.runs.run_once() == pytest.approx(w.clock.now() + 900)
    assert w.runs.approve(1, "ask", "cleo", approved, "because").done
    assert "Already" in w.runs.approve(1, "ask", "ann", True)
    run = await w.drive()
    assert step_of(run, "go").status is status
    assert step_of(run, "ask").output["by"] == "cleo"
    assert "Already" in w.runs.approve(1, "ask", "ann", True)


async def test_an_approval_nobody_gives_is_what_it_says(w):
    w.want(own(APPROVED))
    run = await w.drive(4000, most=10.0)
    assert run.status is RunStatus.SUCCEEDED
    assert step_of(run, "ask").output == {
        "approved": False,
        "by": "",
        "reason": "nobody answered within 1800 s",
        "timed_out": True,
        "summary": "rejected: nobody answered within 1800 s",
    }
    assert "Too late" in w.runs.approve(1, "ask", "ann", True)


def test_an_answer_to_what_was_not_asked_is_told_so(w):
    assert "no run 9" in w.runs.approve(9, "x", "ann", True)
    w.want(own(APPROVED))
    assert "not waiting" in w.runs.approve(1, "ask", "ann", True)
    assert "no step x" in w.runs.approve(1, "x", "ann", True)


# steps
async def test_options_that_do_not_fit_fail_the_step_at_their_place(w):
    book = own(
        "  - {id: look, uses: route.get, with: {service: fraud-scoring}}\n"
        '  - {id: wait, uses: wait, with: {for: "{{ steps.look.version }}"}}\n'
    )
    w.want(book)
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert run.reason.startswith("wait: with.for:")


async def test_a_template_that_cannot_be_filled_fails_the_step(w):
    book = own(
        "  - {id: a, uses: notify, with: {text: hello}}\n"
        '  - {id: b, uses: notify, with: {text: "{{ incident.labels.zone }}"}}\n'
    )
    w.want(book, incident=w.fire().number)
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert "b: with: " in run.reason
    assert "incident.labels.zone" in run.reason


async def test_an_action_that_raises_or_hangs_is_an_outcome(w):
    class Broken:
        mutates = False
        calls = 0

        async def perform(self, options, context):
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("boom")
            await asyncio.sleep(60)

    w.actions["notify"] = broken = Broken()
    w.runs = w.build()
    w.want(own("  - {id: a, uses: notify, with: {text: x}, timeout: 200ms, retry: {attempts: 2, backoff: 10ms}}\n"))
    run = await w.drive(30)
    assert run.status is RunStatus.FAILED
    assert broken.calls >= 2
    assert "no answer within" in run.reason or "not finished within 0.2 s" in run.reason


async def test_retries_keep_the_key(w):
    action = scripted(w, RetryLater(1.0, "busy"), RetryLater(1.0, "busy"), Done({"x": 1}))
    w.want(own(act("retry: {attempts: 3, backoff: 1s}")))
    run = await w.drive(30)
    assert run.status is RunStatus.SUCCEEDED
    assert action.calls == ["run-1.act"] * 3


async def test_memory_is_found_again_by_another_responder(w):
    class Remembers:
        mutates = False

        def __init__(self):
            self.seen = []

        async def perform(self, options, context):
            self.seen.append(dict(context.memory))
            count = int(context.memory.get("count", 0))
            return Done() if count == 3 else Waiting(1.0, "counts", {"count": count + 1})

    w.actions["notify"] = action = Remembers()
    w.runs = w.build()
    w.want(own("  - {id: a, uses: notify, with: {text: x}}\n"))
    await w.runs.run_once()
    w.clock.advance(1)
    other = w.again()
    await other.drive(10)
    assert w.run().status is RunStatus.SUCCEEDED
    assert action.seen == [{}, {"count": 1}, {"count": 2}, {"count": 3}]


async def test_a_long_wait_is_not_journaled_at_each_look(w):
    w.begin()
    w.verdicts = {"fraud_latency": "clear"}
    await w.drive(60)
    before = len(w.journal())
    await w.drive(60)
    assert len(w.journal()) == before


@pytest.mark.parametrize(("answer", "status"), [(True, RunStatus.SUCCEEDED), (False, RunStatus.FAILED)])
async def test_a_step_in_doubt_asks_before_it_is_repeated(w, answer, status):
    action = scripted(w, Failed("no answer", unknown=True), Done())
    w.want(own(act("if_unknown: ask, retry: {backoff: 0s}")), incident=w.fire().number)
    await w.drive(5)
    assert action.calls == ["run-1.act"]
    (first, *_) = [e for e in w.effects(AskApproval) if e.step == "act"]
    assert "may have been done already" in first.text
    assert w.runs.approve(1, "act", "ann", answer).done
    run = await w.drive(5)
    assert run.status is status
    assert len(action.calls) == (2 if answer else 1)


@pytest.mark.parametrize(("seen", "calls"), [(Done({"x": 1}), 1), (Failed("not there"), 2)])
async def test_a_step_in_doubt_looks_whether_it_was_done(w, seen, calls):
    action = scripted(w, Failed("no answer", unknown=True), Done())

    class Looking(Scripted):
        async def look(self, options, context):
            return seen

    w.actions["route.set"] = action = Looking([Failed("no answer", unknown=True), Done()])
    w.runs = w.build()
    w.want(own(act("if_unknown: verify, retry: {backoff: 0s}")))
    run = await w.drive(5)
    assert run.status is RunStatus.SUCCEEDED
    assert len(action.calls) == calls


# aborting
async def test_abort_stops_where_it_stands_and_frees_the_lock(w):
    w.begin()
    await w.runs.run_once()
    reply = w.runs.abort(1, "ann", "I take over")
    assert reply.done
    assert w.run().status is RunStatus.ABORTED
    assert w.route() == {"fallback": 100}
    with w.store.reading() as tx:
        assert tx.lock_holder(f"service:{SERVICE}") is None
    assert w.incident(1).runs["1"].status == "aborted"
    assert not w.runs.abort(1, "ben").done
    assert await w.runs.run_once() is None


async def test_abort_may_undo_first(w):
    w.begin()
    await w.runs.run_once()
    w.runs.abort(1, "ann", undo=True)
    run = await w.drive()
    assert run.status is RunStatus.UNDONE
    assert w.route() == {"primary": 100}


async def test_an_abort_during_an_action_wins_over_its_outcome(w):
    class Aborts:
        mutates = True

        async def perform(self, options, context):
            await asyncio.to_thread(w.runs.abort, 1, "ann", "stop")
            return Done()

    w.actions["route.set"] = Aborts()
    w.runs = w.build()
    w.want(own(act() + act().replace("id: act", "id: more")))
    run = await w.drive()
    assert run.status is RunStatus.ABORTED
    assert step_of(run, "more").status is StepStatus.PENDING


# several responders
async def test_two_responders_never_drive_one_run(w):
    started, go = asyncio.Event(), asyncio.Event()

    class Slow:
        mutates = True
        calls = 0

        async def perform(self, options, context):
            self.calls += 1
            started.set()
            await go.wait()
            return Done()

    w.actions["route.set"] = slow = Slow()
    w.runs = w.build()
    w.want(own(act()))
    other = w.again()
    first = asyncio.create_task(w.runs.run_once())
    await started.wait()
    await other.runs.run_once()
    go.set()
    await first
    assert slow.calls == 1
    assert w.run().status is RunStatus.SUCCEEDED


async def test_a_running_loop_starts_what_is_asked_for_at_once_and_stops_when_told(w):
    stop = asyncio.Event()
    loop = asyncio.create_task(w.runs.run(stop))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(w.begin)
    async with asyncio.timeout(60):
        while w.route() != {"fallback": 100}:
            await asyncio.sleep(0.01)
    stop.set()
    async with asyncio.timeout(60):
        await loop
    assert w.run().status is RunStatus.RUNNING


async def test_a_run_does_not_start_for_an_incident_that_was_resolved(w):
    w.fire()
    (effect,) = w.requested()
    w.responder.handle(Resolve(1, "ann", "cli"))
    assert w.incident(1).status is Status.RESOLVED
    assert w.runs.start(effect).output["run"] is None


async def test_people_are_told_in_the_rooms_of_the_owner(w):
    w.want(own('  - {id: a, uses: notify, with: {text: "on {{ incident.service }}"}}\n'), incident=w.fire().number)
    await w.drive()
    said = {(e.channel, e.text) for e in w.effects(Say)}
    assert ("slack", f"on {SERVICE}") in said
