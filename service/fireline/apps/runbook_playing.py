"""Playing one test of a runbook: the engine of real runs, mocked actions, a clock that jumps to what is due."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from fireline.apps.runbook_mocks import Script, mocked
from fireline.apps.runbook_stage import Stage
from fireline.domain.configuration import Configuration
from fireline.domain.rule_tests import START
from fireline.domain.runbook_tests import Ends, Mock, RunbookTest
from fireline.domain.runbook_verdicts import Played
from fireline.domain.runbooks import Autonomy, Run, Runbook, RunStatus, StepRun, StepStatus
from fireline.domain.running import ASKED
from fireline.engine import approvals
from fireline.engine.approvers import owner_of
from fireline.engine.starting import Wanted

TURNS = 5_000
"""So many looks at a run at most: one that never ends is told as such."""


async def play(book: Runbook, test: RunbookTest, configuration: Configuration) -> Played:
    """Run the test on a stage of its own, in a loop of its own; never raises for what the runbook or the test say.

    With one thread beside the loop, what goes on side by side does so in the order of the file, and not in that in
    which threads happen to be done: a test that names steps in their order says the same each time.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, "stage"))
    script = Script(test.mocks)
    stage = Stage(configuration, lambda _, real: mocked(real, script), START)
    try:
        return await _Play(stage, book, test, script).play()
    finally:
        stage.close()


class _Play:
    def __init__(self, stage: Stage, book: Runbook, test: RunbookTest, script: Script) -> None:
        self._stage = stage
        self._book = book
        self._test = test
        self._script = script
        self._refused: list[str] = []
        self._answered: set[tuple[str, float]] = set()
        self._aborted = False

    async def play(self) -> Played:
        stage, test = self._stage, self._test
        incident = None if test.incident is None else stage.incident(test.incident)
        started = stage.runs.request(Wanted("test", self._book.name, incident, dict(test.inputs), mode=Autonomy.AUTO))
        if started.run is None:
            return Played(None, started.reason)
        run = started.run
        for _ in range(TURNS):
            if run.over:
                break
            run = await self._turn(run.id)
        return Played(run, run.reason, tuple(self._script.order), tuple(self._refused))

    async def _turn(self, number: int) -> Run:
        stage = self._stage
        due = await stage.runs.run_once()
        run = stage.run(number)
        if run.over:
            return run
        todo = list(self._people(run))
        until = min([at for at, _, _ in todo] + ([] if due is None else [due]), default=run.deadline)
        stage.clock.advance(max(0.0, until - stage.clock.now()))
        for at, step, mock in todo:
            if at <= stage.clock.now():
                self._act(run, step, mock)
        return stage.run(number)

    def _people(self, run: Run) -> Iterator[tuple[float, StepRun | None, Mock | None]]:
        """What people will do, and when: abort, let it start, answer what is asked."""
        if self._test.abort is not None and not self._aborted:
            yield run.created_at + self._test.abort.after, None, None
        if run.status is RunStatus.WAITING and not run.approved_by:
            yield self._stage.clock.now(), None, Mock(Ends.ANSWERED, approved=True)
        for step in run.steps:
            asked = step.memory.get(ASKED)
            if step.status is not StepStatus.WAITING or not isinstance(asked, (int, float)):
                continue
            mock = next((m for m in self._script.of(step.id) if m.ends is Ends.ANSWERED), None)
            if mock is not None and mock.approved is not None and (step.id, asked) not in self._answered:
                yield asked + mock.after, step, mock

    def _act(self, run: Run, step: StepRun | None, mock: Mock | None) -> None:
        runs = self._stage.runs
        if mock is None:
            self._aborted = True
            undo = self._test.abort is not None and self._test.abort.undo
            reply = runs.abort(run.id, "a person", "the test says so", undo=undo)
        else:
            name = approvals.START if step is None else step.id
            if step is not None:
                self._answered.add((step.id, float(str(step.memory[ASKED]))))
            for person in [mock.by] if mock.by else self._somebody(run, name, bool(mock.approved)):
                reply = runs.approve(run.id, name, person, bool(mock.approved), mock.reason)
        if not reply.done:
            self._refused.append(str(reply))

    def _somebody(self, run: Run, step: str, approved: bool) -> list[str]:
        """As many of those who may answer as it takes."""
        takes = approvals.question(run, step, owner_of(run, self._book.owner)).terms.count if approved else 1
        others = self._stage.runs.may_answer(run.id, step) - {run.requested_by}
        return sorted(others)[:takes] or ["nobody"]
