"""Event: one thing that happened, whoever reported it; one flat mapping of fields under a kind and an event time."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an event tells about; the wire field `type`."""

    METRIC = "metric"
    PREDICTION = "prediction"
    FEEDBACK = "feedback"
    EVALUATION = "evaluation"
    ALERT = "alert"
    DEPLOYMENT = "deployment"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event.

    `at` is event time in seconds since the epoch. `fields` is flat: the labels of the wire form are merged with its
    own fields (`name`, `value`, `model`, `confidence` ...), the own fields winning; nested objects such as `features`
    stay mappings and are named with a dot (`features.price`). `id` is deterministic for the same reported thing.
    """

    kind: Kind
    at: float
    fields: Mapping[str, object]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why bytes are not an event: a stable `reason` code for counting, and `detail` for a person."""

    reason: str
    detail: str
