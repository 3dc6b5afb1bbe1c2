"""Topics: how the events of a topic are read, and how the words that their senders use become ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fireline.domain.events import Kind

OWN_TOPICS = frozenset({"fireline.partials", "fireline.dead-letter", "fireline.incidents", "fireline.routes"})
"""What Fireline writes: reading it as events would feed it to itself."""

TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""What Kafka takes as the name of a topic, `.` and `..` excepted."""


def may_be_read(name: str) -> bool:
    """Whether events may come on a topic of this name: one that Kafka takes and that is not written by Fireline."""
    return TOPIC_NAME.fullmatch(name) is not None and name not in {".", ".."} and name not in OWN_TOPICS


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How fields of a topic's events become ours, applied in this order.

    `labels` gives ours the value of the first of theirs that is there; theirs stays. `drop` are fields that are not
    kept. `key` is the field that a record's key gives to events without it, `add` are fields for events without them.
    `services` replaces values of the field `service`: other systems' names by the catalog's ids.

    `kind` is for events that do not say in our words what they are, and `time` are the fields that may tell when they
    happened when there is no `ts`; both only for formats whose events are JSON bodies.
    """

    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    key: str | None = None
    add: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    time: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic that events come on: the name of its format, and what becomes of fields; None leaves them alone."""

    name: str
    format: str = "native"
    fields: FieldMap | None = None
