"""Hands: the steps of one run that are being done in this process, several side by side."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from fireline.domain.run_places import OPEN
from fireline.domain.runbooks import Run, RunStatus, StepRun, StepStatus
from fireline.domain.running import Do

GLANCE = 0.5
"""Seconds, on the wall, after which a run whose steps take long is looked at: somebody may have stopped it."""


LINGER = 10.0
"""Seconds that an act which is not wanted any more may take to end by itself, so that its undoing comes after it."""


@dataclass(slots=True)
class Hand:
    """One thing that is being done: a step as it was found, or what its undoing is."""

    todo: Do
    found: StepRun
    task: asyncio.Task[float | None]

    def goes_on(self, run: Run) -> bool:
        """Whether the run, as it is now, still wants it."""
        step = next((each for each in run.steps if each.id == self.todo.step), None)
        if run.over or step is None:
            return False
        if self.todo.kind == "undo":
            return step.status not in (StepStatus.UNDONE, StepStatus.UNDO_FAILED)
        return step.status in OPEN and run.status is not RunStatus.UNDOING


@dataclass(slots=True)
class Hands:
    """What is being done, by step, and when steps that wait on are to be looked at again.

    Who journals an outcome and goes on with another step holds `turn` meanwhile, so that nobody else takes that up.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _acts: dict[str, asyncio.Event] = field(default_factory=dict)
    _hands: dict[str, Hand] = field(default_factory=dict)
    _later: dict[str, tuple[StepRun, float]] = field(default_factory=dict)

    @property
    def at_work(self) -> tuple[str, ...]:
        """The steps that are being done."""
        return tuple(self._hands)

    def later(self, step: StepRun) -> float | None:
        """When the step is to be looked at again, None when that is not known, or it changed since."""
        seen, until = self._later.get(step.id, (None, 0.0))
        return until if seen == step else None

    def take(self, todo: Do, step: StepRun, work: Coroutine[object, object, float | None]) -> None:
        """Do `work` for the step; it gives when to look again, None for at once."""
        self._hands[todo.step] = Hand(todo, step, asyncio.create_task(work, name=f"step-{todo.step}"))

    @contextmanager
    def acting(self, step: str) -> Iterator[None]:
        """While the block lasts, the action of the step is at work."""
        ended = self._acts[step] = asyncio.Event()
        try:
            yield
        finally:
            ended.set()
            self._acts.pop(step, None)

    def hand_over(self, done: Do, todo: Do, step: StepRun) -> None:
        """Who did one step goes on with another."""
        hand = self._hands.pop(done.step, None)
        if hand is not None:
            self._hands[todo.step] = Hand(todo, step, hand.task)

    async def wait(self, seconds: float) -> None:
        """Until one of them is finished, or so many seconds are over. What one raised is raised here."""
        tasks = [hand.task for hand in self._hands.values()]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for name, hand in list(self._hands.items()):
            if hand.task.done():
                del self._hands[name]
                until = hand.task.result()
                if until is not None:
                    self._later[name] = (hand.found, until)

    async def let_go(self, run: Run | None = None) -> None:
        """Stop what the run does not want any more (all of it without a run), and wait until it has stopped.

        A thread cannot be stopped: an act that is at work has a while to end before whatever takes it back begins.
        """
        gone = [name for name, hand in self._hands.items() if run is None or not hand.goes_on(run)]
        acts = [ended for name, ended in self._acts.items() if name in gone]
        if run is not None and acts:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(ended.wait() for ended in acts)), LINGER)
        tasks = [self._hands.pop(name).task for name in gone]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
