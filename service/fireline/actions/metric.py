"""metric.query: ask how a measure is now, of Fireline's own or of a Prometheus server.

With `rule`, `metric.query` reads `measure` of that rule for `entity`, over a sliding `window` of its own on events
after the last step that changed something, with at least `min_samples` samples. With `prometheus`, which the targets
file (`FIRELINE_TARGETS`) names, it asks an instant `query` in PromQL; several series need `take`.

`when` is a condition over `value` and `samples`, and `holds` says whether it holds. No data is *unknown*: the step then
waits up to `within`, and fails with the verdict `unknown`, whatever `when` says. So does a value that is no number.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, model_validator

from fireline.actions.answers import condition, told
from fireline.actions.asking import POLL, STALE
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.targets import unknown
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.watching import Watch, WatchAnswer
from fireline.spec.durations import Duration, PositiveDuration

EXAMPLE = """\
id: errors
uses: metric.query
with: {prometheus: main, query: 'sum(rate(errors_total[1m])) / sum(rate(requests_total[1m]))', when: "value < 0.5"}
"""

GRACE = 5.0
KNOWN = frozenset({"value", "samples"})
MOST_SERIES = 100
READ = 262_144
"""Bytes of an answer that are read."""


def _condition(text: str) -> str:
    condition(text, KNOWN)
    return text


Holds = Annotated[str, AfterValidator(_condition)]


class MetricOptions(Options):
    """Which measure of which rule, or what of which Prometheus."""

    rule: str | None = Field(None, min_length=1, description="a rule whose measure is read")
    measure: str | None = Field(None, min_length=1, description="the name of the measure in the rule")
    entity: dict[str, str] = Field(default_factory=dict, description="labels of the entity, or a part of them")
    window: PositiveDuration = Field(
        10.0, description="the sliding window that is measured, after the last change only"
    )
    min_samples: int = Field(20, ge=1, description="fewer samples than this tell nothing")
    settle: Duration = Field(1.0, description="events this soon after the last change are not looked at")
    prometheus: str | None = Field(None, min_length=1, description="a server of the targets file")
    query: str | None = Field(None, min_length=1, max_length=2_000, description="an instant query in PromQL")
    take: Literal["one", "max", "min", "sum"] = Field("one", description="the value of several series")
    timeout: PositiveDuration = Field(10.0, le=120, description="how long the server may take")
    when: Holds | None = Field(None, max_length=1_000, description="a condition over `value` and `samples`")
    within: Duration = Field(30.0, description="how long to wait for data")

    @model_validator(mode="after")
    def _one(self) -> Self:
        own, other = (self.rule, self.measure), (self.prometheus, self.query)
        if all(own) == all(other) or any(own) == any(other):
            raise ValueError("give `rule` and `measure`, or `prometheus` and `query`")
        return self

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + self.timeout + GRACE


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: `value` is None when it is unknown, and `final` when it will stay so."""

    value: float | None
    reason: str
    samples: int = 0
    series: Sequence[Mapping[str, object]] = ()
    final: bool = False

    def output(self, verdict: str, holds: bool | None) -> dict[str, object]:
        """As the output of a step."""
        shown = [dict(each) for each in self.series]
        said = {"value": self.value, "samples": self.samples, "series": shown, "reason": self.reason}
        return {"verdict": verdict, "holds": holds, **said}

    def holds(self, when: str) -> bool | str:
        """Whether a condition holds; the reason when that cannot be told. Of an unknown value it cannot."""
        return self.reason if self.value is None else told(when, KNOWN, {"value": self.value, "samples": self.samples})


class Metrics:
    """Reads measures, Fireline's own through a watch with the step's key, and those of Prometheus servers."""

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._fetch = ports.fetch
        self._servers = ports.targets.prometheus

    async def read(self, options: MetricOptions, context: StepContext, until: float) -> Reading:
        """How it is now. Raises Unavailable and StaleVersion for our own database."""
        if options.rule is not None:
            return await asyncio.to_thread(self._own, options, context, until)
        return await self._prometheus(options)

    def _own(self, options: MetricOptions, context: StepContext, until: float) -> Reading:
        first = "asked" not in context.memory
        with self._store.transaction() if first else self._store.reading() as tx:
            if first:
                tx.save_watch(_watch(options, context, until))
            return _measured(tx.answers(context.key), options, context.now)

    async def _prometheus(self, options: MetricOptions) -> Reading:
        server = self._servers.get(options.prometheus or "")
        if server is None:
            return Reading(None, unknown("Prometheus server", options.prometheus or "", self._servers), final=True)
        if self._fetch is None:
            return Reading(None, "HTTP is not set up in this process", final=True)
        asked = urlencode({"query": options.query or "", "timeout": f"{options.timeout:g}s", "limit": MOST_SERIES + 1})
        headers = {"Authorization": f"Bearer secret:{server.bearer}"} if server.bearer else {}
        url = f"{server.url.rstrip('/')}/api/v1/query?{asked}"
        request = Request(
            "GET", url, headers, timeout=options.timeout, max_bytes=READ, secret_headers=frozenset(headers)
        )
        match await self._fetch(request):
            case Response(status=status, text=text):
                return _answered(status, text, options)
            case NotSent(reason=reason, final=final):
                return Reading(None, reason, final=final)
            case MaybeSent(reason=reason):
                return Reading(None, reason)


def _watch(options: MetricOptions, context: StepContext, until: float) -> Watch:
    changed = context.started_at if context.since is None else context.since
    since = max(changed + options.settle, context.started_at - options.window)
    rule, entity = options.rule or "", options.entity
    return Watch(context.key, rule, entity, since, options.window, options.min_samples, until, context.timeline)


def _measured(answers: Sequence[WatchAnswer], options: MetricOptions, now: float) -> Reading:
    """The value of the only entity that answers; nothing where an answer is old or has too few samples."""
    if not answers:
        return Reading(None, "no event was seen since the last change")
    series = [{"entity": a.entity, "value": a.measures.get(options.measure or "")} for a in answers[:MOST_SERIES]]
    samples = min(answer.samples for answer in answers)
    if old := [answer for answer in answers if now - answer.at > STALE]:
        return Reading(None, f"the last answer is {now - old[0].at:.0f} s old", samples, series)
    if samples < options.min_samples:
        return Reading(None, f"{samples} samples, {options.min_samples} are needed", samples, series)
    if absent := [answer for answer in answers if options.measure not in answer.measures]:
        known = ", ".join(sorted(absent[0].measures)) or "none"
        return Reading(None, f"{options.rule} has no measure {options.measure!r}; there are {known}", samples, series)
    return _taken(series, options, samples)


def _answered(status: int, text: str, options: MetricOptions) -> Reading:
    try:
        answer = json.loads(text)
        result, kind = answer["data"]["result"], answer["data"]["resultType"]
        if kind not in ("vector", "scalar"):
            return Reading(None, f"an instant query gives a vector or a scalar, this one a {kind}", final=True)
        rows = [{"metric": {}, "value": result}] if kind == "scalar" else result
        series = [{"entity": dict(row["metric"]), "value": _number(row["value"][1])} for row in rows[: MOST_SERIES + 1]]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        final = 400 <= status < 500 and status not in (408, 429)
        return Reading(None, f"status {status}: {' '.join(text.split())[:300]}", final=final)
    if len(series) > MOST_SERIES:
        return Reading(None, f"more than {MOST_SERIES} series: aggregate them in the query", final=True)
    return _taken(series, options, len(series))


def _number(text: object) -> float | None:
    value = float(str(text))
    return value if math.isfinite(value) else None


def _taken(series: Sequence[Mapping[str, object]], options: MetricOptions, samples: int) -> Reading:
    values = [value for each in series if isinstance(value := each["value"], (int, float)) and math.isfinite(value)]
    if not series or len(values) < len(series):
        return Reading(None, "no data" if not series else "a series has no value", samples, series)
    if options.take == "one" and len(values) > 1:
        return Reading(None, f"{len(values)} series: say which with `take`, or aggregate them", samples, series, True)
    value = float(sum(values) if options.take == "sum" else min(values) if options.take == "min" else max(values))
    return Reading(value, f"it is {value:g}", samples, series)


class MetricQuery:
    """Reads until there is data, or the time is over."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._metrics = Metrics(ports)

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Done with the value and what the condition says of it; unknown is never a success."""
        assert isinstance(options, MetricOptions)
        if context.dry_run:
            return Done(Reading(0.0, "rehearsed").output("known", None if options.when is None else True))
        until = context.started_at + options.within
        try:
            reading = await self._metrics.read(options, context, until + GRACE)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        holds = None if options.when is None else reading.holds(options.when)
        if reading.value is not None and not isinstance(holds, str):
            return Done(reading.output("known", holds))
        reason = holds if isinstance(holds, str) else reading.reason
        if reading.final or context.now >= until:
            return Failed(f"unknown: {reason}", output=reading.output("unknown", None))
        return Waiting(POLL, reason, {**context.memory, "asked": True})


KINDS = {
    "metric.query": ActionKind(
        options=MetricOptions,
        outputs={
            "verdict": Output("string", "known or unknown"),
            "value": Output("number", "the value, nothing when it is unknown"),
            "holds": Output("bool", "whether `when` holds, nothing without it"),
            "samples": Output("int", "samples that it is of, or series of Prometheus"),
            "series": Output("list", "each entity or series with its value"),
            "reason": Output("string", "what was read, or why nothing was"),
        },
        mutates=False,
        build=MetricQuery,
        page=__doc__,
        example=EXAMPLE,
    )
}
