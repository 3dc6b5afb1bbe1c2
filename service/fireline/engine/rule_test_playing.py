"""Playing: a rule's test as it would have happened live, on a clock that the test moves.

The rule is judged by the code that judges live events, on the live timeline: when an event arrives, and whenever
`next_wake` says that time alone changes something. So a verdict can be asked for at any instant, also between two
events, and it is what a running Fireline would have said then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.events import Source
from fireline.domain.rule_tests import RuleTest
from fireline.domain.rules import Entity, Rule, Signal, State
from fireline.domain.windows import Family
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import DeadLetter, Ingest, Record
from fireline.engine.looking import Verdict
from fireline.engine.partials import SourceRef
from fireline.engine.rule_test_events import Arrival, arrivals
from fireline.engine.watching import Watch

_SOURCE = SourceRef("test", 0)
_MOMENT = 2e-6
"""Seconds: what falls on an instant, such as an event that leaves the window then, has happened at it."""
_SOON = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class Span:
    """What was said of an entity from `start` to `end` (seconds after the start); `pending` waits for its `for`."""

    entity: Entity
    start: float
    end: float
    state: State
    severity: str | None
    pending: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An entity at an instant: what is said of it and why, and what its measures show."""

    entity: Entity
    state: State
    severity: str | None
    reason: str
    measures: Mapping[str, float | None]
    samples: int
    summary: str


@dataclass(slots=True)
class Playing:
    """A test in progress. `upto` moves it on; all times are seconds after the start of the test."""

    rule: Rule
    test: RuleTest
    families: Mapping[str, Family]
    decode: Source
    follow: bool = False
    signals: list[Signal] = field(default_factory=list)
    dead: list[tuple[Arrival, DeadLetter]] = field(default_factory=list)
    seen: dict[Entity, None] = field(default_factory=dict)
    coming: list[Arrival] = field(default_factory=list)
    _ingest: Ingest = field(init=False)
    _evaluation: Evaluation = field(init=False)
    _next: int = 0
    _now: float = 0.0
    _since: dict[Entity, tuple[float, Verdict]] = field(default_factory=dict)
    _spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ingest = Ingest([self.rule], self.families, self.decode, partitions=1)
        self._evaluation = Evaluation([self.rule], self.families)
        self.coming = arrivals(self.rule, self.test)

    def upto(self, at: float) -> None:
        """Let everything happen that happens until `at`, and at it."""
        until = self.test.start + at + _MOMENT
        while (moment := self._moment()) is not None and moment <= until:
            self._arrive(moment)
            self._judge(moment)

    def _moment(self) -> float | None:
        """When something happens next: an event arrives, or time alone changes something."""
        wake = self._evaluation.next_wake()
        if wake is not None and wake <= self._now:  # it was judged at that instant already
            wake = self._now + _SOON
        arrives = self.test.start + self.coming[self._next].at if self._next < len(self.coming) else None
        times = [max(at, self._now) for at in (wake, arrives) if at is not None]
        return min(times, default=None)

    def _arrive(self, now: float) -> None:
        """Take in all that has arrived, as one batch would."""
        first = self._next
        while self._next < len(self.coming) and self.test.start + self.coming[self._next].at <= now:
            self._next += 1
        some = self.coming[first : self._next]
        if not some:
            return
        records = [Record(first + n, self.test.start + each.at, None, each.value) for n, each in enumerate(some)]
        taken = self._ingest.batch(_SOURCE, records)
        self.dead += [(self.coming[letter.record.offset], letter) for letter in taken.dead]
        for payload in (one for payloads in taken.partials.values() for one in payloads):
            self._evaluation.apply(payload, now)

    def _judge(self, now: float) -> None:
        self._now = now
        said = self._evaluation.judge(now)
        self.signals += said
        if self.follow or not self.seen:
            self._note(now - self.test.start)

    def _note(self, at: float) -> None:
        """Note what is said of every entity from now on, where that changed."""
        known = {verdict.entity: verdict for verdict in self._evaluation.verdicts()}
        self.seen.update(dict.fromkeys(known))
        for entity in [entity for entity in self._since if entity not in known]:
            self._close(entity, at)
        for entity, verdict in known.items():
            since = self._since.get(entity)
            if since is not None and _alike(since[1], verdict):
                continue
            self._close(entity, at)
            self._since[entity] = (at, verdict)

    def _close(self, entity: Entity, at: float) -> None:
        since = self._since.pop(entity, None)
        if since is not None:
            start, said = since
            self._spans.append(Span(entity, start, at, said.state, said.severity, pending_of(said)))

    def spans(self, at: float) -> Sequence[Span]:
        """What was said of each entity until `at`, in order; of a test that was followed."""
        for entity in list(self._since):
            self._close(entity, at)
        return sorted(self._spans, key=lambda span: (span.entity, span.start))

    def shown(self, at: float) -> Iterator[Shown]:
        """Every entity that is known at `at`, after `upto(at)`."""
        window = max(self.rule.window, self.rule.pane)
        watch = Watch("test", self.rule.name, {}, 0.0, window, 0, self.test.start + at)
        answers = {each.entity: each for each in self._evaluation.watches([watch], self.test.start + at + _MOMENT)}
        summaries = {signal.entity: signal.summary for signal in self.signals}
        for verdict in self._evaluation.verdicts():
            self.seen.setdefault(verdict.entity)
            found = answers.get(",".join(f"{label}={value}" for label, value in verdict.entity))
            yield Shown(
                verdict.entity,
                verdict.state,
                verdict.severity,
                verdict.reason,
                {} if found is None else found.measures,
                0 if found is None else found.samples,
                summaries.get(verdict.entity, ""),
            )


def _alike(one: Verdict, other: Verdict) -> bool:
    return (one.state, one.severity, pending_of(one)) == (other.state, other.severity, pending_of(other))


_PENDING = " is pending"


def pending_of(verdict: Verdict) -> str | None:
    """The severity whose condition holds and waits for its `for`; None when none does."""
    head, mark, _ = verdict.reason.rpartition(_PENDING)
    return head.rpartition("; ")[2] if mark else None
