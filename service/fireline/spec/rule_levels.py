"""Levels of a rule, what silence means, and the hours in which either counts."""

from fireline.domain.calendars import Hours
from fireline.domain.rules import Level, NoData
from fireline.spec.calendars import hours_of
from fireline.spec.documents import Path
from fireline.spec.expressions import read_condition, try_types
from fireline.spec.names import Tree, leaves
from fireline.spec.rule_forms import LevelForm, NoDataForm, RuleForm
from fireline.spec.rule_reader import Reader


def read_levels(form: RuleForm, reader: Reader) -> tuple[Level, ...]:
    """The sound levels, the worst first."""
    names = leaves([*form.measures, *form.by])
    hours = _hours(form, (), reader)
    levels = [_level(name, level, form, names, reader, hours=hours) for name, level in form.severity.items()]
    ranks = {severity.name: severity.rank for severity in reader.known.severities or ()}
    found = [level for level in levels if level is not None]
    return tuple(sorted(found, key=lambda level: ranks.get(level.severity, 0)))


def read_no_data(form: RuleForm, reader: Reader) -> NoData | None:
    """What silence means; None when nothing is said of it."""
    if form.no_data is None:
        return None
    reader.check_severity(form.no_data.severity, ("no_data", "severity"))
    own = _hours(form.no_data, ("no_data",), reader)
    return NoData(form.no_data.after, form.no_data.severity, own or _hours(form, (), reader))


def _level(
    name: str, level: LevelForm, form: RuleForm, names: Tree, reader: Reader, *, hours: Hours | None
) -> Level | None:
    reader.check_severity(name, ("severity", name), key=True)
    path: Path = (*reader.path, "severity", name)
    when = read_condition(reader.document, (*path, "when"), level.when, reader.findings, names)
    until = read_condition(reader.document, (*path, "until"), level.until, reader.findings, names)
    for word, condition in (("when", when), ("until", until)):
        if condition is not None:
            place = (*path, word)
            try_types(reader.document, place, condition, reader.findings, numbers=form.measures, texts=form.by)
    own = _hours(level, ("severity", name), reader)
    lasting = _clear_after(name, level, form, reader)
    if when is None:
        return None
    needed = next((each for each in (level.min_samples, form.min_samples) if each is not None), 1)
    return Level(name, when, level.for_, until, lasting, needed, own or hours)


def _clear_after(name: str, level: LevelForm, form: RuleForm, reader: Reader) -> float:
    """How long it must be over; `clear_after` and `keep_firing_for` are two words for it."""
    if level.clear_after is not None and level.keep_firing_for is not None:
        message = "`clear_after` and `keep_firing_for` mean the same"
        reader.error(("severity", name, "keep_firing_for"), message, "remove one of them", key=True)
    given = (level.clear_after, level.keep_firing_for, form.clear_after)
    return next((each for each in given if each is not None), 0.0)


def _hours(form: RuleForm | LevelForm | NoDataForm, path: Path, reader: Reader) -> Hours | None:
    at = (reader.document, (*reader.path, *path))
    return hours_of(form.during, form.outside, reader.known.calendars, at, reader.findings)
