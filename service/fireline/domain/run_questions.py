"""Questions: what a step keeps while it waits for a person's word, and how it finds the answer. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from fireline.domain.run_plans import put, step_of
from fireline.domain.runbooks import Run, StepStatus

ASKED = "asked"
"""Where a step's memory keeps when it asked a person; a step without it waits for nobody."""

DOUBT = "doubt"
"""Marks in a step's memory that the question is whether to repeat a step of unknown outcome."""


def doubt(run: Run, step: str, now: float) -> Run:
    """The run with a step of unknown outcome waiting for a person's word whether to do it again."""
    found = step_of(run, step)
    memory = {**found.memory, ASKED: now, DOUBT: True}
    return put(run, replace(found, status=StepStatus.WAITING, memory=memory, next_at=found.due_at))


def remember(run: Run, step: str, memory: Mapping[str, object]) -> Run:
    """The run with something more for a waiting step to find, to be looked at again at once."""
    found = step_of(run, step)
    return put(run, replace(found, memory={**found.memory, **memory}, next_at=None))
