"""The score of the Numenta Anomaly Benchmark, standard profile, after the published description.

Source: Lavin and Ahmad, Evaluating Real-Time Anomaly Detection Algorithms (ICMLA 2015), and the whitepaper of the
benchmark. Of the records of a series the first 15 %, at most 750, are probationary and count for nothing. In each
labelled window the earliest detection counts, by how early it is: 1 at the window's first record, falling to about 0
at its last. A window without a detection costs 1. Each detection outside of windows costs 0.11, less if it follows
closely on a window. A series' score is the sum; over a set of series it is normalised, so that detecting nothing is 0
and detecting each window at its first record, and nothing else, is 100. There is no lower bound.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROBATION = 0.15
PROBATION_OF = 5000
A_TP, A_FP, A_FN = 1.0, 0.11, 1.0
FAR = 3.0
"""So many widths of the window behind it, a false detection costs as much as any."""


def sigmoid(position: float) -> float:
    """What a detection is worth at this place relative to a window: -1 its first record, 0 just behind it."""
    return -1.0 if position >= FAR else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def probationary(records: int) -> int:
    """How many of a series' first records count for nothing."""
    return min(math.floor(PROBATION * records), math.floor(PROBATION * PROBATION_OF))


@dataclass(frozen=True, slots=True)
class Worth:
    """What a detection at each record is worth, and the window that it is in by number (-1: none); from `begin` on."""

    begin: int
    worth: NDArray[np.float64]
    window: NDArray[np.int64]
    windows: int

    @property
    def null(self) -> float:
        """The score of detecting nothing."""
        return -A_FN * self.windows

    @property
    def perfect(self) -> float:
        """The score of detecting each window at its first record, and nothing else."""
        return A_TP * self.windows

    def score(self, detected: NDArray[np.bool_]) -> "Scored":
        """The score of detections, one truth value a record."""
        counted = detected.copy()
        counted[: self.begin] = False
        hits = counted & (self.window >= 0)
        best: dict[int, float] = {}
        for at in np.flatnonzero(hits):
            place = int(self.window[at])
            best[place] = max(best.get(place, -math.inf), float(self.worth[at]))
        false = counted & (self.window < 0)
        raw = sum(best.values()) - A_FN * (self.windows - len(best)) + float(self.worth[false].sum())
        return Scored(raw, self.null, self.perfect, self.windows, len(best), int(false.sum()))


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of one series or several, what nothing and all would give, windows, and false detections."""

    raw: float
    null: float
    perfect: float
    windows: int
    caught: int
    false: int

    @property
    def normalised(self) -> float:
        """0 for detecting nothing, 100 for perfection; NaN where there is no window."""
        return 100.0 * (self.raw - self.null) / (self.perfect - self.null) if self.windows else math.nan


def together(scores: Sequence[Scored]) -> Scored:
    """The score of several series."""
    return Scored(
        math.fsum(s.raw for s in scores),
        math.fsum(s.null for s in scores),
        math.fsum(s.perfect for s in scores),
        sum(s.windows for s in scores),
        sum(s.caught for s in scores),
        sum(s.false for s in scores),
    )


def worth_of(times: Sequence[float], windows: Sequence[tuple[float, float]]) -> Worth:
    """What each record of a series is worth; `windows` are the first and the last time of each, in order."""
    begin = probationary(len(times))
    worth = np.full(len(times), -A_FP)
    inside = np.full(len(times), -1, dtype=np.int64)
    kept, before = 0, None
    for first, last in windows:
        places = [at for at, time in enumerate(times) if first <= time <= last]
        if not places or places[-1] < begin:
            continue
        left, right = places[0], places[-1]
        width = right - left + 1
        if before is not None:
            _fade(worth, *before, until=left)
        for at in places:
            worth[at] = A_TP * sigmoid(-(right - at + 1) / width) / sigmoid(-1.0)
            inside[at] = kept
        kept, before = kept + 1, (right, width)
    if before is not None:
        _fade(worth, *before, until=len(times))
    return Worth(begin, worth, inside, kept)


def _fade(worth: NDArray[np.float64], right: int, width: int, *, until: int) -> None:
    """False detections that follow on a window cost less."""
    for at in range(right + 1, until):
        worth[at] = A_FP * sigmoid((at - right) / max(1, width - 1))
