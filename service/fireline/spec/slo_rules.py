"""Rules of objectives: how a pair of windows, or what is left of a budget, is written as an ordinary rule.

They are made as the mapping that an author would write, so that `fireline slo show` can print them and everything that
holds for rules (checks, hashes, tests) holds for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from fireline.spec.durations import written
from fireline.spec.panes import pane_fault, pane_for
from fireline.spec.slo_forms import WHOLE, SloForm

EXHAUSTED = "exhausted"
_HOUR = 3_600.0
_MOST_PANES = 720  # an hour of a budget of 30 days: how late one hears of it, and how much is kept of each entity
_COARSE = (60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is to be achieved: `target` of 100 events good in each `period` (seconds); None: so much may be spent."""

    form: SloForm
    period: float
    target: float | None
    legs: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the objective."""
        return self.form.name


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule of an objective: both windows (seconds) above `factor`, of at least `min_samples` events."""

    name: str
    window: float
    short: float
    factor: float
    severity: str
    for_: float
    min_samples: int


def alert_rule(objective: Objective, alert: Alert) -> dict[str, object]:
    """The rule that fires while both windows burn faster than the alert's factor."""
    long, short = written(alert.window), written(alert.short)
    measures = {**_measures(objective, long), **_measures(objective, short, own=True)}
    if objective.form.counters is not None:
        when = " && ".join(_counted(objective, span, alert.factor) for span in (long, short))
    else:
        when = " && ".join(f"burn_{span} > {number(alert.factor)}" for span in (long, short))
    return {
        **_where(objective),
        "name": f"{objective.name}_{alert.name}",
        "description": _description(objective, alert),
        "window": long,
        "pane": written(pane_of(alert.window, alert.short)),
        "measures": measures,
        "severity": {alert.severity: _level(when, alert)},
        **(_apart(objective) if alert.short > _HOUR else {}),
        "summary": _summary(objective, long, alert),
    }


def exhausted_rule(objective: Objective, alert: Alert) -> dict[str, object]:
    """The rule that fires while nothing is left of the budget of the period that ends now."""
    period = written(alert.window)
    return {
        **_where(objective),
        "name": f"{objective.name}_{alert.name}",
        "description": f"Nothing is left of the budget of {objective.name}.",
        "window": period,
        "pane": written(pane_of(alert.window, alert.window)),
        "measures": _budget_measures(objective, period),
        "severity": {alert.severity: _level(_spent(objective, period), alert)},
        **_apart(objective),
        "summary": _budget_summary(objective, period),
    }


def _apart(objective: Objective) -> dict[str, object]:
    """An incident for what lasts for days: a fault of the service must not hide in one that is open anyway."""
    return {"incident": f"{objective.name}_budget"}


def _where(objective: Objective) -> dict[str, object]:
    """Counters are what the rule is on: whatever else there is of its kind makes no entity."""
    counters = objective.form.counters
    return {} if counters is None else {"where": {**objective.form.where, **counters.total}}


def _level(when: str, alert: Alert) -> dict[str, object]:
    level: dict[str, object] = {"when": when, "min_samples": alert.min_samples}
    return {**level, "for": written(alert.for_)} if alert.for_ else level


def pane_of(window: float, short: float) -> float:
    """Panes that divide both windows: as fine as the short one asks for, unless the long one has too many of them."""
    pane = pane_for(short)
    if window / pane <= _MOST_PANES:
        return pane
    coarse = [each for each in _COARSE if each > pane and not pane_fault(short, each) and not pane_fault(window, each)]
    return next((each for each in coarse if window / each <= _MOST_PANES), coarse[-1] if coarse else pane)


def _measures(objective: Objective, span: str, *, own: bool = False) -> dict[str, object]:
    """What a pair measures over one of its windows, the rule's or one of its `own`; legs are told of the rule's."""
    window = {"window": span} if own else {}
    if objective.form.counters is not None:
        return {f"{name}_{span}": {**measure, **window} for name, measure in _counters(objective).items()}
    if objective.target is None:
        assert objective.form.budget is not None
        return {f"burn_{span}": {**_spending(objective), **window}}
    found: dict[str, object] = {f"burn_{span}": {**_burning(objective, whole(objective)), **window}}
    for leg, condition in () if own else objective.legs.items():
        if leg != WHOLE:
            found[f"{leg}_{span}"] = _burning(objective, condition)
    return found


def _budget_measures(objective: Objective, period: str) -> dict[str, object]:
    if objective.form.counters is not None or objective.target is None:
        return _measures(objective, period)
    left = {**_burning(objective, whole(objective)), "agg": "error_budget"}
    legs = {f"{leg}_{period}": _burning(objective, text) for leg, text in objective.legs.items() if leg != WHOLE}
    return {"budget_left": left, **legs}


def whole(objective: Objective) -> str:
    """The condition of a good event: all legs hold."""
    conditions = list(objective.legs.values())
    return conditions[0] if len(conditions) == 1 else " && ".join(f"({condition})" for condition in conditions)


def _burning(objective: Objective, condition: str) -> dict[str, object]:
    return {"agg": "burn_rate", "condition": condition, "objective": objective.target}


def _spending(objective: Objective) -> dict[str, object]:
    budget = objective.form.budget
    assert budget is not None
    return {"agg": "spend_rate", "of": budget.of, "amount": budget.amount, "per": written(budget.per)}


def _counters(objective: Objective) -> dict[str, dict[str, object]]:
    counters = objective.form.counters
    assert counters is not None
    name, part = ("bad", counters.bad) if counters.bad is not None else ("good", counters.good)
    common = objective.form.where
    unsaid = {"temporality": "delta"} if counters.temporality == "delta" else {}
    return {
        "total": {"agg": "increase", **unsaid},
        name: {"agg": "increase", **unsaid, "where": {**common, **counters.total, **(part or {})}},
    }


def _bad(objective: Objective, span: str) -> str:
    counters = objective.form.counters
    assert counters is not None
    return f"bad_{span}" if counters.bad is not None else f"(total_{span} - good_{span})"


def _counted(objective: Objective, span: str, factor: float) -> str:
    share = (1 - Fraction(str(objective.target)) / 100) * Fraction(str(factor))
    return f"{_bad(objective, span)} > {number(float(share))} * total_{span}"


def _spent(objective: Objective, period: str) -> str:
    if objective.form.counters is not None:
        return _counted(objective, period, 1.0)
    return "budget_left <= 0.0" if objective.target is not None else f"burn_{period} >= 1.0"


def number(value: float) -> str:
    """A number as a condition has it, without an exponent."""
    text = f"{value:.12f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _who(objective: Objective) -> str:
    """The labels that tell entities of one service apart; the service is named wherever a summary stands."""
    names = ", ".join("{{ " + name + " }}" for name in objective.form.by if name != "service")
    return f"{names}: " if names else ""


def _description(objective: Objective, alert: Alert) -> str:
    what = f"{number(alert.factor).removesuffix('.0')} times as fast as it may"
    said = f"{objective.form.description.rstrip('.')}. " if objective.form.description else ""
    return f"{said}The budget of {objective.name} goes {what}, over {written(alert.window)} and {written(alert.short)}."


def _summary(objective: Objective, span: str, alert: Alert) -> str:
    if objective.form.counters is not None:
        share = float(1 - Fraction(str(objective.target)) / 100)
        burn = f"({_bad_of_measures(objective, span)} / ({number(share)} * measures.total_{span}))"
    else:
        burn = f"measures.burn_{span}"
    what = "spends its budget" if objective.target is None else "burns its error budget"
    lasts = f"{{{{ ({number(objective.period)} / {burn} if {burn} else {number(objective.period)}) | duration }}}}"
    legs = _told_legs(objective, span, "by leg", "round(1) | string")
    return (
        f"{_who(objective)}{objective.name} {what} {{{{ {burn} | round(1) }}}} times as fast as it may{legs}; "
        f"so the budget of {written(objective.period)} lasts {lasts}"
    )


def _bad_of_measures(objective: Objective, span: str) -> str:
    counters = objective.form.counters
    assert counters is not None
    if counters.bad is not None:
        return f"measures.bad_{span}"
    return f"(measures.total_{span} - measures.good_{span})"


def _told_legs(objective: Objective, span: str, word: str, form: str) -> str:
    """Which legs burn, and how fast each would alone; those that do not burn are left out."""
    legs = [leg for leg in objective.legs if leg != WHOLE]
    if not legs:
        return ""
    told = "".join(
        f"{{{{ ' {leg} ' ~ (measures.{leg}_{span} | {form}) if (measures.{leg}_{span} or 0) >= 0.05 else '' }}}}"
        for leg in legs
    )
    return f" ({word}:{told})"


def _budget_summary(objective: Objective, period: str) -> str:
    if objective.form.counters is not None:
        return f"{_who(objective)}the error budget of {objective.name} for {period} is spent"
    if objective.target is None:
        return (
            f"{_who(objective)}{objective.name} has spent {{{{ measures.burn_{period} | percent(0) }}}} "
            f"of what {period} may cost"
        )
    legs = _told_legs(objective, period, "taken by", "percent(0)")
    return (
        f"{_who(objective)}{{{{ measures.budget_left | percent(0) }}}} of the error budget of {objective.name} "
        f"for {period} is left{legs}"
    )
