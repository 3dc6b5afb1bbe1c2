"""Tests of rules: from the form of a rule file to domain values, and what can be checked of them alone."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.events import Kind
from fireline.domain.rule_tests import (
    AcceptedMutant,
    Expectation,
    ExpectedSignal,
    RuleTest,
    Series,
    SingleEvent,
    Wanted,
    WantedNumber,
    WantedText,
)
from fireline.spec import codes
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.rule_test_forms import (
    MAX_POINTS,
    AcceptForm,
    EventForm,
    ExpectForm,
    SeriesForm,
    SignalForm,
    TestForm,
)

SAMPLES, REASON, SUMMARY = "samples", "reason", "summary"
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_COMPARED = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_BETWEEN = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})")
_ABOUT = re.compile(rf"({_NUMBER})\s*(?:\+-|±)\s*({_NUMBER})\s*(%?)")
_EXPECTS = "write `expect:`, `signals:` or `pages:`"
_HINT = "write a number, `>= 50`, `800..900`, `80 +- 5`, `80 +- 10%` or `none`"


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test may name of its rule."""

    by: Collection[str]
    measures: Collection[str]
    severities: Collection[str]


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document
    findings: Findings
    tested: Tested

    def error(self, path: Path, message: str, hint: str = "", *, key: bool = False, code: str = codes.INVALID) -> None:
        self.findings.error(self.document, path, message, hint, key=key, code=code)

    def line(self, path: Path) -> int:
        return self.document.place(path).line


def read_tests(
    document: Document,
    path: Path,
    forms: Sequence[TestForm],
    tested: Tested,
    findings: Findings,
    *,
    places: Sequence[int] | None = None,
) -> tuple[RuleTest, ...]:
    """The tests that stand at `path` (a list, or those `places` of it); their faults are noted."""
    reader = _Reader(document, findings, tested)
    names: dict[str, int] = {}
    places = places if places is not None else range(len(forms))
    for index, form in zip(places, forms, strict=True):
        place = (*path, index, "name")
        if form.name in names:
            reader.error(
                place,
                f"there is a test `{form.name[:60]}` already, in line {names[form.name]}",
                code=codes.DUPLICATE_NAME,
            )
        names.setdefault(form.name, reader.line(place))
    return tuple(_test(form, (*path, index), reader) for index, form in zip(places, forms, strict=True))


def read_accepted(document: Document, path: Path, forms: Iterable[AcceptForm]) -> tuple[AcceptedMutant, ...]:
    """The mutants that need not be noticed, of the list at `path`."""
    return tuple(
        AcceptedMutant(form.mutant, form.reason, document.place((*path, index)).line)
        for index, form in enumerate(forms)
    )


def _test(form: TestForm, path: Path, reader: _Reader) -> RuleTest:
    if not form.expect and form.signals is None and form.pages is None:
        reader.error(path, f"the test `{form.name[:60]}` expects nothing", _EXPECTS, code=codes.MISSING)
    return RuleTest(
        name=form.name,
        every=form.every,
        series=tuple(_series(part, (*path, "series", n), reader) for n, part in enumerate(form.series)),
        events=tuple(map(_event, form.events)),
        expect=tuple(_expectation(e, (*path, "expect", n), reader) for n, e in enumerate(form.expect)),
        signals=None if form.signals is None else _signals(form.signals, path, reader),
        only=form.only,
        pages=form.pages,
        start=form.start,
        line=reader.line(path),
        pages_line=reader.line((*path, "pages")),
    )


def _series(form: SeriesForm, path: Path, reader: _Reader) -> Series:
    on = Kind(form.on) if form.on else None
    if (form.values is None) == (form.count is None):
        found = "neither" if form.values is None else "both"
        reader.error(path, f"one of `values` and `count` was expected, found {found}", "such as `values: 0+200x10`")
    return Series(
        form.fields, form.field, tuple(form.values or ()), _counts(form, path, reader), form.every, form.at, on
    )


def _counts(form: SeriesForm, path: Path, reader: _Reader) -> tuple[int, ...]:
    counts = [0.0 if count is None else count for count in form.count or ()]
    if any(count < 0 or not count.is_integer() for count in counts):
        reader.error(
            (*path, "count"),
            "`count` says how many events there are: whole numbers were expected",
            code=codes.WRONG_VALUE,
        )
        return ()
    if sum(counts) > MAX_POINTS:
        reader.error((*path, "count"), f"a series has at most {MAX_POINTS} events", code=codes.WRONG_VALUE)
        return ()
    return tuple(map(int, counts))


def _event(form: EventForm) -> SingleEvent:
    return SingleEvent(form.at, form.fields, form.late, Kind(form.on) if form.on else None)


def _signals(forms: Sequence[SignalForm], path: Path, reader: _Reader) -> tuple[ExpectedSignal, ...]:
    return tuple(_signal(form, (*path, "signals", n), reader) for n, form in enumerate(forms))


def _expectation(form: ExpectForm, path: Path, reader: _Reader) -> Expectation:
    evidence = _evidence(form, path, reader)
    return Expectation(form.at, form.state, form.severity, form.entity, evidence, reader.line(path))


def _signal(form: SignalForm, path: Path, reader: _Reader) -> ExpectedSignal:
    evidence = _evidence(form, path, reader)
    return ExpectedSignal(form.at, form.state, form.severity, form.entity, evidence, form.within, reader.line(path))


def _evidence(form: ExpectForm | SignalForm, path: Path, reader: _Reader) -> Mapping[str, Wanted]:
    """The evidence of an expectation, with what else can be told of it checked."""
    tested = reader.tested
    if form.severity is not None and form.severity not in tested.severities:
        hint = suggestion(form.severity, tested.severities)
        reader.error((*path, "severity"), f"the rule has no level `{form.severity}`", hint, code=codes.UNKNOWN_NAME)
    if form.severity is not None and form.state == "clear":
        reader.error((*path, "severity"), "what is clear has no severity", "remove it, or expect `state: firing`")
    for name in form.entity:
        if name not in tested.by:
            hint = suggestion(name, tested.by)
            reader.error(
                (*path, "entity", name), f"`{name}` is not a label of `by`", hint, key=True, code=codes.UNKNOWN_NAME
            )
    found = {name: _wanted(name, value, (*path, "evidence", name), reader) for name, value in form.evidence.items()}
    return {name: wanted for name, wanted in found.items() if wanted is not None}


def _wanted(name: str, value: object, path: Path, reader: _Reader) -> Wanted | None:
    known = reader.tested.measures
    if name not in known and name in {REASON, SUMMARY}:
        text = str(value)
        return WantedText(text.removeprefix("~"), part=text.startswith("~"))
    if name not in known and name != SAMPLES:
        hint = suggestion(name, [*known, SAMPLES, REASON, SUMMARY])
        reader.error(path, f"`{name}` is no measure of the rule", hint, key=True, code=codes.UNKNOWN_NAME)
        return None
    try:
        return wanted_number(value)
    except ValueError as fault:
        reader.error(path, str(fault), _HINT, code=codes.WRONG_VALUE)
        return None


def wanted_number(value: object) -> WantedNumber:
    """What a number must be: a plain one to the last digit that is written, a comparison, none. Raises ValueError."""
    text = str(value).strip()
    if value is None or text == "none":
        return WantedNumber("none", absent=True)
    if isinstance(value, bool):
        raise ValueError(f"`{text}` is not a number")
    if re.fullmatch(_NUMBER, text):
        half = _last_digit(text) / 2
        return WantedNumber(text, float(text) - half * 1.0000001, float(text) + half * 1.0000001)
    if found := _COMPARED.fullmatch(text):
        return _compared(text, found[1], float(found[2]))
    if found := _BETWEEN.fullmatch(text):
        return WantedNumber(text, float(found[1]), float(found[2]))
    if found := _ABOUT.fullmatch(text):
        middle, by = float(found[1]), float(found[2])
        by = abs(middle) * by / 100 if found[3] else by
        return WantedNumber(text, middle - by, middle + by)
    raise ValueError(f"`{text[:40]}` says no number")


def _last_digit(text: str) -> float:
    """What one step of the last written digit is worth: 0.1 of `812.4`, 1 of `50`."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return math.pow(10.0, int(exponent or 0) - decimals)


def _compared(text: str, how: str, bound: float) -> WantedNumber:
    if how.startswith(">"):
        return WantedNumber(text, low=bound, open_low=how == ">")
    return WantedNumber(text, high=bound, open_high=how == "<")
