"""Labelled windows: stretches of a recording in which something was wrong, and how well alarms met them. Pure.

A window is *caught* by the first alarm inside it. An alarm is *right* when it lies in any window that it may speak of.
Recall is the share of windows caught, precision the share of alarms that are right; both None of nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median


@dataclass(frozen=True, slots=True)
class Window:
    """`[start, end]` in seconds since the epoch; what else is named limits the alarms that may catch it.

    `metric` is the name of a metric: of a recording that is a file of one metric, its own.
    """

    start: float
    end: float
    service: str = ""
    rule: str = ""
    metric: str = ""

    def later(self, seconds: float) -> "Window":
        """The same so many seconds later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that spoke up at `at`, and until when it went on (None: to the end); `metrics` None: any."""

    at: float
    end: float | None
    service: str
    rule: str
    metrics: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """One window: `caught`, `open` (an alarm from before went on in it) or `missed`; seconds from its start."""

    window: Window
    how: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How well alarms met windows. `to_detect` is the median of the caught ones, in seconds."""

    windows: int
    caught: int
    alarms: int
    right: int
    to_detect: float | None
    met: tuple[Met, ...]

    @property
    def recall(self) -> float | None:
        """The share of windows caught."""
        return self.caught / self.windows if self.windows else None

    @property
    def precision(self) -> float | None:
        """The share of alarms that lie in a window."""
        return self.right / self.alarms if self.alarms else None


def score(windows: Iterable[Window], alarms: Sequence[Alarm]) -> Score:
    """Hold alarms to windows."""
    ordered = sorted(alarms, key=lambda alarm: alarm.at)
    met = tuple(_met(window, [a for a in ordered if _speaks_of(a, window)]) for window in _sorted(windows))
    right = sum(any(_inside(a, each.window) and _speaks_of(a, each.window) for each in met) for a in ordered)
    after = [each.after for each in met if each.after is not None]
    caught = sum(each.how == "caught" for each in met)
    return Score(len(met), caught, len(ordered), right, median(after) if after else None, met)


def _sorted(windows: Iterable[Window]) -> list[Window]:
    return sorted(windows, key=lambda w: (w.start, w.end, w.service, w.rule, w.metric))


def _speaks_of(alarm: Alarm, window: Window) -> bool:
    if window.service not in ("", alarm.service) or window.rule not in ("", alarm.rule):
        return False
    return not window.metric or alarm.metrics is None or window.metric in alarm.metrics


def _inside(alarm: Alarm, window: Window) -> bool:
    return window.start <= alarm.at <= window.end


def _met(window: Window, alarms: Sequence[Alarm]) -> Met:
    first = next((alarm for alarm in alarms if _inside(alarm, window)), None)
    if first is not None:
        return Met(window, "caught", first.at - window.start)
    going = any(alarm.at < window.start and (alarm.end is None or alarm.end > window.start) for alarm in alarms)
    return Met(window, "open" if going else "missed")
