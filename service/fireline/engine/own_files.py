"""Rules and runbooks as something that changes under a running Fireline: what changed, by whom, and what is broken.

Files with faults change nothing; that they have some is an incident of Fireline's own service, which clears when they
are sound again. A change that came in force is kept with its difference.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fireline.domain.configuration import Problem
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.sight import SERVICE

RULE = "fireline_files"
"""The name under which broken files fire; no file has this rule, and only a responder clears it."""
GROUP = "files"
"""Keeps the incident apart from that of a Fireline that is blind."""
_SHOWN = 3
_LONGEST_DIFF = 200_000
"""Characters of a difference that are kept."""


@dataclass(frozen=True, slots=True)
class Change:
    """Files that came in force: `hash` was `was` before; `who` owned the files that changed, `diff` is unified."""

    at: float
    hash: str
    was: str
    who: tuple[str, ...]
    files: tuple[str, ...]
    diff: str


def changed_files(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The files that were added, removed or written."""
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A unified diff of all files, cut where it is very long."""
    lines: list[str] = []
    for name in changed_files(before, after):
        old, new = (texts.get(name, "").splitlines() for texts in (before, after))
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST_DIFF else f"{text[:_LONGEST_DIFF]}\n... {len(text)} characters in all"


def firing(problems: Sequence[Problem], told: Signal | None, kept: str, world: World, now: float) -> Signal | None:
    """The signal that files are broken; None when `told`, the last one of an open incident, says the same already."""
    errors = [problem for problem in problems if problem.severity == "error"]
    places = "; ".join(f"{each.file}:{each.line}:{each.column}: {each.message}" for each in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    reason = f"{places}{more}. The last good configuration {kept[:12]} stays in force"
    if told is not None and told.evidence.reason == reason:
        return None
    episode = now - now % 1.0 if told is None else told.episode
    sequence = 0 if told is None else told.sequence + 1
    count = f"{len(errors)} faults" if len(errors) > 1 else "a fault"
    return Signal(
        id=f"{RULE}/{episode:.0f}/{sequence}",
        rule=RULE,
        entity=(("service", SERVICE),),
        service=SERVICE,
        state=State.FIRING,
        severity=_mildest(world),
        at=now,
        started=now if told is None else told.started,
        episode=episode,
        summary=f"{count} in rules or runbooks: changes are not in force",
        evidence=Evidence({"faults": float(len(errors))}, 0, now, now, "", reason),
        group=GROUP,
        sequence=sequence,
    )


def cleared(told: Signal, now: float) -> Signal:
    """The signal that the files are sound again."""
    text = "the files are sound again and in force"
    return replace(
        told,
        id=f"{RULE}/{told.episode:.0f}/{told.sequence + 1}",
        state=State.CLEAR,
        severity=None,
        at=now,
        summary=text,
        evidence=Evidence({"faults": 0.0}, 0, told.started, now, "", text),
        sequence=told.sequence + 1,
    )


def told_of(incident: Incident | None) -> Signal | None:
    """What the incident of our own service says of broken files; None when it says nothing, or no longer."""
    firing_now = () if incident is None else incident.firing
    return next((attached.signal for attached in firing_now if attached.signal.rule == RULE), None)


def _mildest(world: World) -> str:
    """Nobody is woken for it: what was in force before goes on."""
    known = world.catalog.severities
    return known[-1].name if known else "notice"
