"""What people ask of an incident beyond taking and ending it; `version` is the one they saw, None for the present."""

from dataclasses import dataclass

from fireline.domain.incident_records import Role


@dataclass(frozen=True, slots=True)
class ChangeSeverity:
    """`person` sets the severity, whatever fires; None lets the signals say it again."""

    incident: int
    person: str
    via: str
    severity: str | None
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """`person` says that the incident and `into` are one and the same: what it has goes there."""

    incident: int
    into: int
    person: str
    via: str
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """`person` makes an incident of its own of some `signals`, named by fingerprint or rule."""

    incident: int
    person: str
    via: str
    signals: tuple[str, ...]
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class SetRole:
    """`person` gives `holder` a role, or takes it back when `held` is False."""

    incident: int
    person: str
    via: str
    role: Role
    holder: str
    held: bool = True
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AddLink:
    """`person` puts a page elsewhere beside the incident."""

    incident: int
    person: str
    via: str
    url: str
    title: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AddTask:
    """`person` writes down what is to be done."""

    incident: int
    person: str
    via: str
    text: str
    assignee: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeTask:
    """`person` says that task `task` is done or open again, or whose it is; None leaves it as it is."""

    incident: int
    person: str
    via: str
    task: int
    done: bool | None = None
    assignee: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class WritePostMortem:
    """`person` writes parts of the post-mortem; None leaves a part as it is. `due` is a day, `YYYY-MM-DD`."""

    incident: int
    person: str
    via: str
    root_cause: str | None = None
    owner: str | None = None
    due: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """`person` says that nothing more is to be learned or done: it never opens again."""

    incident: int
    person: str
    via: str
    version: int | None = None


Keeping = SetRole | AddLink | AddTask | ChangeTask | WritePostMortem | Close
"""Acts that change what is kept on an incident, and never who is paged."""

Act = ChangeSeverity | Keeping
"""Acts on one incident. Merge and Split concern two."""
