"""route.ramp: go to other weights step by step, and one step back as soon as it goes wrong.

`route.ramp` moves a service's traffic from where it is to `to`, `through` these percentages of the way, staying
`every` on each. With `abort_if`, the rule is judged after each stage on the events since that stage alone: while it is
clear the ramp goes on; when it fires, or when there are not `min_samples` to judge by within `evidence`, the stage
before is restored and the step fails with the reason. A route that somebody else changes meanwhile is left alone, and
the step fails.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from fireline.actions.asking import LAG, POLL, Seen, read
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.routes import Route, Weights
from fireline.domain.routing import blend, clean
from fireline.domain.rules import State
from fireline.engine import routes
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Transaction, Unavailable
from fireline.engine.watching import Watch
from fireline.spec.durations import Duration, PositiveDuration

EXAMPLE = """\
id: back
uses: route.ramp
with:
  service: fraud-scoring
  to: {primary: 100}
  through: [5, 25, 100]
  every: 30s
  abort_if: {rule: fraud_latency, state: firing}
undo: {uses: route.set, with: {service: fraud-scoring, to: {fallback: 100}}}
"""

GRACE = 5.0


class AbortIf(Options):
    """What ends the ramp."""

    rule: str = Field(min_length=1, description="the rule that judges each stage")
    state: Literal["firing"] = Field("firing", description="the verdict that ends it")
    entity: dict[str, str] | None = Field(None, description="labels of the entity; the service when left out")
    window: PositiveDuration = Field(10.0, description="the sliding window that is judged, after the stage only")
    min_samples: int = Field(20, ge=1, description="fewer samples than this tell nothing")
    evidence: Duration = Field(60.0, description="how long beyond `every` to wait for enough samples")
    settle: Duration = Field(0.5, description="events this soon after a stage are not looked at")


class RampOptions(Options):
    """Whose route, where to, how fast, and what ends it."""

    service: str = Field(min_length=1, description="a service of the catalog")
    to: dict[str, int] = Field(min_length=1, description="percent of the traffic by target; sums to 100")
    through: list[int] = Field(default_factory=lambda: [5, 25, 100], min_length=1, description="percent of the way")
    every: PositiveDuration = Field(30.0, description="how long each stage lasts")
    abort_if: AbortIf | None = Field(None, description="the judge of each stage; without it time alone decides")

    @field_validator("through")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)) or value[0] < 1 or value[-1] != 100:
            raise ValueError("percentages must rise from at least 1 to 100, such as [5, 25, 100]")
        return value

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        extra = 0.0 if self.abort_if is None else self.abort_if.evidence + LAG
        return len(self.through) * (self.every + extra) + GRACE


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a ramp stands: stage -1 is where it began; `abort` is why it is on its way back."""

    start: Weights
    number: int = -1
    at: float = 0.0
    abort: str = ""

    def weights(self, options: RampOptions, number: int) -> dict[str, int]:
        """The weights of a stage."""
        return clean(self.start) if number < 0 else blend(self.start, options.to, options.through[number])

    def memory(self) -> dict[str, object]:
        """As it is journaled."""
        return {"start": dict(self.start), "number": self.number, "at": self.at, "abort": self.abort}


def _remembered(context: StepContext) -> Stage | None:
    found = context.memory
    start, number, at = found.get("start"), found.get("number"), found.get("at")
    if not isinstance(start, dict) or not isinstance(number, int) or not isinstance(at, (int, float)):
        return None
    return Stage({str(k): int(v) for k, v in start.items()}, number, float(at), str(found.get("abort", "")))


class RouteRamp:
    """One stage a look; where it stands is in its memory."""

    mutates = True

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Begin, look at the stage, go one further, or one back."""
        assert isinstance(options, RampOptions)
        if context.dry_run:
            return Done({"route": dict(options.to), "stage": 100})
        try:
            return await asyncio.to_thread(self._step, options, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)

    def _step(self, options: RampOptions, context: StepContext) -> Outcome:
        stage = _remembered(context)
        service = self._ports.settings.current.catalog.service(options.service)
        if service is None:
            return Failed(f"there is no service {options.service!r} in the catalog")
        with self._ports.store.reading() as tx:
            route = routes.current(tx, service)
        if stage is None:
            return _begun(options, route)
        return self._at(options, context, stage, route)

    def _at(self, options: RampOptions, context: StepContext, stage: Stage, route: Route) -> Outcome:
        if stage.abort:
            return self._back(options, context, stage)
        if stage.number < 0:
            return self._forth(options, context, stage)
        if route.by != f"run:{context.run}":
            return Failed(f"{route.by} changed the route meanwhile ({route.reason}); it is left as it is")
        return self._look(options, context, stage)

    def _look(self, options: RampOptions, context: StepContext, stage: Stage) -> Outcome:
        elapsed = context.now - stage.at
        if options.abort_if is None:
            wait = options.every - elapsed
            return (
                Waiting(wait, _told(options, stage), context.memory) if wait > 0 else self._on(options, context, stage)
            )
        seen = self._seen(options.abort_if, context, stage)
        if seen.state is State.FIRING:
            return _aborting(
                stage, f"{options.abort_if.rule} fires at {options.through[stage.number]} %: {seen.reason}"
            )
        known = context.now if seen.until is None else seen.until
        if known - stage.at >= options.every and seen.state is State.CLEAR:
            return self._on(options, context, stage)
        if seen.missed(stage.at + options.every + options.abort_if.evidence, context.now):
            return _aborting(stage, f"cannot tell how {options.through[stage.number]} % does: {seen.reason}")
        return Waiting(min(POLL, options.every), _told(options, stage), context.memory)

    def _seen(self, abort_if: AbortIf, context: StepContext, stage: Stage) -> Seen:
        with self._ports.store.reading() as tx:
            answers = tx.answers(f"{context.key}:{stage.number}")
        return read(answers, min_samples=abort_if.min_samples, now=context.now)

    def _on(self, options: RampOptions, context: StepContext, stage: Stage) -> Outcome:
        if stage.number == len(options.through) - 1:
            return Done({"route": stage.weights(options, stage.number), "stage": 100})
        return self._forth(options, context, stage)

    def _forth(self, options: RampOptions, context: StepContext, stage: Stage) -> Outcome:
        number = stage.number + 1
        weights = stage.weights(options, number)
        reason = f"step {context.step}, {options.through[number]} % of the way"
        with self._ports.store.transaction() as tx:
            result = self._change(tx, context, options.service, weights, key=f"{context.key}:{number}", reason=reason)
            if isinstance(result, routes.Changed):
                self._watch(tx, options, context, number)
        if isinstance(result, routes.Refused):
            return _aborting(stage, result.reason) if stage.number >= 0 else Failed(result.reason)
        if options.abort_if is None and number == len(options.through) - 1:
            return Done({"route": weights, "stage": 100})
        later = Stage(stage.start, number, context.now)
        wait = options.every if options.abort_if is None else min(POLL, options.every)
        return Waiting(wait, _told(options, later), later.memory())

    def _back(self, options: RampOptions, context: StepContext, stage: Stage) -> Outcome:
        weights = stage.weights(options, stage.number - 1)
        reason = f"step {context.step} goes back: {stage.abort}"
        with self._ports.store.transaction() as tx:
            result = self._change(tx, context, options.service, weights, key=f"{context.key}:back", reason=reason)
        if isinstance(result, routes.Refused):
            return Failed(f"{stage.abort}; going back was refused: {result.reason}")
        reached = 0 if stage.number < 1 else options.through[stage.number - 1]
        output = {"route": dict(result.route.weights), "stage": reached}
        return Failed(f"{stage.abort}; back to {routes.told(weights)}", output=output)

    def _change(
        self, tx: Transaction, context: StepContext, service: str, weights: Weights, *, key: str, reason: str
    ) -> routes.Changed | routes.Refused:
        result = routes.change_route(
            tx,
            self._ports.settings.current,
            service,
            weights,
            by=f"run:{context.run}",
            reason=reason,
            now=context.now,
            incident=context.incident,
            key=key,
        )
        if isinstance(result, routes.Changed) and result.report is not None:
            self._ports.responder.handle_in(tx, result.report)
        return result

    def _watch(self, tx: Transaction, options: RampOptions, context: StepContext, number: int) -> None:
        abort_if = options.abort_if
        if abort_if is None:
            return
        tx.save_watch(
            Watch(
                id=f"{context.key}:{number}",
                rule=abort_if.rule,
                entity={"service": options.service} if abort_if.entity is None else abort_if.entity,
                since=context.now + abort_if.settle,
                window=abort_if.window,
                min_samples=abort_if.min_samples,
                until=context.now + options.every + abort_if.evidence + LAG + GRACE,
                timeline=context.timeline,
            )
        )


def _begun(options: RampOptions, route: Route) -> Outcome:
    if clean(route.weights) == clean(options.to):
        return Done({"route": dict(route.weights), "stage": 100})
    return Waiting(0.0, "begins", Stage(route.weights).memory())


def _aborting(stage: Stage, reason: str) -> Waiting:
    """Going back is decided, and journaled, before it is done: a crash between the two does not decide again."""
    return Waiting(0.0, reason, Stage(stage.start, stage.number, stage.at, reason).memory())


def _told(options: RampOptions, stage: Stage) -> str:
    return f"at {options.through[stage.number]} % of the way"


KINDS = {
    "route.ramp": ActionKind(
        options=RampOptions,
        outputs={
            "route": Output("mapping", "percent of the traffic by target"),
            "stage": Output("int", "percent of the way that was reached"),
        },
        mutates=True,
        build=RouteRamp,
        page=__doc__,
        example=EXAMPLE,
    )
}
