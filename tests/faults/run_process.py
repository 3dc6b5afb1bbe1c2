"""A responder as a process of its own, for being killed: drives runs on a database, with verdicts that are always well.

`python run_process.py DATABASE_FILE [SECONDS]` starts the fallback run, or finds it, and exits with 0 when it is over.
With SECONDS the kernel ends it by SIGALRM, as rudely as by SIGKILL, so long after it begins to drive.
"""

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import open_store
from fireline.domain.effects import StartRun
from tests.engine.runs_world import Fixed, World, shipped

QUICK = {"stable_for": "0s", "every": "100ms", "verify_within": "300s"}


async def drive(path: Path, lives: float = 0.0) -> None:
    store = open_store(f"sqlite:///{path}")
    w = World(store, SystemClock(), Fixed(shipped()), owner=SystemClock().token())
    w.runs._lease = 1.0
    w.verdicts = {"fraud_latency": "clear", "primary_health": "clear"}
    for queued in store.claim_effects(w.owner, w.clock.now(), 0.5, 100):
        if isinstance(queued.effect, StartRun):
            w.runs.start(replace(queued.effect, inputs={**queued.effect.inputs, **QUICK}))
    signal.setitimer(signal.ITIMER_REAL, lives)
    while True:
        w.evaluate()
        await w.runs.run_once()
        with store.reading() as tx:
            run = tx.run(1)
        if run is not None and run.over:
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(drive(Path(sys.argv[1]), *map(float, sys.argv[2:])))
