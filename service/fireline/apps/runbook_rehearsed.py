"""An action in a rehearsal: its own dry run, and placeholders for what only a real run would give."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fireline.apps.faults import Refused
from fireline.apps.runbook_unknowns import Unfilled, placeholder
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.runbook_tests import UNDO
from fireline.engine.outward import Action, StepContext
from fireline.spec.plugins import ActionSchema


@dataclass(slots=True)
class Script:
    """What is assumed: outputs by step, and steps that fail. `order` are the steps as they were begun."""

    outputs: Mapping[str, Mapping[str, object]]
    fails: frozenset[str]
    order: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, assume: Sequence[str], fail: Sequence[str]) -> "Script":
        """Of `step.output=value` texts and ids of steps; raises Refused for others."""
        outputs: dict[str, dict[str, object]] = {}
        for text in assume:
            place, equals, value = text.partition("=")
            step, dot, name = place.rpartition(".")
            if not equals or not dot:
                raise Refused(f"--assume {text!r} is not step.output=value, such as --assume ask.approved=false")
            outputs.setdefault(step, {})[name] = _value(value)
        return cls(outputs, frozenset(fail))


def _value(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


class Rehearsed:
    """One action that has no effect: it only says what it would do."""

    def __init__(self, real: Action, kind: ActionSchema, script: Script) -> None:
        self.mutates = kind.mutates
        self.at_once = bool(getattr(real, "at_once", False))
        self._real = real
        self._kind = kind
        self._script = script

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """The outputs as far as they can be known."""
        undo = context.key.endswith(UNDO)
        name = context.step + (UNDO if undo else "")
        if name not in self._script.order:
            self._script.order.append(name)
        if name in self._script.fails:
            return Failed("it is assumed to fail")
        told = await self._told(options, context)
        if isinstance(told, Failed):
            return told
        outputs = {output: told.get(output) for output in self._kind.outputs} | dict(told)
        blank = {
            output: placeholder(f"steps.{context.step}.{output}") if value in (None, "") else value
            for output, value in outputs.items()
        }
        return Done({**blank, **self._script.outputs.get(context.step, {})})

    async def _told(self, options: object, context: StepContext) -> Mapping[str, object] | Failed:
        """What the action says of a dry run; nothing where its options are not known, or it says nothing."""
        if isinstance(options, Unfilled):
            return {}
        outcome = await self._real.perform(options, replace(context, dry_run=True))
        if isinstance(outcome, Failed):
            return outcome
        return outcome.output if isinstance(outcome, Done) else {}


def rehearsed(real: Action, kind: ActionSchema, script: Script) -> Action:
    """The action without its effects."""
    return Rehearsed(real, kind, script)
