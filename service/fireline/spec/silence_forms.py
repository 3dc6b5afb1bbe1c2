"""The form of `maintenance.yaml`: planned silences, once or again and again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from fireline.spec.durations import PositiveDuration
from fireline.spec.reading import Name, Part
from fireline.spec.wall_times import TimeZone


def _wall(value: str) -> str:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value[:40]}` is not a wall time; write one such as 2026-11-01T02:00") from None
    if found.tzinfo is not None:
        raise ValueError(f"`{value[:40]}` names an offset; write the wall time alone, `time_zone` says the rest")
    return value


Wall = Annotated[str, AfterValidator(_wall), WithJsonSchema({"type": "string", "examples": ["2026-11-01T02:00"]})]


class MaintenanceForm(Part):
    """One planned silence: what it is about, when it begins, how long it lasts, whether it recurs, and why."""

    matchers: str = Field(
        description='what it is about: `service="checkout", severity=~"degraded|notice"`; all of them must fit',
        min_length=1,
        max_length=10_000,
    )
    starts: Wall = Field(description="the wall time at which it begins, the first time if it recurs")
    time_zone: TimeZone = Field(description="an IANA name, such as Europe/Berlin")
    lasts: PositiveDuration = Field(description="how long it holds, each time")
    repeats: str | None = Field(
        None, description="an RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=SU; once without it", max_length=500
    )
    without: list[str] = Field(
        default_factory=list, description="days (2026-12-27) or wall times on which it does not begin: EXDATE"
    )
    until: Wall | None = Field(None, description="it does not hold from this wall time on, whatever `repeats` says")
    author: str = Field(description="a person of the catalog who answers for it")
    reason: str = Field(description="why, for whoever asks at night", min_length=1, max_length=1000)
    comment: str = Field("", description="more of it, for readers", max_length=4000)
    resolves: Literal["pass", "hold"] = Field("pass", description="whether the end of a silenced incident is said")
    safety: bool = Field(False, description="true: it holds back incidents of severity `safety` as well")


class MaintenanceFile(Part):
    """A file of planned silences."""

    maintenance: dict[Name, MaintenanceForm] = Field(description="planned silences by name")
