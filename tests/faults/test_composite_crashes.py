"""Items, branches and runbooks within runbooks survive a crash at every write and every effect, each effect once.

A crash is an exception that nothing catches, before or after a commit, or around an action; another responder takes
over on the same database. The long campaign (`FIRELINE_FAULTS=long`) takes every boundary, the short one every ninth.
"""

from dataclasses import dataclass, field, replace

import pytest
from pydantic import BaseModel

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.domain.outcomes import Done, Failed
from fireline.domain.runbooks import Run, RunStatus, StepStatus
from fireline.spec.loading import read_runbook
from tests.engine.runs_world import Fixed, World, shipped
from tests.engine.test_runs_composites import TOLERANT
from tests.faults.test_runbook_crashes import LONG, Around, Crash, Crashing

TEXT = """\
name: own
owner: payments-ml
start: {mode: auto}
guards: {lock: whole}
steps:
- id: both
  parallel:
    eu: [{id: a, uses: route.set, with: {do: a}, undo: {uses: route.set, with: {undo: a}}}]
    us:
    - {id: b, uses: route.set, with: {do: b}, undo: {uses: route.set, with: {undo: b}}}
    - {id: look, uses: notify, with: {do: look}}
- id: each
  uses: route.set
  foreach: [x, y, z]
  concurrency: 2
  with: {do: "{{ item }}"}
  undo: {uses: route.set, with: {undo: "{{ steps.each.did }}"}}
- {id: sub, uses: runbook.run, with: {runbook: inner, inputs: {to: s}}, on_failure: undo}
finally:
- {id: clean, uses: notify, with: {do: clean}}
--- # runbook inner
name: inner
owner: payments-ml
inputs: {to: {type: string}}
steps:
- {id: go, uses: route.set, with: {do: "{{ inputs.to }}"}, undo: {uses: route.set, with: {undo: "{{ inputs.to }}"}}}
- {id: check, uses: notify, with: {do: CHECK}}
"""


class Anything(BaseModel):
    """Any option."""

    model_config = {"extra": "allow"}


@dataclass
class Target:
    """What is outside: does each key once, and says the same to whoever asks again."""

    effects: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    mutates: bool = True

    async def perform(self, options, context):
        what = f"undo {options.undo}" if hasattr(options, "undo") else str(options.do)
        assert self.effects.setdefault(context.key, what) == what, "one key, two effects"
        if context.key not in self.order:
            self.order.append(context.key)
        return Failed("it is bad") if what == "bad" else Done({"did": what})


def responder(store, clock, target, at=None, owner="one"):
    crashing = Crashing(store, at)
    made = World(crashing, clock, Fixed(replace(shipped(), autonomy=())), owner=owner)
    for name in ("route.set", "notify"):
        made.actions[name] = Around(target, crashing)
        made.options[name] = Anything

    made.runs = made.build()
    made.runs._driver.journal._read_runbook = lambda text: read_runbook(text, TOLERANT)
    return made, crashing


async def until_over(w, store, clock) -> Run:
    for _ in range(200):
        await w.runs.run_once()
        with store.reading() as tx:
            run = tx.run(1)
        if run is not None and run.over:
            return run
        clock.advance(1.0)
    raise AssertionError("not over")


async def crashed_at(path, at, text):
    path.mkdir()
    store, clock, target = open_store(f"sqlite:///{path / 'fireline.db'}"), FakeClock(), Target()
    book = read_runbook(text, TOLERANT)
    w, crashing = responder(store, clock, target, at)
    try:
        w.want(book)
        run = await until_over(w, store, clock)
    except Crash:
        clock.advance(16)  # the lease of the dead one runs out
        w, _ = responder(store, clock, target, owner="two")
        w.want(book)
        run = await until_over(w, store, clock)
    with store.reading() as tx:
        assert len(tx.journal(1)) == run.version
        assert tx.lock_holder("whole") is None
    store.close()
    return run, target, crashing


def check(run, target, where, status):
    assert run.status is status, (where, run.reason)
    done = {"run-1.a": "a", "run-1.b": "b", "run-1.look": "look", "run-1.sub/go": "s", "run-1.clean": "clean"}
    done |= {f"run-1.each[{n}]": name for n, name in enumerate("xyz")}
    undone = {}
    if status is RunStatus.UNDONE:
        undone = {f"{key}.undo": f"undo {what}" for key, what in done.items() if what in ("a", "b", "s", *"xyz")}
    checked = {"run-1.sub/check": "bad" if undone else "fine"}
    assert target.effects == done | undone | checked, where
    undos = [key for key in target.order if key.endswith(".undo")]
    assert undos[:1] == (["run-1.sub/go.undo"] if undone else []), where
    assert {undos[-1], undos[-2]} == {"run-1.a.undo", "run-1.b.undo"} if undone else not undos, where
    ordinals = {step.id: step.ordinal for step in run.steps if step.ordinal}
    by_undo = [ordinals[key.removeprefix("run-1.").removesuffix(".undo")] for key in undos]
    assert by_undo == sorted(by_undo, reverse=True), where
    assert target.order[-1] == "run-1.clean", where
    left = {step.status for step in run.steps} - {StepStatus.DONE, StepStatus.UNDONE, StepStatus.FAILED}
    assert not left, (where, left)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("word", "status"), [("fine", RunStatus.SUCCEEDED), ("bad", RunStatus.UNDONE)], ids=["succeeds", "is undone"]
)
async def test_a_crash_at_any_boundary_changes_nothing_in_the_end(tmp_path, word, status):
    text = TEXT.replace("CHECK", word)
    run, target, counted = await crashed_at(tmp_path / "whole", None, text)
    check(run, target, "no crash", status)
    assert counted.count > 40, "the test looks at nothing"
    for at in range(1, counted.count + 1, 1 if LONG else 9):
        run, target, crashing = await crashed_at(tmp_path / str(at), at, text)
        check(run, target, f"crash {at}, {crashing.where}", status)
