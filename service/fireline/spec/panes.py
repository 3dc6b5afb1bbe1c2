"""Panes: how finely a window is cut when the author does not say."""

import math

FINEST = 0.25
COARSEST = 60.0
MOST = 20_000
_NICE = (0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0)


def pane_for(window: float) -> float:
    """Seconds of a pane: about a thirtieth of the window, within bounds, rounded to a nice length that divides it."""
    wanted = min(max(window / 30, FINEST), COARSEST)
    coarser = [nice for nice in _NICE if nice >= wanted and divides(nice, window)]
    finer = [nice for nice in _NICE if wanted / 4 <= nice < wanted and not pane_fault(window, nice)]
    if coarser or finer:
        return coarser[0] if coarser else finer[-1]
    return window / max(1, round(window / wanted))


def pane_fault(window: float, pane: float) -> str:
    """What is wrong with a pane of this length; empty when nothing is."""
    if pane > window:
        return "the pane is longer than the window"
    if not divides(pane, window):
        return "the window is not a whole number of panes"
    if window / pane > MOST:
        return f"the window has {window / pane:.0f} panes, at most {MOST} are allowed; set a longer `pane`"
    return ""


def divides(pane: float, window: float) -> bool:
    """Whether so many seconds are a whole number of panes, at least one."""
    count = window / pane
    return count >= 1 and math.isclose(count, round(count), rel_tol=1e-9)
