"""Guards in the transaction that lets a run begin: on every database, and when two responders look at the same run."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.effects import Tell
from fireline.domain.runbooks import RunStatus
from tests.engine.runs_world import Fixed, World, shipped
from tests.engine.test_guards import away, home


def overrules(store: DatabaseStore) -> list[dict[str, object]]:
    with store.reading() as tx:
        acts = [json.loads(entry.body) for entry in tx.audit_chain()]
    return [act for act in acts if act["kind"] == "run.overruled"]


async def test_a_run_is_refused_told_and_overruled_alike_on_every_database(store: DatabaseStore) -> None:
    w = World(store, FakeClock(), Fixed(shipped()))
    for number, book in enumerate((away(), home(), away())):
        assert w.want(book, key=str(number)).run.status is RunStatus.RUNNING
        await w.runs.run_once()
        w.clock.advance(60)
    incident = w.fire()
    refused = w.want(home(), key="refused", incident=incident.number).run
    assert refused.status is RunStatus.REFUSED
    assert refused.reason.startswith("oscillating: ")
    assert [each for each in w.effects(Tell) if f"run-{refused.id}/" in each.key]
    more = {"person": "ann", "reason": "the fallback is down", "overrule": ("oscillation",)}
    run = w.want(home(), key="overruled", incident=incident.number, **more).run
    await w.runs.run_once()
    again = w.run(run.id)
    assert (again.status, dict(again.overruled)) == (RunStatus.SUCCEEDED, dict(run.overruled))
    assert [act["actor"] for act in overrules(store)] == ["ann"]


async def test_two_responders_that_let_in_the_same_run_put_down_one_overruling(shared_url: str) -> None:
    stores = [open_store(shared_url), open_store(shared_url)]
    try:
        clock = FakeClock()
        first, second = (World(each, clock, Fixed(shipped()), owner=str(place)) for place, each in enumerate(stores))
        guards = "guards: {lock: x, budget: {runs: 1, per: 1h}}"
        book = away(guards)
        holds = first.want(book, key="holds").run
        why = {"person": "ann", "reason": "because", "overrule": ("budget",)}
        waits = first.want(book, key="waits", **why).run
        second.settings.current = first.settings.current
        assert waits.status is RunStatus.WAITING
        first.runs.abort(holds.id, "ann", "enough")
        clock.advance(5)
        with ThreadPoolExecutor(2) as threads:
            letting = [threads.submit(_driven, world, waits.id) for world in (first, second)]
            for each in letting:
                each.result()
        after = first.run(waits.id)
        assert after.status is RunStatus.SUCCEEDED
        assert set(after.overruled) == {"budget"}
        assert len(overrules(stores[0])) == 1
    finally:
        for each in stores:
            each.close()


def _driven(world: World, number: int) -> None:
    """Drive as a responder of its own does, until the run is over."""

    async def until_over() -> None:
        end = time.monotonic() + 240
        while time.monotonic() < end:
            await world.runs.run_once()
            if world.run(number).over:
                return
            world.clock.advance(1.0)
            await asyncio.sleep(0.05)

    asyncio.run(until_over())
