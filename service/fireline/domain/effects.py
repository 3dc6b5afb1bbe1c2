"""Effects: what a decision wants done. Each has a deterministic key, so nothing is queued twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SendPage:
    """Page `person` for page `page` of the incident on one channel and address. Lane: that channel and address."""

    key: str
    incident: int
    page: int
    person: str
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class UpdateCard:
    """Bring the incident's card on one channel (`address` is a room) up to date: sent once, edited afterwards.

    `version` is the incident's that asked for it: a card that already shows it or a later one is left as it is.
    """

    key: str
    incident: int
    channel: str
    address: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpdatePage:
    """Bring the already sent page message of a person up to date (buttons go when it is over); `version` as above."""

    key: str
    incident: int
    page: int
    channel: str
    address: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """A line in the incident's thread on one channel; `mentions` are groups of that channel."""

    key: str
    incident: int
    channel: str
    address: str
    text: str
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that `person` should know and that is no page: a shift that begins, or that changed hands."""

    key: str
    person: str
    channel: str
    address: str
    text: str
    incident: int | None = None


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask the people at an address to approve or reject step `step` of run `run`; `round` is that of the step.

    An `update` edits what was asked there, as the question stands now.
    """

    key: str
    incident: int | None
    run: int
    step: str
    channel: str
    address: str
    text: str
    round: int = 0
    update: bool = False


@dataclass(frozen=True, slots=True)
class StartRun:
    """Start a runbook for the incident, if any; the engine decides about guards and autonomy."""

    key: str
    incident: int | None
    runbook: str
    inputs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publish:
    """Put a JSON value on a Kafka topic (`fireline.incidents`, `fireline.routes`)."""

    key: str
    topic: str
    record_key: str
    value: Mapping[str, object]


Effect = SendPage | UpdateCard | UpdatePage | Say | Tell | AskApproval | StartRun | Publish


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline: a row in the database. `incident` or `run` says whose it is; `kind` what is due."""

    key: str
    due_at: float
    kind: str
    incident: int | None = None
    run: int | None = None


def lane(effect: Effect) -> str:
    """The queue an effect waits in: one slow channel delays no other, and a lane keeps its order."""
    match effect:
        case SendPage() | UpdateCard() | UpdatePage() | Say() | Tell() | AskApproval():
            return f"{effect.channel}:{effect.address}"
        case StartRun():
            return f"run:{effect.incident}"
        case Publish():
            return f"kafka:{effect.topic}"


def channel_of(effect: Effect) -> str:
    """What carries the effect: a channel's name, `run`, `kafka`; what its lane begins with."""
    return lane(effect).partition(":")[0]
