"""PagerDuty: answers of its REST API v2 (`users`, `teams`, `schedules`, `escalation_policies`, `overrides`).

A layer that the API lists earlier wins over later ones, as here. The order of people, their turns and restrictions are
taken over; what has passed is not.
"""

from collections.abc import Iterable, Mapping
from datetime import time

from pydantic import Field

from fireline.apps.import_draft import (
    DAYS,
    Draft,
    Shape,
    hours,
    is_zone,
    minutes,
    moment,
    started,
    turn,
    wall,
    with_restrictions,
)


class Reference(Shape):
    """Somebody or something that is named."""

    id: str
    type: str = ""
    summary: str | None = None


class ContactMethod(Shape):
    """A way to reach a user."""

    type: str = ""
    address: str = ""


class User(Shape):
    """A user."""

    id: str
    name: str
    email: str = ""
    time_zone: str | None = None
    contact_methods: list[ContactMethod] = Field(default_factory=list)
    teams: list[Reference] = Field(default_factory=list)
    notification_rules: list[dict[str, object]] = Field(default_factory=list)


class Team(Shape):
    """A team."""

    id: str
    name: str = ""
    summary: str = ""


class Restriction(Shape):
    """Hours of a layer; day 1 is Monday."""

    type: str
    start_time_of_day: str
    duration_seconds: int
    start_day_of_week: int | None = None


class LayerUser(Shape):
    """A member of a layer."""

    user: Reference


class Layer(Shape):
    """A layer."""

    name: str = ""
    start: str
    end: str | None = None
    rotation_virtual_start: str
    rotation_turn_length_seconds: int
    users: list[LayerUser] = Field(default_factory=list)
    restrictions: list[Restriction] | None = None


class Entry(Shape):
    """An override."""

    start: str
    end: str
    user: Reference


class Subschedule(Shape):
    """The overrides of a schedule as they were rendered."""

    rendered_schedule_entries: list[Entry] = Field(default_factory=list)


class Schedule(Shape):
    """A schedule."""

    id: str
    name: str = ""
    summary: str = ""
    time_zone: str = "UTC"
    schedule_layers: list[Layer] | None = None
    overrides_subschedule: Subschedule | None = None


class Rule(Shape):
    """A level of a policy."""

    escalation_delay_in_minutes: int
    targets: list[Reference] = Field(default_factory=list)
    escalation_rule_assignment_strategy: dict[str, object] | None = None


class EscalationPolicy(Shape):
    """A policy."""

    id: str
    name: str = ""
    num_loops: int = 0
    escalation_rules: list[Rule] = Field(default_factory=list)
    teams: list[Reference] = Field(default_factory=list)


class Export(Shape):
    """Everything, of however many answers."""

    users: list[User] = Field(default_factory=list)
    teams: list[Team] = Field(default_factory=list)
    schedules: list[Schedule] = Field(default_factory=list)
    escalation_policies: list[EscalationPolicy] = Field(default_factory=list)


LISTS = {"user": "users", "team": "teams", "schedule": "schedules", "escalation_policy": "escalation_policies"}


def gathered(documents: Iterable[object]) -> tuple[dict[str, list[object]], list[str]]:
    """The lists of several answers as one, and the keys of answers that are not taken over."""
    found: dict[str, list[object]] = {name: [] for name in LISTS.values()}
    unknown: list[str] = []
    for document in documents:
        for key, value in document.items() if isinstance(document, Mapping) else ():
            name = LISTS.get(key, key)
            if name in found:
                found[name] += value if isinstance(value, list) else [value]
            elif key not in {"limit", "offset", "more", "total"}:
                unknown.append(key)
    return found, unknown


def take(documents: Iterable[object], draft: Draft) -> None:
    """Read answers of the API into the draft; raises pydantic's ValidationError for what has another shape."""
    lists, unknown = gathered(documents)
    for key in unknown:
        draft.note(f"`{key}` of the export is not taken over")
    export = Export.model_validate(lists)
    for user in export.users:
        _user(user, draft)
    for schedule in export.schedules:
        _schedule(schedule, draft)
    for policy in export.escalation_policies:
        _policy(policy, draft)
    for team in export.teams:
        _team(team, export, draft)


def _user(user: User, draft: Draft) -> None:
    draft.add_person(user.id, user.name, user.email, user.time_zone)
    for method in user.contact_methods:
        if method.type.partition("_")[0] != "email" or method.address != user.email:
            kind = method.type.replace("_", " ") or "contact method"
            draft.note(f"{user.name}: the {kind} is not taken over, write a contact by hand")
    if user.notification_rules:
        draft.note(f"{user.name}: personal notification rules are not taken over")


def _schedule(schedule: Schedule, draft: Draft) -> None:
    title = schedule.name or schedule.summary
    zone = schedule.time_zone
    if not is_zone(zone):
        draft.note(f"schedule {title}: the time zone {zone!r} is unknown; UTC is assumed")
        zone = "UTC"
    if schedule.schedule_layers is None:
        draft.note(f"schedule {title}: it has no layers in the export; fetch it as /schedules/{schedule.id}")
        return
    layers = [made for layer in schedule.schedule_layers if (made := _layer(layer, title, zone, draft)) is not None]
    entry: dict[str, object] = {"time_zone": zone, "layers": layers}
    if schedule.overrides_subschedule is not None and schedule.overrides_subschedule.rendered_schedule_entries:
        entry["overrides"] = [
            {
                "person": draft.person(each.user.id, each.user.summary or each.user.id),
                "start": wall(moment(each.start, zone)),
                "end": wall(moment(each.end, zone)),
                "reason": "override in PagerDuty",
            }
            for each in schedule.overrides_subschedule.rendered_schedule_entries
        ]
    if not any(layer.get("people") for layer in layers):
        draft.note(f"schedule {title}: nobody is in it, it is left out")
        return
    draft.schedules[draft.name("schedule", schedule.id, title)] = entry


def _layer(layer: Layer, title: str, zone: str, draft: Draft) -> dict[str, object] | None:
    where = f"schedule {title}, layer {layer.name}"
    every = turn(layer.rotation_turn_length_seconds)
    if every is None:
        draft.note(f"{where}: turns of {layer.rotation_turn_length_seconds} s are no whole hours, it is left out")
        return None
    people = [draft.person(each.user.id, each.user.summary or each.user.id) for each in layer.users]
    if not people:
        draft.note(f"{where}: nobody is in it, it is left out")
        return None
    virtual, start = moment(layer.rotation_virtual_start, zone), moment(layer.start, zone)
    entry = started({"name": layer.name or "layer", "people": people, "every": every}, virtual)
    if start > virtual:
        entry["from"] = wall(start)
    if layer.end is not None:
        entry["until"] = wall(moment(layer.end, zone))
    return with_restrictions(entry, [_restriction(each, where, draft) for each in layer.restrictions or ()])


def _restriction(given: Restriction, where: str, draft: Draft) -> dict[str, object] | None:
    start = time.fromisoformat(given.start_time_of_day)
    seconds = minutes(given.duration_seconds)
    if start.second or seconds < given.duration_seconds:
        draft.note(f"{where}: seconds of a restriction are cut off")
    days = list(DAYS)
    if given.type == "weekly_restriction" and given.start_day_of_week is not None:
        days = [DAYS[(given.start_day_of_week - 1) % 7]]
    return hours(days, start.replace(second=0), seconds)


def _policy(policy: EscalationPolicy, draft: Draft) -> None:
    levels = []
    for number, rule in enumerate(policy.escalation_rules, start=1):
        where = f"policy {policy.name}, level {number}"
        if (rule.escalation_rule_assignment_strategy or {}).get("type") == "round_robin":
            draft.note(f"{where}: round robin is not taken over; everybody of the level is asked")
        targets = [text for each in rule.targets if (text := _target(each, where, draft)) is not None]
        if targets:
            levels.append({"targets": targets, "wait": f"{rule.escalation_delay_in_minutes}m"})
        else:
            draft.note(f"{where}: nobody is left in it, it is left out")
    if not levels:
        draft.note(f"policy {policy.name}: no level is left, it is left out")
        return
    draft.policies[draft.name("policy", policy.id, policy.name)] = {
        "levels": levels,
        "repeat": min(policy.num_loops, 20),
    }


def _target(target: Reference, where: str, draft: Draft) -> str | None:
    if target.type.startswith("user"):
        return f"person:{draft.person(target.id, target.summary or target.id)}"
    known = draft.known("schedule", target.id) if target.type.startswith("schedule") else None
    if known is None:
        draft.note(f"{where}: {target.type or 'target'} {target.summary or target.id} is not in the export")
        return None
    return f"schedule:{known}"


def _team(team: Team, export: Export, draft: Draft) -> None:
    title = team.name or team.summary or team.id
    members = [draft.known("person", u.id) for u in export.users if team.id in {each.id for each in u.teams}]
    policies = [
        name
        for policy in export.escalation_policies
        if team.id in {each.id for each in policy.teams}
        if (name := draft.known("policy", policy.id)) is not None
    ]
    if not policies:
        draft.note(f"team {title}: no escalation policy is its own, it is left out; teams here need one")
        return
    if len(policies) > 1:
        draft.note(f"team {title}: of its policies {', '.join(policies)} the first is taken")
    draft.teams[draft.name("team", team.id, title)] = {"name": title, "policy": policies[0], "members": members}
