"""wait_for: go on when something is so.

`wait_for` waits for one of: a time (`at`), a `signal` (a rule that fires, or has cleared, for an entity, as its
incident has it), a `metric` whose `when` holds (as `metric.query` reads it), or an answer of `http` for which `until`
holds (as `http.get` asks). It looks `every` so long, and fails when it is not so `within` its time: what is unknown,
such as a signal that never came or a measure without data, is not so. It survives a restart.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fireline.actions.answers import told
from fireline.actions.metric import MetricOptions, Metrics
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.actions.web import KNOWN, AskOptions, GetOptions, HttpGet, Poll
from fireline.domain.incidents import Attached
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Store, Unavailable
from fireline.spec.durations import PositiveDuration

EXAMPLE = """\
id: fires
uses: wait_for
with: {signal: {rule: fraud_latency, entity: {service: fraud-scoring}, state: firing}, within: 10m}
"""

GRACE = 5.0
_INCIDENTS = 100
"""How many incidents of late are looked through for a signal."""


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text[:40]}` is not a time; write one such as 2026-11-01T18:00:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"`{text[:40]}` says no zone; write one such as 2026-11-01T18:00:00+01:00")
    return text


class SignalState(Options):
    """A signal of a rule, and how it is waited for."""

    rule: str = Field(min_length=1, description="the rule")
    entity: dict[str, str] = Field(default_factory=dict, description="labels of the entity, or a part of them")
    state: Literal["firing", "cleared"] = Field(description="what is waited for")


class MetricState(MetricOptions):
    """A measure, and the condition that is waited for."""

    @model_validator(mode="after")
    def _conditional(self) -> Self:
        if self.when is None:
            raise ValueError("say what is waited for with `when`")
        return self


class HttpState(AskOptions):
    """What is asked for, and the condition that is waited for."""

    until: str = Field(
        min_length=1, max_length=1_000, description="a condition over `status_code`, `json` and `values`"
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        Poll(until=self.until)
        return self


class WaitForOptions(Options):
    """One thing to wait for, and how long."""

    at: Annotated[str, AfterValidator(_time)] | None = Field(None, description="a time with its zone")
    signal: SignalState | None = Field(None, description="a signal that fires or has cleared")
    metric: MetricState | None = Field(None, description="a measure with a condition")
    http: HttpState | None = Field(None, description="an answer with a condition")
    within: PositiveDuration = Field(600.0, description="how long to wait; then the step fails")
    every: PositiveDuration = Field(5.0, description="seconds between two looks")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.at, self.signal, self.metric, self.http)) != 1:
            raise ValueError("give one of `at`, `signal`, `metric` and `http`")
        return self

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        longest = max((part.timeout for part in (self.metric, self.http) if part is not None), default=0.0)
        return self.within + longest + GRACE


class WaitFor:
    """Looks until it is so."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._metrics = Metrics(ports)
        self._http = HttpGet(ports)

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Done when it is so; the reason why not is told meanwhile and at the end."""
        assert isinstance(options, WaitForOptions)
        if context.dry_run:
            return Done({"waited": 0.0, "reason": "rehearsed"})
        until = context.started_at + options.within
        if options.at is not None:
            return _until(_instant(options.at), until, context)
        try:
            why_not = await self._why_not(options, context, until)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        waited = round(context.now - context.started_at, 3)
        if why_not == "":
            return Done({"waited": waited, "reason": "it is so"})
        if context.now >= until:
            return Failed(
                f"not so within {options.within:g} s: {why_not}", output={"waited": waited, "reason": why_not}
            )
        return Waiting(min(options.every, max(until - context.now, 0.01)), why_not, {**context.memory, "asked": True})

    async def _why_not(self, options: WaitForOptions, context: StepContext, until: float) -> str:
        """Empty when it is so, else why it is not, or not known to be."""
        if options.signal is not None:
            return await asyncio.to_thread(_signal, self._store, options.signal, context)
        if options.metric is not None:
            reading = await self._metrics.read(options.metric, context, until + GRACE)
            return _said(reading.holds(options.metric.when or ""), options.metric.when or "", reading.reason)
        assert options.http is not None
        return await self._answer(options.http, context)

    async def _answer(self, http: HttpState, context: StepContext) -> str:
        asked = GetOptions.model_construct(**{name: getattr(http, name) for name in AskOptions.model_fields}, poll=None)
        written = context.written.get("http") if isinstance(context.written, Mapping) else None
        looked = await self._http.perform(asked, _beside(context, written))
        if not isinstance(looked, Done):
            return looked.reason
        return _said(told(http.until, KNOWN, looked.output), http.until, f"status {looked.output['status_code']}")


def _said(holds: bool | str, text: str, found: str) -> str:
    if isinstance(holds, str):
        return holds
    return "" if holds else f"`{text}` does not hold: {found}"


def _beside(context: StepContext, written: object) -> StepContext:
    return StepContext(
        context.key, context.run, context.step, context.incident, context.now, {}, context.started_at, written=written
    )


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def _until(at: float, end: float, context: StepContext) -> Outcome:
    if context.now >= at:
        return Done({"waited": round(context.now - context.started_at, 3), "reason": "the time has come"})
    if at > end:
        return Failed(f"the time is {at - context.started_at:.0f} s away, `within` is {end - context.started_at:g} s")
    return Waiting(at - context.now, "waits for the time", context.memory)


def _signal(store: Store, wanted: SignalState, context: StepContext) -> str:
    with store.reading() as tx:
        newest = tx.incidents(limit=_INCIDENTS)
    found = [
        attached
        for incident in newest
        if incident.timeline == context.timeline
        for attached in incident.signals.values()
    ]
    matching = [attached for attached in found if _matches(attached, wanted)]
    if not matching:
        return f"{wanted.rule} has no signal for this entity"
    firing = any(attached.cleared_at is None for attached in matching)
    return "" if firing == (wanted.state == "firing") else f"{wanted.rule} is {'firing' if firing else 'cleared'}"


def _matches(attached: Attached, wanted: SignalState) -> bool:
    labels = dict(attached.signal.entity)
    return attached.signal.rule == wanted.rule and wanted.entity.items() <= labels.items()


KINDS = {
    "wait_for": ActionKind(
        options=WaitForOptions,
        outputs={
            "waited": Output("number", "seconds"),
            "reason": Output("string", "why it went on, or what was not so"),
        },
        mutates=False,
        build=WaitFor,
        page=__doc__,
        example=EXAMPLE,
    )
}
