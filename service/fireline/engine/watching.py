"""Questions to evaluate and their answers, and what a stream worker resumes at: values that the store keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Watch:
    """A question to evaluate: how does `rule` look for `entity` on events after `since` alone?

    `entity` may name a part of the labels; `window` seconds and `min_samples` are the watch's own, never the rule's.
    """

    id: str
    rule: str
    entity: Mapping[str, str]
    since: float
    window: float
    min_samples: int
    until: float
    timeline: str = "live"


@dataclass(frozen=True, slots=True)
class WatchAnswer:
    """Evaluate's answer for one matching entity: `firing`, `clear` or `unknown`, on `samples` samples.

    It was given `at`, and knows the events up to `behind` seconds before that: by so much the worker lagged its logs.
    """

    watch: str
    entity: str
    state: str
    samples: int
    measures: Mapping[str, float | None]
    reason: str
    at: float
    behind: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to speak for one partition of the shuffle topic, until another one takes it over.

    `number` rises with every takeover. A worker that was stopped, and wakes up when its partition is somebody else's,
    finds its claim outdated in the very transaction in which it would have said or saved something.
    """

    topic: str
    partition: int
    number: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of one partition of the shuffle topic: next offset to read, and its changed windows (key -> bytes).

    `generation` names the log it belongs to: one of another generation is not used. None deletes a window.
    """

    topic: str
    partition: int
    generation: str
    offset: int
    header: bytes = b""
    windows: Mapping[str, bytes | None] = field(default_factory=dict)
