"""The forms of a person's own rules in `catalog.yaml`: which channels when, and quiet hours."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from fireline.spec.durations import Duration
from fireline.spec.reading import Part
from fireline.spec.wall_times import TimeZone, Wall


class DailyHoursForm(Part):
    """Hours of every day; an end at or before the start is on the next day."""

    start: Wall = Field(alias="from", description="a time of day, such as 22:00")
    end: Wall = Field(alias="to", description="a time of day, such as 07:00")
    time_zone: TimeZone | None = Field(None, description="the person's own when left out")


class ContactStepForm(Part):
    """A channel, at once when it is written as its name alone."""

    channel: str = Field(description="a channel of the person's `contacts`")
    after: Duration = Field(0.0, description="so long after the page, unless it was acknowledged")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return {"channel": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A name, or the mapping."""
        found: Mapping[str, Any] = handler(core)
        return {"anyOf": [{"type": "string"}, dict(found)]}


class ContactRuleForm(Part):
    """How the person is reached, for an urgency and at hours."""

    urgency: Literal["high", "low"] | None = Field(None, description="that of the severity; any when left out")
    hours: DailyHoursForm | None = Field(None, description="the rule counts in these hours only")
    channels: list[ContactStepForm] = Field(
        min_length=1, description="channels of `contacts`; `{after: 2m, channel: email}` later than at once"
    )
