"""The form of the tests of runbooks: what may be written below `tests:`, with the types and bounds of each value."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fireline.spec.durations import Duration
from fireline.spec.reading import Label, Part

Status = Literal["succeeded", "failed", "undone", "undo_failed", "aborted", "refused"]


class MockForm(Part):
    """How one attempt of a step ends; one of the first five, `output` beside `fails` too."""

    output: dict[str, Any] | None = Field(None, description="it is done, and gives these outputs")
    fails: str | None = Field(None, description="it fails, for this reason")
    unknown: str | None = Field(None, description="nobody knows whether it happened, for this reason")
    retry: str | None = Field(None, description="it did not work and may later, for this reason")
    answer: Literal["approve", "reject", "nobody"] | None = Field(
        None, description="what a person says to a step that asks; with nobody, its time runs out"
    )
    by: str = Field("", description="who answers; by default one of those who may")
    reason: str = Field("", description="the reason that the person gives")
    after: Duration = Field(0.0, description="how long it takes, on the clock of the test")


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Mocks = Annotated[list[MockForm], BeforeValidator(_listed, json_schema_input_type=MockForm | list[MockForm])]


class IncidentForm(Part):
    """The incident that asks for the run."""

    service: str = Field(description="the service that it is about")
    severity: str = Field(description="a severity, such as outage")
    rule: str = Field("a_rule", description="the rule that fired")
    labels: dict[str, Label] = Field(default_factory=dict, description="the labels of what fired")
    summary: str = Field("", description="the text of the signal")


class AbortForm(Part):
    """A person ends the run."""

    after: Duration = Field(0.0, description="how long after its start")
    undo: bool = Field(False, description="whether what was done is undone first")


class ExpectForm(Part):
    """What must come of the run; what is not written is not looked at."""

    status: Status = Field("succeeded", description="how it ends")
    reason: str = Field("", description="a text that is part of the reason")
    steps: list[str] | None = Field(None, description="all steps that are begun, in order; `ID.undo` is an undo")
    skipped: list[str] | None = Field(None, description="the steps whose `if` does not hold")
    with_: dict[str, dict[str, Any]] = Field(
        default_factory=dict, alias="with", description="by step, what is among its rendered inputs"
    )
    outputs: dict[str, dict[str, Any]] = Field(default_factory=dict, description="by step, what is among its outputs")
    takes: Duration | None = Field(None, description="how long it takes, on the clock of the test")


class RunbookTestForm(Part):
    """One test of a runbook."""

    name: str = Field(description="what it shows, in words", min_length=1, max_length=200)
    inputs: dict[str, Any] = Field(default_factory=dict, description="what the run is told")
    incident: IncidentForm | None = Field(None, description="the incident that asks for it")
    steps: dict[str, Mocks] = Field(
        default_factory=dict,
        description="how steps end, by id (`ID.undo` for an undo), or a list: one for each attempt; others just work",
    )
    abort: AbortForm | None = Field(None, description="a person ends the run")
    expect: ExpectForm = Field(ExpectForm(), description="what must come of it")
