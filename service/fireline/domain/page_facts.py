"""The facts that a page was decided from, kept with it, so that it can be worked out again when files differ."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fireline.domain.audit import plain
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident, Why
from fireline.domain.oncall import Schedule, TargetKind
from fireline.domain.paging import contacts, next_on, policy_of, reach
from fireline.domain.rota import who


def facts(target: str, person: str, world: World, now: float) -> dict[str, object]:
    """What says that it is this person, JSON-like: configuration, target, schedule, and on which channels.

    Of the schedule all is kept that can matter from now on; what was over before is left out.
    """
    schedule = world.oncall.schedules.get(_id(target))
    kept = None if schedule is None or not _is_schedule(target) else plain(_from(schedule, now))
    channels = [channel for channel, _ in contacts(world.person(person), world)]
    return {"configuration": world.configuration, "target": target, "schedule": kept, "channels": channels}


def _from(schedule: Schedule, now: float) -> Schedule:
    at = datetime.fromtimestamp(now, UTC)
    overrides = tuple(override for override in schedule.overrides if override.end > at)
    layers = tuple(
        replace(
            layer, stints=(*[s for s in layer.stints if s.end <= at][-1:], *[s for s in layer.stints if s.end > at])
        )
        for layer in schedule.layers
    )
    return replace(schedule, overrides=overrides, layers=layers)


def _id(target: str) -> str:
    return target.partition(":")[2]


def _is_schedule(target: str) -> bool:
    return target.partition(":")[0] in (TargetKind.SCHEDULE.value, TargetKind.NEXT.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """Who is asked, and what says so; times in seconds since the epoch."""

    person: str
    source: str | None = None
    until: float | None = None
    next_person: str | None = None


def answer_of(person: str, why: Why) -> Answer:
    """What the page itself says."""
    return Answer(person, why.source, why.until, why.next_person)


def again(target: str, schedule: Schedule, at: float) -> Answer | None:
    """Whom a schedule names for this target at the instant of the page; None of nobody."""
    if target.partition(":")[0] == TargetKind.NEXT.value:
        found = next_on(schedule, at)
        return None if found is None else Answer(found.person, f"next on schedule {schedule.id} ({found.source})")
    shift = who(schedule, at)
    if shift is None:
        return None
    until = None if shift.until is None else shift.until.timestamp()
    return Answer(shift.person, shift.source, until, shift.next_person)


def differences(incident: Incident, person: str, why: Why, world: World, at: float) -> list[str]:
    """How the files of `world` would have answered at the instant of the page; nothing when they say the same."""
    found = []
    owner, reason = world.owner(why.rule, incident.service)
    service = world.service(incident.service)
    backup = None if service is None else service.backup
    if why.owner not in (owner, backup):
        found.append(f"{owner} answers for {incident.service} ({reason}), not {why.owner}")
        return found
    policy = policy_of(world.team(why.owner), world)
    if policy is None or policy.id != why.policy:
        return [f"{why.owner} has policy {policy.id if policy else 'none'}, not {why.policy}"]
    if why.level >= len(policy.levels):
        return [f"policy {policy.id} has {len(policy.levels)} levels, and no level {why.level + 1}"]
    candidates = reach(policy.levels[why.level], world, at).found
    same = next((c for c in candidates if c.person == person), None)
    if same is None:
        names = ", ".join(f"{c.person} ({c.source})" for c in candidates) or "nobody"
        return [f"level {why.level + 1} of {policy.id} names {names}, not {person}"]
    pairs = (("it is said by", same.source, why.source), ("next is", same.next_person, why.next_person))
    return [f"{word} {now}, not {then}" for word, now, then in pairs if now != then]
