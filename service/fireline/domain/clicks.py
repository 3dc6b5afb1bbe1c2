"""Clicks: what a button in a message says when it is pressed, and what the press asks for."""

import json
from dataclasses import dataclass

ACTION_PREFIX = "fireline:"
"""Fireline's buttons are told from other apps' by it: `fireline:acknowledge`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a button is about, read from its value: an incident as it was at `version`, or a step of a run.

    `listed` counts the further incidents that its message listed.

    `step` is empty for whichever step of the run waits for an answer.
    """

    incident: int | None = None
    version: int | None = None
    page: int | None = None
    run: int | None = None
    step: str = ""
    listed: int = 0


@dataclass(frozen=True, slots=True)
class ApprovalGiven:
    """`person` lets step `step` of run `run` go ahead, or refuses it; `reason` is theirs, empty when not asked."""

    run: int
    step: str
    person: str
    approved: bool
    via: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """`person` pulls the stop switch of the service of an incident, or lifts it."""

    incident: int
    person: str
    lift: bool
    via: str


def _number(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**53 else None  # type: ignore[operator,return-value]  # `whole` narrows


def subject_of(value: str) -> Subject | None:
    """What a button's `value` names; None when it is not JSON of ours or names neither an incident nor a run."""
    try:
        data = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    incident, run = _number(data.get("incident")), _number(data.get("run"))
    step = data.get("step")
    step = step if isinstance(step, str) else ""
    if incident is None and run is None:
        return None
    listed = _number(data.get("listed")) or 0
    return Subject(incident, _number(data.get("version")), _number(data.get("page")), run, step, listed)
