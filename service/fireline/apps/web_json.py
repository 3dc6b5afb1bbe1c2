"""Domain values as JSON: one translation for the API, so that no field of a domain value is listed twice."""

import dataclasses
import math
from collections.abc import Mapping, Set
from datetime import datetime
from enum import Enum
from typing import Any

import orjson
from starlette.responses import Response

from fireline.domain.incidents import Entry, Incident
from fireline.domain.runbooks import Run

_LARGEST = 2**63


def plain(value: object) -> object:
    """Numbers, strings, lists and mappings only; what JSON cannot hold becomes null (nan) or text."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | Set():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        case _:
            return _scalar(value)


def _scalar(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case int() if not -_LARGEST <= value < _LARGEST:
            return str(value)
        case float() if not math.isfinite(value):
            return None
        case None | str() | int() | float():
            return value
        case _:
            return value.isoformat() if isinstance(value, datetime) else str(value)


class Answer(Response):
    """A JSON answer of plain values."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode; lone surrogates of hostile event text are replaced, not a fault."""
        value = plain(content)
        try:
            return orjson.dumps(value)
        except TypeError:
            return orjson.dumps(_encodable(value))


def _encodable(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
        case _:
            return value


def incident_json(incident: Incident) -> dict[str, object]:
    """An incident with its spoken id and the names of what still fires; times in seconds since the epoch.

    `status` is also `closed` or `merged` of one that is over; what changed is on the timeline.
    """
    told = plain(incident)
    assert isinstance(told, dict)
    firing = sorted({attached.signal.rule for attached in incident.firing})
    told.pop("changes", None)
    return {"id": incident.id, **told, "status": incident.stands, "firing": firing}


def timeline_json(entries: "list[Entry] | tuple[Entry, ...]") -> list[object]:
    """The timeline, oldest first."""
    return [plain(entry) for entry in entries]


def run_json(run: Run) -> dict[str, object]:
    """A run; the text it is pinned to is left out, its hash tells it."""
    told = plain(run)
    assert isinstance(told, dict)
    told.pop("text", None)
    return told
