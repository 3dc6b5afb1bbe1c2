"""Rule: when what is measured over a window of events deserves a severity; Signal: its verdict changing state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fireline.domain.calendars import Hours
from fireline.domain.events import Kind
from fireline.domain.expressions import Condition, Template
from fireline.domain.rule_tests import AcceptedMutant, RuleTest

Entity = tuple[tuple[str, str], ...]
"""The label values a rule groups by, in the order of its `by`: `(("service", "fraud"), ("region", "eu"))`."""


class Match(StrEnum):
    """How one label is compared."""

    ANY_OF = "any_of"
    NONE_OF = "none_of"
    REGEX = "regex"
    NOT_REGEX = "not_regex"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One line of `where`: `label` must match any (or none) of `values`; a missing label is the empty string."""

    label: str
    how: Match
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One named aggregate of a rule: `agg` names a measure family, `options` are its own settings (`q`, `of`, ...).

    `on` and `where` are set when the measure reads another stream than its rule does. `condition` is what a share
    counts (`confidence < 0.6`), over the fields of one event. It reads the `window` seconds (None: the rule's window)
    that end `offset` seconds before the end of the rule's window.
    """

    name: str
    agg: str
    of: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    on: Kind | None = None
    where: tuple[Matcher, ...] | None = None
    condition: Condition | None = None
    window: float | None = None
    offset: float = 0.0
    conditions: Mapping[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """One severity of a rule. Durations in seconds. Without `until` the level clears when `when` no longer holds.

    Outside its `hours` it is clear, whatever is measured.
    """

    severity: str
    when: Condition
    for_: float = 0.0
    until: Condition | None = None
    keep_firing_for: float = 0.0
    min_samples: int = 1
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class NoData:
    """What silence means: after `after` seconds without an event of a known entity, fire at `severity`."""

    after: float
    severity: str
    hours: Hours | None = None


HEARTBEATS = "heartbeats"
"""The measure that counts the heartbeats of a rule's sender, over `MISSED` of their intervals."""
MISSED = 3
"""So many heartbeats that did not come are a dead sender."""


class Mode(StrEnum):
    """Whether a rule pages (`active`) or is only counted (`shadow`)."""

    ACTIVE = "active"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Rule:
    """One severity rule. `window` and `pane` in seconds; `levels` from the highest severity to the lowest.

    `service` gives the service an entity belongs to (a template over the entity's labels); `owner` is a team and is
    None where the service's owner answers. `hash` is the content hash of what decides its windows and verdicts, `shape`
    that of what its windows are made of: while it stays, they outlive a change of the rule. `reach` is how many seconds
    back its measures look: at least `window`, and more when one of them looks further back. `heartbeat` is how often
    its senders give a sign of life, in seconds; None when they do not.
    """

    name: str
    on: Kind
    where: tuple[Matcher, ...]
    by: tuple[str, ...]
    window: float
    pane: float
    measures: tuple[Measure, ...]
    levels: tuple[Level, ...]
    service: Template
    summary: Template
    owner: str | None = None
    no_data: NoData | None = None
    heartbeat: float | None = None
    runbooks: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    incident: str = ""
    mode: Mode = Mode.ACTIVE
    domain: str = "technical health"
    description: str = ""
    max_entities: int = 10_000
    reach: float = 0.0
    hash: str = ""
    shape: str = ""
    where_file: str = ""
    tests: tuple[RuleTest, ...] = ()
    accept_mutants: tuple[AcceptedMutant, ...] = ()

    @property
    def made_of(self) -> str:
        """What its windows are made of, as a hash: the whole rule where nothing else is known."""
        return self.shape or self.hash


class State(StrEnum):
    """A rule's verdict on an entity."""

    FIRING = "firing"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on: measures over `[window_start, window_end]`, samples, the condition and why.

    `late` counts events that came too late to be among the samples. `notes` are whole clauses for people about how far
    the numbers can be trusted, the most telling first: `3 % of this window came late`.
    """

    measures: Mapping[str, float | None]
    samples: int
    window_start: float
    window_end: float
    condition: str
    reason: str
    late: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule's verdict on an entity changing state: firing at a severity, or cleared (`severity` None).

    `id` is deterministic: the same events give the same ids, so a replay repeats nothing. `episode` is the event time
    at which the entity left the clear state; all signals of one episode share it, and `sequence` counts them.
    `started` is the event time of the
    first bad evidence, `at` the time of the verdict; both seconds since the epoch.
    """

    id: str
    rule: str
    entity: Entity
    service: str
    state: State
    severity: str | None
    at: float
    started: float
    episode: float
    summary: str
    evidence: Evidence
    group: str = ""
    runbooks: tuple[str, ...] = ()
    mode: Mode = Mode.ACTIVE
    timeline: str = "live"
    sequence: int = 0

    @property
    def fingerprint(self) -> str:
        """The stable name of what fires, without its episode: rule, entity and timeline."""
        labels = ",".join(f"{k}={v}" for k, v in self.entity)
        return f"{self.timeline}/{self.rule}{{{labels}}}"
