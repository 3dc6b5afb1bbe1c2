"""A responder for runs in a thread, for commands that wait for one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.adapters.database import open_store
from fireline.apps.bootstrap import plugins
from fireline.domain.audit import Keys
from fireline.engine.runs import Runs
from fireline.spec.loading import read_runbook
from tests.apps.command import AUDIT_KEY, House

PATIENCE = 60.0


@contextmanager
def responder(house: House) -> Iterator[None]:
    """Runs of the house are driven while the block lasts."""
    files, told = house.parts()
    store = open_store(house.database, keys=Keys.of((AUDIT_KEY,)))
    runs = Runs(
        store=store,
        settings=files,
        clock=house.clock,
        actions=build_actions(Ports(store, files, house.clock, told)),
        options=OPTIONS,
        read_runbook=lambda text: read_runbook(text, plugins()),
        responder=told,
        owner="thread",
    )
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(runs.run(stop)))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        runs.wake()
        thread.join(PATIENCE)
        loop.close()
        store.close()
