"""The form of runbook files: what may be written, with the types and bounds of each value."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.reading import Identifier, Name, Part

InputType = Literal["string", "number", "integer", "boolean", "duration", "list", "mapping"]


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value[:40]}` is not a date; write one such as 2026-11-01") from None
    return value


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class InputForm(Part):
    """One typed input of a runbook."""

    type: InputType = Field(description="string, number, integer, boolean, duration, list or mapping")
    default: Any = Field(None, description="a value or template; without one the input is required")
    choices: list[Any] = Field(default_factory=list, description="the values that are allowed")
    description: str = ""


class StartForm(Part):
    """When it starts by itself, and how far it may go alone."""

    when: str | None = Field(None, description="a CEL condition over severity, service and labels of the incident")
    mode: Literal["shadow", "suggest", "approve", "auto"] = "approve"


class BudgetForm(Part):
    """At most so many runs in a time, on one lock."""

    runs: int = Field(ge=1, le=1_000, description="a number of runs")
    per: PositiveDuration = Field(description="a duration, such as 1h")


class GuardsForm(Part):
    """What must hold before and while a run acts."""

    lock: str | None = Field(None, description="a template; one run at a time holds it", min_length=1)
    budget: BudgetForm | None = None
    stop_if: str | None = Field(None, description="a CEL condition that stops a run")


class RetryForm(Part):
    """Attempts in all, and the wait before the second, doubled each time."""

    attempts: int = Field(1, ge=1, le=100)
    backoff: Duration = 1.0


class UndoForm(Part):
    """The compensating step."""

    uses: str = Field(description="an action")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class StepForm(Part):
    """One step."""

    later: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("foreach", "parallel", "runbook"), "write the steps out one by one"
    )
    id: Identifier = Field(description="a name such as `reroute`")
    uses: str = Field(description="an action, such as route.set")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="the options of the action")
    if_: str | None = Field(None, alias="if", description="a CEL condition; the step is skipped when it does not hold")
    retry: RetryForm = RetryForm()
    timeout: PositiveDuration = 600.0
    undo: UndoForm | None = None
    on_failure: Literal["undo", "continue", "escalate", "stop"] = "stop"
    if_unknown: Literal["retry", "verify", "ask"] = "retry"
    irreversible: bool = False
    description: str = ""


class RunbookForm(Part):
    """A runbook."""

    name: Name = Field(description="a name such as `route-to-fallback`")
    owner: str = Field(description="a team of the catalog")
    steps: list[StepForm] = Field(description="a list of steps", min_length=1)
    description: str = ""
    inputs: dict[Identifier, InputForm] = Field(default_factory=dict)
    start: StartForm = StartForm()
    guards: GuardsForm = GuardsForm()
    deadline: PositiveDuration = 14_400.0
    reviewed: Day | None = None
    review_every: PositiveDuration | None = None
    tests: list[dict[str, Any]] = Field(default_factory=list, description="rehearsals: actions mocked by step id")
