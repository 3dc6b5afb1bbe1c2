"""Matching: which rules an event belongs to, at a cost that follows the rules matched, not the rules loaded.

Every stream of a rule (its own, and those its measures name) is filed under one of its equality matchers, preferably
on `name`; an event looks up its own label values and tests only what is filed there. What a label set matches is
remembered by the caller, for labels repeat far more often than they change.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fireline.domain.events import Kind, field_of, text_of
from fireline.domain.rules import Match, Matcher, Measure, Rule
from fireline.domain.windows import Family

Labels = Mapping[str, str]
"""The labels that matter, as text; a missing one is the empty string."""


def labels_of(fields: Mapping[str, object], names: Iterable[str]) -> dict[str, str]:
    """The named fields of an event as label texts."""
    return {name: text_of(field_of(fields, name)) for name in names}


def _test(matcher: Matcher) -> Callable[[str], bool]:
    """Whether a label's text satisfies `matcher`."""
    if matcher.how in (Match.ANY_OF, Match.NONE_OF):
        values, wanted = frozenset(matcher.values), matcher.how is Match.ANY_OF
        return lambda text: (text in values) is wanted
    patterns, wanted = [re.compile(value) for value in matcher.values], matcher.how is Match.REGEX
    return lambda text: any(p.fullmatch(text) for p in patterns) is wanted


@dataclass(frozen=True, slots=True)
class Stream:
    """What a rule, or some of its measures, read: events of `kind` that satisfy `where`.

    `measures` are places in `rule.measures`. A `partner` stream holds the other half of what a measure pairs (feedback
    of predictions): such events are matched by what they say, and what they do not say is no contradiction. `counts`
    tells whether its events are samples of the rule: those of its own stream, or of all its measures' if none reads it.
    """

    rule: Rule
    kind: Kind
    where: tuple[Matcher, ...]
    measures: tuple[int, ...]
    partner: bool = False
    counts: bool = True
    tests: tuple[tuple[str, Callable[[str], bool]], ...] = field(default=(), compare=False)

    def accepts(self, labels: Labels) -> bool:
        """Whether an event with these labels belongs to the stream."""
        if self.partner:
            return all(labels[label] == "" or test(labels[label]) for label, test in self.tests)
        return all(test(labels[label]) for label, test in self.tests)


def _stream_of(rule: Rule, measure: Measure, kind: Kind) -> tuple[Kind, tuple[Matcher, ...], bool]:
    where = rule.where if measure.where is None else measure.where
    home = measure.on or rule.on
    return kind, where, kind is not home


def streams_of(rule: Rule, families: Mapping[str, Family]) -> list[Stream]:
    """The streams of a rule; measures that read the same events share one. The rule's own is there in any case."""
    grouped: dict[tuple[Kind, tuple[Matcher, ...], bool], list[int]] = {(rule.on, rule.where, False): []}
    for place, measure in enumerate(rule.measures):
        for kind in families[measure.agg].streams or (measure.on or rule.on,):
            grouped.setdefault(_stream_of(rule, measure, kind), []).append(place)
    own = (rule.on, rule.where, False)
    alone = bool(grouped[own]) or len(grouped) == 1
    return [
        Stream(
            rule,
            kind,
            where,
            tuple(places),
            partner,
            counts=(kind, where, partner) == own if alone else not partner,
            tests=tuple((matcher.label, _test(matcher)) for matcher in where),
        )
        for (kind, where, partner), places in grouped.items()
    ]


def _filing(stream: Stream) -> Matcher | None:
    """The matcher to file a stream under: one on `name` if it has one, else the one with the fewest values."""
    usable = [m for m in stream.where if m.how is Match.ANY_OF and "" not in m.values]
    if stream.partner or not usable:
        return None
    return min(usable, key=lambda m: (m.label != "name", len(m.values)))


class Index:
    """The streams of all rules that read one kind of event. `names` are the labels that any of them looks at."""

    def __init__(self, streams: Iterable[Stream]) -> None:
        self._filed: dict[str, dict[str, list[Stream]]] = {}
        self._rest: list[Stream] = []
        names: set[str] = set()
        for stream in streams:
            names.update(label for label, _ in stream.tests)
            names.update(stream.rule.by)
            self._file(stream)
        self.names: tuple[str, ...] = tuple(sorted(names))

    def _file(self, stream: Stream) -> None:
        matcher = _filing(stream)
        if matcher is None:
            self._rest.append(stream)
            return
        drawer = self._filed.setdefault(matcher.label, {})
        for value in set(matcher.values):
            drawer.setdefault(value, []).append(stream)

    def match(self, labels: Labels) -> list[Stream]:
        """The streams that an event with these labels (all of `names`) belongs to."""
        found = [stream for stream in self._rest if stream.accepts(labels)]
        for label, drawer in self._filed.items():
            found += [stream for stream in drawer.get(labels[label], ()) if stream.accepts(labels)]
        return found


def index_rules(rules: Iterable[Rule], families: Mapping[str, Family]) -> dict[Kind, Index]:
    """One index a kind that any rule reads. A measure's family must be in `families` (the rules were checked)."""
    by_kind: dict[Kind, list[Stream]] = {}
    for rule in rules:
        for stream in streams_of(rule, families):
            by_kind.setdefault(stream.kind, []).append(stream)
    return {kind: Index(streams) for kind, streams in by_kind.items()}
