"""The form of service objectives, and of a file of rules and objectives."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from fireline.spec import elsewhere_rules
from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Identifier, Part
from fireline.spec.rule_forms import KINDS, Labels, RuleForm
from fireline.spec.rule_test_forms import AcceptForm, KindName, TestForm

WHOLE = ""
"""The name of the one condition of an objective that is no composite."""


def _legs(value: object) -> object:
    if isinstance(value, str):
        return {WHOLE: value}
    if isinstance(value, Mapping) and not value:
        raise ValueError("`good` is empty; write a condition, or several with names")
    if not isinstance(value, Mapping):
        raise ValueError("a condition was expected, or a mapping of names to conditions")
    for name in value:
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
            raise ValueError(f"`{str(name)[:40]}` is not a name for a leg: letters, digits and `_`")
    return value


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
Legs = Annotated[
    dict[str, str], BeforeValidator(_legs), WithJsonSchema({"anyOf": [{"type": "string"}, _TEXTS]}, mode="validation")
]


class AlertForm(Part):
    """One alert of an objective: it fires while both windows burn faster than `factor`."""

    name: Identifier = Field(description="a name such as `fast_burn`; the rule is called after the objective and it")
    window: PositiveDuration = Field(description="the long window, such as 1h: enough was burnt to matter")
    short: PositiveDuration = Field(description="the short window, such as 5m: it is burning still")
    factor: float | None = Field(None, gt=0, description="how many times as fast as it may the budget burns")
    spends: float | None = Field(
        None, gt=0, le=1, description="instead of `factor`: the share of the budget that is gone after the long window"
    )
    severity: str = Field(description="a severity level")
    for_: Duration = Field(0.0, alias="for", description="how long it must hold")
    min_samples: int | None = Field(None, ge=0, description="with fewer events in the long window nothing is said")


class BudgetForm(Part):
    """What may be spent."""

    amount: float = Field(gt=0, description="how much, in the unit of the field")
    per: PositiveDuration = Field(description="in how long, such as 30d")
    of: str = Field("cost_usd", min_length=1, description="the field that says what an event cost")


class CountersForm(Part):
    """Counters in place of single events: matchers of the series that count all events, and the bad or good ones."""

    total: dict[str, Labels] = Field(description="matchers of the series that count all events", min_length=1)
    bad: dict[str, Labels] | None = Field(None, description="matchers of those that count bad events")
    good: dict[str, Labels] | None = Field(None, description="matchers of those that count good events")
    temporality: Literal["cumulative", "delta"] = Field(
        "cumulative", description="what events are that do not say: all since a start, or what is new"
    )


class SloTestForm(TestForm):
    """One test of an objective: of one of its alerts."""

    alert: str = Field("fast_burn", description="which alert is tested, such as fast_burn or exhausted")


class SloForm(Part):
    """One service objective: so many of 100 events are good in any period; or so much may be spent."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere_rules.SLO
    name: Identifier = Field(description="a name such as `fraud_availability`")
    on: KindName = Field(description="the kind of event: " + ", ".join(KINDS))
    good: Legs | None = Field(
        None, description="a CEL condition over the fields of one event; or several with names, all of which must hold"
    )
    objective: float | None = Field(None, gt=0, lt=100, description="how many of 100 events are to be good")
    period: PositiveDuration | None = Field(None, description="over how long; 30d by itself")
    budget: BudgetForm | None = Field(None, description="in place of `good`: what may be spent, and on what")
    counters: CountersForm | None = Field(None, description="in place of `good`: counters of all and of bad events")
    where: dict[str, Labels] = Field(default_factory=dict, description="which events: matchers by label")
    by: list[Identifier] = Field(default_factory=list, description="labels that tell entities apart")
    alerts: list[AlertForm] | None = Field(
        None,
        description="pairs of windows; by itself 1h and 5m, 6h and 30m, 3d and 6h, of the SRE workbook",
        min_length=1,
    )
    severity: dict[str, str] = Field(
        default_factory=dict,
        description="severity levels by alert; by itself fast_burn: outage, slow_burn: degraded, "
        "creeping_burn: notice, exhausted: notice",
    )
    min_samples: int | None = Field(
        None, ge=0, description="with fewer events in the long window nothing is said; by itself as many as it takes "
        "for one bad event not to fire alone"
    )  # fmt: skip
    during: str | None = Field(None, description="a calendar: its alerts count only while it is open")
    outside: str | None = Field(None, description="a calendar: its alerts count only while it is closed")
    owner: str | None = Field(None, description="a team of the catalog, where it is not the service's owner")
    service: str | None = Field(
        None, min_length=1, description="a template; by itself the `service` or `model` of `by`, else of `where`"
    )
    runbooks: list[str] = Field(default_factory=list, description="runbooks that are asked for when it burns")
    group_by: list[Identifier] = Field(
        default_factory=list, description="labels of `by` that get incidents of their own within a service"
    )
    mode: Literal["active", "shadow"] = Field("active", description="`shadow` judges, and pages nobody")
    domain: Literal["technical health", "operational performance", "strategic value"] = Field(
        "operational performance", description="what kind of harm it watches for"
    )
    description: str = Field("", description="what the objective is for, for its readers")
    max_entities: int = Field(
        1_000, ge=1, le=1_000_000, description="entities beyond are counted and left out; one takes about 2 MB"
    )
    tests: list[SloTestForm] = Field(default_factory=list, description="events, and what an alert must say of them")
    accept_mutants: list[AcceptForm] = Field(
        default_factory=list, description="changes of its rules that the tests need not notice"
    )


class RulesFile(Part):
    """A file of rules and service objectives."""

    rules: list[RuleForm] = Field(default_factory=list, description="a list of rules")
    slos: list[SloForm] = Field(default_factory=list, description="a list of service objectives")
