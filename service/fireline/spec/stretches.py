"""Stretches: how far back the measures of a rule look, and the panes that this takes.

A measure may have its own `window`, end `offset` earlier, or belong to a family that compares with the past. All of
that is made of the rule's panes, so each length has to be a whole number of them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fireline.domain.durations import spelled
from fireline.domain.rules import Measure
from fireline.domain.windows import Lookback, reach
from fireline.spec.durations import written
from fireline.spec.panes import MOST, divides, pane_for
from fireline.spec.plugins import MeasureSchema

BYTES = 240
"""About what a worker holds of one measure in one pane of one entity (docs/benchmarks.md, "Memory")."""

MUCH = 4e9
"""Bytes of panes of one rule from which on its author is warned."""

_FEW = 2_500
"""Panes to which a rule that looks far back is brought, when its author sets none."""

_COARSE = 6
"""Panes that the shortest window has at least, when the author sets none."""

_NICE = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0, 120.0, 150.0, 300.0, 600.0, 900.0),
    *(1_200.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0),
)


@dataclass(frozen=True, slots=True)
class Looks:
    """How one measure looks back: its own window and offset where it has any, and what it compares with; seconds.

    `whole` is its window, or the rule's.
    """

    name: str
    window: float | None
    offset: float
    whole: float
    lookbacks: Sequence[Lookback] = ()

    @property
    def reach(self) -> float:
        """How many seconds back it looks."""
        return reach(self.whole, self.offset, self.lookbacks)

    @property
    def plain(self) -> bool:
        """Whether it reads the rule's window and nothing else."""
        return self.window is None and not self.offset and not self.lookbacks

    def lengths(self) -> Iterator[tuple[str, float]]:
        """What has to be a whole number of panes: the word of the file (or none), and seconds."""
        yield "window", self.whole
        yield "offset", self.offset
        for back in self.lookbacks:
            yield "", back.window
            yield "", back.offset


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with how a measure looks back: at which of its words (or at all of it), and how to mend it."""

    measure: str
    word: str
    message: str
    hint: str


def looks_of(measure: Measure, window: float, schema: MeasureSchema | None) -> Looks | Fault:
    """How a measure of a rule with this window looks back; a fault when its family cannot say."""
    whole = measure.window or window
    backs: Sequence[Lookback] = ()
    sound = schema is not None and bool(measure.options or not schema.options.model_fields)  # else told already
    if schema is not None and schema.lookbacks is not None and sound:
        try:
            backs = [back for back in schema.lookbacks(whole, measure.options) if _sound(back)]
        except Exception as fault:  # a family is a plugin
            said = f"`{measure.agg}` cannot say what it compares with: {type(fault).__name__}: {fault}"
            return Fault(measure.name, "", said, "change its settings")
    return Looks(measure.name, measure.window, measure.offset, whole, backs)


def _sound(back: Lookback) -> bool:
    return 0.0 < back.window < math.inf and 0.0 <= back.offset < math.inf


def fitting_pane(window: float, looks: Sequence[Looks]) -> float:
    """Seconds of a pane for a rule that sets none; that of its window alone, unless a measure looks elsewhere."""
    usual = pane_for(window)
    if all(each.plain for each in looks):
        return usual
    fine = _shortest(window, looks) / _COARSE
    fits = [pane for pane in _NICE if pane <= fine + 1e-9 and _fits(pane, window, looks)]
    wanted = max(usual, furthest(window, looks) / _FEW)
    return next((pane for pane in fits if pane >= wanted), fits[-1] if fits else usual)


def _shortest(window: float, looks: Sequence[Looks]) -> float:
    return min((window, *(each.whole for each in looks)))


def furthest(window: float, looks: Sequence[Looks]) -> float:
    """How many seconds back a rule with this window looks: `Rule.reach`."""
    return max((window, *(each.reach for each in looks)))


def _fits(pane: float, window: float, looks: Sequence[Looks]) -> bool:
    lengths = [window, *(length for each in looks for _, length in each.lengths())]
    return all(divides(pane, length) for length in lengths if length)


def faults(window: float, pane: float, looks: Sequence[Looks]) -> list[Fault]:
    """What is wrong with how the measures look back, given the rule's pane."""
    found = [fault for each in looks if not each.plain for fault in _uneven(each, pane)]
    far = max(looks, key=lambda each: each.reach, default=None)
    if far is not None and not far.plain and far.reach / pane > MOST and window / pane <= MOST:
        found.append(_too_far(far, window, pane, looks))
    return found


def _uneven(looks: Looks, pane: float) -> Iterator[Fault]:
    size = written(pane)
    for word, length in dict.fromkeys(looks.lengths()):
        if not length or divides(pane, length):
            continue
        what = (
            f"the {word} of `{looks.name}`" if word else f"`{looks.name}` compares with the past, and {spelled(length)}"
        )
        hint = f"write a multiple of {size}, or set a `pane` of the rule of which it is one"
        yield Fault(looks.name, word, f"{what} is not a whole number of panes of {size}", hint)


def _too_far(far: Looks, window: float, pane: float, looks: Sequence[Looks]) -> Fault:
    message = (
        f"`{far.name}` looks {spelled(far.reach)} back, which is {far.reach / pane:.0f} panes of {written(pane)};"
        f" at most {MOST} are allowed"
    )
    least = far.reach / MOST
    longer = next((nice for nice in _NICE if nice >= least and _fits(nice, window, looks)), None)
    if longer is not None:
        return Fault(far.name, "offset" if far.offset else "window", message, f"set `pane: {spelled(longer)}`")
    hint = f"set a `pane` of at least {least:.0f}s, and windows that are whole numbers of it"
    return Fault(far.name, "offset" if far.offset else "window", message, hint)


def warning(pane: float, looks: Sequence[Looks], entities: int) -> Fault | None:
    """That so many panes of so many entities take much memory, when it is a measure that looks back so far."""
    far = max(looks, key=lambda each: each.reach, default=None)
    if far is None or far.plain:
        return None
    panes = far.reach / pane
    each = panes * len(looks) * BYTES
    if each * entities <= MUCH:
        return None
    message = (
        f"`{far.name}` looks {spelled(far.reach)} back: {panes:.0f} panes an entity, {_size(each)} each and"
        f" {_size(each * entities)} if there are {entities} entities"
    )
    fewer = max(1, math.floor(MUCH / each))
    return Fault(far.name, "", message, f"set `max_entities: {fewer}` if there are no more, or a longer `pane`")


def _size(amount: float) -> str:
    return (
        f"{amount / 1e9:.1f} GB"
        if amount >= 1e9
        else f"{amount / 1e6:.1f} MB"
        if amount >= 1e6
        else f"{amount / 1e3:.0f} KB"
    )
