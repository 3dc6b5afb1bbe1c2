"""verify.rule: did it help? Judge a rule on the events after the last change alone.

`verify.rule` asks for the verdict of `rule` on `entity`, on events whose time lies after the last step that changed
something (and `settle` seconds more, for what was under way), in a sliding `window` of its own with at least
`min_samples` samples. It succeeds as soon as the rule is `state` there, and has been for `stable_for`. At the end of
`within` it fails with its verdict: `not recovered` when the rule says otherwise, `cannot tell` when there was too
little to judge by. No events are never a success. While Fireline itself is behind, `within` counts what it has read,
and it waits for up to two minutes more.
"""

import asyncio
from typing import Literal

from pydantic import Field

from fireline.actions.asking import LAG, POLL, Seen, read
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.rules import State
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.watching import Watch
from fireline.spec.durations import Duration, PositiveDuration

EXAMPLE = """\
id: verify
uses: verify.rule
with: {rule: fraud_latency, entity: {service: fraud-scoring}, state: cleared, within: 5m, window: 30s, min_samples: 50}
"""

GRACE = 5.0
"""Seconds beyond `within` that the step has for its last look."""


class VerifyOptions(Options):
    """What is asked, and how long for."""

    rule: str = Field(min_length=1, description="the rule that judges")
    entity: dict[str, str] = Field(default_factory=dict, description="labels of the entity, or a part of them")
    state: Literal["cleared", "firing"] = Field("cleared", description="what is hoped for")
    within: PositiveDuration = Field(300.0, description="how long to wait for it")
    window: PositiveDuration = Field(10.0, description="the sliding window that is judged, after the action only")
    min_samples: int = Field(20, ge=1, description="fewer samples than this tell nothing")
    stable_for: Duration = Field(0.0, description="how long it has to stay so")
    settle: Duration = Field(1.0, description="events this soon after the action are not looked at")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + LAG + GRACE


class VerifyRule:
    """Saves a watch, reads its answers until they say what is hoped for or the time is over."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Ask once, then look at the answers; remembers since when it looks well."""
        assert isinstance(options, VerifyOptions)
        if context.dry_run:
            return Done({**Seen(State.CLEAR, "rehearsed").output("recovered"), "summary": "rehearsed"})
        try:
            seen = await asyncio.to_thread(self._look, options, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        return _judged(options, context, seen)

    def _look(self, options: VerifyOptions, context: StepContext) -> Seen:
        asked = "asked" in context.memory
        with self._store.reading() if asked else self._store.transaction() as tx:
            if not asked:
                tx.save_watch(_watch(options, context))
            return read(tx.answers(context.key), min_samples=options.min_samples, now=context.now)


def _watch(options: VerifyOptions, context: StepContext) -> Watch:
    return Watch(
        id=context.key,
        rule=options.rule,
        entity=options.entity,
        since=(context.started_at if context.since is None else context.since) + options.settle,
        window=options.window,
        min_samples=options.min_samples,
        until=context.started_at + options.patience(),
        timeline=context.timeline,
    )


def _judged(options: VerifyOptions, context: StepContext, seen: Seen) -> Outcome:
    hoped = State.CLEAR if options.state == "cleared" else State.FIRING
    good_since = context.memory.get("good_since") if seen.state is hoped else None
    if seen.state is hoped:
        since = float(good_since) if isinstance(good_since, (int, float)) else context.now
        if context.now - since >= options.stable_for:
            return Done(
                {**seen.output("recovered"), "summary": f"recovered: {options.rule} is {options.state}; {seen.reason}"}
            )
        good_since = since
    if seen.missed(context.started_at + options.within, context.now):
        return _missed(options, seen, hoped)
    memory = {"asked": True} if good_since is None else {"asked": True, "good_since": good_since}
    return Waiting(POLL, f"{options.rule} is {seen.state.value}: {seen.reason}", memory)


def _missed(options: VerifyOptions, seen: Seen, hoped: State) -> Failed:
    verdict = "cannot tell" if seen.state in (State.UNKNOWN, hoped) else "not recovered"
    reason = f"{verdict} within {options.within:g} s: {options.rule} is {seen.state.value}; {seen.reason}"
    return Failed(reason, output=seen.output(verdict))


KINDS = {
    "verify.rule": ActionKind(
        options=VerifyOptions,
        outputs={
            "verdict": Output("string", "recovered, not recovered or cannot tell"),
            "samples": Output("int", "samples that were judged"),
            "measures": Output("mapping", "the measures of the rule, by name"),
            "reason": Output("string", "why it was judged so"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=VerifyRule,
        page=__doc__,
        example=EXAMPLE,
    )
}
