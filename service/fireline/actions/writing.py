"""What every action does that changes something elsewhere: read, save, apply, wait until it is observed.

What was there is journaled before anything is changed, so that a crash in between loses no way back, and is the output
`before` of the step, which an `undo` gives to the action that restores it. Applying goes by the step's key and is safe
to repeat; that it was taken is journaled too. Whether it helped is for a step of its own to say.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.outward import StepContext

BEFORE = "before"
APPLIED = "applied"
POLL = 1.0
"""Seconds between two looks at whether a change is in force."""

GRACE = 30.0
"""Seconds that a step has beyond the time in which its change has to be observed: for reading and applying it."""

State = Mapping[str, object]


def mark(context: StepContext) -> str:
    """The step's key as a target keeps it: with the time it began, as numbers of runs repeat on a new database."""
    return f"{context.key}@{context.started_at:.3f}"


@runtime_checkable
class Observed(Protocol):
    """Options of a step that say within how many seconds its change has to be observed."""

    within: float


class Write(ABC):
    """An action that changes something elsewhere."""

    mutates = True

    def within(self, options: object) -> float:
        """Seconds in which the change has to be observed once it was applied: what the step says."""
        assert isinstance(options, Observed)
        return options.within

    @abstractmethod
    def rehearsed(self, options: object) -> Done:
        """What a rehearsal says; reads nothing."""

    @abstractmethod
    async def read(self, options: object, context: StepContext) -> State | Outcome:
        """What is there now, JSON-like and enough to restore it; an outcome when that cannot be told."""

    @abstractmethod
    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        """Change it, unless this key did so already: what to look for from now on. `Waiting` applies again later."""

    @abstractmethod
    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        """`Done` once it is in force, `Waiting` until then."""

    def saved(self, before: State) -> State:
        """What of `before` is the step's output."""
        return before

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """The next of the stages; each is journaled before the one after it."""
        if context.dry_run:
            return self.rehearsed(options)
        before, applied = context.memory.get(BEFORE), context.memory.get(APPLIED)
        if not isinstance(before, Mapping):
            return _stage(context, BEFORE, await self.read(options, context), "what is there is saved")
        if not isinstance(applied, Mapping):
            taken = await self.apply(options, context, before)
            if isinstance(taken, Mapping):
                taken = {**taken, "at": context.now}
            return self._told(_stage(context, APPLIED, taken, "applied, not observed yet"), context, before)
        seen = self._told(await self.observe(options, context, before, applied), context, before)
        return self._late(options, context, seen, before, applied)

    def _told(self, outcome: Outcome, context: StepContext, before: State) -> Outcome:
        """The outcome with what was there before, wherever a later step or an undo may look for it."""
        match outcome:
            case Done(output=output) | Failed(output=output):
                return replace(outcome, output={**output, BEFORE: self.saved(before)})
            case Waiting():
                return replace(outcome, memory={**context.memory, **outcome.memory})
            case _:
                return outcome

    def _late(self, options: object, context: StepContext, seen: Outcome, before: State, applied: State) -> Outcome:
        at, within = applied.get("at"), self.within(options)
        if not isinstance(seen, Waiting) or not isinstance(at, (int, float)) or context.now < at + within:
            return seen
        reason = f"not observed within {within:g} s: {seen.reason}"
        return Failed(reason, unknown=False, output={BEFORE: self.saved(before)})


def _stage(context: StepContext, name: str, found: State | Outcome, reason: str) -> Outcome:
    if isinstance(found, Mapping):
        return Waiting(0.0, reason, {**context.memory, name: dict(found)})
    if isinstance(found, Waiting):
        return replace(found, memory={**context.memory, **found.memory})
    return found
