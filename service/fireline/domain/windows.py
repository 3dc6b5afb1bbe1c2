"""Panes and windows, and what a measure family is: a mergeable aggregate whose states are plain JSON-like values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from fireline.domain.events import Kind
from fireline.domain.rules import Measure

Fields = Mapping[str, object]
"""The flat fields of one event."""

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

    @property
    def needs(self) -> str:
        """What a measure of it must name: `of` (a field; default `value`), `condition`, `of or condition`,
        `of condition` (the field, and the condition if it likes), or nothing."""
        ...

    @property
    def settings(self) -> type:
        """The pydantic model of the measure's own settings."""
        ...

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """What events of one kind give, one value an event; None where an event has nothing to give."""
        ...

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Aggregate one batch of one pane: `values` of `column`, `times` of the events; useless values are left out."""
        ...

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Associative and commutative, exactly: any order and grouping gives an equal state."""
        ...

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The value over `window` seconds; None when it has no value (no samples)."""
        ...


@runtime_checkable
class Conditioned(Protocol):
    """What a family is besides when some of its settings are conditions over one event: `Measure.conditions`."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of those settings."""
        ...


@runtime_checkable
class Refers(Protocol):
    """What a family is besides when a baseline can stand for the past that it compares with."""

    def reference(self, kind: str, state: object, origin: float, options: Mapping[str, object]) -> Mapping[str, object]:
        """What a field of a baseline gives the options of a measure; raises ValueError saying why it cannot serve."""
        ...


@runtime_checkable
class MergesMany(Protocol):
    """What a family is besides when merging many states at once is cheaper than one after the other."""

    def merge_all(self, states: Sequence[MeasureState]) -> MeasureState:
        """What `merge` makes of all of them, in any order; there are two or more."""
        ...


@runtime_checkable
class Caveats(Protocol):
    """What a family may do besides: say how far one of its values can be trusted."""

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """The rest of a sentence that begins with the measure's name ("lies between 500 and 750"); None: nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Lookback:
    """A stretch of `window` seconds that ends `offset` seconds before the end of the measure's own window."""

    window: float
    offset: float


@runtime_checkable
class Compares(Protocol):
    """What a family is besides when its value compares the measure's own window with the past.

    `lookbacks` must depend on nothing but its arguments; panes are kept as far back as the furthest of them reaches.
    """

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The stretches of the past that `compare` needs, for a measure whose own window is `window` seconds."""
        ...

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """Called instead of `read`: `others` in the order of `lookbacks`, None where nothing is known of a stretch."""
        ...


@runtime_checkable
class TellsChange(Protocol):
    """What a family that compares may do besides: say what is different, such as which categories are new."""

    def change(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> str | None:
        """The rest of a sentence that begins with the measure's name ("saw BTC (12)"); None: nothing. As `compare`."""
        ...


@runtime_checkable
class Ages(Protocol):
    """What a family is besides when its value changes with time alone."""

    def age(self, state: MeasureState, end: float, options: Mapping[str, object]) -> float | None:
        """Called instead of `read`: `end` is when the newest pane of its window began, so it changes once a pane."""
        ...


def reach(window: float, offset: float, lookbacks: Sequence[Lookback]) -> float:
    """How many seconds before the end of the rule's window the oldest event lies that a measure may read."""
    return offset + max((window, *(back.offset + back.window for back in lookbacks)))


def pane_of(at: float, pane: float) -> int:
    """The index of the pane of `pane` seconds that holds event time `at` (seconds since the epoch)."""
    return math.floor(at / pane)


@lru_cache(maxsize=4096)
def span(window: float, pane: float) -> int:
    """How many panes make a window: it is the newest pane, still filling, and the ones before it."""
    return max(1, math.ceil(window / pane - 1e-9))


def first_pane(now: float, window: float, pane: float) -> int:
    """The index of the oldest pane of the window that ends at `now`."""
    return pane_of(now, pane) - span(window, pane) + 1
