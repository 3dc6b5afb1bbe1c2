"""Whom an escalation level reaches now, and why each of them: targets become persons with a way to be reached."""

from collections.abc import Iterator
from dataclasses import dataclass

from fireline.domain.catalog import Person, Team
from fireline.domain.deciding_world import World
from fireline.domain.oncall import Policy, PolicyLevel, PolicyTarget, Shift, TargetKind
from fireline.domain.rota import who


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person that a target names, and what says so; times in seconds since the epoch."""

    person: str
    source: str | None = None
    schedule: str | None = None
    until: float | None = None
    next_person: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The persons of one level who can be reached, and why others of it cannot."""

    found: tuple[Candidate, ...]
    missed: tuple[str, ...]


def contacts(person: Person, world: World) -> list[tuple[str, str]]:
    """Channel and address, in the person's order, of the channels that are configured."""
    known = world.channels
    return [(c, a) for c, a in person.contacts.items() if a and (known is None or c in known)]


def reach(level: PolicyLevel, world: World, now: float) -> Reach:
    """Everyone the level's targets name at `now`, each once, and the reasons for whom it cannot reach."""
    found: dict[str, Candidate] = {}
    missed: list[str] = []
    for target in level.targets:
        candidates, reason = _candidates(target, world, now)
        missed += [reason] if reason else []
        for candidate in candidates:
            if contacts(world.person(candidate.person), world):
                found.setdefault(candidate.person, candidate)
            else:
                missed.append(f"{world.name(candidate.person)} has no contact on a configured channel")
    return Reach(tuple(found.values()), tuple(missed))


def policy_of(team: Team | None, world: World) -> Policy | None:
    """The team's escalation policy, None when it names none that exists."""
    return None if team is None else world.oncall.policies.get(team.policy)


def positions(policy: Policy, level: int, round_: int) -> Iterator[tuple[int, int]]:
    """Level and round, from this position to the end of the last round (`repeat` rounds follow the first)."""
    for number in range(round_, policy.repeat + 1):
        for index in range(level if number == round_ else 0, len(policy.levels)):
            yield index, number


def _candidates(target: PolicyTarget, world: World, now: float) -> tuple[list[Candidate], str]:
    """The persons behind one target; the reason when there is none."""
    match target.kind:
        case TargetKind.PERSON:
            return [Candidate(target.id, "named by the policy")], ""
        case TargetKind.TEAM:
            team = world.team(target.id)
            members = () if team is None else team.members
            found = [Candidate(person, f"member of {target.id}") for person in members]
            return found, "" if found else f"team {target.id} has no members"
        case TargetKind.SCHEDULE:
            return _on_schedule(target.id, world, now)


def _on_schedule(name: str, world: World, now: float) -> tuple[list[Candidate], str]:
    schedule = world.oncall.schedules.get(name)
    if schedule is None:
        return [], f"schedule {name} does not exist"
    shift = who(schedule, now)
    if shift is None:
        return [], f"nobody is on call on schedule {name}"
    return [_from_shift(shift)], ""


def _from_shift(shift: Shift) -> Candidate:
    until = None if shift.until is None else shift.until.timestamp()
    return Candidate(shift.person, shift.source, shift.schedule, until, shift.next_person)
