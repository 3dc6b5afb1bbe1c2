"""The parts of OpenSLO v1 files (https://openslo.com) that Fireline reads; what else stands there is left alone."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DAY = 86_400.0
UNITS = {"m": 60.0, "h": 3_600.0, "d": _DAY, "w": 7 * _DAY, "M": 30 * _DAY, "Q": 90 * _DAY, "Y": 365 * _DAY}
"""Seconds of OpenSLO's units of time; a month counts as 30 days, a quarter as 90, a year as 365."""


def duration(value: object) -> float:
    """The seconds of a duration such as `28d` or `1M`. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdwMQY])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"`{str(value)[:40]}` is not a duration of OpenSLO; such as 12h, 28d, 4w or 1M")
    return int(found[1]) * UNITS[found[2]]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Metadata(_Read):
    """What an object is called."""

    name: str = Field(description="a name", min_length=1)


class SourceForm(_Read):
    """Where values come from: `spec` is whatever the source needs."""

    type: str = Field("", description="the kind of source, such as Prometheus")
    spec: dict[str, Any] = Field(default_factory=dict, description="what the source needs")


class MetricForm(_Read):
    """One query."""

    metric_source: SourceForm = Field(alias="metricSource", description="where the values come from")


class RatioForm(_Read):
    """Good or bad events among all."""

    counter: bool | None = Field(None, description="whether the values only grow")
    good: MetricForm | None = Field(None, description="the query of good events")
    bad: MetricForm | None = Field(None, description="the query of bad events")
    total: MetricForm | None = Field(None, description="the query of all events")
    raw: MetricForm | None = Field(None, description="the query of a ratio that is calculated elsewhere")


class IndicatorSpec(_Read):
    """What is measured."""

    ratio: RatioForm | None = Field(None, alias="ratioMetric", description="good or bad events among all")
    threshold: MetricForm | None = Field(None, alias="thresholdMetric", description="values that are compared")


class IndicatorForm(_Read):
    """An indicator within an objective, or an object of its own."""

    metadata: Metadata | None = Field(None, description="what it is called")
    spec: IndicatorSpec = Field(description="what is measured")


class WindowForm(_Read):
    """The period of an objective."""

    length: Annotated[float, BeforeValidator(duration)] = Field(alias="duration", description="a duration such as 28d")
    rolling: bool | None = Field(None, alias="isRolling", description="whether the period ends now")
    calendar: dict[str, Any] | None = Field(None, description="when the period begins, where it does not roll")


class TargetForm(_Read):
    """One target of an objective."""

    target: float | None = Field(None, gt=0, lt=1, description="a share, such as 0.999")
    percent: float | None = Field(None, gt=0, lt=100, alias="targetPercent", description="such as 99.9")
    weight: float | None = Field(None, alias="compositeWeight", description="its part of an objective of several")
    indicator: dict[str, Any] | None = Field(None, description="what is measured, of an objective of several")
    indicator_ref: str | None = Field(None, alias="indicatorRef", description="the name of what is measured")
    op: Literal["lte", "gte", "lt", "gt"] | None = Field(None, description="how a value is compared")
    value: float | None = Field(None, description="what a value is compared with")

    @property
    def composite(self) -> bool:
        """Whether it is part of an objective of several indicators."""
        return self.indicator is not None or self.indicator_ref is not None or self.weight is not None


class SloSpec(_Read):
    """What is to be achieved."""

    description: str = Field("", description="for readers")
    service: str | None = Field(None, description="the service it belongs to")
    indicator: IndicatorForm | None = Field(None, description="what is measured")
    indicator_ref: str | None = Field(None, alias="indicatorRef", description="the name of what is measured")
    windows: list[WindowForm] = Field(default_factory=list, alias="timeWindow", description="the period")
    method: str = Field(alias="budgetingMethod", description="Occurrences or Timeslices")
    objectives: list[TargetForm] = Field(description="the targets", min_length=1)
    policies: list[Any] | None = Field(None, alias="alertPolicies", description="its alerts")


class OpenSlo(_Read):
    """An objective."""

    metadata: Metadata = Field(description="what it is called")
    spec: SloSpec = Field(description="what is to be achieved")
