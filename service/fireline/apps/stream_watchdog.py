"""Whether consumption has stalled: Faust and aiokafka have been known to stop fetching without a word."""

from collections.abc import Mapping
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
