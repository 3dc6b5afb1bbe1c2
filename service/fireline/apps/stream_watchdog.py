"""Whether consumption has stalled: Faust and aiokafka have been known to stop fetching without a word.

`Watchdog` lives in the event loop and looks at offsets. `Pulse` is a thread, for what a loop cannot see: that it is
itself blocked, by a call that computes or sleeps.
"""

import faulthandler
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Place = tuple[str, int]


@dataclass(slots=True)
class _Seen:
    position: int
    end: int
    since: float


@dataclass(slots=True)
class Watchdog:
    """Finds partitions whose log grew while we stood still for `patience` seconds."""

    patience: float = 30.0
    _seen: dict[Place, _Seen] = field(default_factory=dict)

    def observe(self, now: float, positions: Mapping[Place, int], ends: Mapping[Place, int]) -> list[Place]:
        """The partitions that are stalled at `now` (seconds of any steady clock); the rest is remembered.

        A log that does not grow says nothing: its last records may be markers that are never delivered.
        """
        self._seen = {place: seen for place, seen in self._seen.items() if place in positions}
        return [place for place in positions if place in ends and self._stalled(place, now, positions, ends)]

    def forgive(self) -> None:
        """Begin anew: after a rebalance, or when the broker could not be asked, nobody is to blame."""
        self._seen.clear()

    def _stalled(self, place: Place, now: float, positions: Mapping[Place, int], ends: Mapping[Place, int]) -> bool:
        position, end = positions[place], ends[place]
        seen = self._seen.get(place)
        if seen is None or seen.position != position or position >= end:
            self._seen[place] = _Seen(position, end, now)
            return False
        return end > seen.end and now - seen.since >= self.patience


class Pulse:
    """A thread that the event loop must feed: `end` is called, with where the loop stands, when it was not for long.

    `patience` in seconds counts only while this process runs, so that one that was paused is not blamed for it. A call
    that holds the interpreter's lock stops this thread as well: then, after twice as long, the interpreter's own timer
    ends the process with exit code 1 and writes where it stood to standard error.
    """

    LOOKS = 10
    """Looks at the loop in the time of its patience."""

    def __init__(self, patience: float, end: Callable[[str], None]) -> None:
        self._patience = patience
        self._end = end
        self._fed = False
        self._stopped = threading.Event()
        self._watched = threading.get_ident()

    def start(self) -> None:
        """Begin to watch the thread that made us, whose event loop calls `feed`."""
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()

    def feed(self) -> None:
        """The loop lives."""
        self._fed = True
        faulthandler.dump_traceback_later(2 * self._patience, exit=True)

    def stop(self) -> None:
        """Nothing more is to be blamed on the loop."""
        self._stopped.set()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        hungry = 0
        while not self._stopped.wait(self._patience / self.LOOKS):
            hungry = 0 if self._fed else hungry + 1
            self._fed = False
            if hungry >= self.LOOKS:
                self._end(f"the event loop stood still for {self._patience:g} s {self._where()}")
                return

    def _where(self) -> str:
        """The innermost lines of the watched thread's stack."""
        frame = sys._current_frames().get(self._watched)
        lines = traceback.extract_stack(frame, limit=None)[-3:] if frame is not None else []
        return "in " + " < ".join(f"{line.name} ({line.filename}:{line.lineno})" for line in reversed(lines))
