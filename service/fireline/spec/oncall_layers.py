"""Layers of a schedule, from their form, with everything that is wrong with them."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from fireline.domain.oncall import NOBODY, Layer, OnHolidays, Restriction, Stint, Unit
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.oncall_forms import DAYS, LayerForm, RestrictionForm, ShiftForm, Turn, day
from fireline.spec.wall_times import wall


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file a part is, the time zone that holds there, and who there is (None: not known)."""

    document: Document
    path: Path
    time_zone: str
    catalog: Entries | None

    def at(self, *more: str | int) -> "Place":
        """A place further inside."""
        return replace(self, path=(*self.path, *more))

    def instant(self, text: str) -> datetime:
        """A date and time that the form has checked, in UTC; without an offset it is wall time of the zone."""
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(self.time_zone))
        try:
            return aware.astimezone(UTC)
        except OverflowError:  # a year at the edge of the calendar
            return aware.replace(tzinfo=UTC)

    def check_person(self, key: str | int, person: str, findings: Findings) -> None:
        """Note a person whom the catalog does not have."""
        if self.catalog is not None and person not in self.catalog.people:
            hint = suggestion(person, self.catalog.people)
            message = f"there is no person `{person}`"
            findings.error(self.document, (*self.path, key), message, hint, code=codes.UNKNOWN_NAME)


def read_layer(place: Place, form: LayerForm, findings: Findings) -> Layer:
    """A layer; what is wrong is noted, and the layer then is one that says nothing."""
    _check_people(place.at("people"), form, findings)
    stints = tuple(_stint(place.at("shifts", index), part, findings) for index, part in enumerate(form.shifts))
    _check_kind(place, form, findings)
    begins = None if form.begins is None else place.instant(form.begins)
    ends = None if form.ends is None else place.instant(form.ends)
    if begins is not None and ends is not None and ends <= begins:
        findings.error(place.document, (*place.path, "until"), "the layer ends before it begins")
    return Layer(
        name=form.name,
        people=tuple(form.people),
        starts=date.min if form.starts is None else day(form.starts),
        at=wall(form.at),
        every=form.every.units,
        unit=form.every.unit,
        hand_off=_hand_off(place, form.every, form.hand_off, findings),
        restrictions=tuple(
            _restriction(place.at("restrictions", i), r, findings) for i, r in enumerate(form.restrictions)
        ),
        begins=begins,
        ends=ends,
        on_holidays=OnHolidays(form.holidays),
        stints=stints,
        turn_days=_turn_days(place, form, findings),
    )


def _check_people(place: Place, form: LayerForm, findings: Findings) -> None:
    for position, person in enumerate(form.people):
        if person != NOBODY:
            place.check_person(position, person, findings)
        elif place.catalog is not None and NOBODY in place.catalog.people:
            message = f"`{NOBODY}` is a turn that is left open, and the catalog has a person of that name"
            findings.error(place.document, (*place.path, position), message, "give the person another id")


def _turn_days(place: Place, form: LayerForm, findings: Findings) -> frozenset[int]:
    if form.turn_days and form.every.unit is not Unit.DAY:
        message = f"a turn of {form.every.units} {form.every.unit}{'s' * (form.every.units != 1)} counts no days"
        hint = "write `every` as days, fewer than seven or no whole weeks, such as daily or 5d; or remove this"
        findings.error(place.document, (*place.path, "turn_days"), message, hint, key=True)
    return frozenset(DAYS.index(name) for name in form.turn_days)


def _check_kind(place: Place, form: LayerForm, findings: Findings) -> None:
    """A layer is a rotation, or a list of shifts."""
    if form.people and form.shifts:
        message = "a layer has either `people`, who take turns, or `shifts`"
        findings.error(place.document, (*place.path, "shifts"), message, "make two layers of it", key=True)
    elif form.people and form.starts is None:
        message = f"the rotation `{form.name}` does not say when it starts"
        hint = "add `starts:` with the date of the first hand-off, such as 2026-01-05"
        findings.error(place.document, place.path, message, hint, code=codes.MISSING)


def _hand_off(place: Place, turn: Turn, given: int | str | None, findings: Findings) -> int | None:
    if given is None:
        return None
    if turn.unit is Unit.WEEK and isinstance(given, str):
        return list[str](DAYS).index(given)
    if turn.unit is Unit.MONTH and isinstance(given, int):
        return given
    wanted = {Unit.WEEK: "a day of the week, such as mon", Unit.MONTH: "a day of the month, such as 1"}.get(turn.unit)
    message = f"a turn of {turn.units} {turn.unit}{'s' * (turn.units != 1)} cannot hand off on `{given}`"
    hint = "remove it; turns are counted from `starts`" if wanted is None else f"write {wanted}"
    findings.error(place.document, (*place.path, "hand_off"), message, hint)
    return None


def _restriction(place: Place, form: RestrictionForm, findings: Findings) -> Restriction:
    if form.end_day is not None and len(set(form.days)) != 1:
        message = "hours that end on `end_day` begin on one day"
        findings.error(place.document, (*place.path, "end_day"), message, "name one day in `days`")
    end_day = None if form.end_day is None else DAYS.index(form.end_day)
    return Restriction(frozenset(DAYS.index(name) for name in form.days), wall(form.start), wall(form.end), end_day)


def _stint(place: Place, form: ShiftForm, findings: Findings) -> Stint:
    place.check_person("person", form.person, findings)
    start, end = place.instant(form.start), place.instant(form.end)
    if end <= start:
        findings.error(place.document, (*place.path, "end"), "the shift ends before it starts")
    return Stint(form.person, start, end)
