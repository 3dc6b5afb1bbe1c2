"""What a step did elsewhere, by its key: so that a repetition after a crash finds it done, or knows that it may be.

An entry is written before the doing and after it, beside the run's own journal, which knows of attempts and not of what
came of them. What ended once is not done again with the same key.
"""

from collections.abc import Mapping
from contextlib import suppress

from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Store, Unavailable

_DONE = "done"


def begun(store: Store, context: StepContext) -> Mapping[str, object] | int:
    """What came of it when it was done already, else how often it was begun before; notes that it begins now.

    Raises Unavailable and StaleVersion.
    """
    with store.transaction() as tx:
        found = tx.fact(_key(context))
        known = {} if found is None else found[0]
        done = known.get(_DONE)
        if isinstance(done, Mapping):
            return done
        before = known.get("begun", 0)
        times = before if isinstance(before, int) else 0
        tx.put_fact(_key(context), {"begun": times + 1}, context.now)
        return times


def ended(store: Store, context: StepContext, output: Mapping[str, object]) -> None:
    """Note what came of it. A database that is away now costs a repetition, not the outcome."""
    with suppress(Unavailable, StaleVersion), store.transaction() as tx:
        tx.put_fact(_key(context), {_DONE: dict(output)}, context.now)


def _key(context: StepContext) -> str:
    return f"step/{context.key}"
