"""Silences at work: which are in force when something is decided, and what is decided anew when they change.

A change is one transaction: the silence, and a deadline that is due at once. Whoever hears it decides on every open
incident anew, so that a crash in between delays that and loses nothing. Decisions read silences under a shared lock,
and a change takes it alone: no decision that is under way can miss a change and not be decided on anew after it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from fireline.domain.audit_acts import By, of_change
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Timer
from fireline.domain.incidents import Input, SilencesChanged
from fireline.domain.silences import Silence, Silences
from fireline.engine.ports import Clock, Settings, Store, Transaction
from fireline.engine.recurring import starts

LOG = logging.getLogger(__name__)

KIND = "silences"
"""The kind of the deadline that a change of silences arms."""
SETTLED = 30.0
"""Seconds after a change of files at which every process has read them: incidents are decided on once more."""
LOOK = 2.0
MOST = 10_000


class Handles(Protocol):
    """The responder: one decision for one input, in one transaction."""

    def handle(self, what: Input, /) -> object:
        """Decide, save, queue effects."""
        ...


def in_force(configuration: Configuration, tx: Transaction, now: float) -> Silences:
    """The silences that hold at `now` or will: those made, and those planned in files."""
    return Silences((*configuration.maintenance.values(), *tx.silences(now)), starts)


def save(tx: Transaction, before: Silence | None, silence: Silence, now: float, by: str) -> None:
    """Keep a silence that `by` made or changed, and have open incidents decided on anew; raises StaleVersion."""
    tx.save_silence(silence)
    kind = "silence.made" if before is None else "silence.changed"
    tx.record(of_change(kind, f"silence:{silence.number}", (before, silence), By(by, "by hand", now, silence.reason)))
    tx.arm(Timer(f"{KIND}/{silence.id}/v{silence.version}", now, KIND))


def review(store: Store, responder: Handles, timer: Timer) -> None:
    """Decide on every open incident as silences are now; the deadline goes when all of them were."""
    with store.reading() as tx:
        numbers = [incident.number for incident in tx.incidents(open_only=True, limit=MOST)]
    for number in sorted(numbers):
        responder.handle(SilencesChanged(number))
    with store.transaction() as tx:
        tx.disarm(timer.key)


class Maintenance:
    """Has open incidents decided on anew when planned silences change, and at a start."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._known: Mapping[str, Silence] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            await self._clock.sleep(LOOK)

    def look(self) -> bool:
        """Whether there was a change; a first look is one, for what was removed while nobody looked."""
        current = self._settings.current.maintenance
        if current == self._known:
            return False
        now = self._clock.now()
        with self._store.transaction() as tx:
            for name, due_at in (("now", now), ("settled", now + SETTLED)):
                tx.arm(Timer(f"{KIND}/files/{name}", due_at, KIND))
        self._known = current
        return True
