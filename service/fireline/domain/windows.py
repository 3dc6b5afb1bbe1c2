"""Panes and windows, and what a measure family is: a mergeable aggregate whose states are plain JSON-like values."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from fireline.domain.events import Kind

MeasureState = object
"""JSON-like (numbers, strings, lists, dicts), so that it travels and is stored as it is. Never changed in place."""


class Family(Protocol):
    """One measure family. All methods are pure; `options` is the validated mapping of the measure's own settings."""

    @property
    def name(self) -> str:
        """The word after `agg:`."""
        ...

    @property
    def streams(self) -> tuple[Kind, ...]:
        """The kinds it reads whatever its rule is on (`agreement` pairs two); empty: the rule's."""
        ...

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Aggregate one batch of one pane. `values` are what `of` or the condition gave, one per event."""
        ...

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Associative and commutative."""
        ...

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The value over `window` seconds; None when it has no value (no samples)."""
        ...


def pane_of(at: float, pane: float) -> int:
    """The index of the pane of `pane` seconds that holds event time `at` (seconds since the epoch)."""
    return math.floor(at / pane)
