"""The form of `autonomy.yaml`: how far runbooks may go alone."""

from typing import Literal

from pydantic import Field

from fireline.spec.guard_forms import OscillationForm
from fireline.spec.reading import Name, Part


class RecordForm(Part):
    """How a runbook fared."""

    wrong: int = Field(ge=1, le=100, description="at least so many of them went wrong")
    of: int = Field(
        ge=1, le=100, description="of so many of its last runs that ended; refused and aborted do not count"
    )


class RowForm(Part):
    """One row: what must be so for it to apply, all of it, and how far a runbook may go then."""

    name: Name = Field(description="a name such as `much-at-night`, which runs quote")
    at_most: Literal["shadow", "suggest", "approve", "auto"] = Field(description="how far a runbook may go alone")
    severity: list[Name] = Field(default_factory=list, description="of an incident that is one of these")
    service: list[Name] = Field(default_factory=list, description="touching one of these services")
    runbook: list[Name] = Field(default_factory=list, description="one of these runbooks")
    during: str | None = Field(None, description="while this calendar of calendars.yaml is open")
    outside: str | None = Field(None, description="while this calendar is not open")
    share_at_least: int | None = Field(
        None, ge=1, le=100, description="moving at least so many percent of a service's traffic off its primary"
    )
    services_at_least: int | None = Field(None, ge=1, le=1000, description="touching at least so many services")
    irreversible: bool | None = Field(None, description="with a step that cannot be undone, or without any")
    record: RecordForm | None = Field(None, description="a runbook that fared so")
    review_overdue: bool | None = Field(None, description="a runbook whose review is overdue, or is not")
    asked_by: Literal["rule", "person"] | None = Field(None, description="asked for by a rule, or by a person")
    reason: str = Field("", description="why, for readers", max_length=1000)


class AutonomyFile(Part):
    """The table: the first row that applies says how far a runbook may go; without one, as far as it asks."""

    autonomy: list[RowForm] = Field(description="rows, the first that applies counts", min_length=1)
    oscillation: OscillationForm = Field(
        OscillationForm(), description="when runs that undo each other's work are stopped; a runbook may say its own"
    )
