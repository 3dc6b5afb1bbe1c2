"""Plugins: what the YAML files may name of measures, actions, channels and formats; passed in, none is imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel

from fireline.domain.ranges import Range
from fireline.domain.targets import Command
from fireline.domain.windows import Lookback

Lookbacks = Callable[[float, Mapping[str, object]], Sequence[Lookback]]
"""The stretches of the past that a measure compares with, by its own window in seconds and its settings."""

Referring = Callable[[str, object, float, Mapping[str, object]], Mapping[str, object]]
"""What a field of a baseline adds to a measure's settings: by its kind, state and origin there, and those settings.

Raises ValueError saying why it cannot serve, and after a semicolon how to mend it.
"""


@dataclass(frozen=True, slots=True)
class MeasureSchema:
    """A measure family: the model of its own settings, whether it measures a field or counts by a condition (one of
    them when it is `either`), and what it compares with, if it does: the past, a baseline."""

    options: type[BaseModel]
    takes_of: bool = False
    takes_condition: bool = False
    either: bool = False
    range: Range | None = None
    lookbacks: Lookbacks | None = None
    reference: Referring | None = None
    conditions: tuple[str, ...] = ()
    """Which of its settings are conditions over one event."""


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that an action gives: its type, as `outputs:` of a step names it (`any`: it may be several), and what
    it is, for people. It may be nothing (null) where that says so.
    """

    type: str
    what: str


Outputs = Mapping[str, Output | str]
"""Outputs by name; a text alone says what one is, and of its type nothing is known."""


def type_of(output: Output | str) -> str:
    """The type of an output, `any` where nothing is known."""
    return output.type if isinstance(output, Output) else "any"


def what_of(output: Output | str) -> str:
    """What an output is, for people."""
    return output.what if isinstance(output, Output) else output


@dataclass(frozen=True, slots=True)
class ActionSchema:
    """An action: the model of its `with`, its outputs by name, and whether it changes anything."""

    options: type[BaseModel]
    outputs: Outputs = field(default_factory=dict)
    mutates: bool = False


@dataclass(frozen=True, slots=True)
class FormatSchema:
    """A wire format: whether its events are JSON bodies, which may say in other words what they are and when."""

    bodies: bool = False


class AddressForm(Protocol):
    """What the addresses of a channel look like."""

    @property
    def expected(self) -> str:
        """How one is written, for people."""
        ...

    @property
    def certain(self) -> bool:
        """Whether nothing else can work."""
        ...

    @property
    def shown(self) -> bool:
        """Whether an address may be told; others may be a key that somebody wrote down."""
        ...

    def fits(self, address: str) -> bool:
        """Whether an address looks as it should."""
        ...


@dataclass(frozen=True, slots=True)
class Plugins:
    """All of them, by the names used in YAML."""

    measures: Mapping[str, MeasureSchema]
    actions: Mapping[str, ActionSchema]
    channels: frozenset[str]
    formats: Mapping[str, FormatSchema]
    why_no_action: Callable[[str], str] = lambda _: ""
    """Why an action that a package brings cannot be used; empty when none brings it."""
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By kind of event, the fields whose values are always a `number` or a `text`; of others nothing is known."""
    addresses: Mapping[str, tuple[AddressForm, AddressForm]] = field(default_factory=dict)
    """By channel, the form of a person's address and of a room's; one that is not here takes any text."""
    targets: Mapping[str, frozenset[str]] | None = None
    """What the targets file lists, by the option that names it; None: the file is not known here."""
    commands: Mapping[str, Command] = field(default_factory=dict)
    """The commands that the targets file lists."""
    against_host: Callable[[str], str | None] | None = None
    """Why a host may not be asked, None when it may; None instead of it where nobody knows here which may."""
