"""What time the stream worker has, told to clocks of processes that see no events: its time rests on their records."""

import asyncio
import logging

from fireline.adapters.clock_steady import SteadyClock
from fireline.apps.stream_counts import FACT
from fireline.engine.ports import Store, Unavailable

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks."""


async def follow_witness(store: Store, clock: SteadyClock, every: float = LOOK) -> None:
    """Look at what a stream worker last reported, as long as this task lives; it matters only while a jump is doubted.

    A worker that doubts a jump itself, and has seen no record that speaks for or against it, is no witness.
    """
    seen = 0.0
    while True:
        await asyncio.sleep(every)
        if not clock.jumped():
            continue
        try:
            found = await asyncio.to_thread(_reported, store)
        except Unavailable as fault:
            log.debug("no witness: %s", fault)
            continue
        if found is not None and found != seen:
            clock.witness(seen := found)


def _reported(store: Store) -> float | None:
    with store.reading() as tx:
        fact = tx.fact(FACT)
    return None if fact is None or not fact[0].get("clock_sure", False) else fact[1]
