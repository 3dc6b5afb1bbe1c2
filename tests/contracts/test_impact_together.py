"""Two responders hear of a cause and of what comes of it in the same moment, on either database: neither misses it."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.catalog import Service
from fireline.domain.configuration import Configuration
from fireline.domain.deciding_draft import LIVE
from fireline.domain.incidents import Incident, SignalArrived
from fireline.engine.respond import Responder
from fireline.engine.timers import Sweeper
from tests.domain.deciding_world import signal, world
from tests.engine.runs_world import Fixed

TRIALS = 8
PATIENCE = 120.0


@pytest.fixture
def stores(shared_url: str) -> Iterator[tuple[DatabaseStore, DatabaseStore]]:
    first = open_store(shared_url)
    second = open_store(shared_url)
    yield first, second
    first.close()
    second.close()


def _configuration() -> Configuration:
    known = world()
    pairs = {
        **{f"up{n}": Service(f"up{n}", "platform") for n in range(TRIALS)},
        **{f"down{n}": Service(f"down{n}", "payments-ml", depends_on=(f"up{n}",)) for n in range(TRIALS)},
    }
    catalog = replace(known.catalog, services={**known.catalog.services, **pairs})
    return Configuration({}, {}, catalog, known.oncall)


def _at_once(responders: tuple[Responder, Responder], services: tuple[str, str], now: float) -> None:
    barrier = threading.Barrier(2)
    failed: list[BaseException] = []

    def hear(responder: Responder, service: str) -> None:
        try:
            barrier.wait(PATIENCE)
            responder.handle(SignalArrived(signal(service=service, at=now)))
        except BaseException as fault:
            failed.append(fault)

    threads = [threading.Thread(target=hear, args=pair) for pair in zip(responders, services, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failed


def test_a_cause_and_its_effect_that_open_at_once_find_each_other(stores: tuple[DatabaseStore, DatabaseStore]) -> None:
    clock = FakeClock()
    settings = Fixed(_configuration())
    responders = (Responder(stores[0], settings, clock), Responder(stores[1], settings, clock))
    for trial in range(TRIALS):
        _at_once(responders, (f"up{trial}", f"down{trial}"), clock.now())
    _sweep(stores, responders, clock)
    incidents = {each.service: each for each in responders[0].incidents()}
    assert len(incidents) == 2 * TRIALS
    for trial in range(TRIALS):
        _check(incidents[f"up{trial}"], incidents[f"down{trial}"])


def _sweep(
    stores: tuple[DatabaseStore, DatabaseStore], responders: tuple[Responder, Responder], clock: FakeClock
) -> None:
    """Both hear deadlines at once, until none is due."""
    sweepers = [
        Sweeper(store, responder, clock, f"s{n}")
        for n, (store, responder) in enumerate(zip(stores, responders, strict=True))
    ]

    async def work() -> None:
        while sum(await asyncio.gather(*(sweeper.run_once() for sweeper in sweepers))):
            pass

    asyncio.run(work())


def _check(cause: Incident, effect: Incident) -> None:
    assert effect.impact is not None
    assert effect.impact.cause == cause.number
    assert cause.impacts == (effect.number,)
    assert not [page for page in effect.pages if page.status in LIVE]
    assert [page for page in cause.pages if page.status in LIVE]
