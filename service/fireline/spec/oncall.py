"""On-call: schedules and escalation policies, checked against the people and teams of the catalog."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fireline.domain.oncall import (
    Layer,
    OnCall,
    Override,
    Policy,
    PolicyLevel,
    PolicyTarget,
    Restriction,
    Schedule,
    TargetKind,
)
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.oncall_forms import (
    DAYS,
    LayerForm,
    OnCallFile,
    OverrideForm,
    PolicyForm,
    RestrictionForm,
    ScheduleForm,
    day,
    target,
    wall,
)
from fireline.spec.reading import read_model


def read_oncall(document: Document, catalog: Entries | None, findings: Findings) -> OnCall | None:
    """Schedules and policies; None when there are faults. No catalog: people and teams cannot be checked."""
    before = findings.count()
    form = read_model(document, OnCallFile, findings)
    if form is None:
        return None
    schedules = {name: _schedule(document, name, part, catalog, findings) for name, part in form.schedules.items()}
    policies = {
        name: _policy(document, name, part, form, catalog, findings=findings) for name, part in form.policies.items()
    }
    return OnCall(schedules, policies) if findings.count() == before else None


def _schedule(
    document: Document, name: str, form: ScheduleForm, catalog: Entries | None, findings: Findings
) -> Schedule:
    path: Path = ("schedules", name)
    if not any(layer.people for layer in form.layers):
        message = f"the schedule `{name}` has nobody in it"
        findings.error(document, path, message, "add a layer with `people: [...]`", key=True)
    for index, layer in enumerate(form.layers):
        for position, person in enumerate(layer.people):
            _check_person(document, (*path, "layers", index, "people", position), person, catalog, findings)
    for index, override in enumerate(form.overrides):
        _check_person(document, (*path, "overrides", index, "person"), override.person, catalog, findings)
    overrides = [
        _override(document, (*path, "overrides", index), part, form.time_zone, findings)
        for index, part in enumerate(form.overrides)
    ]
    return Schedule(name, form.time_zone, tuple(_layer(layer) for layer in form.layers), tuple(overrides))


def _layer(form: LayerForm) -> Layer:
    return Layer(
        name=form.name,
        people=tuple(form.people),
        starts=day(form.starts),
        at=wall(form.at),
        every_days=round(form.every / 86_400),
        restrictions=tuple(_restriction(part) for part in form.restrictions),
    )


def _restriction(form: RestrictionForm) -> Restriction:
    return Restriction(frozenset(DAYS.index(name) for name in form.days), wall(form.start), wall(form.end))


def _override(document: Document, path: Path, form: OverrideForm, zone: str, findings: Findings) -> Override:
    start, end = _instant(form.start, zone), _instant(form.end, zone)
    if end <= start:
        findings.error(document, (*path, "end"), "the override ends before it starts")
    return Override(form.person, start, end, form.reason)


def _instant(text: str, zone: str) -> datetime:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
    try:
        return aware.astimezone(UTC)
    except OverflowError:  # a year at the edge of the calendar
        return aware.replace(tzinfo=UTC)


def _policy(
    document: Document, name: str, form: PolicyForm, file: OnCallFile, catalog: Entries | None, *, findings: Findings
) -> Policy:
    known: Mapping[str, Mapping[str, object] | None] = {
        "schedule": file.schedules,
        "person": catalog.people if catalog else None,
        "team": catalog.teams if catalog else None,
    }
    for index, level in enumerate(form.levels):
        for position, text in enumerate(level.targets):
            kind, wanted = target(text)
            names = known[kind]
            if names is not None and wanted not in names:
                path: Path = ("policies", name, "levels", index, "targets", position)
                message = f"there is no {kind} `{wanted}`"
                findings.error(document, path, message, suggestion(wanted, names), code=codes.UNKNOWN_NAME)
    levels = (PolicyLevel(tuple(_target(text) for text in level.targets), level.wait) for level in form.levels)
    return Policy(name, tuple(levels), form.repeat)


def _target(text: str) -> PolicyTarget:
    kind, name = target(text)
    return PolicyTarget(TargetKind(kind), name)


def _check_person(document: Document, path: Path, person: str, catalog: Entries | None, findings: Findings) -> None:
    if catalog is not None and person not in catalog.people:
        message = f"there is no person `{person}`"
        findings.error(document, path, message, suggestion(person, catalog.people), code=codes.UNKNOWN_NAME)
