"""What parts of a stream worker count beside their work: by batch and by checkpoint, never by event.

Readers of what workers tell import this and not the workers, which bring Faust with them.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

FACT = "stream"
"""The fact of whichever worker told last; `stream:NAME` is that of one worker."""
COUNTS = "stream-counts"
"""How often workers were started, and why they gave up, over all workers and all time."""
STARTS = "starts"
AGES = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets of `Ages`, in seconds; one more is open."""


@dataclass(slots=True)
class Ages:
    """How far the newest event of a partition was behind its log, a batch: a histogram over `AGES`."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one batch; one from a producer whose clock is ahead is of age 0."""
        seconds = max(0.0, seconds)
        self.buckets[bisect_left(AGES, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Saves:
    """Checkpoints written; `seconds` and `bytes` are of the last one."""

    number: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def add(self, seconds: float, size: int) -> None:
        """Count one transaction of checkpoints."""
        self.number += 1
        self.seconds, self.bytes = seconds, size
