"""Rules: from the form of a rule file to domain rules, with everything that can be checked of one rule alone."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from fireline.domain.calendars import Hours
from fireline.domain.events import Kind
from fireline.domain.expressions import Condition
from fireline.domain.rule_tests import RuleTest
from fireline.domain.rules import HEARTBEATS, MISSED, Level, Match, Matcher, Measure, Mode, NoData, Rule
from fireline.spec import codes, elsewhere_rules
from fireline.spec.documents import Document, Entries, Items, Path
from fireline.spec.durations import written
from fireline.spec.expressions import read_condition, read_template
from fireline.spec.findings import Findings, suggestion
from fireline.spec.meaning_levels import check_meaning
from fireline.spec.names import Tree, leaves
from fireline.spec.panes import pane_fault, pane_for
from fireline.spec.plugins import MeasureSchema
from fireline.spec.reading import read_model, validated
from fireline.spec.references import Asking, referred
from fireline.spec.rule_forms import MeasureForm, RuleForm
from fireline.spec.rule_levels import read_levels, read_no_data
from fireline.spec.rule_reader import Known, Reader
from fireline.spec.rule_tests import Tested, read_accepted, read_tests
from fireline.spec.stretches import Fault, Looks, faults, fitting_pane, furthest, looks_of, warning
from fireline.spec.templates import JinjaTemplate, compile_template

_PARTS = ("rules", "slos")


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule, where it stands, and what it may name."""

    rule: Rule
    document: Document
    path: Path
    known: Known


def read_rules(document: Document, known: Known, findings: Findings) -> list[Placed]:
    """The sound rules of one file; the faults of the others are noted."""
    root = document.root
    if not isinstance(root, Entries):
        findings.error(document, (), "a mapping with `rules:` was expected", "begin the file with `rules:`")
        return []
    for name in root.nodes:
        if name not in _PARTS:
            message, hint = f"`{name}` is not known here", elsewhere_rules.FILE.get(name) or suggestion(name, _PARTS)
            findings.error(document, (name,), message, hint, key=True, code=codes.UNKNOWN_FIELD)
    rules = root.nodes.get("rules")
    if not isinstance(rules, Items):
        if "rules" in root.nodes or not root.nodes:
            findings.error(
                document, ("rules",), "a list of rules was expected", "write `rules:` and then `- name: ...`"
            )
        return []
    found = (_read(document, ("rules", index), known, findings) for index in range(len(rules.nodes)))
    return [placed for placed in found if placed is not None]


def _read(document: Document, path: Path, known: Known, findings: Findings) -> Placed | None:
    form = read_model(document, RuleForm, findings, path)
    if form is None:
        return None
    reader = Reader(document, path, known, findings)
    check_meaning(form, reader)
    return compiled(form, reader)


def compiled(form: RuleForm, reader: Reader) -> Placed | None:
    """The rule of a form that stands at `path`, or was made of what stands there; None when it has faults."""
    before = reader.findings.count()
    rule = _rule(form, reader)
    sound = rule is not None and reader.findings.count() == before
    return Placed(rule, reader.document, reader.path, reader.known) if rule is not None and sound else None


def _rule(form: RuleForm, reader: Reader) -> Rule | None:
    where = _matchers(form.where, ("where",), reader)
    _check_by(form, reader)
    measures = tuple(_measure(name, measure, form, reader) for name, measure in form.measures.items())
    measures += _heartbeats(form, reader)
    pane, reach = _panes(form, measures, reader)
    levels, no_data = read_levels(form, reader), read_no_data(form, reader)
    service, summary = _service(form, reader), _summary(form, reader)
    if service is None or summary is None:
        return None
    line = reader.document.place(reader.path).line
    rule = Rule(
        name=form.name,
        on=Kind(form.on),
        where=where,
        by=tuple(form.by),
        window=form.window,
        pane=pane,
        measures=measures,
        levels=levels,
        service=service,
        summary=summary,
        owner=form.owner,
        no_data=no_data,
        heartbeat=form.heartbeat.every if form.heartbeat else None,
        runbooks=tuple(form.runbooks),
        group_by=tuple(form.group_by),
        incident=form.incident or "",
        mode=Mode(form.mode),
        domain=form.domain,
        description=form.description,
        max_entities=form.max_entities,
        reach=reach,
        where_file=f"{reader.document.file}:{line}",
        tests=_tests(form, reader),
        accept_mutants=read_accepted(reader.document, (*reader.path, "accept_mutants"), form.accept_mutants),
    )
    return _hashed(rule)


def _heartbeats(form: RuleForm, reader: Reader) -> tuple[Measure, ...]:
    """A measure that counts heartbeats, so that they travel and are kept as everything else."""
    if form.heartbeat is None:
        return ()
    if form.no_data is None:
        hint = "such as `no_data: {after: 5m, severity: degraded}`"
        reader.error(("heartbeat",), "`heartbeat` says nothing without `no_data`", hint, key=True)
    if HEARTBEATS in form.measures or HEARTBEATS in form.by:
        hint = "rename the measure or label"
        reader.error(("heartbeat",), f"the heartbeats are counted as `{HEARTBEATS}`, which is taken", hint, key=True)
    where = _matchers(form.heartbeat.where, ("heartbeat", "where"), reader)
    pane = form.pane or pane_for(form.window)
    window = math.ceil(MISSED * form.heartbeat.every / pane - 1e-9) * pane
    return (Measure(HEARTBEATS, "count", on=Kind.HEARTBEAT, where=where, window=window),)


def _panes(form: RuleForm, measures: Sequence[Measure], reader: Reader) -> tuple[float, float]:
    """The length of a pane, and how far back the rule's measures look; seconds."""
    schemas = reader.plugins.measures
    found = [looks_of(measure, form.window, schemas.get(measure.agg)) for measure in measures]
    looks = [each for each in found if isinstance(each, Looks)]
    pane = form.pane or fitting_pane(form.window, looks)
    if fault := pane_fault(form.window, pane):
        reader.error(("pane",) if form.pane else ("window",), fault)
    wrong = [*(each for each in found if isinstance(each, Fault)), *faults(form.window, pane, looks)]
    for each in wrong:
        reader.error(_at(each, form), each.message, each.hint)
    if not wrong and (much := warning(pane, looks, _entities(form))) is not None:
        place = (*reader.path, *_at(much, form))
        reader.findings.warning(reader.document, place, much.message, much.hint, code=codes.MEMORY)
    return pane, furthest(form.window, looks)


def _entities(form: RuleForm) -> int:
    """How many entities the rule may have: labels that `where` says have so many values."""
    most = 1
    for name in form.by:
        values = form.where.get(name, [])
        most *= len(values) if values and all(_how(value) is Match.ANY_OF for value in values) else form.max_entities
    return min(most, form.max_entities)


def _at(fault: Fault, form: RuleForm) -> Path:
    path: Path = ("measures", fault.measure)
    return (*path, fault.word) if fault.word in form.measures[fault.measure].model_fields_set else path


def _check_by(form: RuleForm, reader: Reader) -> None:
    for index, name in enumerate(form.by):
        if name in form.by[:index]:
            reader.error(("by", index), f"`{name}` is in `by` twice")
        if name in form.measures:
            reader.error(("measures", name), f"`{name}` is both a measure and a label of `by`", "rename it", key=True)
    for index, name in enumerate(form.group_by):
        if name not in form.by:
            hint = suggestion(name, form.by)
            reader.error(("group_by", index), f"`{name}` is not a label of `by`", hint, code=codes.UNKNOWN_NAME)


def _matchers(where: Mapping[str, Sequence[str]], path: Path, reader: Reader) -> tuple[Matcher, ...]:
    found = (_matcher(label, values, (*path, label), reader) for label, values in where.items())
    return tuple(matcher for matcher in found if matcher is not None)


def _matcher(label: str, values: Sequence[str], path: Path, reader: Reader) -> Matcher | None:
    kinds = {_how(value): None for value in values}
    if len(kinds) > 1:
        reader.error(path, f"`{label}` mixes kinds of values", "all plain, all `!value`, all `~regex` or all `!~regex`")
        return None
    how = next(iter(kinds))
    bare = tuple(value[len(_MARKS[how]) :] for value in values)
    for value in bare if how in {Match.REGEX, Match.NOT_REGEX} else ():
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            reader.error(path, f"`{value[:60]}` is not a regular expression: {error}")
            return None
    return Matcher(label, how, bare)


_MARKS = {Match.NOT_REGEX: "!~", Match.REGEX: "~", Match.NONE_OF: "!", Match.ANY_OF: ""}


def _how(value: str) -> Match:
    return next(how for how, mark in _MARKS.items() if value.startswith(mark))


def _measure(name: str, form: MeasureForm, rule: RuleForm, reader: Reader) -> Measure:
    path: Path = ("measures", name)
    schema = reader.plugins.measures.get(form.agg)
    options = dict(form.model_extra or {})
    if schema is None:
        hint = elsewhere_rules.FAMILIES.get(form.agg.lower()) or suggestion(form.agg, reader.plugins.measures)
        reader.error((*path, "agg"), f"there is no measure `{form.agg}`", hint, code=codes.UNKNOWN_NAME)
    else:
        kind = form.on or rule.on
        _check_takes(form, path, schema, kind, reader)
        options = _options(options, schema.options, path, reader)
        options.update(referred(Asking(schema, options, form.of, kind), path, reader))
    condition_path = (*reader.path, *path, "condition")
    return Measure(
        name=name,
        agg=form.agg,
        of=form.of,
        options=options,
        on=Kind(form.on) if form.on else None,
        where=_matchers(form.where, (*path, "where"), reader) if form.where is not None else None,
        condition=read_condition(reader.document, condition_path, form.condition, reader.findings),
        window=form.window,
        offset=form.offset,
        conditions=_conditions(schema, options, path, reader),
    )


def _conditions(
    schema: MeasureSchema | None, options: Mapping[str, object], path: Path, reader: Reader
) -> dict[str, Condition]:
    """The settings that are conditions over one event, compiled."""
    found: dict[str, Condition] = {}
    for name in schema.conditions if schema is not None else ():
        text, place = options.get(name), (*reader.path, *path, name)
        read = read_condition(reader.document, place, text if isinstance(text, str) else None, reader.findings)
        if read is not None:
            found[name] = read
    return found


def _options(given: Mapping[str, object], model: type[BaseModel], path: Path, reader: Reader) -> dict[str, object]:
    fields = [info.alias or name for name, info in model.model_fields.items()]
    for name in given:
        if name not in fields:
            hint = elsewhere_rules.MEASURE.get(name) or suggestion(name, [*fields, *MeasureForm.model_fields])
            reader.error((*path, name), f"`{name}` is not known here", hint, key=True, code=codes.UNKNOWN_FIELD)
    known = {name: value for name, value in given.items() if name in fields}
    checked = validated(reader.document, model, known, reader.findings, (*reader.path, *path))
    return checked.model_dump() if checked is not None else {}


def _check_takes(form: MeasureForm, path: Path, schema: MeasureSchema, kind: str, reader: Reader) -> None:
    taken = [word for word, takes in (("of", schema.takes_of), ("condition", schema.takes_condition)) if takes]
    for word, given in (("of", form.of), ("condition", form.condition)):
        if given is not None and word not in taken:
            reader.error((*path, word), f"`{form.agg}` takes no `{word}`", "remove it", key=True)
    replaced = form.condition is not None and (schema.either or not schema.takes_condition)
    if schema.takes_of and form.of is None and not replaced and kind != "metric":
        reader.error(path, f"`{form.agg}` needs `of`: the field that is measured", "such as `of: latency_ms`")
    if taken == ["condition"] and form.condition is None:
        hint = "such as `condition: \"error != ''\"`"
        reader.error(path, f"`{form.agg}` needs `condition`: what an event must fulfil to count", hint)


def _service(form: RuleForm, reader: Reader) -> JinjaTemplate | None:
    if form.service is not None:
        path = (*reader.path, "service")
        return read_template(reader.document, path, form.service, reader.findings, leaves(form.by))
    for name in ("service", "model"):
        if name in form.by:
            return compile_template("{{ " + name + " }}")
    values = form.where.get("service", [])
    if len(values) == 1 and _how(values[0]) is Match.ANY_OF and values[0]:
        return compile_template(values[0])
    reader.error((), "the rule belongs to no service", "group `by: [service]`, or name one with `service:`")
    return None


def _summary(form: RuleForm, reader: Reader) -> JinjaTemplate | None:
    if form.summary is None:
        labels = " ".join(f"{name}={{{{ {name} }}}}" for name in form.by)
        return compile_template(f"{form.name} {labels}".strip())
    known: Tree = {"severity": None, "service": None, **leaves(form.by), "measures": leaves(form.measures)}
    path = (*reader.path, "summary")
    return read_template(reader.document, path, form.summary, reader.findings, known)


def _tests(form: RuleForm, reader: Reader) -> tuple[RuleTest, ...]:
    severities = {*form.severity, *([form.no_data.severity] if form.no_data else [])}
    tested = Tested(form.by, form.measures, severities)
    return read_tests(
        reader.document, (*reader.path, "tests"), form.tests, tested, reader.findings, places=reader.tests
    )


def _hashed(rule: Rule) -> Rule:
    """The rule with what stands for its content, and for that of its windows: what they are made of, not how long."""
    made_of = {
        "name": rule.name,
        "on": rule.on,
        "where": _matcher_content(rule.where),
        "by": rule.by,
        "pane": rule.pane,
        "max_entities": rule.max_entities,
    }
    bare = [_measure_content(replace(measure, window=None, offset=0.0)) for measure in rule.measures]
    content = {
        **made_of,
        "window": written(rule.window),
        "measures": [_measure_content(measure) for measure in rule.measures],
        "levels": [_level_content(level) for level in rule.levels],
        "no_data": _no_data_content(rule.no_data),
    }
    return replace(rule, hash=_digest(content), shape=_digest({**made_of, "measures": bare}))


def _digest(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _matcher_content(matchers: Iterable[Matcher] | None) -> object:
    return None if matchers is None else sorted([m.label, m.how, sorted(m.values)] for m in matchers)


def _measure_content(measure: Measure) -> object:
    condition = measure.condition.source if measure.condition else None
    where = _matcher_content(measure.where)
    content = [measure.name, measure.agg, measure.of, dict(measure.options), measure.on, where, condition]
    if measure.window is None and not measure.offset:
        return content  # as it was before measures had any, so that windows outlive an update of Fireline
    return [*content, measure.window and written(measure.window), written(measure.offset)]


def _level_content(level: Level) -> object:
    until = level.until.source if level.until else None
    content = [level.severity, level.when.source, level.for_, until, level.keep_firing_for, level.min_samples]
    return content if level.hours is None else [*content, _hours_content(level.hours)]


def _no_data_content(no_data: NoData | None) -> object:
    if no_data is None:
        return None
    content = [no_data.after, no_data.severity]
    return content if no_data.hours is None else [*content, _hours_content(no_data.hours)]


def _hours_content(hours: Hours) -> object:
    calendar = hours.calendar
    spans = sorted([span.day, str(span.start), str(span.end)] for span in calendar.spans)
    return [hours.inside, calendar.time_zone, spans, sorted(map(str, calendar.holidays))]
