"""The forms of escalation policies in `oncall.yaml`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from fireline.domain.policies import ALL
from fireline.spec.durations import PositiveDuration
from fireline.spec.reading import Part

TARGETS = "schedule:ID, next:SCHEDULE, person:ID, team:ID, channel:slack:C123 (a room) or group:slack:S123"
_TARGET = re.compile(r"(person|schedule|next|team):(.+)|(channel|group):([^:]+):(.+)")


def _target(value: str) -> str:
    if not _TARGET.fullmatch(value):
        raise ValueError(f"`{value[:40]}` is not a target; write {TARGETS}")
    return value


def _how_many(value: object) -> int:
    if value in ("any", "all"):
        return 1 if value == "any" else ALL
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 20:
        return value
    raise ValueError("how many must acknowledge is `any`, `all` or a number from 1 to 20")


TargetText = Annotated[str, AfterValidator(_target)]
HowMany = Annotated[
    int,
    BeforeValidator(_how_many),
    WithJsonSchema({"anyOf": [{"enum": ["any", "all"]}, {"type": "integer", "minimum": 1, "maximum": 20}]}),
]


class CountForm(Part):
    """So many incidents within a time."""

    incidents: int = Field(ge=2, le=100, description="so many incidents of the service, the present one included")
    within: PositiveDuration = Field(description="opened within so long, such as 1h")


class ConditionsForm(Part):
    """When a level or a target is asked: all that is given must hold."""

    when: str | None = Field(
        None, description="a CEL condition over severity, urgency, service, owner, timeline, level and round"
    )
    during: str | None = Field(None, description="a calendar: asked only while it is open")
    outside: str | None = Field(None, description="a calendar: asked only while it is closed")
    count: CountForm | None = Field(None, description="asked only from the so many-th incident of the service on")


class TargetForm(ConditionsForm):
    """Who is asked, or which room is told; the target's text alone when it has no conditions."""

    target: TargetText = Field(description=TARGETS)

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return {"target": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A text, or the mapping."""
        found: Mapping[str, Any] = handler(core)
        return {"anyOf": [{"type": "string", "pattern": f"^({_TARGET.pattern})$"}, dict(found)]}


class PolicyLevelForm(ConditionsForm):
    """Who is asked together, and how long to wait for them."""

    targets: list[TargetForm] = Field(description=TARGETS, min_length=1)
    wait: PositiveDuration | None = Field(
        None, description="a duration, such as 5m; the severity's `ack_within` when left out"
    )
    acknowledge: HowMany = Field(1, description="how many of those who are asked must: `any`, `all` or a number")


class PolicyForm(Part):
    """Levels in order, repeated."""

    levels: list[PolicyLevelForm] = Field(description="a list of levels", min_length=1)
    repeat: int = Field(0, ge=0, le=20, description="how often the whole list is asked again")


def target(text: str) -> tuple[str, str]:
    """Kind and id of a target that the form has checked."""
    kind, _, name = text.partition(":")
    return kind, name
