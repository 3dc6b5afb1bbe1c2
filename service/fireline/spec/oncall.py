"""On-call: schedules and escalation policies, checked against the people and teams of the catalog."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from fireline.domain.calendars import Calendar
from fireline.domain.oncall import NOBODY, OnCall, Override, Schedule
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.oncall_forms import OnCallFile, OverrideForm, ScheduleForm
from fireline.spec.oncall_layers import Place, read_layer
from fireline.spec.policies import Named, read_policy
from fireline.spec.reading import read_model


@dataclass(frozen=True, slots=True)
class Beside:
    """What the on-call file is checked against; None: not known, so that it cannot be checked."""

    catalog: Entries | None
    calendars: Mapping[str, Calendar] | None = None
    channels: Collection[str] | None = None


def read_oncall(document: Document, beside: Beside, findings: Findings) -> OnCall | None:
    """Schedules and policies; None when there are faults."""
    before = findings.count()
    form = read_model(document, OnCallFile, findings)
    if form is None:
        return None
    schedules = {name: _schedule(document, name, part, beside, findings) for name, part in form.schedules.items()}
    named = Named(form.schedules, beside.catalog, beside.calendars, beside.channels)
    policies = {name: read_policy(document, name, part, named, findings) for name, part in form.policies.items()}
    return OnCall(schedules, policies) if findings.count() == before else None


def _schedule(document: Document, name: str, form: ScheduleForm, beside: Beside, findings: Findings) -> Schedule:
    path: Path = ("schedules", name)
    if not any(set(layer.people) - {NOBODY} or layer.shifts for layer in form.layers):
        message = f"the schedule `{name}` has nobody in it"
        findings.error(document, path, message, "add a layer with `people: [...]`", key=True)
    place = Place(document, path, form.time_zone, beside.catalog)
    layers = [read_layer(place.at("layers", index), part, findings) for index, part in enumerate(form.layers)]
    overrides = [_override(place.at("overrides", index), part, findings) for index, part in enumerate(form.overrides)]
    holidays = _holidays(document, path, form, beside, findings)
    return Schedule(name, form.time_zone, tuple(layers), tuple(overrides), holidays)


def _holidays(
    document: Document, path: Path, form: ScheduleForm, beside: Beside, findings: Findings
) -> frozenset[date]:
    if form.holidays is None:
        used = next((i for i, layer in enumerate(form.layers) if layer.holidays != "also"), None)
        if used is not None:
            message, hint = "the schedule has no holidays", "name a calendar as `holidays:` of the schedule"
            findings.error(document, (*path, "layers", used, "holidays"), message, hint)
        return frozenset()
    if beside.calendars is None:
        return frozenset()
    if form.holidays not in beside.calendars:
        known = beside.calendars
        hint = suggestion(form.holidays, known) if known else "write it in rules/calendars.yaml"
        message = f"there is no calendar `{form.holidays}`"
        findings.error(document, (*path, "holidays"), message, hint, code=codes.UNKNOWN_NAME)
        return frozenset()
    return beside.calendars[form.holidays].holidays


def _override(place: Place, form: OverrideForm, findings: Findings) -> Override:
    place.check_person("person", form.person, findings)
    start, end = place.instant(form.start), place.instant(form.end)
    if end <= start:
        findings.error(place.document, (*place.path, "end"), "the override ends before it starts")
    return Override(form.person, start, end, form.reason)
