"""Actions that have no effect: as a test says, or as their own dry run says; never for real.

The engine does not know them from real ones, so that what is tested and rehearsed is what will run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.runbook_steps import plain_id
from fireline.domain.runbook_tests import UNDO, Ends, Mock
from fireline.engine.outward import Action, StepContext

NUMBER, UNTIL = "mock", "until"


@dataclass(slots=True)
class Script:
    """How steps end, by id; `order` are the steps as they were begun, each once."""

    mocks: Mapping[str, tuple[Mock, ...]]
    order: list[str] = field(default_factory=list)
    _begun: dict[str, int] = field(default_factory=dict)

    def begin(self, name: str) -> int:
        """The number of this attempt, counted from 0."""
        if name not in self.order:
            self.order.append(name)
        self._begun[name] = self._begun.get(name, -1) + 1
        return self._begun[name]

    def of(self, name: str) -> tuple[Mock, ...]:
        """The mocks of a step, or of the step that it is an item of."""
        undo = UNDO if name.endswith(UNDO) else ""
        return self.mocks.get(name) or self.mocks.get(plain_id(name.removesuffix(UNDO)) + undo, ())


class Mocked:
    """One action as the script has it. Without a word there, it is the action's own dry run."""

    def __init__(self, real: Action, script: Script) -> None:
        self.mutates = bool(getattr(real, "mutates", True))
        self.at_once = bool(getattr(real, "at_once", False))
        self._real = real
        self._script = script

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """End as the script says, after the time that it says."""
        name = _name(context)
        mocks = self._usable(name)
        if not mocks:
            self._script.begin(name)
            outcome = await self._real.perform(options, replace(context, dry_run=True))
            # what a dry run refuses may be for want of a target that this machine does not have: no test is about that
            return outcome if self.at_once or not isinstance(outcome, Failed) else Done({})
        known = context.memory.get(NUMBER)
        if isinstance(known, int):
            return self._ended(mocks[min(known, len(mocks) - 1)], context, known)
        asks = mocks[0].ends is Ends.ANSWERED
        number = 0 if asks and context.memory else self._script.begin(name)
        mock = mocks[min(number, len(mocks) - 1)]
        if mock.ends is Ends.ANSWERED:
            return await self._real.perform(options, context)
        return self._ended(mock, context, number)

    def _usable(self, name: str) -> tuple[Mock, ...]:
        """Answers are for steps that ask; of another step they answer whether it is to be repeated."""
        mocks = self._script.of(name)
        return tuple(mock for mock in mocks if mock.ends is not Ends.ANSWERED) if self.mutates else mocks

    def _ended(self, mock: Mock, context: StepContext, number: int) -> Outcome:
        until = context.memory.get(UNTIL, context.now + mock.after)
        if isinstance(until, (int, float)) and context.now < until:
            return Waiting(until - context.now, "takes its time", {NUMBER: number, UNTIL: until})
        return _outcome(mock)


class MockedLook(Mocked):
    """One that can tell whether it was done already: by the next word of the script."""

    async def look(self, options: object, context: StepContext) -> Outcome:
        """Done or Failed as the script says; Waiting, which is that it cannot tell, for anything else."""
        name = _name(context)
        mocks = self._usable(name)
        outcome = _outcome(mocks[min(self._script.begin(name), len(mocks) - 1)]) if mocks else Done()
        return outcome if isinstance(outcome, (Done, Failed)) else Waiting(0.0, "it cannot be told")


def mocked(real: Action, script: Script) -> Action:
    """The action without its effects."""
    return MockedLook(real, script) if hasattr(real, "look") else Mocked(real, script)


def _name(context: StepContext) -> str:
    return context.step + (UNDO if context.key.endswith(UNDO) else "")


def _outcome(mock: Mock) -> Outcome:
    match mock.ends:
        case Ends.DONE:
            return Done(dict(mock.output))
        case Ends.FAILED:
            return Failed(mock.reason, output=dict(mock.output))
        case Ends.UNKNOWN:
            return Failed(mock.reason, unknown=True)
        case Ends.RETRY:
            return RetryLater(0.0, mock.reason)
        case Ends.ANSWERED:
            return Failed("only a step that asks can be answered")
        case _:
            assert_never(mock.ends)
