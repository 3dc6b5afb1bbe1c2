"""The forms of guards: what keeps a run from acting. In runbooks, and `oscillation` in `autonomy.yaml` too."""

from typing import Literal

from pydantic import Field, model_validator

from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Part


class BudgetForm(Part):
    """At most so many runs in a time, on one lock."""

    runs: int = Field(ge=1, le=1_000, description="a number of runs")
    per: PositiveDuration = Field(description="a duration, such as 1h")


class OscillationForm(Part):
    """When runs that take a target back and forth are no help any more."""

    reversals: int = Field(
        3, ge=1, le=1_000, description="the run that would take a target back for so many times is not started"
    )
    per: PositiveDuration = Field(3_600.0, description="within how long, such as 1h")


class BlastRadiusForm(Part):
    """What one run may touch at most."""

    targets: int | None = Field(
        None, ge=1, le=1_000, description="so many routes, flags, aliases, Deployments, and steps that name none"
    )
    services: int | None = Field(None, ge=1, le=1_000, description="so many services, that of its incident with them")
    share: int | None = Field(None, ge=0, le=99, description="percent of a service's traffic off its primary")
    if_more: Literal["refuse", "ask"] = Field("refuse", description="what becomes of a run that would touch more")

    @model_validator(mode="after")
    def _limits_something(self) -> "BlastRadiusForm":
        if self.targets is None and self.services is None and self.share is None:
            raise ValueError("a blast radius has at least one of `targets`, `services` and `share`")
        return self


class GuardsForm(Part):
    """What must hold before and while a run acts."""

    lock: str | None = Field(None, description="a template; one run at a time holds it", min_length=1)
    budget: BudgetForm | None = Field(None, description="beyond it, a run is refused, and a person has to decide")
    cooldown: Duration = Field(0.0, description="how long after a run ended none begins on the same lock")
    oscillation: OscillationForm | None = Field(
        None, description="when runs that undo each other's work are stopped; autonomy.yaml says it otherwise"
    )
    blast_radius: BlastRadiusForm | None = Field(None, description="how much one run may touch")
    stop_if: str | None = Field(None, description="a CEL condition that stops a run")
