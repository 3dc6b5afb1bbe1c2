"""Calendars: from `calendars.yaml` to domain calendars, and the hours that a rule names."""

from collections.abc import Mapping
from datetime import date

from fireline.domain.calendars import Calendar, Hours, Span
from fireline.spec import codes
from fireline.spec.calendar_forms import CalendarForm, CalendarsFile, days, span
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.reading import read_model

Calendars = Mapping[str, Calendar]


def read_calendars(document: Document, findings: Findings) -> Calendars | None:
    """The calendars by name; None when there are faults, all of which are noted."""
    before = findings.count()
    form = read_model(document, CalendarsFile, findings)
    if form is None:
        return None
    found = {name: _calendar(name, calendar, document, findings) for name, calendar in form.calendars.items()}
    return found if findings.count() == before else None


def _calendar(name: str, form: CalendarForm, document: Document, findings: Findings) -> Calendar:
    spans = [Span(day, *span(text)) for named, texts in form.hours.items() for day in days(named) for text in texts]
    holidays = [each if isinstance(each, date) else date.fromisoformat(each) for each in form.holidays]
    for index, day in enumerate(holidays):
        if day in holidays[:index]:
            path: Path = ("calendars", name, "holidays", index)
            findings.error(document, path, f"{day} is a holiday already", "remove one", code=codes.DUPLICATE_NAME)
    return Calendar(name, form.time_zone, tuple(spans), frozenset(holidays))


def hours_of(
    during: str | None, outside: str | None, calendars: Calendars | None, at: tuple[Document, Path], findings: Findings
) -> Hours | None:
    """The hours that `during:` or `outside:` at a place name; None without, or when that is a fault, which is noted."""
    document, path = at
    if during is not None and outside is not None:
        message = "`during` and `outside` exclude one another"
        findings.error(document, (*path, "outside"), message, "remove one of them", key=True)
        return None
    name = during if during is not None else outside
    if name is None or calendars is None:
        return None
    if name not in calendars:
        hint = suggestion(name, calendars) if calendars else "write it in rules/calendars.yaml"
        place = (*path, "during" if during is not None else "outside")
        findings.error(document, place, f"there is no calendar `{name}`", hint, code=codes.UNKNOWN_NAME)
        return None
    return Hours(calendars[name], inside=during is not None)
