"""What is put down of each thing that is done: decisions about incidents, routes, runs, files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.audit import Act, changes
from fireline.domain.incidents import (
    DeliveryReported,
    Entry,
    Incident,
    Input,
    RouteReported,
    RunReported,
    SignalArrived,
    TimerDue,
)
from fireline.domain.routes import Route
from fireline.domain.runbooks import Run

FIRELINE = "fireline"
"""The actor of what nobody asked for."""


def of_decision(
    what: Input | None, before: Incident | None, after: Incident, entries: Sequence[Entry], now: float
) -> Act:
    """A decision that changed an incident, or wrote on its timeline: who asked for it, through what, what changed."""
    actor, via = _who(what)
    kind = entries[0].kind if entries else "changed"
    old, new = changes(before, after)
    for side in (old, new):
        side.pop("changes", None)  # what the incident tells late acts: the text of this one, once more
    text = "; ".join(entry.text for entry in entries)
    return Act(now, actor, via, f"incident.{kind}", after.id, text, old, new)


def of_refusal(what: Input, incident: int, reason: str, now: float) -> Act:
    """An act that a person asked for and that changed nothing: what it was, and why not."""
    actor, via = _who(what)
    return Act(now, actor, via, "incident.refused", f"INC-{incident}", reason, after={"asked": type(what).__name__})


def _who(what: Input | None) -> tuple[str, str]:
    match what:
        case None:
            via = "another incident"
        case SignalArrived():
            via = f"signal {what.signal.id}"
        case TimerDue():
            via = f"deadline {what.kind}"
        case DeliveryReported():
            via = f"delivery on {what.channel}"
        case RunReported():
            via = f"run {what.run}"
        case RouteReported():
            via = f"route {what.service}"
        case _:
            return str(getattr(what, "person", FIRELINE)), str(getattr(what, "via", ""))
    return FIRELINE, via


def of_route(old: Route, new: Route) -> Act:
    """A change of a route. `by` of the route is `person:ann`, `run:12` or `lease`."""
    kind, _, who = new.by.partition(":")
    actor, via = (who, "by hand") if kind == "person" else (FIRELINE, new.by.replace(":", " "))
    was, now = changes(_route(old), _route(new))
    return Act(new.changed_at, actor, via, "route.changed", f"route:{new.service}", new.reason, was, now)


def _route(route: Route) -> dict[str, object]:
    return {"weights": dict(route.weights), "lease": route.lease, "version": route.version}


def of_run(before: Run | None, after: Run, what: str, by: str, now: float) -> Act | None:
    """A run that started, went on, was answered or ended; None of a change that only remembers something.

    `by` is the person who asked for it, empty when it went by itself.
    """
    was, then = changes(None if before is None else _run(before), _run(after))
    if not by and not then:
        return None
    kind = "started" if before is None else after.status.value
    actor, via = (by, "by hand") if by else (FIRELINE, f"INC-{after.incident}" if after.incident else "")
    return Act(now, actor, via, f"run.{'answered' if by and before else kind}", f"run:{after.id}", what, was, then)


def of_overrule(run: Run, now: float) -> Act | None:
    """That a person overruled guards so that a run began; None when nobody did."""
    if not run.overruled or run.started_at is None:
        return None
    text = f"{', '.join(run.overruled)} overruled: {run.overrule_reason}"
    return Act(now, run.requested_by, "by hand", "run.overruled", f"run:{run.id}", text, after=dict(run.overruled))


def _run(run: Run) -> dict[str, object]:
    """What the chain keeps of a run; its journal has the rest."""
    return {
        "runbook": run.runbook,
        "hash": run.hash,
        "status": run.status,
        "reason": run.reason,
        "allowed_by": run.allowed_by,
        "approved_by": run.approved_by,
        "inputs": run.inputs,
        "steps": {step.id: step.status for step in run.steps},
    }


@dataclass(frozen=True, slots=True)
class By:
    """Who did it, through what, when, and in words what."""

    actor: str
    via: str
    at: float
    text: str


def of_change(kind: str, subject: str, values: tuple[object, object], by: By) -> Act:
    """A value that was made (before it there was None) or changed."""
    was, now = changes(*values)
    return Act(by.at, by.actor, by.via, kind, subject, by.text, was, now)


def of_files(was: str, now_hash: str, who: Sequence[str], files: Sequence[str], now: float) -> Act:
    """Another configuration came in force: its content hash, and whose files they were."""
    before: Mapping[str, object] = {"hash": was} if was else {}
    after = {"hash": now_hash, "files": list(files)}
    actor = ", ".join(who) or FIRELINE
    text = f"configuration {now_hash[:12]} is in force" + (f", was {was[:12]}" if was else "")
    return Act(now, actor, "files", "configuration.changed", "configuration", text, before, after)
