"""Maintenance: from `maintenance.yaml` to planned silences; and what of them matches nothing in the files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from dateutil.rrule import rrulestr

from fireline.domain.catalog import Service
from fireline.domain.rules import Match, Matcher, Rule
from fireline.domain.silence_bounds import bounded, excluded, faults
from fireline.domain.silence_matchers import MatcherFault, fits, parse
from fireline.domain.silences import OWN, Comment, Recurrence, Resolves, Silence, instant
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.faults import SyntaxFault
from fireline.spec.findings import Findings, suggestion
from fireline.spec.reading import read_model
from fireline.spec.silence_forms import MaintenanceFile, MaintenanceForm

KEYS = {"matchers": "matchers", "start": "starts", "end": "lasts", "lasts": "lasts", "rule": "repeats"}
"""What the fields of a silence are called in the file, where that differs."""

Maintenance = Mapping[str, Silence]


def read_maintenance(
    document: Document, catalog: Entries | None, longest: float, findings: Findings
) -> Maintenance | None:
    """The planned silences by name; None when there are faults, all of which are noted."""
    before = findings.count()
    form = read_model(document, MaintenanceFile, findings)
    if form is None:
        return None
    found = {
        name: _planned(document, name, part, catalog, findings=findings) for name, part in form.maintenance.items()
    }
    for name, silence in found.items():
        if silence is not None:
            _note_faults(document, ("maintenance", name), silence, longest, findings)
    sound = {name: silence for name, silence in found.items() if silence is not None}
    return sound if findings.count() == before else None


def _planned(
    document: Document, name: str, form: MaintenanceForm, catalog: Entries | None, *, findings: Findings
) -> Silence | None:
    path: Path = ("maintenance", name)
    if catalog is not None and form.author not in catalog.people:
        hint = suggestion(form.author, catalog.people)
        place = (*path, "author")
        findings.error(document, place, f"there is no person `{form.author}`", hint, code=codes.UNKNOWN_NAME)
    try:
        matchers = parse(form.matchers)
    except MatcherFault as fault:
        told = SyntaxFault(str(fault), hint=fault.hint, offset=fault.offset)
        findings.inside(document, (*path, "matchers"), told)
        return None
    first = datetime.fromisoformat(form.starts)
    start = instant(first, form.time_zone)
    end = None if form.repeats else start + form.lasts
    if form.until is not None:
        until = instant(datetime.fromisoformat(form.until), form.time_zone)
        end = until if end is None else min(end, until)
    recurrence = None
    if form.repeats:
        recurrence = Recurrence(form.repeats, form.time_zone, first, form.lasts, tuple(form.without))
    return Silence(
        number=0,
        name=name,
        matchers=matchers,
        start=start,
        end=end,
        author=form.author,
        reason=form.reason,
        resolves=Resolves(form.resolves),
        safety=form.safety,
        recurrence=recurrence,
        comments=(Comment(start, form.author, form.comment),) if form.comment else (),
    )


def _note_faults(document: Document, path: Path, silence: Silence, longest: float, findings: Findings) -> None:
    for fault in faults(silence, longest, starts):
        key = KEYS.get(fault.field, fault.field)
        place = (*path, key) if document.node((*path, key)) is not None else path
        findings.error(document, place, fault.message, fault.hint)


def starts(recurrence: Recurrence, since: datetime, until: datetime) -> Sequence[datetime]:
    """The wall times within two at which windows begin, the first hundreds of them; raises ValueError."""
    text, count = bounded(recurrence, until)
    most = 1000 if count is None else min(count, 1000)
    found = islice(rrulestr(text, dtstart=recurrence.first), most)
    return [wall for wall in found if since <= wall <= until and not excluded(recurrence, wall)]


def check_maintenance(
    document: Document, maintenance: Maintenance, rules: Iterable[Rule], catalog: Entries, findings: Findings
) -> None:
    """Warn of each planned silence that no rule of the files can ever be held back by."""
    possible = [labels for rule in rules for labels in _labels(rule, catalog)]
    for name, silence in maintenance.items():
        matchers = [each for each in silence.matchers if each.label in _TELLING]
        if any(fits(_known(matchers, labels), labels) for labels in possible) or _of_fireline(matchers):
            continue
        message = f"no rule of these files would ever be silenced by `{name}`"
        hint = _nearest(silence, catalog, possible) or "compare its matchers with the names of rules and services"
        findings.warning(document, ("maintenance", name, "matchers"), message, hint, code=codes.NO_EFFECT)


_TELLING = frozenset({"service", "rule", "severity", "owner"})
"""The labels whose values the files tell; others come with the events."""


def _of_fireline(matchers: Iterable[Matcher]) -> bool:
    """Whether they are about Fireline's own alerts, which need no rule."""
    found = [each for each in matchers if each.label == "service"]
    return bool(found) and fits(found, {"service": OWN})


def _known(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> list[Matcher]:
    return [each for each in matchers if each.label in labels]


def _labels(rule: Rule, catalog: Entries) -> Iterator[Mapping[str, str]]:
    """What the signals of a rule may be labelled with; a service that events name may be any of the catalog."""
    source = rule.service.source
    constant = isinstance(source, str) and "{{" not in source
    named = [source] if constant else _services_of(rule) or list(catalog.services)
    for name in named:
        service = _service(str(name), catalog)
        owner = rule.owner or (service.owner if service is not None else catalog.default_team)
        known = {"service": str(name) if service is None else service.id, "rule": rule.name}
        for severity in {level.severity for level in rule.levels} | (
            {rule.no_data.severity} if rule.no_data else set()
        ):
            yield {**known, "severity": severity, **({"owner": owner} if owner else {})}


def _service(name: str, catalog: Entries) -> Service | None:
    return next((each for each in catalog.services.values() if name == each.id or name in each.aliases), None)


def _services_of(rule: Rule) -> list[str]:
    return [
        value for each in rule.where if each.label == "service" and each.how is Match.ANY_OF for value in each.values
    ]


def _nearest(silence: Silence, catalog: Entries, possible: Sequence[Mapping[str, str]]) -> str:
    for each in silence.matchers:
        known = {labels[each.label] for labels in possible if each.label in labels}
        if each.how is Match.ANY_OF and each.label in _TELLING and each.values[0] not in known:
            return f"{each.label}: " + suggestion(each.values[0], known)
    return ""
