"""Durations in YAML files: seconds, written as `30s`, `2m`, `1h30m`, `7d`."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from fireline.domain.durations import LONGEST, PATTERN, UNITS, positive_seconds, seconds, written

__all__ = ["LONGEST", "PATTERN", "UNITS", "Duration", "PositiveDuration", "positive_seconds", "seconds", "written"]

_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["30s", "2m", "1h", "7d"]})
Duration = Annotated[float, BeforeValidator(seconds), _SCHEMA]
"""Seconds, zero included."""
PositiveDuration = Annotated[float, BeforeValidator(positive_seconds), _SCHEMA]
"""Seconds, more than zero."""
