"""Event: one thing that happened, whoever reported it; one flat mapping of fields under a kind and an event time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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


Headers = Sequence[tuple[str, bytes]]
"""The headers of a Kafka record, in order; a name may come twice."""

Row = tuple[Kind, float, dict[str, object]]
"""An event on the fast path: kind, event time in seconds, flat fields. Same meaning as `Event`, without its id."""


Decoded = Sequence[Event | Malformed] | Malformed
"""What a record holds: the good events, and what is wrong with each bad one; or why that cannot be told."""


class Source(Protocol):
    """One wire format. Pure, and never raises."""

    def decode(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> Decoded:
        """The events of one record and the faults among them, or why there are none.

        Every event is processed; for the faults the record becomes a dead letter, one a reason. `key` is the record's.
        """
        ...

    def rows(self, values: Sequence[bytes | None]) -> Sequence[Row | None]:
        """The fast path for a batch: one row a record; None where only `decode` can tell."""
        ...


def text_of(value: object) -> str:
    """A field as a label: text as it is, numbers and truth values as JSON writes them, anything else the empty string.

    Whole floats lose their `.0`, so that version 14 and 14.0 are one label.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return ""


def field_of(fields: Mapping[str, object], name: str) -> object:
    """The field called `name`; a dotted name reaches into nested objects (`features.price`). None when absent."""
    if name in fields or "." not in name:
        return fields.get(name)
    head, tail = name.split(".", 1)
    inner = fields.get(head)
    return field_of(inner, tail) if isinstance(inner, Mapping) else None
