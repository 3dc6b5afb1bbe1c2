"""Merge and split: two incidents, one decision.

What is merged is over and stays so: its signals, runs, leases, roles, links and tasks are the target's, its pages stop,
and what its signals say later is heard by the target, whose own severity and policy decide who is paged. What is split
off is an incident of its own, paged by its owner's policy; what its signals say later goes there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fireline.domain.deciding_closing import end, settle
from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_escalation import start
from fireline.domain.deciding_late import late, over, refuse
from fireline.domain.deciding_signals import page_or_say_why_not, page_what_is_left, unsettle
from fireline.domain.deciding_words import labels
from fireline.domain.deciding_world import World
from fireline.domain.incident_acts import Merge, Split
from fireline.domain.incident_records import Held, Role, Task
from fireline.domain.incidents import Attached, Incident, Status

_MATTERS = ("merged", "split", "reopened")


def decide_merge(source: Incident, target: Incident | None, asked: Merge, world: World, now: float) -> Decision:
    """`source` becomes part of `target`. Both timelines tell it; refused with a reason where it makes no sense."""
    if reason := _against_merge(source, target, asked, world, now):
        return refuse(source, reason)
    assert target is not None
    into = _received(source, target, asked, world, now)
    draft = Draft(source, source, world, now)
    end(draft, asked.person)
    draft.change(merged_into=target.number, leases=(), signals={}, impact=None)
    who = world.name(asked.person)
    draft.note(
        "merged",
        f"{who} merged it into {target.id} via {asked.via}{_why(asked.reason)}: what it had is told there from here on",
        actor=asked.person,
        data={"into": target.id, "signals": sorted(source.signals)},
    )
    draft.reply = f"{source.id} is part of {target.id} now"
    return replace(draft.decide(), also=((target, into),))


def _against_merge(source: Incident, target: Incident | None, asked: Merge, world: World, now: float) -> str:
    if target is None:
        return f"INC-{asked.into} does not exist"
    if source.number == target.number:
        return f"{source.id} cannot be merged into itself"
    if source.timeline != target.timeline:
        return f"{source.id} is of timeline {source.timeline} and {target.id} of {target.timeline}: they never mix"
    if reason := late(source, asked, _MATTERS, world, now):
        return reason
    if target.merged_into is not None:
        return f"{target.id} was merged into INC-{target.merged_into} itself; merge into that"
    return over(target, world, now) if target.status is Status.RESOLVED else ""


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _received(source: Incident, target: Incident, asked: Merge, world: World, now: float) -> Decision:
    draft = Draft(target, target, world, now)
    quiet_before = not target.firing
    draft.change(
        signals=_newest(source.signals, target.signals),
        runs={**source.runs, **target.runs},
        leases=tuple(dict.fromkeys((*target.leases, *source.leases))),
        requested=tuple(dict.fromkeys((*target.requested, *source.requested))),
        merged=(*target.merged, source.number),
        roles=_roles(target.roles, source.roles),
        links=tuple({link.url: link for link in (*source.links, *target.links)}.values()),
        tasks=_tasks(target.tasks, source.tasks),
        started=min(target.started, source.started),
        impacts=tuple(
            n for n in dict.fromkeys((*target.impacts, *source.impacts)) if n not in (target.number, source.number)
        ),
        moved={f: n for f, n in target.moved.items() if n != source.number and f not in source.signals},
    )
    for service in source.leases:
        draft.arm("lease", now + world.response.lease, name=f"lease/{service}")
    if target.impact is not None and target.impact.cause == source.number:
        draft.change(impact=None)  # nothing comes of itself
        draft.disarm("impact")
    draft.note(
        "merged",
        f"{world.name(asked.person)} merged {source.id} into it via {asked.via}{_why(asked.reason)}: {source.title}",
        actor=asked.person,
        data={"from": source.id, "signals": sorted(source.signals), "runs": sorted(source.runs)},
    )
    if quiet_before and draft.incident.firing:
        unsettle(draft)
    rises = rate(draft, f"{source.id} came into it")
    if draft.incident.firing:
        page_or_say_why_not(draft, rises=rises)
    elif source.leases:
        settle(draft)
    return draft.decide()


def _newest(one: Mapping[str, Attached], other: Mapping[str, Attached]) -> dict[str, Attached]:
    """All signals of both; of one that both know, the later."""
    found = dict(one)
    for name, attached in other.items():
        if name not in found or found[name].signal.at <= attached.signal.at:
            found[name] = attached
    return found


def _roles(kept: tuple[Held, ...], more: tuple[Held, ...]) -> tuple[Held, ...]:
    """Who leads the target leads on; who led only the other one responds."""
    led = any(held.role is Role.COMMANDER for held in kept)
    moved = [replace(h, role=Role.RESPONDER) if led and h.role is Role.COMMANDER else h for h in more]
    known = {(held.role, held.person) for held in kept}
    return (*kept, *(held for held in dict.fromkeys(moved) if (held.role, held.person) not in known))


def _tasks(kept: tuple[Task, ...], more: tuple[Task, ...]) -> tuple[Task, ...]:
    after = max((task.number for task in kept), default=0)
    return (*kept, *(replace(task, number=after + place) for place, task in enumerate(more, start=1)))


def rate(draft: Draft, cause: str) -> bool:
    """Set the severity to the worst that fires, unless a person set it; whether it rose."""
    before, incident = draft.incident.severity, draft.incident
    found = draft.world.worst([a.signal.severity for a in incident.firing if a.signal.severity])
    if incident.severity_override is not None or found is None or found == before:
        return False
    rises = draft.world.worse(found, before)
    draft.change(severity=found)
    draft.note("severity", f"Severity {'rises' if rises else 'falls'} from {before} to {found}: {cause}")
    return rises


def against_split(incident: Incident, asked: Split, world: World, now: float) -> str:
    """Why the signals cannot be split off; empty when they can. Asked before a number is taken for the new one."""
    if reason := late(incident, asked, _MATTERS, world, now):
        return reason
    known = ", ".join(labels(a.signal) for a in incident.signals.values()) or "none"
    missing = [name for name in asked.signals if not _named(incident, (name,))]
    if missing or not asked.signals:
        what = f"no signal {', '.join(missing)}" if missing else "to be told which signals"
        return f"{incident.id} has {what}; its signals: {known}" if missing else f"Split needs {what}, of: {known}"
    if len(_named(incident, asked.signals)) == len(incident.signals):
        return f"{incident.id} would be left without a signal; leave at least one of: {known}"
    return ""


def _named(incident: Incident, names: tuple[str, ...]) -> dict[str, Attached]:
    """The signals that are meant: by fingerprint, by rule and entity, or by rule."""
    return {f: a for f, a in incident.signals.items() if {f, labels(a.signal), a.signal.rule} & set(names)}


def decide_split(incident: Incident, asked: Split, world: World, now: float, number: int | None) -> Decision:
    """The chosen signals become incident `number`, which pages its own owner; the rest goes on as it was."""
    if reason := against_split(incident, asked, world, now):
        return refuse(incident, reason)
    assert number is not None, "what can be split off needs a number"
    chosen = _named(incident, asked.signals)
    fresh = _split_off(Draft(incident, incident, world, now), chosen, asked, number)
    draft = Draft(incident, incident, world, now)
    draft.change(
        signals={f: a for f, a in incident.signals.items() if f not in chosen},
        moved={**incident.moved, **dict.fromkeys(chosen, number)},
    )
    text = f"{world.name(asked.person)} split INC-{number} off via {asked.via}{_why(asked.reason)}"
    draft.note(
        "split",
        f"{text}: {', '.join(labels(a.signal) for a in chosen.values())}",
        actor=asked.person,
        data={"signals": list(chosen)},
    )
    rate(draft, f"INC-{number} was split off")
    if draft.incident.firing:
        page_what_is_left(draft)
    elif incident.firing:
        settle(draft)
    owner = fresh.incident.owner if fresh.incident is not None else "nobody"
    draft.reply = f"INC-{number} was split off {incident.id}, and {owner} answers for it"
    return replace(draft.decide(), also=((None, fresh),))


def _worst(signals: Sequence[Attached], world: World) -> Attached:
    return min(signals, key=lambda a: (world.severity(a.signal.severity or "").rank, a.signal.started))


def _split_off(of: Draft, chosen: Mapping[str, Attached], asked: Split, number: int) -> Decision:
    incident, world, now = of.incident, of.world, of.now
    firing = [a for a in chosen.values() if a.cleared_at is None]
    first = _worst(firing or list(chosen.values()), world)
    owner, reason = world.owner(first.signal.rule, first.signal.service)
    severity = first.signal.severity or incident.severity
    fresh = Incident(
        number=number,
        service=world.service_id(first.signal.service),
        group=f"{incident.group}/{incident.id}/{number}",  # a key that no signal has: they come by `moved`
        timeline=incident.timeline,
        title=first.signal.summary,
        severity=severity,
        owner=owner,
        status=Status.TRIGGERED,
        opened_at=now,
        started=min(a.signal.started for a in chosen.values()),
        signals=chosen,
        split_from=incident.number,
    )
    draft = Draft(None, fresh, world, now)
    text = f"{world.name(asked.person)} split it off {incident.id} via {asked.via}{_why(asked.reason)}, at {severity}"
    draft.note(
        "split",
        f"{text}: {first.signal.summary}. {owner} answers: {reason}",
        actor=asked.person,
        data={"from": incident.id, "signals": list(chosen)},
    )
    if firing:
        start(draft)
    else:
        draft.note("unpaged", "Nobody is paged: none of its signals fires")
        settle(draft)
    return draft.decide()
