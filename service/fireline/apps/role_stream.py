"""Builds the parts of `fireline stream` and runs them."""

import asyncio
import logging
import math
from collections.abc import Mapping
from pathlib import Path

from fireline.adapters.clock_steady import SteadyClock
from fireline.apps import lifeline, logs, turns
from fireline.apps.bootstrap import assemble, connection_of, generation_of, settings_with
from fireline.apps.event_topics import formats_of, overruled, topics_of
from fireline.apps.stream import Flow, StreamOptions, run_stream
from fireline.apps.stream_worker import Rhythm
from fireline.domain.configuration import Configuration
from fireline.domain.events import Source
from fireline.domain.incidents import SignalArrived
from fireline.domain.rules import Signal
from fireline.engine.respond import OUTDATED
from fireline.engine.watching import Claim
from fireline.measures import FAMILIES
from fireline.sources import FORMATS

log = logging.getLogger("fireline.stream")


def run(*, rules: Path | None, runbooks: Path | None) -> int:
    """Run one stream worker until SIGTERM; its exit code."""
    settings = settings_with(rules, runbooks)
    logs.set_up("stream", settings.log_level, settings.secrets())
    lifeline.hold()
    turns.shorten()
    parts = assemble(settings, teller=False, clock=SteadyClock(patience=math.inf))
    options = StreamOptions(
        connection=connection_of(parts),
        name=settings.stream_instance or f"stream-{parts.clock.token()[:8]}",
        topics=tuple(topics_of(settings, parts.files.current.topics)),
        generation=generation_of(parts),
        directory=settings.state_dir,
        instance=settings.stream_instance,
        allowed_lateness=settings.allowed_lateness,
        future_bound=settings.future_bound,
        rhythm=Rhythm(patience=settings.stall_after),
    )

    def decide(signal: Signal, claim: Claim | None) -> None:
        decision = parts.responder.handle(SignalArrived(signal), claim=claim)
        if decision.reason == OUTDATED:
            log.warning("signal %s of %s is not told: %s", signal.id, signal.rule, OUTDATED)

    def refresh() -> Configuration:
        parts.files.look()
        return parts.files.current

    def formats(configuration: Configuration) -> Mapping[str, Source]:
        for said in overruled(settings, configuration.topics):
            log.warning("%s", said)
        return formats_of(settings, configuration.topics)

    flow = Flow(
        configuration=parts.files.current,
        families=FAMILIES,
        decode=FORMATS["native"],
        on_signal=decide,
        formats=formats,
        refresh=refresh,
    )
    return asyncio.run(run_stream(options, flow, parts.store, parts.clock))
