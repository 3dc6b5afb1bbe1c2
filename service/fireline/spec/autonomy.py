"""The autonomy table: from `autonomy.yaml` to rows; and rows that can never apply."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.autonomy_table import Record, Row, covers
from fireline.domain.catalog import Severity
from fireline.domain.runbooks import Autonomy, Oscillation
from fireline.spec import codes
from fireline.spec.autonomy_forms import AutonomyFile, RowForm
from fireline.spec.calendars import Calendars, hours_of
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.reading import read_model


@dataclass(frozen=True, slots=True)
class Table:
    """What the file says: its rows, in their order, and when runs undo each other's work too often."""

    rows: Sequence[Row] = ()
    oscillation: Oscillation = field(default_factory=Oscillation)


def read_autonomy(
    document: Document,
    calendars: Calendars | None,
    names: Mapping[str, Collection[str] | None],
    findings: Findings,
) -> Table:
    """The table. `names` are those that `severity`, `service` and `runbook` may be; None: not known."""
    form = read_model(document, AutonomyFile, findings)
    if form is None:
        return Table()
    rows = [_row(document, index, part, calendars, findings) for index, part in enumerate(form.autonomy)]
    for index, part in enumerate(form.autonomy):
        _check_names(document, index, part, names, findings)
    _check_order(document, rows, findings)
    return Table(rows, Oscillation(form.oscillation.reversals, form.oscillation.per))


def known_names(
    severities: Sequence[Severity] | None, catalog: Entries | None, runbooks: Collection[str] | None
) -> Mapping[str, Collection[str] | None]:
    """What the fields of a row may name."""
    return {
        "severity": None if severities is None else [each.name for each in severities],
        "service": None if catalog is None else list(catalog.services),
        "runbook": runbooks,
    }


def _row(document: Document, index: int, form: RowForm, calendars: Calendars | None, findings: Findings) -> Row:
    path: Path = ("autonomy", index)
    if form.record is not None and form.record.wrong > form.record.of:
        message = f"of {form.record.of} runs never {form.record.wrong} go wrong"
        findings.error(document, (*path, "record"), message, "raise `of`", code=codes.NEVER_HOLDS)
    return Row(
        name=form.name,
        at_most=Autonomy(form.at_most),
        line=document.place(path).line,
        severities=tuple(form.severity),
        services=tuple(form.service),
        runbooks=tuple(form.runbook),
        hours=hours_of(form.during, form.outside, calendars, (document, path), findings),
        share=form.share_at_least,
        touched=form.services_at_least,
        irreversible=form.irreversible,
        record=None if form.record is None else Record(form.record.wrong, form.record.of),
        overdue=form.review_overdue,
        asked_by=form.asked_by or "",
    )


def _check_names(
    document: Document,
    index: int,
    form: RowForm,
    names: Mapping[str, Collection[str] | None],
    findings: Findings,
) -> None:
    for word, known in names.items():
        for place, name in enumerate(getattr(form, word)):
            if known is not None and name not in known:
                path: Path = ("autonomy", index, word, place)
                findings.error(
                    document, path, f"there is no {word} `{name}`", suggestion(name, known), code=codes.UNKNOWN_NAME
                )


def _check_order(document: Document, rows: Sequence[Row], findings: Findings) -> None:
    """A row that another one before it covers says nothing, nor does one of a name that is taken."""
    for index, row in enumerate(rows):
        taken = next((each for each in rows[:index] if each.name == row.name), None)
        if taken is not None:
            place: Path = ("autonomy", index, "name")
            findings.error(document, place, f"the row `{row.name}` is here twice", code=codes.DUPLICATE_NAME)
        before = next((each for each in rows[:index] if covers(each, row)), None)
        if before is not None:
            message = f"this row never applies: `{before.name}` (line {before.line}) applies whenever it would"
            hint = "put it first, or make the other one narrower"
            findings.error(document, ("autonomy", index, "name"), message, hint, code=codes.NEVER_HOLDS)
