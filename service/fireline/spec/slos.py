"""Service objectives: each becomes ordinary rules, one for each pair of windows and one for what is left of the budget.

The pairs are those of The Site Reliability Workbook, chapter 5 ("Alerting on SLOs"): an alert fires while both a long
window (enough of the budget burnt to matter) and a short one (it is burning still) burn faster than a factor. The
default pairs say how much of the budget is gone after the long window; the factor follows from the period.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pydantic import ValidationError

from fireline.spec import codes
from fireline.spec.documents import Document, Entries, Items, Path, plain
from fireline.spec.durations import written
from fireline.spec.expressions import read_condition
from fireline.spec.findings import Findings, suggestion
from fireline.spec.meaning_levels import check_event_condition
from fireline.spec.panes import pane_fault
from fireline.spec.reading import read_model
from fireline.spec.rule_forms import RuleForm
from fireline.spec.rule_reader import Known, Reader
from fireline.spec.rules import Placed, compiled
from fireline.spec.slo_forms import WHOLE, AlertForm, SloForm
from fireline.spec.slo_rules import EXHAUSTED, Alert, Objective, alert_rule, exhausted_rule, pane_of

PERIOD = 30 * 86_400.0
_DAY = 86_400.0
_DEFAULTS = (
    # name, long window, short window, share of the budget that is gone after the long one, severity
    ("fast_burn", 3_600.0, 300.0, Fraction(2, 100), "outage"),
    ("slow_burn", 6 * 3_600.0, 1_800.0, Fraction(5, 100), "degraded"),
    ("creeping_burn", 3 * _DAY, 6 * 3_600.0, Fraction(10, 100), "notice"),
)
_EXHAUSTED_SEVERITY = "notice"
_KINDS_OF_SLO = ("good", "counters", "budget")
_OWN_DEFAULTS = ("domain", "max_entities")
_SHARED = (
    "on", "where", "by", "owner", "service", "runbooks", "group_by", "mode", "domain", "max_entities", "accept_mutants",
    "during", "outside",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlacedSlo:
    """A sound objective, where it stands, and the rules that it became."""

    name: str
    objective: Objective
    alerts: tuple[Alert, ...]
    exhausted: Alert
    rules: tuple[Placed, ...]
    texts: tuple[Mapping[str, object], ...]
    """The rules as they would be written in YAML."""


def read_slos(document: Document, known: Known, findings: Findings) -> list[PlacedSlo]:
    """The sound objectives of one file as rules; the faults of the others are noted."""
    root = document.root
    slos = root.nodes.get("slos") if isinstance(root, Entries) else None
    if slos is None:
        return []
    if not isinstance(slos, Items):
        message = "a list of service objectives was expected"
        findings.error(document, ("slos",), message, "write `slos:` and then `- name: ...`")
        return []
    readers = (Reader(document, ("slos", n), known, findings) for n in range(len(slos.nodes)))
    return [found for reader in readers if (found := _read(reader)) is not None]


def slo_rule_names(document: Document) -> list[str] | None:
    """The names of the rules that a file's objectives become, unsound ones included; None when they cannot be told."""
    slos = plain(document.node(("slos",)))
    if slos is None:
        return []
    if not isinstance(slos, list) or not all(
        isinstance(slo, dict) and isinstance(slo.get("name"), str) for slo in slos
    ):
        return None
    return [f"{slo['name']}_{alert}" for slo in slos for alert in _names_of_alerts(slo)]


def _names_of_alerts(slo: Mapping[str, object]) -> list[str]:
    alerts = slo.get("alerts")
    own = [alert.get("name") for alert in alerts if isinstance(alert, dict)] if isinstance(alerts, list) else None
    names = [default[0] for default in _DEFAULTS] if own is None else [name for name in own if isinstance(name, str)]
    return [*names, EXHAUSTED]


def _read(reader: Reader) -> PlacedSlo | None:
    before = reader.findings.count()
    form = read_model(reader.document, SloForm, reader.findings, reader.path)
    if form is None:
        return None
    objective = _objective(form, reader)
    alerts = _alerts(form, objective, reader) if objective is not None else ()
    _check_tests(form, alerts, reader)
    if objective is None or reader.findings.count() > before:
        return None
    exhausted = _exhausted(form)
    texts = [*(alert_rule(objective, alert) for alert in alerts), exhausted_rule(objective, exhausted)]
    shared = _shared(reader)
    whole = [{"name": text["name"], **shared, **text} for text in texts]
    tests = [_own_tests(alert.name, reader) for alert in (*alerts, exhausted)]
    rules = [_compiled(text, own, reader) for text, own in zip(whole, tests, strict=True)]
    placed = tuple(rule for rule in rules if rule is not None)
    return (
        PlacedSlo(form.name, objective, alerts, exhausted, placed, tuple(whole)) if len(placed) == len(rules) else None
    )


def _compiled(text: Mapping[str, object], tests: Mapping[int, object], reader: Reader) -> Placed | None:
    try:
        form = RuleForm.model_validate({**text, "tests": list(tests.values())})
    except ValidationError as error:  # what was read is sound, so this is a rule that no rule may be
        message = f"the rule `{text['name']}` cannot be made: {error.errors()[0]['msg']}"
        reader.error((), message, "write it as a rule")
        return None
    return compiled(form, replace(reader, tests=list(tests)))


def _shared(reader: Reader) -> dict[str, object]:
    """What the objective says of its rules as it stands."""
    raw = plain(reader.document.node(reader.path))
    assert isinstance(raw, dict)
    return {name: raw[name] for name in _SHARED if name in raw} | {
        "domain": raw.get("domain", "operational performance")
    }


def _own_tests(name: str, reader: Reader) -> dict[int, dict[str, object]]:
    """The tests of one alert, by their places among those of the objective."""
    raw = plain(reader.document.node((*reader.path, "tests")))
    tests = [dict(test) for test in raw if isinstance(test, dict)] if isinstance(raw, list) else []
    return {place: test for place, test in enumerate(tests) if test.pop("alert", "fast_burn") == name}


def _objective(form: SloForm, reader: Reader) -> Objective | None:
    """What is to be achieved; None when it is not said in one way."""
    given = [word for word in _KINDS_OF_SLO if getattr(form, word) is not None]
    if len(given) != 1:
        found = " and ".join(f"`{word}`" for word in given) or "neither"
        message = f"one of `good`, `counters` and `budget` was expected, found {found}"
        reader.error((given[1],) if given else (), message, "such as `good: \"error == ''\"`", key=bool(given))
        return None
    if form.budget is not None:
        for word in ("objective", "period"):
            if getattr(form, word) is not None:
                reader.error(
                    (word,), f"a `budget` takes no `{word}`", "it says itself how much and `per` what", key=True
                )
        return Objective(form, form.budget.per, None, {})
    if form.objective is None:
        reader.error(
            (),
            "`objective` is missing",
            "how many of 100 events are to be good, such as `objective: 99.9`",
            code=codes.MISSING,
        )
        return None
    period = form.period or PERIOD
    if form.counters is not None:
        return _counters(form, period, reader)
    good = form.good or {}
    conditions = {leg: _condition(leg, text, form.on, reader) for leg, text in good.items()}
    return Objective(form, period, form.objective, good) if all(conditions.values()) else None


def _condition(leg: str, text: str, kind: str, reader: Reader) -> bool:
    path: Path = ("good",) if leg == WHOLE else ("good", leg)
    check_event_condition(text, path, kind, reader)
    return read_condition(reader.document, (*reader.path, *path), text, reader.findings) is not None


def _counters(form: SloForm, period: float, reader: Reader) -> Objective | None:
    assert form.counters is not None
    if (form.counters.bad is None) == (form.counters.good is None):
        reader.error(
            ("counters",), "`counters` needs `bad` or `good` beside `total`", "`bad` where you have both", key=True
        )
        return None
    return Objective(form, period, form.objective, {})


def _alerts(form: SloForm, objective: Objective, reader: Reader) -> tuple[Alert, ...]:
    if form.alerts is None:
        found = tuple(_default_alerts(form, objective))
        if not found:
            message = f"no pair of windows is shorter than the period of {written(objective.period)}"
            reader.error(("period",), message, "write the pairs under `alerts:`")
    else:
        found = tuple(_alert(alert, n, objective, reader) for n, alert in enumerate(form.alerts))
        _check_names(form.alerts, reader)
    names = [*(alert.name for alert in found), EXHAUSTED]
    for name in form.severity:
        if name not in names:
            reader.error(
                ("severity", name),
                f"there is no alert `{name}`",
                suggestion(name, names),
                key=True,
                code=codes.UNKNOWN_NAME,
            )
    _check_severities(form, found, reader)
    return found


def _default_alerts(form: SloForm, objective: Objective) -> Iterator[Alert]:
    for name, window, short, spends, severity in _DEFAULTS:
        if window < objective.period:
            factor = _factor(spends, window, objective.period)
            needed = _needed(form.min_samples, objective, factor)
            yield Alert(name, window, short, factor, form.severity.get(name, severity), 0.0, needed)


def _alert(form: AlertForm, index: int, objective: Objective, reader: Reader) -> Alert:
    path: Path = ("alerts", index)
    if (form.factor is None) == (form.spends is None):
        reader.error(
            path,
            "either `factor` or `spends` was expected",
            "such as `factor: 14.4`, or `spends: 0.02`",
            code=codes.MISSING,
        )
    if form.short >= form.window:
        reader.error((*path, "short"), "the short window is not shorter than the long one", "a twelfth of it is usual")
    elif fault := pane_fault(form.window, pane_of(form.window, form.short)):
        reader.error((*path, "short"), fault, "a twelfth of the long window is usual")
    if form.window > objective.period:
        reader.error((*path, "window"), f"the window is longer than the period of {written(objective.period)}")
    if form.spends is not None:
        factor = _factor(Fraction(str(form.spends)), form.window, objective.period)
    else:
        factor = form.factor or 1.0
    given = form.min_samples if form.min_samples is not None else objective.form.min_samples
    severity = objective.form.severity.get(form.name, form.severity)
    return Alert(form.name, form.window, form.short, factor, severity, form.for_, _needed(given, objective, factor))


def _factor(spends: Fraction, window: float, period: float) -> float:
    """How fast a budget burns of which `spends` is gone after `window`; never below 1, for then some is left over."""
    return max(1.0, float(spends * Fraction(str(period)) / Fraction(str(window))))


def _needed(given: int | None, objective: Objective, factor: float) -> int:
    """With fewer events one bad one alone would burn faster than the factor."""
    if given is not None or objective.target is None or objective.form.counters is not None:
        return 1 if given is None else given
    allowed = 1 - Fraction(str(objective.target)) / 100
    return math.ceil(1 / (allowed * Fraction(str(factor))))


def _exhausted(form: SloForm) -> Alert:
    name = form.severity.get(EXHAUSTED, _EXHAUSTED_SEVERITY)
    period = form.budget.per if form.budget is not None else form.period or PERIOD
    objective = Objective(form, period, None if form.budget is not None else form.objective, form.good or {})
    return Alert(EXHAUSTED, period, period, 1.0, name, 0.0, _needed(form.min_samples, objective, 1.0))


def _check_names(alerts: Sequence[AlertForm], reader: Reader) -> None:
    for index, alert in enumerate(alerts):
        if alert.name == EXHAUSTED or alert.name in [other.name for other in alerts[:index]]:
            reader.error(
                ("alerts", index, "name"),
                f"there is another alert `{alert.name}`",
                "rename one of them",
                code=codes.DUPLICATE_NAME,
            )


def _check_severities(form: SloForm, alerts: Sequence[Alert], reader: Reader) -> None:
    if reader.known.severities is None:
        return
    known = [severity.name for severity in reader.known.severities]
    for index, alert in enumerate([*alerts, _exhausted(form)]):
        if alert.severity not in known:
            path: Path = ("severity", alert.name) if alert.name in form.severity else ("alerts", index, "severity")
            hint = suggestion(alert.severity, known)
            if form.alerts is None or alert.name == EXHAUSTED:
                hint = f"name one of yours: `severity: {{{alert.name}: ...}}`; {hint}"
            reader.error(path, f"there is no severity `{alert.severity}`", hint, code=codes.UNKNOWN_NAME)


def _check_tests(form: SloForm, alerts: Sequence[Alert], reader: Reader) -> None:
    names = [*(alert.name for alert in alerts), EXHAUSTED]
    for index, test in enumerate(form.tests):
        if alerts and test.alert not in names:
            path: Path = ("tests", index, "alert") if "alert" in test.model_fields_set else ("tests", index)
            reader.error(
                path, f"there is no alert `{test.alert}`", suggestion(test.alert, names), code=codes.UNKNOWN_NAME
            )
