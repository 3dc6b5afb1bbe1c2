"""That somebody reads every partition: who joins a group is told what is his, not what is nobody's."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from fireline.adapters.faust_batches import Place
from fireline.adapters.kafka_group import GroupShares
from fireline.engine.ports import Unavailable

log = logging.getLogger("fireline.stream")

SOON = 2.0
"""Seconds until another look, while it is not known that everything is read."""
LATER = 20.0
"""Seconds until another look after one that found all in order."""
LATEST = 60.0
"""Seconds between two looks at most, where asking is of no use."""


@dataclass(slots=True)
class LeftOut:
    """Decides when a group is to share its partitions out anew: when two looks in turn miss the same ones.

    `pause` is how many seconds to wait until the next look. Each time that asking was of no use it is twice as long.
    """

    pause: float = SOON
    _missed: frozenset[Place] = frozenset()
    _patience: float = SOON

    def seen(self, missing: frozenset[Place] | None) -> frozenset[Place]:
        """What to ask for now, none for nothing; `missing` None where nobody knows."""
        known, missing = missing is not None, missing or frozenset()
        again = missing & self._missed
        self._missed = missing - again
        if again:
            self._patience = min(2 * self._patience, LATEST)
        elif known and not missing:
            self._patience = SOON
        self.pause = LATER if known and not missing else self._patience
        return again


async def see_that_all_is_read(shares: GroupShares, topics: Sequence[str], share_anew: Callable[[], None]) -> None:
    """Look now and then, until cancelled; where partitions stay with nobody, the group is asked to `share_anew`."""
    left_out = LeftOut()
    while True:
        await asyncio.sleep(left_out.pause)
        try:
            missing = await shares.left_out(topics)
        except Unavailable as fault:
            log.debug("whether all is read: %s", fault)
            missing = None
        except Exception:
            log.exception("whether all is read could not be seen")
            missing = None
        if again := left_out.seen(missing):
            log.warning("nobody reads %s: the group is asked to share its partitions out anew", _told(again))
            share_anew()


def _told(places: frozenset[Place]) -> str:
    return "; ".join(
        f"{topic} {', '.join(str(number) for _, number in group)}"
        for topic, group in groupby(sorted(places), key=lambda place: place[0])
    )
