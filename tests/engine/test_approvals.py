"""Approvals in runs: who may, how many, time that runs out, late clicks, and messages that say how it stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from fireline.domain.effects import AskApproval, StartRun
from fireline.domain.incident_acts import SetRole
from fireline.domain.incident_records import Role
from fireline.domain.runbooks import RunStatus, StepStatus
from fireline.domain.running import step_of
from fireline.engine.deliveries import Delivery, prepare, remembered
from fireline.engine.outward import Action
from tests.engine.runs_world import runbook, world

GO = "  - {id: go, uses: wait, with: {for: 1s}}\n"


def starting(**approval):
    """A runbook that asks before it starts."""
    options = ", ".join(f"{name}: {value}" for name, value in approval.items())
    return runbook(f"name: own\nowner: payments-ml\nstart: {{mode: approve, approval: {{{options}}}}}\nsteps:\n{GO}")


def asking(**options):
    """A runbook with a step that asks."""
    given = ", ".join(f"{name}: {value}" for name, value in {"ask": "Sure?", **options}.items())
    steps = f"  - {{id: ask, uses: approval, with: {{{given}}}}}\n"
    branch = "  - {id: go, if: steps.ask.approved, uses: wait, with: {for: 1s}}\n"
    branch += "  - {id: late, if: steps.ask.timed_out, uses: wait, with: {for: 1s}}\n"
    return runbook(f"name: own\nowner: payments-ml\nstart: {{mode: auto}}\nsteps:\n{steps}{branch}")


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def say(w, person, approved=True, step="start", reason=""):
    return w.runs.approve(1, step, person, approved, reason)


async def test_two_of_the_owners_let_it_start(w):
    w.want(starting(count=2), person="ann")
    first = say(w, "ben")
    assert first.done
    assert "1 of 2 have approved (Ben Okafor). It expires at" in first
    assert w.run().status is RunStatus.WAITING
    again = say(w, "ben")
    assert not again.done
    assert "counts once: 1 of 2" in again
    assert say(w, "ann").done, "who asked is not the only one"
    assert (await w.drive(10)).status is RunStatus.SUCCEEDED
    assert w.run().approved_by == "ben, ann"
    assert "approved by Ben Okafor, Ann" in w.run().allowed_by
    assert "Already approved by you" in say(w, "ben")


def test_one_rejection_ends_it_and_late_clickers_hear_of_it(w):
    w.want(starting(count=2), person="ann")
    say(w, "ben")
    assert say(w, "cleo", False, reason="not at noon").done
    assert (w.run().status, w.run().reason) == (RunStatus.REFUSED, "rejected by Cleo Martin: not at noon")
    late = say(w, "ann")
    assert not late.done
    assert "Already rejected by Cleo" in late
    assert "not at noon" in late
    assert "Already rejected by you" in say(w, "cleo", False)


def test_who_leads_the_incident_may_be_the_one(w):
    number = w.fire().number
    w.want(starting(of="'role:commander'"), incident=number)
    assert "nobody" in say(w, "ben")
    w.responder.handle(SetRole(number, "ben", "cli", Role.COMMANDER, "ben"))
    assert say(w, "ben").done
    assert w.run().approved_by == "ben"


def test_who_is_on_call_now_may(w):
    w.clock.advance(365 * 86400.0)  # the schedule begins in January
    w.want(starting(of="['schedule:payments-ml']"), person="dana")
    heard = {person: say(w, person).done for person in ("ann", "ben", "cleo")}
    assert sorted(heard.values()) == [False, False, True]


def test_only_those_who_are_named(w):
    w.want(starting(of="['person:dana', 'team:platform']", four_eyes="false"), person="dana")
    assert "not one of those" in say(w, "ann")
    assert say(w, "dana").done, "four_eyes: false"


async def test_an_expired_approval_starts_nothing_and_says_so(w):
    w.want(starting(count=2, timeout="10m"), person="ann")
    say(w, "ben")
    w.clock.advance(600)
    late = say(w, "cleo")
    assert not late.done
    assert "Too late: it expired at" in late
    assert "1 of 2 have approved (Ben Okafor)" in late
    assert w.run().status is RunStatus.WAITING, "nobody looked at it yet, and it is over all the same"
    await w.runs.run_once()
    assert w.run().status is RunStatus.REFUSED
    assert w.run().reason == "too few approved it in time: 1 of 2 have approved (Ben Okafor)"
    assert "Too late: run 1 is over" in say(w, "cleo")


def test_a_click_that_sets_out_in_time_and_arrives_late_starts_nothing(w):
    """What counts is the moment at which the row of the run is ours."""
    w.want(starting(timeout="10m"), person="ann")
    transaction = w.store.transaction

    def slow():
        w.clock.advance(600)
        return transaction()

    w.store.transaction = slow
    try:
        assert "Too late: it expired" in say(w, "ben")
    finally:
        w.store.transaction = transaction
    assert w.run().approved_by == ""


async def test_when_nobody_answers_more_are_asked_and_the_next_level_is_paged(w):
    number = w.fire().number
    w.want(starting(timeout="10m", on_timeout="escalate", escalate_to="[platform, 'person:emil']"), incident=number)
    w.effects(AskApproval)
    assert "not one of those" in say(w, "emil")
    before = len(w.incident(number).pages)
    w.clock.advance(600)
    await w.runs.run_once()
    assert w.run().status is RunStatus.WAITING
    assert len(w.incident(number).pages) > before or any("runbook" in text for text in w.texts(number))
    assert {effect.update for effect in w.effects(AskApproval)} == {False, True}, "others are asked, and edited"
    assert say(w, "emil").done
    assert (await w.drive(10)).status is RunStatus.SUCCEEDED


async def test_when_they_do_not_answer_either_it_is_over(w):
    w.want(starting(timeout="10m", on_timeout="escalate", escalate_to="platform"), person="ann")
    w.clock.advance(600)
    await w.runs.run_once()
    w.clock.advance(600)
    await w.runs.run_once()
    assert w.run().status is RunStatus.REFUSED


async def test_another_runbook_is_started_instead(w):
    number = w.fire().number
    w.effects(StartRun)
    w.want(starting(on_timeout="{runbook: route-back}"), incident=number)
    w.clock.advance(3600)
    await w.runs.run_once()
    assert "route-back is started instead" in w.run().reason
    assert [(effect.runbook, effect.key) for effect in w.requested()] == [("route-back", "run-1/instead")]


# steps that ask
async def test_a_step_waits_for_as_many_as_it_takes(w):
    w.want(asking(count=2), person="ann")
    await w.drive(2)
    assert say(w, "ben", step="ask").done
    await w.drive(2)
    assert step_of(w.run(), "ask").status is StepStatus.WAITING
    assert "counts once" in say(w, "ben", step="ask")
    assert say(w, "cleo", step="ask", reason="go").done
    run = await w.drive(10)
    assert run.status is RunStatus.SUCCEEDED
    assert step_of(run, "ask").output["by"] == "ben, cleo"
    late = say(w, "dana", step="ask")
    assert "Already approved by Ben Okafor, Cleo Martin" in late


async def test_time_that_runs_out_has_a_branch_of_its_own(w):
    w.want(asking(timeout="10m", count=2), person="ann")
    await w.drive(2)
    say(w, "ben", step="ask")
    run = await w.drive(700)
    assert {step.id: step.status.value for step in run.steps} == {"ask": "done", "go": "skipped", "late": "done"}
    assert step_of(run, "ask").output["reason"] == "too few answered within 600 s, 1 of 2 approved"
    assert "Too late: ask is done already since" in say(w, "cleo", step="ask")


async def test_a_step_is_escalated_and_goes_on(w):
    w.want(asking(timeout="10m", on_timeout="escalate", escalate_to="['person:emil']"), person="ann")
    await w.drive(2)
    assert not say(w, "emil", step="ask").done
    w.clock.advance(600)
    await w.runs.run_once()
    assert say(w, "emil", step="ask").done
    assert step_of(await w.drive(10), "go").status is StepStatus.DONE


async def test_who_comes_after_an_abort_is_told(w):
    w.want(asking(), person="ann")
    await w.drive(2)
    w.runs.abort(1, "ben", "wrong one")
    late = say(w, "cleo", step="ask")
    assert not late.done
    assert "aborted by ben: wrong one" in late


@dataclass
class Hasty:
    """The action, which once finds that the time is over; before that is journaled somebody approves."""

    inner: Action
    meanwhile: Callable[[], object]
    mutates: bool = False
    hasty: bool = False

    async def perform(self, options, context):
        if not self.hasty:
            return await self.inner.perform(options, context)
        self.hasty = False
        outcome = await self.inner.perform(options, replace(context, now=context.now + 600))
        self.meanwhile()
        return outcome


async def test_a_word_that_comes_while_the_time_runs_out_is_not_lost(w):
    said = []
    hasty = Hasty(w.actions["approval"], lambda: said.append(say(w, "cleo", step="ask")))
    w.actions["approval"] = hasty
    w.runs = w.build()
    w.want(asking(timeout="10m", count=2), person="ann")
    await w.drive(2)
    say(w, "ben", step="ask")
    hasty.hasty = True
    run = await w.drive(10)
    assert said[0].done
    assert step_of(run, "ask").output["by"] == "ben, cleo"
    assert step_of(run, "go").status is StepStatus.DONE


# what is shown
def shown(w, effect):
    with w.store.reading() as tx:
        return prepare(tx, effect, w.responder.world, w.clock.now())


def sent(w):
    """What is delivered now; each message is remembered as a channel would."""
    found = []
    for effect in w.effects(AskApproval):
        delivery = shown(w, effect)
        if effect.channel == "slack" and isinstance(delivery, Delivery):
            found.append(delivery.message)
            with w.store.transaction() as tx:
                tx.save_message_ref(effect.incident or 0, delivery.kind, remembered(effect, delivery, {"ts": "1"}))
    return found


def test_the_message_says_how_it_stands_and_is_edited_after_each_word(w):
    w.want(starting(count=2, timeout="10m"), person="ann")
    [asked] = sent(w)
    fields = dict(asked.fields)
    assert fields["Approved"] == "0 of 2"
    assert fields["May approve"].startswith("Ann")
    assert fields["Expires"].endswith("UTC")
    assert [button.action for button in asked.buttons] == ["approve", "reject"]
    say(w, "ben")
    [edited] = sent(w)
    assert edited.edit is not None
    assert dict(edited.fields)["Approved"] == "1 of 2: Ben Okafor"
    assert "Ben" not in dict(edited.fields)["May approve"]
    say(w, "cleo")
    [last] = sent(w)
    assert (last.edit is not None, last.buttons) == (True, ())
    assert "approved by Ben Okafor, Cleo Martin" in last.title


async def test_the_message_tells_that_it_expired(w):
    w.want(starting(timeout="10m"), person="ann")
    sent(w)
    w.clock.advance(600)
    await w.runs.run_once()
    [last] = sent(w)
    assert last.buttons == ()
    assert "nobody approved it in time" in last.title


async def test_the_message_of_a_step_tells_that_the_run_was_aborted(w):
    w.want(asking(), person="ann")
    await w.drive(2)
    assert sent(w)
    w.runs.abort(1, "ben", "wrong one")
    [last] = sent(w)
    assert last.buttons == ()
    assert "aborted by ben" in last.title
