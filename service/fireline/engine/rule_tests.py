"""Rule tests: a test is played, and what came of it is compared with what was expected. Pure and deterministic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.catalog import Severity
from fireline.domain.configuration import Response
from fireline.domain.events import Source
from fireline.domain.rule_tests import Expectation, ExpectedSignal, RuleTest, Wanted, WantedText
from fireline.domain.rules import Entity, Rule, Signal, State
from fireline.domain.windows import Family
from fireline.engine.rule_test_pages import pages
from fireline.engine.rule_test_playing import Playing, Shown, Span


@dataclass(frozen=True, slots=True)
class Bench:
    """What tests are run with."""

    families: Mapping[str, Family]
    decode: Source
    severities: Mapping[str, Severity]
    response: Response


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met: the line of the file it stands in, what was wanted and what came instead.

    `at` is in seconds after the start of the test, None where no instant is meant. `detail` are lines that tell why.
    """

    line: int
    what: str
    at: float | None
    entity: str
    wanted: str
    got: str
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test. `events` are the times at which events arrived; `end` is when it was over."""

    test: RuleTest
    failures: tuple[Failure, ...]
    signals: tuple[Signal, ...] = ()
    spans: tuple[Span, ...] = ()
    events: tuple[float, ...] = ()
    end: float = 0.0


def run(rule: Rule, test: RuleTest, bench: Bench) -> Outcome:
    """Play a whole test and compare everything that it expects."""
    playing = Playing(rule, test, bench.families, bench.decode, follow=True)
    failures = list(_failures(rule, playing, bench))
    end = _end(rule, playing)
    events = tuple(arrival.at for arrival in playing.coming)
    return Outcome(test, tuple(failures), tuple(playing.signals), tuple(playing.spans(end)), events, end)


def first_failure(rule: Rule, test: RuleTest, bench: Bench) -> Failure | None:
    """The first expectation that is not met, without looking further; None when all are."""
    playing = Playing(rule, test, bench.families, bench.decode)
    return next(_failures(rule, playing, bench), None)


def _end(rule: Rule, playing: Playing) -> float:
    """When a test is over: after its last event and the last instant that it speaks of."""
    test = playing.test
    signals = (each.at + _within(rule, each) for each in test.signals or ())
    events = (arrival.at for arrival in playing.coming[-1:])
    return max((*(each.at for each in test.expect), *signals, *events), default=0.0)


def _within(rule: Rule, signal: ExpectedSignal) -> float:
    return rule.pane if signal.within is None else signal.within


def _failures(rule: Rule, playing: Playing, bench: Bench) -> Iterator[Failure]:
    test = playing.test
    for at in sorted({each.at for each in test.expect}):
        playing.upto(at)
        shown = list(playing.shown(at))
        for expected in (each for each in test.expect if each.at == at):
            yield from _compared(expected, shown, playing.seen)
    playing.upto(_end(rule, playing))
    yield from _dead(playing)
    if test.signals is not None:
        yield from _signals(rule, test, playing.signals)
    if test.pages is not None:
        found = pages(playing.signals, bench.severities, bench.response)
        if found != test.pages:
            told = tuple(signal_text(test, signal) for signal in playing.signals if signal.state is State.FIRING)
            yield Failure(test.pages_line, "pages", None, "", f"{test.pages} pages", f"{found} pages", told)


def _dead(playing: Playing) -> Iterator[Failure]:
    for arrival, letter in playing.dead:
        yield Failure(playing.test.line, "event", arrival.happened, "", "an event", f"{letter.reason}: {letter.detail}")


def entity_text(entity: Entity | Mapping[str, str]) -> str:
    """`service=fraud-scoring, region=eu`; empty for a rule without `by`."""
    pairs = entity.items() if isinstance(entity, Mapping) else entity
    return ", ".join(f"{label}={value}" for label, value in pairs)


def _is_part(part: Mapping[str, str], entity: Entity) -> bool:
    return set(part.items()) <= set(entity)


def _compared(expected: Expectation, shown: Sequence[Shown], seen: Iterable[Entity]) -> Iterator[Failure]:
    matching = [each for each in shown if _is_part(expected.entity, each.entity)]
    for each in matching:
        yield from _verdict(expected, each)
    if matching:
        return
    if not any(_is_part(expected.entity, entity) for entity in seen):
        known = tuple(f"known are {entity_text(entity)}" for entity in seen)
        got = "no event of such an entity" if known else "no event that the rule takes"
        yield _failure(
            expected, "verdict", entity_text(expected.entity), wanted=_wanted(expected), got=got, detail=known
        )
    elif expected.state != State.UNKNOWN.value:
        got = "nothing: all that is known of it is older than the window"
        yield _failure(expected, "verdict", entity_text(expected.entity), wanted=_wanted(expected), got=got)


def _verdict(expected: Expectation, shown: Shown) -> Iterator[Failure]:
    detail = (f"why: {shown.reason}", *_measured(shown.measures, shown.samples))
    if not _said(expected, shown.state, shown.severity):
        got = _state_text(shown.state.value, shown.severity)
        yield _failure(expected, "verdict", entity_text(shown.entity), wanted=_wanted(expected), got=got, detail=detail)
    values = _Values(shown.measures, shown.samples, shown.reason, shown.summary)
    for wanted, got in _unmet(expected.evidence, values):
        yield _failure(expected, "evidence", entity_text(shown.entity), wanted=wanted, got=got, detail=detail)


def _failure(
    expected: Expectation, what: str, entity: str, *, wanted: str, got: str, detail: tuple[str, ...] = ()
) -> Failure:
    return Failure(expected.line, what, expected.at, entity, wanted, got, detail)


def _said(expected: Expectation | ExpectedSignal, state: State, severity: str | None) -> bool:
    alike = expected.severity is None or expected.severity == severity
    return expected.state == state.value and alike


def _wanted(expected: Expectation | ExpectedSignal) -> str:
    return _state_text(expected.state, expected.severity)


def _state_text(state: str, severity: str | None) -> str:
    return f"{state} ({severity})" if severity is not None and state != State.CLEAR.value else state


@dataclass(frozen=True, slots=True)
class _Values:
    """What evidence is compared with."""

    measures: Mapping[str, float | None]
    samples: int
    reason: str
    summary: str

    def text(self, name: str) -> str:
        return self.reason if name == "reason" else self.summary

    def number(self, name: str) -> float | None:
        if name in self.measures:
            return self.measures[name]
        return self.samples if name == "samples" else None


def _unmet(evidence: Mapping[str, Wanted], values: _Values) -> Iterator[tuple[str, str]]:
    for name, wanted in evidence.items():
        if isinstance(wanted, WantedText):
            found = values.text(name)
            if not wanted.met(found):
                yield f"{name} {'with ' if wanted.part else ''}`{wanted.text}`", f"`{found}`"
            continue
        number = values.number(name)
        if not wanted.met(number):
            yield f"{name} {wanted.text}", f"{name} {number_text(number)}"


def number_text(value: float | None) -> str:
    """A value as people read it, precise enough to be written into a test."""
    return "none" if value is None else f"{value:.6g}"


def _measured(measures: Mapping[str, float | None], samples: int) -> tuple[str, ...]:
    values = ", ".join(f"{name} {number_text(value)}" for name, value in measures.items())
    return (f"measures: {values}; {samples} samples",) if values else ()


def signal_text(test: RuleTest, signal: Signal) -> str:
    """A signal in a line: when, what, of whom."""
    who = entity_text(signal.entity)
    return f"{time_text(signal.at - test.start)} {_state_text(signal.state.value, signal.severity)}" + (
        f" {who}" if who else ""
    )


def time_text(seconds: float) -> str:
    """A time of a test as it is written there: `1h5m`, `20.1s`."""
    seconds = round(seconds, 3)
    text = ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        whole, seconds = divmod(seconds, size)
        text += f"{whole:.0f}{unit}" if whole else ""
    return text + f"{round(seconds, 3):g}s" if seconds or not text else text


def _signals(rule: Rule, test: RuleTest, got: Sequence[Signal]) -> Iterator[Failure]:
    """Pair expected signals with those that were given, each once and in order; the rest is missing or too much."""
    left = list(got)
    for expected in sorted(test.signals or (), key=lambda each: each.at):
        near = [signal for signal in left if _is_signal(rule, test, expected, signal)]
        if not near:
            yield _missing(rule, test, expected, left)
            continue
        signal = min(near, key=lambda each: abs(each.at - test.start - expected.at))
        left.remove(signal)
        found = signal.evidence
        values = _Values(found.measures, found.samples, found.reason, signal.summary)
        for wanted, instead in _unmet(expected.evidence, values):
            detail = (f"why: {found.reason}", *_measured(found.measures, found.samples))
            yield Failure(expected.line, "evidence", expected.at, entity_text(signal.entity), wanted, instead, detail)
    for signal in left if test.only else ():
        yield _unexpected(test, signal)


def _is_signal(rule: Rule, test: RuleTest, expected: ExpectedSignal, signal: Signal) -> bool:
    apart = abs(signal.at - test.start - expected.at)
    near = apart <= _within(rule, expected) + 1e-5
    return near and _is_part(expected.entity, signal.entity) and _said(expected, signal.state, signal.severity)


def _missing(rule: Rule, test: RuleTest, expected: ExpectedSignal, left: Sequence[Signal]) -> Failure:
    alike = [s for s in left if _is_part(expected.entity, s.entity) and _said(expected, s.state, s.severity)]
    nearest = min(alike, key=lambda each: abs(each.at - test.start - expected.at), default=None)
    got = "no such signal" if nearest is None else f"at {time_text(nearest.at - test.start)}"
    wanted = f"signal {_wanted(expected)} (give or take {time_text(_within(rule, expected))})"
    given = tuple(f"given: {signal_text(test, signal)}" for signal in left)
    return Failure(expected.line, "signal", expected.at, entity_text(expected.entity), wanted, got, given)


def _unexpected(test: RuleTest, signal: Signal) -> Failure:
    found = signal.evidence
    detail = (f"why: {found.reason}", *_measured(found.measures, found.samples))
    got = f"signal {_state_text(signal.state.value, signal.severity)}"
    at = round(signal.at - test.start, 6)
    return Failure(test.line, "signal", at, entity_text(signal.entity), "no further signal", got, detail)
