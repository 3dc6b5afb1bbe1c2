"""Durations among the settings of measures: seconds, written as `30m`, `1d`."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from fireline.domain.durations import PATTERN, positive_seconds

PositiveDuration = Annotated[
    float,
    BeforeValidator(positive_seconds),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["30m", "1d"]}),
]
"""Seconds, more than zero."""
