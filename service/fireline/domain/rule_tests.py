"""RuleTest: events in, and what a rule must say of them at which time; plain values, judged by the engine.

All times are seconds after the start of the test, whose instant is `RuleTest.start`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fireline.domain.events import Kind

START = 1_767_571_200.0
"""Where a test begins when it does not say: Monday 2026-01-05, midnight UTC, where panes of all usual sizes begin."""


@dataclass(frozen=True, slots=True)
class Series:
    """One event each `every` seconds (None: as the test has it), the first at `at`, `field` taking the values in turn.

    None is a gap: no event at that time. With `counts` there are so many events at each time, all alike. `{n}` in a
    text among the fields stands for the number of the event in its series, counted from 0, so that a prediction and its
    label can share a request id. `on` is the kind of the events where it is not the rule's.
    """

    fields: Mapping[str, object]
    field: str
    values: tuple[float | None, ...] = ()
    counts: tuple[int, ...] = ()
    every: float | None = None
    at: float = 0.0
    on: Kind | None = None


@dataclass(frozen=True, slots=True)
class SingleEvent:
    """One event at `at`; it arrives `late` seconds after that. `on` is its kind where it is not the rule's."""

    at: float
    fields: Mapping[str, object]
    late: float = 0.0
    on: Kind | None = None


@dataclass(frozen=True, slots=True)
class WantedNumber:
    """A number between `low` and `high`; the bounds count unless they are open. `absent`: no value at all."""

    text: str
    low: float = float("-inf")
    high: float = float("inf")
    open_low: bool = False
    open_high: bool = False
    absent: bool = False

    def met(self, value: float | None) -> bool:
        """Whether a value is as wanted."""
        if value is None or self.absent:
            return value is None and self.absent
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below


@dataclass(frozen=True, slots=True)
class WantedText:
    """A text: all of it or, with `part`, one that stands somewhere in it."""

    text: str
    part: bool = False

    def met(self, value: str) -> bool:
        """Whether a text is as wanted."""
        return self.text in value if self.part else self.text == value


Wanted = WantedNumber | WantedText


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is said of `entity` (a part of its labels) at `at`; without a severity, any. `line` is where it stands."""

    at: float
    state: str
    severity: str | None = None
    entity: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Wanted] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedSignal:
    """A signal that must be given at `at`, give or take `within` (None: a pane of the rule)."""

    at: float
    state: str
    severity: str | None = None
    entity: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Wanted] = field(default_factory=dict)
    within: float | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class RuleTest:
    """A test of a rule: series and events in; verdicts, signals and pages out. `start` is an instant (epoch seconds).

    `signals` None: none are compared; else these and, when `only`, no others are given. `pages` None: not counted.
    """

    name: str
    every: float
    series: tuple[Series, ...] = ()
    events: tuple[SingleEvent, ...] = ()
    expect: tuple[Expectation, ...] = ()
    signals: tuple[ExpectedSignal, ...] | None = None
    only: bool = True
    pages: int | None = None
    start: float = START
    line: int = 0
    pages_line: int = 0


@dataclass(frozen=True, slots=True)
class AcceptedMutant:
    """Changes of a rule that its tests need not notice: `mutant` names them (`*` stands for anything), and why."""

    mutant: str
    reason: str
    line: int = 0
