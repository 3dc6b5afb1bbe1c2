"""The form of runbook files: what may be written, with the types and bounds of each value."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from fireline.spec import elsewhere
from fireline.spec.approvals import ApprovalForm
from fireline.spec.durations import Duration, PositiveDuration, seconds
from fireline.spec.guard_forms import GuardsForm
from fireline.spec.reading import Identifier, Name, Part

InputType = Literal[
    "string",
    "int",
    "integer",
    "number",
    "bool",
    "boolean",
    "enum",
    "duration",
    "entity",
    "secret",
    "list",
    "mapping",
]
OutputType = Literal["string", "int", "number", "bool", "duration", "entity", "list", "mapping"]
_TYPES = "string, int, number, bool, enum, duration, entity, secret, list or mapping"


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value[:40]}` is not a date; write one such as 2026-11-01") from None
    return value


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _bound(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return seconds(value)


Bound = Annotated[float, BeforeValidator(_bound), WithJsonSchema({"type": ["number", "string"]})]


class InputForm(Part):
    """One typed input of a runbook."""

    type: InputType = Field(description=_TYPES)
    default: Any = Field(None, description="a value or template; without one the input is required")
    choices: list[Any] = Field(default_factory=list, description="the values that are allowed; an enum has some")
    min: Bound | None = Field(None, description="the least: a number, a duration, or a length of texts and lists")
    max: Bound | None = Field(None, description="the most")
    pattern: str | None = Field(None, description="a regular expression that all of a text matches", max_length=200)
    description: str = Field("", description="what it is, for readers")


class StartForm(Part):
    """When it starts by itself, and how far it may go alone."""

    when: str | None = Field(None, description="a CEL condition over severity, service and labels of the incident")
    mode: Literal["shadow", "suggest", "approve", "auto"] = Field(
        "approve", description="how far it may go alone; policy may allow less"
    )
    approval: ApprovalForm = Field(ApprovalForm(), description="who lets it start, where it has to ask")
    needs_incident: bool = Field(False, description="whether it makes sense for an incident only")


class RetryForm(Part):
    """Attempts in all, the wait before the second, and what is tried again."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere.RETRY

    attempts: int = Field(1, ge=1, le=100, description="attempts in all")
    backoff: Duration = Field(1.0, description="the wait before the second attempt, doubled each time, up to 1h")
    jitter: float = Field(0.0, ge=0, le=1, description="the share by which a wait may be longer")
    on: list[Literal["temporary", "unknown", "failed"]] = Field(
        ["temporary", "unknown"],
        description="what is tried again: what may work later, what nobody knows the outcome of, what did not work",
        min_length=1,
    )


class UndoForm(Part):
    """The compensating step."""

    uses: str = Field(description="an action")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="the options of the action")


class JoinForm(Part):
    """So many branches."""

    n: int = Field(ge=1, le=20, description="how many branches have to be done")


class StepForm(Part):
    """One step."""

    later: ClassVar[Mapping[str, str]] = {
        "runbook": "write `uses: runbook.run` and `with: {runbook: NAME, inputs: {...}}`",
        "steps": "write `uses: runbook.run` for several steps in one, or `parallel`",
    }
    elsewhere: ClassVar[Mapping[str, str]] = elsewhere.STEP
    id: Identifier = Field(description="a name such as `reroute`")
    uses: str = Field("", description="an action, such as route.set; not beside `parallel`")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="the options of the action")
    if_: str | None = Field(None, alias="if", description="a CEL condition; the step is skipped when it does not hold")
    needs: list[Identifier] | None = Field(None, description="the earlier steps it waits for; without it, all of them")
    foreach: str | list[Any] | None = Field(None, description="a list; the step is done for each `item` of it")
    concurrency: int = Field(1, ge=1, le=50, description="how many items are under way at a time")
    max_items: int = Field(100, ge=1, le=1_000, description="a longer list fails the step before anything is done")
    parallel: dict[Identifier, list["StepForm"]] = Field(
        default_factory=dict, description="lists of steps by name, which go on side by side", max_length=20
    )
    join: Literal["all", "any"] | JoinForm = Field("all", description="all, any, or `{n: 2}` branches have to be done")
    retry: RetryForm = Field(RetryForm(), description="what is done about failures that may pass")
    timeout: PositiveDuration = Field(600.0, description="how long it may take, over all attempts and waits")
    undo: UndoForm | None = Field(None, description="the step that takes it back")
    on_failure: Literal["undo", "continue", "escalate", "stop"] = Field(
        "stop", description="what a failure means for the run"
    )
    if_unknown: Literal["retry", "verify", "ask"] = Field(
        "retry", description="what to do when nobody knows whether it happened, such as after a crash"
    )
    irreversible: bool = Field(False, description="said of a step that changes something and has no `undo`")
    outputs: dict[Identifier, OutputType] = Field(
        default_factory=dict, description="the types of what it gives; another type fails the step"
    )
    description: str = Field("", description="what it is for, for readers")

    @model_validator(mode="after")
    def _does_one_thing(self) -> "StepForm":
        if bool(self.uses) == bool(self.parallel):
            raise ValueError("a step has either `uses` or `parallel`")
        return self


class RunbookForm(Part):
    """A runbook."""

    elsewhere: ClassVar[Mapping[str, str]] = elsewhere.RUNBOOK

    name: Name = Field(description="a name such as `route-to-fallback`")
    owner: str = Field(description="a team of the catalog")
    steps: list[StepForm] = Field(description="a list of steps", min_length=1)
    finally_: list[StepForm] = Field(
        default_factory=list,
        alias="finally",
        description="steps that come last, whatever happened",
    )
    outputs: dict[Identifier, Any] = Field(
        default_factory=dict, description="templates: what a runbook that runs it gets from it"
    )
    description: str = Field("", description="what it is for, for readers")
    inputs: dict[Identifier, InputForm] = Field(default_factory=dict, description="what it is told, by name")
    start: StartForm = Field(StartForm(), description="when it starts by itself")
    guards: GuardsForm = Field(GuardsForm(), description="what must hold before and while it acts")
    deadline: PositiveDuration = Field(14_400.0, description="how long a run may take, waits included")
    reviewed: Day | None = Field(None, description="when somebody last read it")
    review_every: PositiveDuration | None = Field(None, description="how long a review lasts; then it is a warning")
    tests: list[dict[str, Any]] = Field(default_factory=list, description="rehearsals: actions mocked by step id")
