"""Grafana OnCall: answers of its HTTP API (`{"results": [...]}` of users, schedules, on-call shifts, escalation chains
and their policies), also as its Terraform provider has them.

The shift of a higher level wins there, so layers are written from the highest level down. Of several users who share a
turn there, the first has it here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from fireline.apps.import_draft import LAST_WAIT, Draft, Shape, Signs, Sorted, is_zone, moment, wall
from fireline.apps.import_grafana_turns import Shift, bounds, rotation

REPEATS = 5
"""How often Grafana OnCall repeats a chain that ends in `repeat_escalation`."""


class SlackUser(Shape):
    """A user's Slack account."""

    user_id: str = ""


class User(Shape):
    """A user."""

    id: str
    username: str
    email: str = ""
    timezone: str | None = None
    slack: list[SlackUser] = Field(default_factory=list)


class Schedule(Shape):
    """A schedule."""

    id: str
    name: str
    type: str
    time_zone: str | None = None
    shifts: list[str] = Field(default_factory=list)


class Chain(Shape):
    """An escalation chain."""

    id: str
    name: str


class Step(Shape):
    """A step of a chain."""

    chain: str = Field(alias="escalation_chain_id")
    position: int = 0
    type: str
    duration: int | None = None
    persons_to_notify: list[str] | None = None
    persons_to_notify_next_each_time: list[str] | None = None
    notify_on_call_from_schedule: str | None = None


_SIGNS: Signs = (
    (frozenset({"username"}), User),
    (frozenset({"escalation_chain_id", "type"}), Step),
    (frozenset({"start", "duration"}), Shift),
    (frozenset({"name", "type"}), Schedule),
    (frozenset({"id", "name"}), Chain),
)


def take(documents: Iterable[object], draft: Draft) -> None:
    """Read answers of the API into the draft; what an entry is, its fields tell. Raises pydantic's ValidationError."""
    export = Sorted.of_documents(documents, "results", _SIGNS, draft)
    for user in export.all(User):
        _user(user, draft)
    shifts = {shift.id: shift for shift in export.all(Shift)}
    for schedule in export.all(Schedule):
        _schedule(schedule, shifts, draft)
    chains, steps = export.all(Chain), export.all(Step)
    for chain in chains:
        _chain(chain, sorted((s for s in steps if s.chain == chain.id), key=lambda step: step.position), draft)
    for lost in sorted({step.chain for step in steps} - {chain.id for chain in chains}):
        draft.note(f"steps of the chain {lost} are left out: the chain is not in the export")


def _user(user: User, draft: Draft) -> None:
    made = draft.add_person(user.id, user.username, user.email, user.timezone)
    if user.slack and user.slack[0].user_id:
        entry = draft.people[made]
        entry["contacts"] = {"slack": user.slack[0].user_id, **({"email": user.email} if user.email else {})}
    draft.note(f"{user.username}: personal notification rules are not in this export")


def _schedule(schedule: Schedule, shifts: Mapping[str, Shift], draft: Draft) -> None:
    where = f"schedule {schedule.name}"
    zone = schedule.time_zone or "UTC"
    if not is_zone(zone):
        draft.note(f"{where}: the time zone {zone!r} is unknown; UTC is assumed")
        zone = "UTC"
    if schedule.type == "ical":
        draft.note(f"{where} is an iCalendar file; take it over with `fireline oncall import ics`")
        return
    for lost in [each for each in schedule.shifts if each not in shifts]:
        draft.note(f"{where}: its shift {lost} is not in the export")
    own = sorted((shifts[each] for each in schedule.shifts if each in shifts), key=lambda s: -(s.level or 0))
    layers: list[dict[str, object]] = []
    overrides: list[dict[str, object]] = []
    for shift in own:
        if shift.time_zone not in {None, zone}:
            draft.note(f"{where}, shift {shift.name}: its time zone {shift.time_zone} is read in {zone}")
        if shift.type == "override":
            overrides[:0] = _override(shift, zone, draft)  # among overrides the last one wins here
        elif (layer := _layer(shift, where, zone, draft)) is not None:
            layers.append(layer)
    if not layers:
        draft.note(f"{where}: no shift is left, it is left out")
        return
    levels = [shift.level or 0 for shift in own if shift.type != "override"]
    if len(set(levels)) < len(levels):
        draft.note(
            f"{where}: where shifts of one level overlap, all are notified there; here the first that is listed is"
        )
    entry: dict[str, object] = {"time_zone": zone, "layers": layers}
    draft.schedules[draft.name("schedule", schedule.id, schedule.name)] = (
        {**entry, "overrides": overrides} if overrides else entry
    )


def _span(shift: Shift, zone: str) -> tuple[datetime, datetime]:
    begins = moment(shift.start, shift.time_zone if shift.time_zone and is_zone(shift.time_zone) else zone)
    return begins, begins + timedelta(seconds=shift.duration)


def _override(shift: Shift, zone: str, draft: Draft) -> list[dict[str, object]]:
    begins, ends = _span(shift, zone)
    ends = ends if shift.until is None else min(ends, moment(shift.until, zone))
    users = shift.users or [user for group in shift.rolling_users or [] for user in group]
    return [
        {"person": draft.person(u, u), "start": wall(begins), "end": wall(ends), "reason": "override in Grafana OnCall"}
        for u in users[:1]
    ]


def _layer(shift: Shift, where: str, zone: str, draft: Draft) -> dict[str, object] | None:
    where = f"{where}, shift {shift.name}"
    people = _people(shift, where, draft)
    begins, ends = _span(shift, zone)
    if not people:
        draft.note(f"{where}: nobody is in it, it is left out")
        return None
    if shift.type == "single_event":
        stint = {"person": people[0], "start": wall(begins), "end": wall(ends)}
        return {"name": shift.name or "shift", "shifts": [stint]}
    local = begins.astimezone(moment(shift.start, zone).tzinfo)
    try:
        turns, first = rotation(shift, people, local)
    except ValueError as fault:
        draft.note(f"{where}: {fault}, it is left out")
        return None
    since = bounds(first, turns, None if shift.rotation_start is None else moment(shift.rotation_start, zone))
    entry = {"name": shift.name or "shift", **turns, **({} if since is None else {"from": wall(since)})}
    return entry if shift.until is None else {**entry, "until": wall(moment(shift.until, zone))}


def _people(shift: Shift, where: str, draft: Draft) -> list[str]:
    groups: Sequence[Sequence[str]] = shift.rolling_users or ([shift.users] if shift.users else [])
    if any(len(group) > 1 for group in groups):
        draft.note(f"{where}: several users share a turn there; here the first of them has it")
    first = (shift.start_rotation_from_user_index or 0) % max(1, len(groups))
    ordered = [*groups[first:], *groups[:first]]
    return [draft.person(group[0], group[0]) for group in ordered if group]


def _chain(chain: Chain, steps: Sequence[Step], draft: Draft) -> None:
    """Who is notified between two waits is a level, which has as long as the waits after it take together."""
    levels: list[tuple[list[str], int]] = []
    asked: list[str] = []
    repeat = 0
    for step in steps:
        if step.type == "wait":
            levels += [(asked, 0)] if asked else []
            asked = []
            if levels:
                levels[-1] = levels[-1][0], levels[-1][1] + (step.duration or 300)
            else:
                draft.note(f"chain {chain.name}, step {step.position}: a wait before anybody is notified is left out")
        elif step.type == "repeat_escalation":
            repeat = REPEATS
        else:
            asked += _targets(step, f"chain {chain.name}, step {step.position}", draft)
    written: list[dict[str, object]] = [{"targets": targets, "wait": f"{wait}s"} for targets, wait in levels]
    if asked:
        written.append({"targets": asked, "wait": LAST_WAIT})
        draft.note(f"chain {chain.name}: how long its last step has is not said; {LAST_WAIT} is assumed")
    if not written:
        draft.note(f"chain {chain.name}: no step is left, it is left out")
        return
    draft.policies[draft.name("policy", chain.id, chain.name)] = {"levels": written, "repeat": repeat}


def _targets(step: Step, where: str, draft: Draft) -> list[str]:
    if step.type == "notify_persons":
        return [f"person:{draft.person(user, user)}" for user in step.persons_to_notify or ()]
    if step.type == "notify_person_next_each_time" and step.persons_to_notify_next_each_time:
        draft.note(f"{where}: taking turns by incident is not taken over; all of them are asked")
        return [f"person:{draft.person(user, user)}" for user in step.persons_to_notify_next_each_time]
    if step.type == "notify_on_call_from_schedule":
        known = draft.known("schedule", step.notify_on_call_from_schedule or "")
        if known is not None:
            return [f"schedule:{known}"]
    draft.note(f"{where}: {step.type} is not taken over")
    return []
