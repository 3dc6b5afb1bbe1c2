"""Opsgenie: answers of its REST API v2 (`{"data": [...]}` of users, teams, schedules with rotations, escalations).

A rule of an escalation there says when after the alert it notifies; a level here, how long it has. Rotations that
overlap all notify there; here the first that covers an instant decides.
"""

from collections.abc import Iterable, Mapping
from datetime import time
from itertools import pairwise

from pydantic import Field

from fireline.apps.import_draft import (
    DAYS,
    LAST_WAIT,
    Draft,
    Shape,
    Signs,
    Sorted,
    hours,
    is_zone,
    moment,
    started,
    wall,
    with_restrictions,
)
from fireline.domain.oncall import NOBODY

_UNITS = {"hourly": "h", "daily": "d", "weekly": "w"}
_MINUTES = {"minutes": 1, "hours": 60, "days": 1440}


class Recipient(Shape):
    """A user, team, schedule or escalation that is named."""

    type: str = ""
    id: str = ""
    username: str = ""
    name: str = ""


class User(Shape):
    """A user."""

    id: str = ""
    username: str
    full_name: str = Field("", alias="fullName")
    time_zone: str | None = Field(None, alias="timeZone")


class Hours(Shape):
    """Hours of a rotation."""

    start_day: str = Field("", alias="startDay")
    start_hour: int = Field(alias="startHour")
    start_min: int = Field(0, alias="startMin")
    end_day: str = Field("", alias="endDay")
    end_hour: int = Field(alias="endHour")
    end_min: int = Field(0, alias="endMin")


class TimeRestriction(Shape):
    """When a rotation counts."""

    type: str
    restriction: Hours | None = None
    restrictions: list[Hours] = Field(default_factory=list)


class Rotation(Shape):
    """A rotation."""

    name: str = "rotation"
    start: str = Field(alias="startDate")
    end: str | None = Field(None, alias="endDate")
    type: str = "weekly"
    length: int = 1
    participants: list[Recipient] = Field(default_factory=list)
    restriction: TimeRestriction | None = Field(None, alias="timeRestriction")


class Schedule(Shape):
    """A schedule."""

    id: str = ""
    name: str
    timezone: str = "UTC"
    enabled: bool = True
    rotations: list[Rotation] = Field(default_factory=list)


class Delay(Shape):
    """When after the alert."""

    amount: int = Field(0, alias="timeAmount")
    unit: str = Field("minutes", alias="timeUnit")


class Rule(Shape):
    """A rule of an escalation."""

    condition: str = "if-not-acked"
    notify: str = Field("default", alias="notifyType")
    delay: Delay = Field(default_factory=lambda: Delay.model_validate({}))
    recipient: Recipient


class Repeat(Shape):
    """How often an escalation is repeated."""

    wait: int = Field(0, alias="waitInterval")
    count: int = 0


class Escalation(Shape):
    """An escalation."""

    id: str = ""
    name: str
    rules: list[Rule]
    repeat: Repeat | None = None
    owner: Recipient | None = Field(None, alias="ownerTeam")


class Member(Shape):
    """A member of a team."""

    user: Recipient


class Team(Shape):
    """A team."""

    id: str = ""
    name: str
    members: list[Member]


class Override(Shape):
    """An override; `_parent`, as answers have it, names its schedule."""

    user: Recipient
    start: str = Field(alias="startDate")
    end: str = Field(alias="endDate")
    rotations: list[Recipient] = Field(default_factory=list)
    parent: Recipient | None = Field(None, alias="_parent")


_SIGNS: Signs = (
    (frozenset({"user", "startDate"}), Override),
    (frozenset({"rotations"}), Schedule),
    (frozenset({"name", "timezone"}), Schedule),
    (frozenset({"rules"}), Escalation),
    (frozenset({"members"}), Team),
    (frozenset({"username"}), User),
)


def take(documents: Iterable[object], draft: Draft) -> None:
    """Read answers of the API into the draft; what an entry is, its fields tell. Raises pydantic's ValidationError."""
    export = Sorted.of_documents(documents, "data", _SIGNS, draft)
    for user in export.all(User):
        draft.add_person(user.username, user.full_name or user.username, user.username, user.time_zone)
        draft.note(f"{user.full_name or user.username}: contacts other than the e-mail address are not in this export")
    schedules, overrides = export.all(Schedule), export.all(Override)
    for schedule in schedules:
        _schedule(schedule, overrides, draft)
    known = {schedule.name for schedule in schedules}
    for override in overrides:
        if override.rotations:
            named = ", ".join(each.name or each.id for each in override.rotations)
            draft.note(f"the override from {override.start} is of {named} alone there; here of the whole schedule")
        if override.parent is None or override.parent.name not in known:
            draft.note(f"an override from {override.start} names no schedule of the export, it is left out")
    for escalation in export.all(Escalation):
        _escalation(escalation, draft)
    for team in export.all(Team):
        _team(team, export.all(Escalation), draft)


def _schedule(schedule: Schedule, overrides: Iterable[Override], draft: Draft) -> None:
    zone = schedule.timezone
    if not is_zone(zone):
        draft.note(f"schedule {schedule.name}: the time zone {zone!r} is unknown; UTC is assumed")
        zone = "UTC"
    if not schedule.enabled:
        draft.note(f"schedule {schedule.name} is disabled there; here it counts")
    if not schedule.rotations:
        draft.note(f"schedule {schedule.name}: it has no rotations in the export; fetch it with `?expand=rotation`")
        return
    layers = [made for each in schedule.rotations if (made := _layer(each, schedule.name, zone, draft)) is not None]
    if not layers:
        draft.note(f"schedule {schedule.name}: no rotation is left, it is left out")
        return
    if len(layers) > 1:
        draft.note(f"schedule {schedule.name}: where rotations overlap all are notified there, here the first one is")
    entry: dict[str, object] = {"time_zone": zone, "layers": layers}
    own = [each for each in overrides if each.parent is not None and each.parent.name == schedule.name]
    if own:
        entry["overrides"] = [
            {
                "person": draft.person(each.user.username or each.user.id, each.user.username or each.user.id),
                "start": wall(moment(each.start, zone)),
                "end": wall(moment(each.end, zone)),
                "reason": "override in Opsgenie",
            }
            for each in own
        ]
    draft.schedules[draft.name("schedule", schedule.name, schedule.name)] = entry


def _layer(rotation: Rotation, title: str, zone: str, draft: Draft) -> dict[str, object] | None:
    where = f"schedule {title}, rotation {rotation.name}"
    people = []
    for each in rotation.participants:
        if each.type == "user":
            people.append(draft.person(each.username or each.id, each.username or each.name or each.id))
            continue
        people.append(NOBODY)
        if each.type != "none":
            draft.note(f"{where}: the turns of the {each.type} {each.name or each.id}".rstrip() + " are nobody's here")
    unit = _UNITS.get(rotation.type)
    if not set(people) - {NOBODY} or unit is None:
        draft.note(
            f"{where}: {'no user is in it' if unit else f'its type {rotation.type!r} is unknown'}, it is left out"
        )
        return None
    layer: dict[str, object] = {"name": rotation.name, "people": people, "every": f"{rotation.length}{unit}"}
    entry = started(layer, moment(rotation.start, zone))
    if rotation.end is not None:
        entry["until"] = wall(moment(rotation.end, zone))
    return with_restrictions(entry, _restrictions(rotation.restriction))


def _restrictions(given: TimeRestriction | None) -> list[dict[str, object] | None]:
    if given is None:
        return []
    if given.restriction is not None:
        span = given.restriction
        return [hours(list(DAYS), time(span.start_hour, span.start_min), _seconds(span, 0))]
    return [_weekly(span) for span in given.restrictions]


def _weekly(span: Hours) -> dict[str, object] | None:
    first, last = DAYS.index(span.start_day[:3].lower()), DAYS.index(span.end_day[:3].lower())
    return hours([DAYS[first]], time(span.start_hour, span.start_min), _seconds(span, (last - first) % 7))


def _seconds(span: Hours, days: int) -> int:
    """How long the hours are; those that would be no time at all go once around."""
    minutes = days * 1440 + (span.end_hour - span.start_hour) * 60 + span.end_min - span.start_min
    return (minutes if minutes > 0 else minutes + (10_080 if span.start_day else 1440)) * 60


def _escalation(escalation: Escalation, draft: Draft) -> None:
    steps: dict[int, list[str]] = {}
    for number, rule in enumerate(escalation.rules, start=1):
        where = f"escalation {escalation.name}, rule {number}"
        if rule.condition != "if-not-acked":
            draft.note(f"{where}: the condition {rule.condition} is not taken over; an acknowledgement ends it")
        target = _target(rule, where, draft)
        if target is not None:
            steps.setdefault(rule.delay.amount * _MINUTES.get(rule.delay.unit, 1), []).append(target)
    if not steps:
        draft.note(f"escalation {escalation.name}: no rule is left, it is left out")
        return
    repeat = escalation.repeat or Repeat.model_validate({})
    made = draft.name("policy", escalation.name, escalation.name)
    draft.policies[made] = {"levels": _levels(steps, repeat, escalation.name, draft), "repeat": min(repeat.count, 20)}


def _levels(steps: Mapping[int, list[str]], repeat: Repeat, title: str, draft: Draft) -> list[dict[str, object]]:
    ordered = sorted(steps)
    if ordered[0] > 0:
        draft.note(f"escalation {title}: it waits {ordered[0]} min before its first rule; here it begins at once")
    waits = [f"{later - earlier}m" for earlier, later in pairwise(ordered)]
    last = f"{repeat.wait}m" if repeat.wait > 0 else LAST_WAIT
    if repeat.wait <= 0:
        draft.note(f"escalation {title}: how long its last rule has is not said; {LAST_WAIT} is assumed")
    return [{"targets": steps[at], "wait": wait} for at, wait in zip(ordered, [*waits, last], strict=True)]


def _target(rule: Rule, where: str, draft: Draft) -> str | None:
    to = rule.recipient
    if to.type == "user":
        return f"person:{draft.person(to.username or to.id, to.username or to.name or to.id)}"
    schedule = draft.known("schedule", to.name) if to.type == "schedule" else None
    if schedule is None or rule.notify not in {"default", "next"}:
        draft.note(f"{where}: notifying {rule.notify} of {to.type} {to.name or to.id} is not taken over")
        return None
    return f"{'next' if rule.notify == 'next' else 'schedule'}:{schedule}"


def _team(team: Team, escalations: Iterable[Escalation], draft: Draft) -> None:
    owned = [e.name for e in escalations if e.owner is not None and e.owner.name == team.name]
    policies = [name for each in owned if (name := draft.known("policy", each)) is not None]
    if not policies:
        draft.note(f"team {team.name}: no escalation is its own, it is left out; teams here need a policy")
        return
    if len(policies) > 1:
        draft.note(f"team {team.name}: of its escalations {', '.join(policies)} the first is taken")
    members = [draft.person(m.user.username or m.user.id, m.user.username or m.user.id) for m in team.members]
    made = draft.name("team", team.name, team.name)
    draft.teams[made] = {"name": team.name, "policy": policies[0], "members": members}
