"""Builds the parts of `fireline web` and runs them."""

import asyncio
from pathlib import Path

from fireline.adapters.clock_steady import SteadyClock
from fireline.apps import lifeline, logs, turns
from fireline.apps.bootstrap import assemble, configured_channels, follow_files, settings_with
from fireline.apps.controls import Controls
from fireline.apps.faults import Refused
from fireline.apps.web import create_app, listen, serve
from fireline.apps.witnesses import follow_witness
from fireline.engine.roster import Roster


def run(*, rules: Path | None, runbooks: Path | None) -> int:
    """Serve until SIGTERM."""
    settings = settings_with(rules, runbooks)
    logs.set_up("web", settings.log_level, settings.secrets())
    lifeline.hold()
    turns.shorten()
    clock = SteadyClock()
    parts = assemble(settings, teller=False, clock=clock)
    token = settings.api_token.get_secret_value() if settings.api_token else None
    roster = Roster(parts.store, parts.files, parts.clock, configured_channels(settings))
    controls = Controls(parts)
    app = create_app(parts.store, parts.files, parts.responder, controls, parts.clock, token=token, roster=roster)
    try:
        sock = listen(settings.web_host, settings.web_port)
    except OSError as fault:
        place = f"{settings.web_host}:{settings.web_port}"
        raise Refused(f"cannot listen on {place}: {fault.strerror}; choose another with FIRELINE_WEB_PORT") from None

    async def work() -> None:
        follow = [
            asyncio.create_task(follow_files(parts.files)),
            asyncio.create_task(follow_witness(parts.store, clock)),
        ]
        try:
            await serve(app, sock)
        finally:
            for task in follow:
                task.cancel()

    asyncio.run(work())
    return 0
