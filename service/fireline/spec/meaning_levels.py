"""Meaning of a rule: what its conditions say together. `until` beside `when`, and each level beside the higher ones."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fireline.spec import codes
from fireline.spec.arithmetic import Interval
from fireline.spec.documents import Path
from fireline.spec.expressions import check_kinds
from fireline.spec.facts import Facts, facts_of, facts_of_event
from fireline.spec.logic import Known, Said, Way, impossible, ways
from fireline.spec.meaning import Noted, Written, check_divisions, check_parts, check_whole, note, written_at
from fireline.spec.rule_forms import LevelForm, RuleForm
from fireline.spec.rule_reader import Reader
from fireline.spec.trees import names_in


@dataclass(frozen=True, slots=True)
class _Level:
    """A level whose `when` is understood; `until` may be none, or not understood (`untold`)."""

    name: str
    form: LevelForm
    when: Written
    until: Written | None
    untold: bool
    samples: int
    lasting: float


def check_meaning(form: RuleForm, reader: Reader) -> None:
    """Note what a rule's conditions say that cannot be meant, or will be regretted."""
    for name, measure in form.measures.items():
        check_event_condition(measure.condition, ("measures", name, "condition"), measure.on or form.on, reader)
    facts = facts_of(form, reader.plugins)
    levels = [level for name in form.severity if (level := _level(name, form, facts)) is not None]
    for level in levels:
        _check_level(level, facts, reader)
    _check_reach(levels, facts, reader)


def check_event_condition(text: str | None, path: Path, kind: str, reader: Reader) -> None:
    """Note what a condition over the fields of one event says that cannot be meant; `path` is within the rule."""
    if text is None:
        return
    facts = facts_of_event(kind, reader.plugins)
    check_kinds(reader.document, (*reader.path, *path), text, facts.kinds, reader.findings)
    written = written_at(text, path, facts)
    if written is not None:
        for found in check_parts(written, facts) or check_whole(written, facts, facts.known):
            note(written, found, reader)


def _level(name: str, form: RuleForm, facts: Facts) -> _Level | None:
    level = form.severity[name]
    path: Path = ("severity", name)
    when = written_at(level.when, (*path, "when"), facts)
    if when is None:
        return None
    until = written_at(level.until, (*path, "until"), facts)
    untold = level.until is not None and until is None
    samples = next((each for each in (level.min_samples, form.min_samples) if each is not None), 1)
    lasting = next((e for e in (level.clear_after, level.keep_firing_for, form.clear_after) if e is not None), 0.0)
    return _Level(name, level, when, until, untold, samples, lasting)


def _check_level(level: _Level, facts: Facts, reader: Reader) -> None:
    known = facts.sampled(level.samples)
    whole = [*check_parts(level.when, facts)]
    whole = whole or check_whole(level.when, facts, known, level.samples)
    for found in (*whole, *check_divisions(level.when, known)):
        note(level.when, found, reader)
    if level.until is None:
        return
    parts = check_parts(level.until, facts)
    sound = not parts and not whole
    for found in (*parts, *(_check_until(level, level.until, known) if sound else ())):
        note(level.until, found, reader)
    for found in check_divisions(level.until, known):
        note(level.until, found, reader)


def _check_until(level: _Level, until: Written, known: Known) -> Iterator[Noted]:
    when, then = level.when.tree, until.tree
    if impossible(known, Said(then), Said(when, holds=False)):
        message = f"`until` can hold only while `{level.when.shown()}` does, so the level would never clear"
        if impossible(known, Said(then)):
            message = f"`{until.shown()}` never holds, so the level would never clear"
        yield Noted(then, message, "say with `until` when it is good again", codes.UNTIL_NEVER)
    elif impossible(known, Said(when, holds=False), Said(then, holds=False)):
        message = "`until` holds as soon as `when` does not, so it changes nothing"
        yield Noted(then, message + _both(_common(level, until, known), until), _ROOM, codes.UNTIL_IDLE, "warning")
    elif (way := _common(level, until, known)) is not None:
        message = "`until` holds already while `when` does"
        yield Noted(then, message + _both(way, until), _ROOM, codes.UNTIL_IDLE, "warning")


_ROOM = 'leave room between the two, or it flaps: as `when: "p99 > 800"` and `until: "p99 < 600"`'


def _common(level: _Level, until: Written, known: Known) -> Way | None:
    """The one way in which both hold at once, where they are about the same names; None of anything less plain."""
    if not names_in(level.when.tree) >= names_in(until.tree):
        return None
    both = ways((Said(level.when.tree), Said(until.tree)), known)
    if both is None or len(both) != 1 or both[0].claims or both[0].relations:
        return None
    alone = [ways((Said(tree),), known) for tree in (level.when.tree, until.tree)]
    return None if any(each is None or len(each) != 1 for each in alone) else both[0]


def _both(way: Way | None, until: Written) -> str:
    """Where both hold at once, for people."""
    if way is None:
        return ""
    spans = [f"`{name}` is {said}" for name in sorted(names_in(until.tree)) if (said := _span(way.numbers(name)))]
    return f": both hold when {' and '.join(spans)}" if spans else ""


def _span(span: Interval) -> str:
    low, high = span
    if low == high:
        return f"{low:g}"
    if math.isinf(low) or math.isinf(high):
        return f"above {low:g}" if math.isinf(high) and not math.isinf(low) else ""
    return f"between {low:g} and {high:g}"


def _check_reach(levels: list[_Level], facts: Facts, reader: Reader) -> None:
    ranks: Mapping[str, int] = {severity.name: severity.rank for severity in reader.known.severities or ()}
    ordered = sorted((level for level in levels if level.name in ranks), key=lambda level: ranks[level.name])
    for place, low in enumerate(ordered):
        high = next((high for high in ordered[:place] if _covers(high, low, facts)), None)
        if high is not None:
            message = f"the level `{low.name}` is never shown: whenever it fires, `{high.name}` does"
            hint = f"give `{low.name}` the milder condition, or remove it"
            path = (*reader.path, "severity", low.name)
            reader.findings.warning(reader.document, path, message, hint, key=True, code=codes.UNREACHABLE)


def _covers(high: _Level, low: _Level, facts: Facts) -> bool:
    """Whether the higher level surely fires as long as the lower one does."""
    if high.form.for_ > low.form.for_ or high.samples > low.samples or high.lasting < low.lasting:
        return False
    if high.untold or low.untold or _hours(high) != _hours(low):
        return False
    if not names_in(low.when.tree) >= names_in(high.when.tree):
        return False  # what the higher one rests on may have no value while the lower one fires
    known = facts.sampled(low.samples)
    if not impossible(known, Said(low.when.tree), Said(high.when.tree, False)) or impossible(
        known, Said(low.when.tree)
    ):
        return False
    return low.until is None or _ends_first(high, low, low.until, known)


def _ends_first(high: _Level, low: _Level, until: Written, known: Known) -> bool:
    if high.until is None:
        return False
    over = (Said(high.when.tree, holds=False), Said(high.until.tree))
    return impossible(known, *over, Said(until.tree, holds=False))


def _hours(level: _Level) -> tuple[str | None, str | None]:
    return level.form.during, level.form.outside
