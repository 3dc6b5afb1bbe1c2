"""kafka.publish: put a JSON value on a topic of yours.

`kafka.publish` puts `value` on `topic` under `key`, and is done when all replicas in sync have it. Only topics of the
targets file (`FIRELINE_TARGETS`) are written to, never Fireline's own. The record carries the step's idempotency key in
the header `idempotency-key`: a step that was done is not put again with the same key, and one whose fate a crash left
open is put again with the header `resent`, and says so in its output, so that readers can tell duplicates.
"""

import asyncio
import json
from collections.abc import Mapping

from pydantic import Field, JsonValue, field_validator

from fireline.actions.ledger import begun, ended
from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.targets import unknown
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable

EXAMPLE = """\
id: retrain
uses: kafka.publish
with: {topic: ml.retrain, key: fraud-scoring, value: {model: fraud, reason: "its inputs have drifted"}}
irreversible: true
"""

MOST = 262_144
"""Bytes of a value."""


class PublishOptions(Options):
    """What to put where."""

    topic: str = Field(min_length=1, max_length=249, description="a topic of the targets file")
    key: str = Field("", max_length=1000, description="what decides the partition; empty: the step's idempotency key")
    value: dict[str, JsonValue] = Field(description="a JSON object")

    @field_validator("value")
    @classmethod
    def _bounded(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(value).encode()) > MOST:
            raise ValueError(f"a value has at most {MOST} bytes")
        return value


class Publish:
    """Puts one record, once by its key as far as that can be known."""

    mutates = True

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Put it, unless that was done already."""
        assert isinstance(options, PublishOptions)
        if options.topic not in self._ports.targets.topics:
            return Failed(unknown("topic", options.topic, self._ports.targets.topics))
        if context.dry_run:
            return Done({"topic": options.topic, "partition": None, "offset": None, "resent": False})
        if self._ports.publisher is None:
            return Failed("Kafka is not set up in this process")
        try:
            before = await asyncio.to_thread(begun, self._ports.store, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        return Done(before) if isinstance(before, Mapping) else await self._put(options, context, resent=before > 0)

    async def _put(self, options: PublishOptions, context: StepContext, *, resent: bool) -> Outcome:
        publisher, headers = self._ports.publisher, {"idempotency-key": _mark(context)}
        assert publisher is not None
        headers |= {"resent": "true"} if resent else {}
        outcome = await publisher.publish(options.topic, options.key or context.key, options.value, headers)
        if not isinstance(outcome, Done):
            return outcome
        output = {**outcome.output, "resent": resent}
        await asyncio.to_thread(ended, self._ports.store, context, output)
        return Done(output)


def _mark(context: StepContext) -> str:
    """The key as readers see it: with when the step began, as numbers of runs repeat on another database."""
    return f"{context.key}@{context.started_at:.3f}"


KINDS = {
    "kafka.publish": ActionKind(
        options=PublishOptions,
        outputs={
            "topic": Output("string", "where it is"),
            "partition": Output("int", "in which partition"),
            "offset": Output("int", "at which offset"),
            "resent": Output(
                "bool", "whether it may be there twice, because a crash left open what became of an earlier attempt"
            ),
        },
        mutates=True,
        build=Publish,
        page=__doc__,
        example=EXAMPLE,
    )
}
