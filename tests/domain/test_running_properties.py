"""Any runbook, outcomes and crashes: every run ends, undo is the reverse of what was done, a key is one effect's."""

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from fireline.adapters.codec import decode, encode
from fireline.domain import run_acts, running
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.domain.run_places import composite, fits
from fireline.domain.runbooks import (
    PARALLEL,
    SUB_RUNBOOK,
    TERMINAL,
    Branch,
    Foreach,
    On,
    OnFailure,
    Retry,
    Run,
    Runbook,
    RunStatus,
    Step,
    StepStatus,
    Undo,
)
from fireline.domain.running import Do, End, GiveUp, Rendered, Settle, Sleep
from tests.domain.test_running import NOW, Plain, a_run


@dataclass
class Names:
    """Ids that are unique in a runbook."""

    count: int = 0

    def next(self) -> str:
        self.count += 1
        return f"s{self.count}"


@st.composite
def simple(draw, names, *, within, before):
    failures = [OnFailure.STOP, OnFailure.CONTINUE] if within else list(OnFailure)
    return Step(
        names.next(),
        "test",
        Plain(),
        undo=Undo("test", Plain()) if draw(st.booleans()) else None,
        on_failure=draw(st.sampled_from(failures)),
        retry=Retry(draw(st.integers(1, 3)), 0.5, 0.5, tuple(draw(st.sets(st.sampled_from(On))))),
        timeout=draw(st.sampled_from([5.0, 100.0])),
        needs=draw(st.none() | st.lists(st.sampled_from(before), max_size=2).map(tuple)) if before else None,
    )


@st.composite
def blocks(draw, names, depth, *, within=False):
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 3))):
        step = draw(simple(names, within=within, before=[each.id for each in steps]))
        kind = draw(st.sampled_from(["simple", "foreach", "parallel", "sub"])) if depth else "simple"
        if kind == "foreach":
            step = replace(step, foreach=Foreach(Plain(), draw(st.integers(1, 2))))
        if kind == "parallel":
            count = draw(st.integers(1, 3))
            branches = tuple(Branch(f"b{n}", draw(blocks(names, depth - 1, within=True))) for n in range(count))
            step = replace(step, uses=PARALLEL, undo=None, branches=branches, join=draw(st.integers(0, count)))
        if kind == "sub":
            sub = Runbook("sub", "team", draw(blocks(Names(), depth - 1)))
            foreach = Foreach(Plain(), 2) if draw(st.booleans()) else None
            step = replace(step, uses=SUB_RUNBOOK, undo=None, sub=sub, foreach=foreach)
        steps.append(step)
    return tuple(steps)


@st.composite
def runbooks(draw):
    names = Names()
    steps = draw(blocks(names, draw(st.integers(0, 2))))
    last = tuple(
        replace(draw(simple(names, within=False, before=[])), undo=None) for _ in range(draw(st.integers(0, 1)))
    )
    return Runbook("demo", "team", steps, finally_=last)


OUTCOMES = st.one_of(
    *[st.just(Done({"x": 1}))] * 4,
    st.builds(Waiting, st.floats(0, 30), st.just("w"), st.dictionaries(st.sampled_from("ab"), st.integers(0, 3))),
    st.builds(RetryLater, st.floats(0, 30), st.just("r")),
    st.builds(Failed, st.just("f"), st.booleans()),
)


@dataclass
class World:
    """What happened outside: by key the effect it was used for; what was done and undone, in order."""

    effects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)


@dataclass
class Play:
    """One run being played through."""

    runbook: Runbook
    data: st.DataObject
    world: World = field(default_factory=World)
    now: float = NOW
    rendering: int = 0
    anew: int = 2

    def chance(self, of: int) -> bool:
        return self.data.draw(st.integers(0, of)) == 0

    def rendered(self, run, todo):
        entry = running.entry_of(self.runbook, todo.step)
        items = {"items": list(range(self.data.draw(st.integers(0, 3))))} if entry.foreach else {}
        self.rendering += 1  # whatever is rendered anew is another effect
        return Rendered(items | {"of": self.rendering}, {"of": self.rendering})

    def turn(self, run):
        """One turn of a driver; None when there is only waiting."""
        plans = running.next_steps(run, self.runbook, self.now)
        assert plans
        begun = []
        for plan in plans:
            match plan:
                case End():
                    return running.end(run, plan, self.now)
                case GiveUp():
                    return running.give_up(run, self.runbook, plan, self.now)
                case Settle():
                    return running.record(run, self.runbook, plan.todo, plan.outcome, self.now)
                case Do():
                    run = running.begin(run, self.runbook, plan, self.rendered(run, plan), self.now)
                    if not composite(running.entry_of(self.runbook, plan.step)):
                        begun.append(plan)
                case Sleep(until=until):
                    assert until > self.now
                    if len(plans) == 1:
                        self.now = until
                        return run
        return self.perform(run, begun)

    def people(self, run):
        """Now and then somebody pauses, resumes, passes over a step, or has a run that ended go on."""
        if run.over:
            return self.gone_on(run)
        if run.paused is not None:
            self.now += 1.0
            return changed(run, run_acts.resume(run, self.now))
        if self.chance(30):
            return changed(run, run_acts.pause(run, "ann", "", self.now))
        if self.chance(30):
            step = self.data.draw(st.sampled_from([step.id for step in run.steps]))
            return changed(run, run_acts.pass_over(run, step, "ann", "no", self.now))
        return run

    def gone_on(self, run):
        if self.anew == 0 or self.chance(1):
            return run
        self.anew -= 1
        open_ = [each.id for each in self.runbook.steps if running.step_of(run, each.id).status is not StepStatus.DONE]
        if not open_:
            return run
        return changed(run, run_acts.again(run, self.runbook, self.data.draw(st.sampled_from(open_)), "ann", self.now))

    def perform(self, run, begun):
        for todo in self.data.draw(st.permutations(begun)):
            step = running.step_of(run, todo.step)
            options = step.undo_rendered if todo.kind == "undo" else step.rendered
            self.world.effects[todo.key].add(f"{todo.kind} {options['of']}")
            if self.chance(9):
                continue  # a crash: it was begun, nobody knows more
            if self.chance(30):
                return running.abort(run, "ann", "", self.now, undo=self.data.draw(st.booleans()))
            outcome = self.data.draw(OUTCOMES)
            after = running.record(run, self.runbook, todo, outcome, self.now)
            self.note(todo, run, after)
            run = after
        return run

    def note(self, todo, before, after):
        old, new = running.step_of(before, todo.step), running.step_of(after, todo.step)
        if old.status is not new.status and new.status is StepStatus.DONE:
            self.world.done.append(todo.step)
        if old.status is not new.status and new.status is StepStatus.UNDONE:
            self.world.undone.append(todo.step)


def changed(run, found):
    """What came of an act of people; a text says why nothing did."""
    return run if isinstance(found, str) else found


@settings(max_examples=2_000 if os.environ.get("FIRELINE_FAULTS") == "long" else 60, deadline=None)
@given(runbooks(), st.data())
def test_every_run_ends_and_undo_is_the_reverse_of_what_was_done(runbook, data):
    play = Play(runbook, data)
    run = a_run(runbook, deadline=NOW + 5_000)
    for _ in range(1_500):
        run = play.people(run)
        if run.over:
            break
        run = play.turn(run)
        assert fits(run, runbook)
    assert decode(Run, encode(run)) == run, "a journaled state is read back as it was"
    assert run.status in TERMINAL, [(s.id, s.status) for s in run.steps]
    assert all(len(effects) == 1 for effects in play.world.effects.values()), play.world.effects
    if play.anew < 2:
        return  # somebody had it go on: what was undone is done again
    assert len(set(play.world.done)) == len(play.world.done), "done once"
    assert len(set(play.world.undone)) == len(play.world.undone), "undone once"
    event(f"{run.status} {len(play.world.undone)} undone")
    order = [step for step in play.world.done if step in play.world.undone]
    assert [step for step in play.world.undone if step in order] == order[::-1] or _subs(runbook, order)
    if run.status is RunStatus.UNDONE:
        left = [step.id for step in run.steps if step.status is StepStatus.DONE and not step.last]
        assert all(
            running.entry_of(runbook, name).undo is None or composite(running.entry_of(runbook, name)) for name in left
        )
    last = [step for step in run.steps if step.last]
    cut_short = ("deadline", "aborted", "not finished in time")
    assert all(step.status is not StepStatus.PENDING for step in last) or any(word in run.reason for word in cut_short)


def _subs(runbook, order):
    """A runbook within another may be undone by itself, before what comes after it is done: then each by itself."""
    return any("/" in step for step in order)
