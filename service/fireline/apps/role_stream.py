"""Builds the parts of `fireline stream` and runs them."""

import asyncio
from pathlib import Path

from fireline.apps import lifeline, logs
from fireline.apps.bootstrap import assemble, connection_of, generation_of, settings_with
from fireline.apps.stream import Flow, StreamOptions, run_stream
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import SignalArrived
from fireline.domain.rules import Signal
from fireline.measures import FAMILIES
from fireline.sources import FORMATS


def run(*, rules: Path | None, runbooks: Path | None) -> int:
    """Run one stream worker until SIGTERM; its exit code."""
    settings = settings_with(rules, runbooks)
    logs.set_up("stream", settings.log_level, settings.secrets())
    lifeline.hold()
    parts = assemble(settings, teller=False)
    options = StreamOptions(
        connection=connection_of(parts),
        name=f"stream-{parts.clock.token()[:8]}",
        topics=tuple(settings.topics),
        generation=generation_of(parts),
        directory=settings.state_dir,
        instance=settings.stream_instance,
    )

    def decide(signal: Signal) -> None:
        parts.responder.handle(SignalArrived(signal))

    def refresh() -> Configuration:
        parts.files.refresh()
        return parts.files.current

    flow = Flow(
        configuration=parts.files.current,
        families=FAMILIES,
        decode=FORMATS["native"],
        on_signal=decide,
        formats={topic: FORMATS[form] for topic, form in settings.topics.items()},
        refresh=refresh,
    )
    return asyncio.run(run_stream(options, flow, parts.store, parts.clock))
