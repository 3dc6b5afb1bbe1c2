"""Pairs of rules: those that say the same under two names, and those that fire only when another one does."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.calendars import Hours
from fireline.domain.ranges import Range
from fireline.domain.rules import Level, Matcher, Measure, Rule
from fireline.spec import codes
from fireline.spec.extents import ANY_NUMBER, ANY_TEXT, Extent, of_range
from fireline.spec.findings import Findings
from fireline.spec.logic import Said, impossible
from fireline.spec.rules import Placed
from fireline.spec.trees import Tree, names_in, plain, renamed, tree_of

MOST_ALIKE = 40
"""Of more rules than these on the same events, of the same window, pairs are not looked for."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A level whose conditions are understood, its measures named by what they measure."""

    level: Level
    rank: int
    when: Tree
    until: Tree | None

    @property
    def content(self) -> tuple[object, ...]:
        level = self.level
        lasting = (level.for_, level.keep_firing_for, level.min_samples, _hours(level.hours))
        return (level.severity, plain(self.when), self.until and plain(self.until), *lasting)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a rule says, comparable with other rules."""

    placed: Placed
    levels: tuple[_Level, ...]
    known: Mapping[str, Extent]

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.placed.rule.name


def check_pairs(rules: Sequence[Placed], findings: Findings) -> None:
    """Note rules that another one makes needless, each at its name and with the place of the other."""
    alike: dict[object, list[Placed]] = {}
    for placed in rules:
        if placed.path[:1] == ("rules",):
            alike.setdefault(_stream(placed.rule), []).append(placed)
    for group in alike.values():
        if 1 < len(group) <= MOST_ALIKE:
            _check_group([said for placed in group if (said := _said(placed)) is not None], findings)


def _check_group(group: Sequence[_Said], findings: Findings) -> None:
    needless: set[str] = set()
    for place, said in enumerate(group):
        others = (other for other in enumerate(group) if other[1].name != said.name and other[1].name not in needless)
        found = next(((other, how) for at, other in others if (how := _how(said, other, later=at < place))), None)
        if found is not None:
            needless.add(said.name)
            _note(said, found[0], found[1], findings)


def _how(said: _Said, other: _Said, *, later: bool) -> str:
    """The code of what makes a rule needless beside the other; of two that say the same it is the later one."""
    if not _serves(other, said):
        return ""
    if {level.content for level in said.levels} != {level.content for level in other.levels}:
        if not _covers(other, said):
            return ""
        if not (_serves(said, other) and _covers(said, other)):
            return codes.SHADOWED_RULE
    return codes.DUPLICATE_RULE if later else ""


_SAYS = {
    codes.DUPLICATE_RULE: "says the same as `{}`",
    codes.SHADOWED_RULE: "fires only while `{}` does, at no lower severity",
}


def _note(said: _Said, other: _Said, code: str, findings: Findings) -> None:
    message = f"the rule `{said.name}` {_SAYS[code].format(other.name)} ({other.placed.rule.where_file})"
    hint = "remove one of them, or give it events, levels or a runbook of its own"
    findings.warning(said.placed.document, (*said.placed.path, "name"), message, hint, code=code)


def _serves(other: _Said, said: _Said) -> bool:
    """Whether whatever the one is for, the other does too: its runbooks, and what it says of silence."""
    mine, theirs = said.placed.rule, other.placed.rule
    return set(mine.runbooks) <= set(theirs.runbooks) and mine.no_data in {None, theirs.no_data}


def _covers(other: _Said, said: _Said) -> bool:
    known = {**other.known, **said.known}
    return all(any(_level_covers(high, low, known) for high in other.levels) for low in said.levels)


def _level_covers(high: _Level, low: _Level, known: Mapping[str, Extent]) -> bool:
    """Whether the one level, of no lower severity, surely fires as long as the other does."""
    a, b = high.level, low.level
    if high.rank > low.rank or a.for_ > b.for_ or a.min_samples > b.min_samples or a.hours != b.hours:
        return False
    if a.keep_firing_for < b.keep_firing_for or not names_in(low.when) >= names_in(high.when):
        return False
    if impossible(known, Said(low.when)) or not impossible(known, Said(low.when), Said(high.when, holds=False)):
        return False
    if low.until is None:
        return True
    over = (Said(high.when, holds=False), Said(high.until)) if high.until is not None else ()
    return bool(over) and impossible(known, *over, Said(low.until, holds=False))


def _said(placed: Placed) -> _Said | None:
    """What a sound rule says; None when a condition is not understood."""
    rule = placed.rule
    names = {measure.name: _measured(measure) for measure in rule.measures}
    ranks = {severity.name: severity.rank for severity in placed.known.severities or ()}
    levels = []
    for level in rule.levels:
        when, until = tree_of(level.when.source), tree_of(level.until.source) if level.until else None
        if when is None or (until is None) is not (level.until is None) or level.severity not in ranks:
            return None
        until = None if until is None else renamed(until, names)
        levels.append(_Level(level, ranks[level.severity], renamed(when, names), until))
    return _Said(placed, tuple(levels), _known(placed, names))


def _known(placed: Placed, names: Mapping[str, str]) -> dict[str, Extent]:
    known: dict[str, Extent] = dict.fromkeys(placed.rule.by, ANY_TEXT)
    for measure in placed.rule.measures:
        schema = placed.known.plugins.measures.get(measure.agg)
        bounds: Range | None = schema.range if schema is not None else None
        known[names[measure.name]] = ANY_NUMBER if bounds is None else of_range(bounds)
    return known


def _stream(rule: Rule) -> object:
    """What two rules must share to be compared at all."""
    where = frozenset((m.label, m.how, frozenset(m.values)) for m in rule.where)
    shared = (rule.on, where, rule.by, rule.window, rule.group_by, rule.owner, rule.mode)
    return (*shared, rule.heartbeat, str(rule.service.source))


def _measured(measure: Measure) -> str:
    condition = tree_of(measure.condition.source) if measure.condition else None
    said = plain(condition) if condition is not None else measure.condition and measure.condition.source
    options = json.dumps(dict(measure.options), sort_keys=True, default=str)
    parts = [measure.agg, measure.of, options, measure.on, _matchers(measure.where), said]
    return json.dumps([*parts, measure.window, measure.offset])


def _matchers(matchers: Iterable[Matcher] | None) -> object:
    return None if matchers is None else sorted([m.label, m.how, sorted(m.values)] for m in matchers)


def _hours(hours: Hours | None) -> str:
    return "" if hours is None else str(hours)
