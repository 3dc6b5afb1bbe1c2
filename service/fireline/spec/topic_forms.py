"""The form of `topics.yaml`."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from fireline.domain.topics import OWN_TOPICS, may_be_read
from fireline.spec.reading import Label, Part
from fireline.spec.rule_test_forms import KindName

LONGEST_FIELD = 200
_ENVELOPE = {
    "type": "say what events are with `kind`",
    "ts": "say when they happened with `time`",
    "labels": "name the labels one by one",
}


def _topic(value: str) -> str:
    if value in OWN_TOPICS:
        raise ValueError(f"Fireline writes `{value}` itself, and would be fed its own words; name another topic")
    if not may_be_read(value):
        raise ValueError(f"`{value[:40]}` is not a name that Kafka takes; use 1 to 249 letters, digits or `. _ -`")
    return value


def _field(value: str) -> str:
    if not value.strip() or len(value) > LONGEST_FIELD:
        raise ValueError(f"the name of a field has 1 to {LONGEST_FIELD} characters")
    return value


def _ours(value: str) -> str:
    if value in _ENVELOPE:
        raise ValueError(f"`{value}` is not a field that can be given or dropped; {_ENVELOPE[value]}")
    return _field(value)


def _listed(value: object) -> object:
    if not isinstance(value, str | list):
        raise ValueError("a field was expected, or a list of fields; write one such as `service.name`")
    return [value] if isinstance(value, str) else value


Theirs = Annotated[str, AfterValidator(_field)]
Ours = Annotated[str, AfterValidator(_ours)]
Alternatives = Annotated[
    list[Theirs],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    ),
]


class TopicForm(Part):
    """How the events of one topic are read, and which of their fields become which of ours.

    What is said here is done in this order: `labels`, `drop`, `key`, `add`, `service_aliases`.
    """

    format: str = Field("native", description="how its records are written: one of the formats below")
    labels: dict[Ours, Alternatives] = Field(
        default_factory=dict,
        description="our field: their field, or a list of which the first that is there counts; `host.name` is a field "
        "of that name, or `name` in the object `host`",
    )
    drop: list[Ours] = Field(default_factory=list, description="fields that are not kept")
    key: Ours | None = Field(None, description="the field that a record's key gives to events without it")
    add: dict[Ours, Label] = Field(default_factory=dict, description="fields for events without them")
    service_aliases: bool = Field(
        False, description="whether the field `service` is replaced by the id of the service of which it is an alias"
    )
    kind: KindName | None = Field(
        None, description="what events are that do not say so in our words; JSON formats only"
    )
    time: Alternatives | None = Field(
        None, description="their field that tells when it happened, where there is no `ts`; JSON formats only"
    )


class TopicsFile(Part):
    """Topics that events come on, beside those of `FIRELINE_TOPICS`."""

    topics: dict[Annotated[str, AfterValidator(_topic)], TopicForm] = Field(description="topics by their name in Kafka")
