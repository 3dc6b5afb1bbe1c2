"""What came of doing something: a closed union, so that failure is a value and retry policy lives in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; `output` is JSON-like (a step's outputs, a message's reference)."""

    output: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not finished, nothing wrong: look again in `delay` seconds with `memory`, which is journaled meanwhile."""

    delay: float
    reason: str
    memory: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryLater:
    """It did not work and may later: try again in `delay` seconds (a channel's Retry-After, a backoff).

    `limited` says that the other side asked for the wait.
    """

    delay: float
    reason: str
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not work. `unknown` means that it may have happened all the same (time-out after sending).

    `acted` means that it did happen, and is of no use as it is: it is not tried again, and is undone.
    """

    reason: str
    unknown: bool = False
    output: Mapping[str, object] = field(default_factory=dict)
    acted: bool = False


Outcome = Done | Waiting | RetryLater | Failed
