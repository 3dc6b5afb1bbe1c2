"""When nobody at all could be asked because nobody was on call: whoever comes on call next is asked as they do. Pure.

An incident that somebody was asked about, and that nobody took, is not asked about again by this.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fireline.domain.deciding_draft import Draft
from fireline.domain.deciding_words import wall
from fireline.domain.oncall import TargetKind
from fireline.domain.paging import policy_of, unreachable
from fireline.domain.rota import gaps, who

KIND = "on_call"
"""The deadline at which a shift begins that was waited for."""
LOOK = timedelta(days=14)
"""How far ahead a shift is looked for."""


def wait_for_shift(draft: Draft) -> str:
    """Arm the deadline of the next shift that one of the policies asks; who has it and from when on, for people."""
    found = min(_shifts(draft), default=None)
    if found is None:
        return ""
    begins, person, zone = found
    draft.arm(KIND, begins)
    return f" {draft.world.name(person)} is on call from {wall(begins, zone, draft.now)} on, and is asked then."


def _shifts(draft: Draft) -> Iterator[tuple[float, str, str]]:
    """When the gaps of now end, who has the schedule then, and its zone."""
    world, now = draft.world, datetime.fromtimestamp(draft.now, UTC)
    service = world.service(draft.incident.service)
    policies = [
        policy_of(world.team(team), world) for team in (draft.incident.owner, service.backup if service else "")
    ]
    targets = [target for policy in policies if policy for level in policy.levels for target in level.targets]
    for name in sorted({target.id for target in targets if target.kind is TargetKind.SCHEDULE}):
        schedule = world.oncall.schedules.get(name)
        if schedule is None or who(schedule, now) is not None:
            continue
        until = gaps(schedule, now, now + LOOK)[0][1]
        shift = who(schedule, until)
        if shift is not None and not unreachable(shift.person, world):
            yield until.timestamp(), shift.person, schedule.time_zone
