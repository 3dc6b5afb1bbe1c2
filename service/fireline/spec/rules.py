"""Rules: from the form of a rule file to domain rules, with everything that can be checked of one rule alone."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from fireline.domain.catalog import Severity
from fireline.domain.events import Kind
from fireline.domain.rule_tests import RuleTest
from fireline.domain.rules import Level, Match, Matcher, Measure, Mode, NoData, Rule
from fireline.spec.documents import Document, Entries, Items, Path
from fireline.spec.durations import written
from fireline.spec.expressions import read_condition, read_template, try_types
from fireline.spec.findings import Findings, suggestion
from fireline.spec.names import Tree, leaves
from fireline.spec.panes import pane_fault
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model, validated
from fireline.spec.rule_forms import LevelForm, MeasureForm, RuleForm
from fireline.spec.rule_tests import Tested, read_accepted, read_tests
from fireline.spec.stretches import Fault, Looks, faults, fitting_pane, furthest, looks_of, warning
from fireline.spec.templates import JinjaTemplate, compile_template

_PARTS = ("rules", "slos")


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and where it stands."""

    rule: Rule
    document: Document
    path: Path


@dataclass(frozen=True, slots=True)
class _Reader:
    """One rule being read: everything that its parts need."""

    document: Document
    path: Path
    plugins: Plugins
    severities: Sequence[Severity] | None
    findings: Findings

    def error(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        self.findings.error(self.document, (*self.path, *path), message, hint, key=key)


def read_rules(
    document: Document, plugins: Plugins, severities: Sequence[Severity] | None, findings: Findings
) -> list[Placed]:
    """The sound rules of one file; the faults of the others are noted. No severities: they could not be read."""
    root = document.root
    if not isinstance(root, Entries):
        findings.error(document, (), "a mapping with `rules:` was expected", "begin the file with `rules:`")
        return []
    for name in root.nodes:
        if name not in _PARTS:
            findings.error(document, (name,), f"`{name}` is not known here", suggestion(name, _PARTS), key=True)
    rules = root.nodes.get("rules")
    if not isinstance(rules, Items):
        if "rules" in root.nodes or not root.nodes:
            findings.error(
                document, ("rules",), "a list of rules was expected", "write `rules:` and then `- name: ...`"
            )
        return []
    found = (_read(document, ("rules", index), plugins, severities, findings) for index in range(len(rules.nodes)))
    return [placed for placed in found if placed is not None]


def _read(
    document: Document, path: Path, plugins: Plugins, severities: Sequence[Severity] | None, findings: Findings
) -> Placed | None:
    form = read_model(document, RuleForm, findings, path)
    return None if form is None else compiled(form, document, path, plugins, severities, findings=findings)


def compiled(
    form: RuleForm,
    document: Document,
    path: Path,
    plugins: Plugins,
    severities: Sequence[Severity] | None,
    *,
    findings: Findings,
) -> Placed | None:
    """The rule of a form that stands at `path`, or was made of what stands there; None when it has faults."""
    before = findings.count()
    rule = _rule(form, _Reader(document, path, plugins, severities, findings))
    return Placed(rule, document, path) if rule is not None and findings.count() == before else None


def _rule(form: RuleForm, reader: _Reader) -> Rule | None:
    where = _matchers(form.where, ("where",), reader)
    _check_by(form, reader)
    measures = tuple(_measure(name, measure, form, reader) for name, measure in form.measures.items())
    pane, reach = _panes(form, measures, reader)
    levels = _levels(form, reader)
    no_data = NoData(form.no_data.after, form.no_data.severity) if form.no_data else None
    if form.no_data:
        _check_severity(form.no_data.severity, ("no_data", "severity"), reader)
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
        runbooks=tuple(form.runbooks),
        group_by=tuple(form.group_by),
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


def _panes(form: RuleForm, measures: Sequence[Measure], reader: _Reader) -> tuple[float, float]:
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
    if not wrong and (much := warning(pane, looks, form.max_entities if form.by else 1)) is not None:
        reader.findings.warning(reader.document, (*reader.path, *_at(much, form)), much.message, much.hint)
    return pane, furthest(form.window, looks)


def _at(fault: Fault, form: RuleForm) -> Path:
    path: Path = ("measures", fault.measure)
    return (*path, fault.word) if fault.word in form.measures[fault.measure].model_fields_set else path


def _check_by(form: RuleForm, reader: _Reader) -> None:
    for index, name in enumerate(form.by):
        if name in form.by[:index]:
            reader.error(("by", index), f"`{name}` is in `by` twice")
        if name in form.measures:
            reader.error(("measures", name), f"`{name}` is both a measure and a label of `by`", "rename it", key=True)
    for index, name in enumerate(form.group_by):
        if name not in form.by:
            reader.error(("group_by", index), f"`{name}` is not a label of `by`", suggestion(name, form.by))


def _matchers(where: Mapping[str, Sequence[str]], path: Path, reader: _Reader) -> tuple[Matcher, ...]:
    found = (_matcher(label, values, (*path, label), reader) for label, values in where.items())
    return tuple(matcher for matcher in found if matcher is not None)


def _matcher(label: str, values: Sequence[str], path: Path, reader: _Reader) -> Matcher | None:
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


def _measure(name: str, form: MeasureForm, rule: RuleForm, reader: _Reader) -> Measure:
    path: Path = ("measures", name)
    schema = reader.plugins.measures.get(form.agg)
    options = dict(form.model_extra or {})
    if schema is None:
        hint = suggestion(form.agg, reader.plugins.measures)
        reader.error((*path, "agg"), f"there is no measure `{form.agg}`", hint)
    else:
        taken = [word for word, takes in (("of", schema.takes_of), ("condition", schema.takes_condition)) if takes]
        kind = form.on or rule.on
        _check_takes(form, path, taken, kind, reader)
        options = _options(options, schema.options, path, reader)
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
    )


def _options(given: Mapping[str, object], model: type[BaseModel], path: Path, reader: _Reader) -> dict[str, object]:
    fields = [info.alias or name for name, info in model.model_fields.items()]
    for name in given:
        if name not in fields:
            hint = suggestion(name, [*fields, *MeasureForm.model_fields])
            reader.error((*path, name), f"`{name}` is not known here", hint, key=True)
    known = {name: value for name, value in given.items() if name in fields}
    checked = validated(reader.document, model, known, reader.findings, (*reader.path, *path))
    return checked.model_dump() if checked is not None else {}


def _check_takes(form: MeasureForm, path: Path, taken: Sequence[str], kind: str, reader: _Reader) -> None:
    for word, given in (("of", form.of), ("condition", form.condition)):
        if given is not None and word not in taken:
            reader.error((*path, word), f"`{form.agg}` takes no `{word}`", "remove it", key=True)
    told = form.condition is None or "condition" in taken
    if "of" in taken and form.of is None and told and kind != "metric":
        reader.error(path, f"`{form.agg}` needs `of`: the field that is measured", "such as `of: latency_ms`")
    if taken == ["condition"] and form.condition is None:
        hint = "such as `condition: \"error != ''\"`"
        reader.error(path, f"`{form.agg}` needs `condition`: what an event must fulfil to count", hint)


def _levels(form: RuleForm, reader: _Reader) -> tuple[Level, ...]:
    known = leaves([*form.measures, *form.by])
    levels = [_level(name, level, form, known, reader) for name, level in form.severity.items()]
    ranks = {severity.name: severity.rank for severity in reader.severities or ()}
    found = [level for level in levels if level is not None]
    return tuple(sorted(found, key=lambda level: ranks.get(level.severity, 0)))


def _level(name: str, level: LevelForm, form: RuleForm, known: Tree, reader: _Reader) -> Level | None:
    _check_severity(name, ("severity", name), reader, key=True)
    path: Path = (*reader.path, "severity", name)
    when = read_condition(reader.document, (*path, "when"), level.when, reader.findings, known)
    until = read_condition(reader.document, (*path, "until"), level.until, reader.findings, known)
    for word, condition in (("when", when), ("until", until)):
        if condition is not None:
            place = (*path, word)
            try_types(reader.document, place, condition, reader.findings, numbers=form.measures, texts=form.by)
    if when is None:
        return None
    return Level(name, when, level.for_, until, level.keep_firing_for, level.min_samples)


def _check_severity(name: str, path: Path, reader: _Reader, *, key: bool = False) -> None:
    if reader.severities is None:
        return
    known = [severity.name for severity in reader.severities]
    if name not in known:
        reader.error(path, f"there is no severity `{name}`", suggestion(name, known), key=key)


def _service(form: RuleForm, reader: _Reader) -> JinjaTemplate | None:
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


def _summary(form: RuleForm, reader: _Reader) -> JinjaTemplate | None:
    if form.summary is None:
        labels = " ".join(f"{name}={{{{ {name} }}}}" for name in form.by)
        return compile_template(f"{form.name} {labels}".strip())
    known: Tree = {"severity": None, "service": None, **leaves(form.by), "measures": leaves(form.measures)}
    path = (*reader.path, "summary")
    return read_template(reader.document, path, form.summary, reader.findings, known)


def _tests(form: RuleForm, reader: _Reader) -> tuple[RuleTest, ...]:
    severities = {*form.severity, *([form.no_data.severity] if form.no_data else [])}
    tested = Tested(form.by, form.measures, severities)
    return read_tests(reader.document, (*reader.path, "tests"), form.tests, tested, reader.findings)


def _hashed(rule: Rule) -> Rule:
    content = {
        "name": rule.name,
        "on": rule.on,
        "where": _matcher_content(rule.where),
        "by": rule.by,
        "window": written(rule.window),
        "pane": rule.pane,
        "measures": [_measure_content(measure) for measure in rule.measures],
        "levels": [_level_content(level) for level in rule.levels],
        "no_data": [rule.no_data.after, rule.no_data.severity] if rule.no_data else None,
        "max_entities": rule.max_entities,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return replace(rule, hash=hashlib.sha256(text.encode()).hexdigest())


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
    return [level.severity, level.when.source, level.for_, until, level.keep_firing_for, level.min_samples]
