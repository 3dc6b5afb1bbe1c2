"""Whom an escalation level reaches now, and why each of them: targets become persons with a way to be reached.

Who is on call is asked at the moment of asking, so a level that is asked after a hand-off asks who has it by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fireline.domain.catalog import Person, Team
from fireline.domain.deciding_world import World
from fireline.domain.oncall import Policy, PolicyLevel, PolicyTarget, Schedule, Shift, TargetKind
from fireline.domain.paging_conditions import Asking, unmet
from fireline.domain.rota import gaps, who

LOOK_FOR_NEXT = timedelta(days=60)
"""How far ahead it is looked for who is next on a schedule on which nobody takes over at once."""
MOST_SHIFTS = 20
"""So many shifts are looked through for somebody else than who is on call now."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person that a target names, and what says so; times in seconds since the epoch."""

    person: str
    source: str | None = None
    schedule: str | None = None
    until: float | None = None
    next_person: str | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """A room that is told; with `group`, the group of this id is mentioned there."""

    channel: str
    address: str
    target: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """The persons of one level who can be reached, rooms beside them, why others of it cannot, and what is left out."""

    found: tuple[Candidate, ...]
    missed: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    skipped: tuple[str, ...] = ()


def contacts(person: Person, world: World) -> list[tuple[str, str]]:
    """Channel and address, in the person's order, of the channels that are configured."""
    known = world.channels
    return [(c, a) for c, a in person.contacts.items() if a and (known is None or c in known)]


def reach(
    level: PolicyLevel, world: World, now: float, asking: Asking | None = None, team: Team | None = None
) -> Reach:
    """Everyone the level's targets name at `now`, each once, and the reasons for whom it cannot reach.

    Without `asking` no condition is looked at: all targets are asked. Groups are mentioned in the rooms of `team`.
    """
    found: dict[str, Candidate] = {}
    rooms: list[Room] = []
    missed: list[str] = []
    skipped: list[str] = []
    for target in level.targets:
        against = unmet(target.when, asking, world, now) if asking is not None else ""
        if against:
            skipped.append(f"{target} is not asked: {against}")
            continue
        room, reason = _room(target, team, world)
        candidates, trouble = _candidates(target, world, now)
        rooms += [room] if room else []
        missed += [text for text in (reason, trouble) if text]
        for candidate in candidates:
            trouble = unreachable(candidate.person, world)
            missed += [trouble] if trouble else []
            if not trouble:
                found.setdefault(candidate.person, candidate)
    return Reach(tuple(found.values()), tuple(missed), tuple(rooms), tuple(skipped))


def unreachable(person: str, world: World) -> str:
    """Why a person cannot be reached at all; empty when they can."""
    if contacts(world.person(person), world):
        return ""
    if person not in world.catalog.people:
        return f"{person} is not in the catalog (any more)"
    return f"{world.name(person)} has no contact on a configured channel"


def policy_of(team: Team | None, world: World) -> Policy | None:
    """The team's escalation policy, None when it names none that exists."""
    return None if team is None else world.oncall.policies.get(team.policy)


def positions(policy: Policy, level: int, round_: int) -> Iterator[tuple[int, int]]:
    """Level and round, from this position to the end of the last round (`repeat` rounds follow the first)."""
    for number in range(round_, policy.repeat + 1):
        for index in range(level if number == round_ else 0, len(policy.levels)):
            yield index, number


def next_on(schedule: Schedule, now: float) -> Shift | None:
    """Who has the schedule after the person on call now: the first shift of somebody else, over gaps; None of none."""
    at = datetime.fromtimestamp(now, UTC)
    present = who(schedule, at)
    shift = present
    for _ in range(MOST_SHIFTS):
        begins = shift.until if shift is not None else at
        if begins is None:
            return None
        shift = who(schedule, begins) or _after_gap(schedule, begins)
        if shift is None or present is None or shift.person != present.person:
            return shift
    return None


def _after_gap(schedule: Schedule, at: datetime) -> Shift | None:
    found = gaps(schedule, at, at + LOOK_FOR_NEXT)
    return who(schedule, found[0][1]) if found and found[0][1] < at + LOOK_FOR_NEXT else None


def _candidates(target: PolicyTarget, world: World, now: float) -> tuple[list[Candidate], str]:
    """The persons behind one target; the reason when there is none. Of a room or group no person is known."""
    name = str(target)
    match target.kind:
        case TargetKind.PERSON:
            return [Candidate(target.id, "named by the policy", target=name)], ""
        case TargetKind.TEAM:
            team = world.team(target.id)
            members = () if team is None else team.members
            found = [Candidate(person, f"member of {target.id}", target=name) for person in members]
            return found, "" if found else f"team {target.id} has no members"
        case TargetKind.SCHEDULE | TargetKind.NEXT:
            schedule = world.oncall.schedules.get(target.id)
            if schedule is None:
                return [], f"schedule {target.id} does not exist"
            return _on_schedule(schedule, world, now) if target.kind is TargetKind.SCHEDULE else _next(schedule, now)
        case TargetKind.CHANNEL | TargetKind.GROUP:
            return [], ""


def _on_schedule(schedule: Schedule, world: World, now: float) -> tuple[list[Candidate], str]:
    shift = who(schedule, now)
    if shift is None:
        return [], f"nobody is on call on schedule {schedule.id}"
    until = None if shift.until is None else shift.until.timestamp()
    target = f"{TargetKind.SCHEDULE.value}:{schedule.id}"
    return [Candidate(shift.person, shift.source, shift.schedule, until, shift.next_person, target)], ""


def _next(schedule: Schedule, now: float) -> tuple[list[Candidate], str]:
    shift = next_on(schedule, now)
    if shift is None:
        return [], f"nobody else is next on schedule {schedule.id}"
    source = f"next on schedule {schedule.id} ({shift.source})"
    return [Candidate(shift.person, source, target=f"{TargetKind.NEXT.value}:{schedule.id}")], ""


def _room(target: PolicyTarget, team: Team | None, world: World) -> tuple[Room | None, str]:
    """The room that a target tells, or in which it mentions a group; the reason when there is none."""
    if target.kind not in (TargetKind.CHANNEL, TargetKind.GROUP):
        return None, ""
    channel, address = target.place
    if world.channels is not None and channel not in world.channels:
        return None, f"{target} cannot be told: {channel} is not configured"
    if target.kind is TargetKind.CHANNEL:
        return Room(channel, address, str(target)), ""
    room = None if team is None else team.channels.get(channel)
    if not room:
        return None, f"{target} cannot be mentioned: {team.id if team else 'the team'} has no room on {channel}"
    return Room(channel, room, str(target), address), ""
