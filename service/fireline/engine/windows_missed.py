"""Missed windows: live windows that were over before they were read, for the worker was away or lagged.

They are judged as of the ends of their panes once everything before has been read, so that a fault that came and went
meanwhile is still told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fireline.domain.judging import judge
from fireline.domain.rules import Rule, Signal
from fireline.domain.windows import first_pane, pane_of
from fireline.engine.windows import Series
from fireline.engine.windows_reading import Read

REACH = 3600.0
"""Seconds back to which missed windows are judged: nobody is paged for what is older."""


@dataclass(slots=True)
class Reached:
    """How far live events had been read when they were judged last: `at` in seconds, None before the first time."""

    at: float | None = None

    def back_to(self, now: float) -> float:
        """Since when windows are of interest: what is older was judged, or is too old to tell anybody."""
        return now if self.at is None else min(now, max(self.at, now - REACH))

    def advance(self, now: float, behind: float) -> None:
        """Everything up to `behind` seconds ago has been read."""
        self.at = max(self.back_to(now), now - behind)

    def leap(self, seconds: float) -> None:
        """The clock was set back by so many seconds; forward, what lies between was missed."""
        if self.at is not None and seconds < 0.0:
            self.at += seconds


def in_turn(due: Iterable[tuple[Series, int]], some: float) -> tuple[list[Series], list[Series]]:
    """Whom to judge now, and who has to wait: after `some` missed windows everybody who missed any.

    An hour of thousands of entities takes longer than an event loop may be held. With each entity comes the first pane
    of its present window.
    """
    turn, later, missed = list[Series](), list[Series](), list[tuple[int, Series]]()
    for series, first in due:
        if series.unseen is not None and series.unseen < first and (count := len(series.missed(first))):
            missed.append((count, series))
        else:
            turn.append(series)
    for count, series in sorted(missed, key=lambda each: each[0]):
        (turn if some > 0 else later).append(series)
        some -= count
    return turn, later


def judge_missed(
    series: Series, now: float, reached: float, show: Callable[[int, float], Read]
) -> tuple[list[Signal], int]:
    """The signals of the windows that were missed up to `reached`, and how many measures could not be read.

    `show(pane, end)` reads the window with that newest pane. What lies after `reached` stays to be judged.
    """
    rule, signals, faults = series.rule, list[Signal](), 0
    first, until = first_pane(now, rule.window, rule.pane), pane_of(reached, rule.pane)
    for pane in series.missed(min(first, until)):
        signals += (found := _judge(series, rule, pane, now, show))[0]
        faults += found[1]
    series.unseen = next((pane for pane in series.missed(first) if pane >= until), None)
    return signals, faults


def _judge(
    series: Series, rule: Rule, pane: int, now: float, show: Callable[[int, float], Read]
) -> tuple[tuple[Signal, ...], int]:
    end = (pane + 1) * rule.pane
    series.judged = max(end, series.judged)
    reading, faults = show(pane, end)
    late = f"this window was over {now - end:.0f} s before it was read"
    series.state, signals = judge(rule, series.state, reading._replace(notes=(*reading.notes, late)), series.judged)
    return signals, faults
