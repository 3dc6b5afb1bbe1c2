"""Time zones and times of day, as YAML files write them."""

import re
from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{value[:40]}` is not a time zone; write one such as Europe/Berlin or UTC") from None
    return value


def _wall(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"`{value[:40]}` is not a time of day; write one such as 09:00")
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
Wall = Annotated[str, AfterValidator(_wall)]


def wall(text: str) -> time:
    """A time of day that the form has checked."""
    return time.fromisoformat(text)
