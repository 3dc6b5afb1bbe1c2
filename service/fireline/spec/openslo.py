"""OpenSLO v1 files into Fireline's objectives: what can be said here is, and what cannot be is told with its place.

Ratios of counters become `counters`, thresholds become `good`. Queries are read as far as they select series of
Prometheus; periods roll; the alerts are Fireline's own, of several windows each.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from fireline.domain.configuration import Problem
from fireline.spec.documents import Document, Entries, Items, Path, plain, read_document
from fireline.spec.durations import written
from fireline.spec.findings import Findings
from fireline.spec.openslo_forms import (
    IndicatorForm,
    IndicatorSpec,
    MetricForm,
    OpenSlo,
    RatioForm,
    SloSpec,
    TargetForm,
)
from fireline.spec.promql import Selector, complement, selector_of
from fireline.spec.reading import read_model
from fireline.spec.slo_rules import number
from fireline.spec.slos import PERIOD

Slo = dict[str, object]
_VERSIONS = ("openslo/v1",)
_OTHERS = frozenset({"SLI", "DataSource", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"})
_OPS = {"lte": "<=", "lt": "<", "gte": ">=", "gt": ">"}
_SEVERAL = "write an objective for each, or one `good` with several conditions"
_SELECT = 'a selector was expected, such as `http_requests_total{code=~"5.."}`, alone or in `sum(rate(...[5m]))`'


@dataclass(frozen=True, slots=True)
class Imported:
    """Objectives as Fireline's YAML has them, and what could not be taken over as it was, or at all."""

    slos: tuple[Slo, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Object:
    """One object of a file."""

    document: Document
    path: Path

    def plain(self, *path: str) -> object:
        return plain(self.document.node((*self.path, *path)))


@dataclass(frozen=True, slots=True)
class _Reader:
    """One objective being read; `indicators` are those that it may refer to."""

    at: _Object
    findings: Findings
    indicators: Mapping[str, _Object]

    def error(self, path: Path, message: str, hint: str = "", at: _Object | None = None) -> None:
        at = at or self.at
        self.findings.error(at.document, (*at.path, *path), message, hint)

    def note(self, path: Path, message: str, hint: str = "") -> None:
        self.findings.warning(self.at.document, (*self.at.path, *path), message, hint)


def read_openslo(name: str, content: bytes) -> Imported:
    """The objectives of one file; never raises for what is in it."""
    findings = Findings()
    objects = list(_objects(name, content, findings))
    indicators = {str(each.plain("metadata", "name")): each for each in objects if each.plain("kind") == "SLI"}
    slos: list[Slo] = []
    for each in objects:
        if each.plain("apiVersion") not in _VERSIONS:
            message = f"`{str(each.plain('apiVersion'))[:40]}` is not a version of OpenSLO that is read"
            findings.error(each.document, (*each.path, "apiVersion"), message, "known is openslo/v1")
        elif each.plain("kind") == "SLO":
            slos += _slos(_Reader(each, findings, indicators))
        elif each.plain("kind") not in _OTHERS:
            kind = each.plain("kind")
            message = "`kind` is missing" if kind is None else f"`{str(kind)[:40]}` is not a kind of OpenSLO"
            findings.error(each.document, (*each.path, "kind"), message, "SLO and SLI are read")
    if not slos and not findings.problems:
        document = objects[0].document if objects else Document(name, "", None)
        findings.error(document, (), "there is no objective in the file", "one begins with `kind: SLO`")
    return Imported(tuple(slos), findings.sorted())


def _objects(name: str, content: bytes, findings: Findings) -> Iterator[_Object]:
    """The objects of all documents of a file; lines are those of the file."""
    lines = 0
    for part in re.split(rb"(?m)^---[ \t]*(?:#.*)?\r?\n", content):
        document = read_document(name, b"\n" * lines + part)
        lines += part.count(b"\n") + 1
        findings.form(document)
        match document.root:
            case Items(nodes=nodes):
                yield from (_Object(document, (index,)) for index in range(len(nodes)))
            case Entries():
                yield _Object(document, ())
            case _:
                pass


def _slos(reader: _Reader) -> list[Slo]:
    before = reader.findings.count()
    form = read_model(reader.at.document, OpenSlo, reader.findings, reader.at.path)
    if form is None:
        return []
    if form.spec.method != "Occurrences":
        message = f"`{form.spec.method[:40]}` budgets cannot be taken over: Fireline counts events, not slices of time"
        reader.error(("spec", "budgetingMethod"), message, "write `Occurrences`, if that is what is meant")
    found = _indicator(form.spec, reader)
    if found is None:
        return []
    indicator, at = found
    base: Slo = {"name": re.sub(r"\W", "_", form.metadata.name, flags=re.ASCII)}
    if form.spec.description:
        base["description"] = " ".join(form.spec.description.split())
    several = len(form.spec.objectives) > 1
    slos = [
        {
            **base,
            **({"name": f"{base['name']}_{n + 1}"} if several else {}),
            **_measured(form.spec, n, indicator, at, reader),
        }
        for n in range(len(form.spec.objectives))
    ]
    _tell(form.spec, slos, reader)
    return slos if reader.findings.count() == before else []


def _indicator(spec: SloSpec, reader: _Reader) -> tuple[IndicatorSpec, _Object] | None:
    if spec.indicator is not None:
        return spec.indicator.spec, _Object(reader.at.document, (*reader.at.path, "spec", "indicator", "spec"))
    if spec.indicator_ref is None and any(target.composite for target in spec.objectives):
        reader.error(("spec", "objectives"), "an objective of several indicators cannot be taken over", _SEVERAL)
        return None
    if spec.indicator_ref is None:
        reader.error(("spec",), "`indicator` or `indicatorRef` is missing", "what is measured")
        return None
    at = reader.indicators.get(spec.indicator_ref)
    if at is None:
        message = f"the file has no SLI `{spec.indicator_ref[:60]}`"
        reader.error(("spec", "indicatorRef"), message, "put both into one file")
        return None
    form = read_model(at.document, IndicatorForm, reader.findings, at.path)
    return None if form is None else (form.spec, _Object(at.document, (*at.path, "spec")))


def _measured(spec: SloSpec, index: int, indicator: IndicatorSpec, at: _Object, reader: _Reader) -> Slo:
    """What one target of the objective says."""
    target = spec.objectives[index]
    path: Path = ("spec", "objectives", index)
    if (target.target is None) == (target.percent is None):
        reader.error(path, "either `target` or `targetPercent` was expected", "such as `target: 0.999`")
    percent = target.percent if target.percent is not None else float(Fraction(str(target.target or 0.0)) * 100)
    if indicator.ratio is not None:
        said = _ratio(indicator.ratio, _Object(at.document, (*at.path, "ratioMetric")), reader)
    elif indicator.threshold is not None:
        at = _Object(at.document, (*at.path, "thresholdMetric"))
        said = _threshold(indicator.threshold, target, path, at, reader=reader)
    else:
        reader.error((), "`ratioMetric` or `thresholdMetric` is missing", "what is measured", at)
        said = {}
    by = said.pop("by", ())
    service = {} if spec.service is None else {"service": spec.service}
    grouped = {"by": list(by)} if isinstance(by, tuple) and by else {}
    return {"on": "metric", **service, **grouped, **said, "objective": percent, "period": _period(spec, reader)}


def _period(spec: SloSpec, reader: _Reader) -> str:
    if len(spec.windows) != 1:
        if spec.windows:
            reader.error(
                ("spec", "timeWindow"), "one `timeWindow` was expected", "Fireline's objectives have one period"
            )
        return written(PERIOD)
    window = spec.windows[0]
    if window.rolling is False or (window.rolling is None and window.calendar is not None):
        message = "the period follows the calendar there; here it is the time that ends now"
        reader.note(("spec", "timeWindow", 0), message, f"it was taken as {written(window.length)}, rolling")
    return written(window.length)


def _ratio(form: RatioForm, at: _Object, reader: _Reader) -> Slo:
    if form.raw is not None:
        reader.error(("raw",), "a ratio that is calculated elsewhere has no events to count", "give good and total", at)
        return {}
    if form.total is None or (form.good is None) == (form.bad is None):
        reader.error((), "`total` and either `good` or `bad` were expected", at=at)
        return {}
    if form.counter is False:
        message = "counts that go up and down cannot be added up over a window"
        reader.error(("counter",), message, "give the counters that they come from", at)
        return {}
    total = _selector(form.total, ("total",), at, reader)
    name, part = ("bad", form.bad) if form.bad is not None else ("good", form.good)
    some = _selector(part, (name,), at, reader) if part is not None else None
    if total is None or some is None:
        return {}
    return _counters(total, name, some, at, reader=reader)


def _counters(total: Selector, name: str, some: Selector, at: _Object, *, reader: _Reader) -> Slo:
    missing = [label for label in total.where if label not in some.where]
    more = {label: value for label, value in some.where.items() if total.where.get(label) != value}
    if missing or not more:
        found = f"`{missing[0]}` is not in both" if missing else "they select the same"
        reader.error((name,), f"`{name}` was expected to select a part of `total`; {found}", at=at)
        return {}
    if name == "good" and len(more) == 1 and "name" not in more:
        # what is not good is bad: told by its own counters it is also seen when nothing good is left
        name, more = "bad", {label: complement(value) for label, value in more.items()}
    return {"by": total.by or some.by, "counters": {"total": dict(total.where), name: more}}


def _threshold(form: MetricForm, target: TargetForm, path: Path, at: _Object, *, reader: _Reader) -> Slo:
    if target.op is None or target.value is None:
        reader.error(path, "`op` and `value` are missing: what a good value is", "such as `op: lte` and `value: 500`")
        return {}
    found = _selector(form, (), at, reader)
    if found is None:
        return {}
    if found.counted:
        message = "a value that is summed or a rate is not an event's own"
        reader.error(("metricSource", "spec", "query"), message, "select the series whose points are good or bad", at)
        return {}
    return {"by": found.by, "where": dict(found.where), "good": f"value {_OPS[target.op]} {number(target.value)}"}


def _selector(form: MetricForm, path: Path, at: _Object, reader: _Reader) -> Selector | None:
    source = form.metric_source
    place: Path = (*path, "metricSource")
    if source.type and source.type.lower() != "prometheus":
        message = f"a source of the kind `{source.type[:40]}` cannot be read"
        reader.error((*place, "type"), message, "queries of Prometheus are, as far as they select series", at)
        return None
    query = source.spec.get("query")
    found = selector_of(query) if isinstance(query, str) else None
    if found is None:
        told = f"the query `{query[:60]}` cannot be read" if isinstance(query, str) else "there is no `query`"
        reader.error((*place, "spec", "query"), told, _SELECT, at)
    return found


def _tell(spec: SloSpec, slos: Iterable[Slo], reader: _Reader) -> None:
    """What is worth knowing of what was taken over."""
    if spec.policies:
        message = "alert policies are not taken over: an objective has alerts of several windows by itself"
        reader.note(("spec", "alertPolicies"), message, "set others with `alerts:`, and levels with `severity:`")
    if spec.service is None and not any("by" in slo for slo in slos):
        reader.note(("spec",), "the objective belongs to no service", "add `service:`, or `by: [service]`")
