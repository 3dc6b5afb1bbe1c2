"""Record a golden history of today's version: `python -m tests.golden.record NAME [NAME ...]`, of those in `PLAYS`.

An existing file is never written again: it says what the version of then did.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from fireline.adapters.clock import FakeClock
from fireline.adapters.codec import encode
from fireline.adapters.database import open_store
from fireline.domain.outcomes import Waiting
from fireline.spec.loading import read_runbook
from tests.engine.runs_world import World
from tests.engine.test_runs_composites import TOLERANT
from tests.faults.test_composite_crashes import TEXT, Target, responder, until_over
from tests.golden.test_histories import FOLDER, planned


def written(w: World) -> dict[str, object]:
    """The history of run 1."""
    with w.store.reading() as tx:
        lines = list(tx.journal(1))
    text = lines[0][2].text
    states = [{"what": what, "run": json.loads(encode(run)), "next": planned(run, text)} for _, what, run in lines]
    for state in states:
        state["run"][1]["text"] = ""
    return {"text": text, "states": states}


async def tree(folder: Path, word: str) -> dict[str, object]:
    """Items, branches, a runbook within and what comes last; all is well, or undone when `word` is bad."""
    store, clock, target = open_store(f"sqlite:///{folder / 'fireline.db'}"), FakeClock(), Target()
    w, _ = responder(store, clock, target)
    w.want(read_runbook(TEXT.replace("CHECK", word), TOLERANT))
    await until_over(w, store, clock)
    return written(w)


async def held(folder: Path) -> dict[str, object]:
    """A run that people held, in which they passed over a step, aborted it and had it go on."""
    store, clock, target = open_store(f"sqlite:///{folder / 'fireline.db'}"), FakeClock(), Target()
    w, _ = responder(store, clock, target)
    waits = Target.perform

    async def hesitant(self: Target, options: object, context: object) -> object:
        outcome = await waits(self, options, context)
        return Waiting(30.0, "hangs") if getattr(options, "do", "") == "look" else outcome

    Target.perform = hesitant  # type: ignore[method-assign]  # a script of its own
    w.want(read_runbook(TEXT.replace("CHECK", "fine"), TOLERANT))
    await w.runs.run_once()
    w.runs.pause(1, "ann", "looking")
    w.runs.resume(1, "ann")
    w.runs.abort(1, "ben", "enough")
    await until_over(w, store, clock)
    w.runs.retry(1, "both", "ben")
    await w.runs.run_once()
    w.runs.skip(1, "look", "ann", "seen by hand")
    await until_over(w, store, clock)
    return written(w)


PLAYS = {
    "own-tree-succeeds": lambda folder: tree(folder, "fine"),
    "own-tree-is-undone": lambda folder: tree(folder, "bad"),
    "held-and-gone-on": held,
}


def main() -> None:
    """Record what is asked for and missing."""
    for name in sys.argv[1:]:
        path = FOLDER / f"{name}.json"
        if not path.exists():
            with tempfile.TemporaryDirectory() as folder:
                history = asyncio.run(PLAYS[name](Path(folder)))
            path.write_text(json.dumps(history, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
