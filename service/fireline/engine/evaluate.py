"""Evaluate: partials of one partition of `fireline.partials` into windows, measures, verdicts and signals.

One `Evaluation` per partition, fed in order. It does no I/O and knows no clock: `apply` what arrives, `judge` at once
and again at `next_wake()`; every few seconds save `changes()` and `header()` together with the offset.
"""

from collections.abc import Iterable, Mapping, Sequence

from fireline.domain.rules import Rule, Signal
from fireline.domain.windows import Family
from fireline.engine.ports import Watch, WatchAnswer


class Evaluation:
    """The windows and verdicts of one partition. Not thread safe; does no I/O.

    Live entities are judged at the `now` that is passed in; those of any other timeline at the highest event time seen
    in it. Counters for telemetry: `malformed`, `stale`, `refused`, `entities`.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        families: Mapping[str, Family],
        allowed_lateness: float = 30.0,
        replay_lateness: float = 3600.0,
    ) -> None: ...

    def apply(self, payload: bytes, now: float) -> None:
        """Take one record of `fireline.partials`; applying it again changes nothing. Malformed ones are counted."""
        raise NotImplementedError

    def judge(self, now: float, behind: float = 0.0) -> list[Signal]:
        """Judge the entities that changed or whose time came. Ids are deterministic.

        `behind` is by how many seconds this worker lags the log: silence is not counted for that long.
        """
        raise NotImplementedError

    def next_wake(self) -> float | None:
        """When `judge` has something to do although nothing arrives (live time), None of never."""
        raise NotImplementedError

    def watches(self, watches: Sequence[Watch], now: float) -> list[WatchAnswer]:
        """Answer open watches for the entities of this partition, on panes entirely after `since`."""
        raise NotImplementedError

    def changes(self) -> Mapping[str, bytes | None]:
        """The windows that changed since the last `saved()`, for a checkpoint; None deletes one."""
        raise NotImplementedError

    def header(self) -> bytes:
        """What the checkpoint keeps beside the windows: chunks seen per source, and times of the timelines."""
        raise NotImplementedError

    def saved(self) -> None:
        """The checkpoint of the last `changes()` is durable."""
        raise NotImplementedError

    def restore(self, windows: Mapping[str, bytes | None], header: bytes) -> None:
        """Start from a checkpoint; windows of rules that changed or went are dropped, firing states are kept."""
        raise NotImplementedError

    def reload(self, rules: Iterable[Rule]) -> None:
        """Go on with other rules, as `restore` would."""
        raise NotImplementedError
