"""Escalation policies: from their forms to domain policies, checked against what they name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fireline.domain.calendars import Calendar
from fireline.domain.paging_conditions import NAMES
from fireline.domain.policies import ALL, Count, Policy, PolicyLevel, PolicyTarget, TargetKind, When
from fireline.spec import codes
from fireline.spec.calendars import hours_of
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.expressions import read_condition, try_types
from fireline.spec.findings import Findings, suggestion
from fireline.spec.names import leaves
from fireline.spec.policy_forms import ConditionsForm, PolicyForm, PolicyLevelForm, TargetForm, target

_NUMBERS = frozenset({"level", "round"})
_ROOMS = frozenset({"channel", "group"})


@dataclass(frozen=True, slots=True)
class Named:
    """What policies may name; None: not known, so that it cannot be checked."""

    schedules: Collection[str]
    catalog: Entries | None = None
    calendars: Mapping[str, Calendar] | None = None
    channels: Collection[str] | None = None

    def of(self, kind: str) -> Collection[str] | None:
        """The names that a kind of target may have."""
        if kind in ("schedule", "next"):
            return self.schedules
        if self.catalog is None:
            return None
        return self.catalog.people if kind == "person" else self.catalog.teams


def read_policy(document: Document, name: str, form: PolicyForm, named: Named, findings: Findings) -> Policy:
    """One policy; its faults are noted."""
    path: Path = ("policies", name, "levels")
    levels = [_level(document, (*path, index), part, named, findings) for index, part in enumerate(form.levels)]
    _check_rooms(document, name, form, named, findings)
    return Policy(name, tuple(levels), form.repeat)


def _level(document: Document, path: Path, form: PolicyLevelForm, named: Named, findings: Findings) -> PolicyLevel:
    targets = [
        _target(document, (*path, "targets", index), part, named, findings) for index, part in enumerate(form.targets)
    ]
    most = _most(form, named)
    if most is not None and form.acknowledge > most:
        message = f"{form.acknowledge} must acknowledge, and at most {most} are asked"
        findings.error(document, (*path, "acknowledge"), message, "write `all`, or name more targets")
    return PolicyLevel(tuple(targets), form.wait or 0.0, _when(document, path, form, named, findings), form.acknowledge)


def _most(form: PolicyLevelForm, named: Named) -> int | None:
    """How many persons the level names at most; None when that cannot be told."""
    if form.acknowledge in (ALL, 1) or named.catalog is None:
        return None
    found = 0
    for kind, name in (target(part.target) for part in form.targets):
        if kind == "group" or (kind == "team" and name not in named.catalog.teams):
            return None
        found += len(named.catalog.teams[name].members) if kind == "team" else int(kind != "channel")
    return found


def _target(document: Document, path: Path, form: TargetForm, named: Named, findings: Findings) -> PolicyTarget:
    kind, wanted = target(form.target)
    if kind in _ROOMS:
        known, wanted_ = named.channels, wanted.partition(":")[0]
        message = f"there is no channel `{wanted_}`"
    else:
        known, wanted_ = named.of(kind), wanted
        message = f"there is no {'schedule' if kind == 'next' else kind} `{wanted}`"
    if known is not None and wanted_ not in known:
        findings.error(document, path, message, suggestion(wanted_, known), code=codes.UNKNOWN_NAME)
    return PolicyTarget(TargetKind(kind), wanted, _when(document, path, form, named, findings))


def _when(document: Document, path: Path, form: ConditionsForm, named: Named, findings: Findings) -> When | None:
    condition = read_condition(document, (*path, "when"), form.when, findings, leaves(NAMES))
    if condition is not None:
        texts = [name for name in NAMES if name not in _NUMBERS]
        try_types(document, (*path, "when"), condition, findings, numbers=_NUMBERS, texts=texts)
    hours = hours_of(form.during, form.outside, named.calendars, (document, path), findings)
    count = None if form.count is None else Count(form.count.incidents, form.count.within)
    return When(condition, hours, count) if (condition, hours, count) != (None, None, None) else None


def _check_rooms(document: Document, name: str, form: PolicyForm, named: Named, findings: Findings) -> None:
    """A group is mentioned in the team's room: a team without one on that channel cannot mention it."""
    teams = [] if named.catalog is None else [team for team in named.catalog.teams.values() if team.policy == name]
    for index, level in enumerate(form.levels):
        for position, part in enumerate(level.targets):
            kind, wanted = target(part.target)
            channel = wanted.partition(":")[0]
            lacking = [team.id for team in teams if kind == "group" and not team.channels.get(channel)]
            if lacking:
                path: Path = ("policies", name, "levels", index, "targets", position)
                message = f"`{lacking[0]}` has no room on {channel} in which the group could be mentioned"
                findings.error(document, path, message, f"add `channels: {{{channel}: ...}}` to the team")
